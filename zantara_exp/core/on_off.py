"""What the word of a kill switch means: on, or off."""

from __future__ import annotations

import logging
from functools import lru_cache

_ON = frozenset(("", "true", "on", "1", "yes", "enabled"))
_OFF = frozenset(("false", "off", "0", "no", "disabled"))
_log = logging.getLogger(__name__)


def means_on(word: str, where: str) -> bool:
    """Whether a switch's word leaves on what it switches; no word does, and one that is neither on nor off does not."""
    plain = word if word in _ON else word.strip().lower()
    if plain not in _ON and plain not in _OFF:
        _warn(where, word)
    return plain in _ON


@lru_cache(maxsize=64)
def _warn(where: str, word: str) -> None:
    """Once for each; switches are looked at again and again."""
    _log.warning("%s says neither on nor off (%.20r), which is taken as off", where, word)
