"""Ids that tell one thing from another and keep no secret.

uuid4 asks the kernel for each: three of them were 40 us of a request.
"""

from __future__ import annotations

import os
from random import Random

_random = Random()  # noqa: S311  no secret
os.register_at_fork(after_in_child=_random.seed)


def new_id() -> str:
    """32 hexadecimal digits of 128 random bits, by a generator that no app's `random.seed` reaches."""
    return f"{_random.getrandbits(128):032x}"
