"""Regular expressions that ignore case, matched on lower-case texts instead, which takes a quarter of the time. Used
only if the text's letters and the pattern allow it, so that the matches are the same.
"""

from __future__ import annotations

import re

_UNUSUAL = re.compile("[µ\u0130\u0131\u017f-\u1fff\u2126\u212a\u212b\ua64a\ua64b\ufb05\ufb06]")
"""Letters that equal others, case ignored, than their small ones (ſ and s, ς and σ); and Greek, Cyrillic and others,
among which such letters are."""
_ESCAPED = re.compile(r"\\[wWsSdDbB\W]")
_MAY_MEAN_CAPITALS = re.compile(r"\(\?[-ims]|[!-@]-(?:\\\W|[\[^_`{|}~])")
"""Flags, and ranges that hold all capitals without naming one."""


def small(text: str) -> str | None:
    """The text in small letters; None where it has letters that equal others, case ignored, than their small ones."""
    return text.lower() if _is_usual(text) else None


def finds_the_same_in_small(pattern: str) -> bool:
    """Whether a pattern finds in small letters, minding case, what it finds in any, ignoring case."""
    bare = _ESCAPED.sub("", pattern)
    names_capitals = bare != bare.lower() or "\\" in bare or _MAY_MEAN_CAPITALS.search(pattern)
    return _is_usual(pattern) and not names_capitals


def _is_usual(text: str) -> bool:
    return text.isascii() or not _UNUSUAL.search(text)
