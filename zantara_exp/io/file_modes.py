"""What this program writes is its account's alone: chats, logs, labels, keys and verdicts lie in the same folders.

A team whose accounts share a group sets ZANTARA_UMASK=027 (the group reads) or 007 (the group writes as well). Other
accounts never get more than nothing. Inside of somebody else's program (the mirror or the router in an app) the app's
own umask is left alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from zantara_exp.core.errors import ConfigError

VARIABLE = "ZANTARA_UMASK"
_ALONE = 0o077


def wanted() -> int:
    """The umask to write under. Raises ConfigError where the variable would let other accounts in."""
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        return _ALONE
    if not re.fullmatch(r"0?0[0-7]7", given):
        raise ConfigError(
            f"{VARIABLE}={given}: must be 077 (this account alone), 027 (its group reads) or 007 (its group writes)",
            f"export {VARIABLE}=027",
        )
    return int(given, 8)


@contextmanager
def private() -> Iterator[None]:
    """Files that are made inside belong to the account alone, or to its group as the variable says."""
    before = os.umask(wanted())
    try:
        yield
    finally:
        os.umask(before)
