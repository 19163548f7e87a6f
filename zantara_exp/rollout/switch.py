"""LLAMA_ENABLED: the switch over everything. Anything but a plain yes is off; not set is on."""

from __future__ import annotations

import os

VARIABLE = "LLAMA_ENABLED"
_ON = frozenset(("", "true", "on", "1", "yes", "enabled"))


def llama_enabled() -> bool:
    """Whether this process may route to the candidate at all."""
    word = os.environ.get(VARIABLE, "")
    return word in _ON or word.strip().lower() in _ON
