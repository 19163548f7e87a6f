"""Plain texts of which one stands in whatever a regular expression finds: looked for in a tenth of the time."""

from __future__ import annotations

import re
from typing import NamedTuple

_MOST = 24
"""More take longer to look for than the expression."""
_OPTIONAL = re.compile(r"(?:[?*]|\{\d*(?:,\d*)?\})[?+]?")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_VERBOSE = re.compile(r"\(\?[a-zA-Z]*x")
Needed = frozenset[str] | None
"""None where it cannot be told."""


def needed(pattern: str) -> Needed:
    """Texts of which one stands in whatever `pattern` finds, minding case; None where no such few are seen."""
    if _VERBOSE.search(pattern):
        return None
    found = _alternatives(pattern, 0).needed
    return found if found is None or len(found) <= _MOST else None


class _Read(NamedTuple):
    needed: Needed
    end: int


def _alternatives(pattern: str, at: int) -> _Read:
    """What is parted by `|`, up to the end or the bracket that closes it: one of what each of them needs."""
    found: list[Needed] = []
    while True:
        read = _sequence(pattern, at)
        found.append(read.needed)
        at = read.end + 1
        if pattern[read.end : at] != "|":
            sets = [each for each in found if each is not None]
            return _Read(frozenset[str]().union(*sets) if len(sets) == len(found) else None, read.end)


def _sequence(pattern: str, at: int) -> _Read:
    """One alternative: the longest of what its parts need."""
    best: Needed = None
    run = ""
    while at < len(pattern) and pattern[at] not in "|)":
        literal, inner, at = _part(pattern, at)
        if optional := _OPTIONAL.match(pattern, at):
            literal, inner, at = "", None, optional.end()
        if literal:
            run += literal
        if not literal or pattern[at : at + 1] == "+":
            best, run = _better(_better(best, _of(run)), inner), ""
        if pattern[at : at + 1] == "+":
            at += 2 if pattern[at + 1 : at + 2] in ("?", "+") else 1
    return _Read(_better(best, _of(run)), at)


def _part(pattern: str, at: int) -> tuple[str, Needed, int]:
    """The sign that stands there for itself, or what a group needs; and where it ends."""
    sign = pattern[at]
    if sign == "(":
        special = pattern[at + 1 : at + 2] == "?"
        plain = not special or pattern[at + 2 : at + 3] == ":"  # other groups look around, or need their number
        read = _alternatives(pattern, at + (1 if not special else 3 if plain else 2))
        return "", read.needed if plain else None, read.end + 1
    if sign == "[" and (of := _CLASS.match(pattern, at)):
        return "", None, of.end()
    if sign == "\\":
        escaped = pattern[at + 1 : at + 2]
        return ("" if escaped.isalnum() else escaped), None, at + 2
    return ("" if sign in ".^$" else sign), None, at + 1


def _of(run: str) -> Needed:
    return frozenset((run,)) if run else None


def _better(one: Needed, other: Needed) -> Needed:
    """The one whose shortest text is longer."""
    if one is None or other is None:
        return one if other is None else other
    return other if min(map(len, other)) > min(map(len, one)) else one
