"""Telephone numbers that exist by the numbering plans of phonenumbers.

The plans' own patterns are compiled once: asking the library for each number and region takes a hundred times as long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

_GROUP = re.compile(r"\d+")
_YEAR = r"(?:1[5-9]|2[01])"
_NO_NUMBER = re.compile(
    rf"[0-3]?\d([-./])[01]?\d\1(?:{_YEAR})?\d{{2}}(?!\d|\1\d)|{_YEAR}\d{{2}}([-./])\d{{1,2}}\2\d{{1,2}}(?!\d)"  # dates
    r"|\d{1,2}[.:]\d{2}\s?-\s?\d{1,2}[.:]\d{2}(?!\d)|\d{1,2}\.\d{2}\s\d{1,2}\.\d{2}(?!\d)"  # hours
    rf"|0\.\d+(?![\d.])|{_YEAR}\d{{2}}\s?[-/]\s?{_YEAR}\d{{2}}(?!\d)"  # decimals, periods
)
_GAP = re.compile(r"[ ./-]{1,3}")
_THOUSANDS_BY_DOTS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3}){2,}")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([ .'])\d{3})(?:\1\d{3})*")
_KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
_SHORTEST, _LONGEST = 7, 15
_ANYWHERE = range(8, 13)
"""So many figures behind a word for a telephone are a number, of whatever country; most countries have one of them."""


def plan_of(region: str) -> str:
    """A pattern of the region's national numbers, without the digit that is dialled before them."""
    from phonenumbers import PhoneMetadata

    metadata = PhoneMetadata.metadata_for_region(region)
    found: dict[str, None] = {}
    for kind in _KINDS:
        each = getattr(metadata, kind)
        if each is not None and each.national_number_pattern and each.possible_length:
            lengths = "|".join(rf"\d{{{length}}}" for length in each.possible_length if length > 0)
            found[f"(?=(?:{lengths})$)(?:{each.national_number_pattern})"] = None
    return "|".join(found) or r"(?!)"


def _prefix(region: str) -> str:
    """What is dialled before a national number: 0, 1 or nothing."""
    from phonenumbers import PhoneMetadata

    metadata = PhoneMetadata.metadata_for_region(region)
    return (metadata.national_prefix if metadata else None) or ""


@lru_cache
def _abroad(code: int) -> re.Pattern[str] | None:
    """What follows a country's code; None where there is no such country."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    regions = COUNTRY_CODE_TO_REGION_CODE.get(code, ())
    if code == 1:  # two dozen countries share one plan
        return re.compile(r"[2-9]\d\d[2-9]\d{6}")
    if not regions or regions == ("001",):
        return re.compile(r"\d{7,12}") if regions else None
    return re.compile(rf"(?:{_prefix(regions[0])})?(?:{'|'.join(map(plan_of, regions))})")


def exists_abroad(number: str) -> bool:
    """Whether digits that begin with a country's code are a number there."""
    for length in (1, 2, 3):
        plan = _abroad(int(number[:length]))
        if plan is not None:
            return plan.fullmatch(number[length:]) is not None
    return False


def _code_exists(number: str) -> bool:
    return any(_abroad(int(number[:length])) is not None for length in (1, 2, 3))


class Phones:
    """Finds the numbers of some regions, and of all where the country's code is written."""

    def __init__(self, regions: Iterable[str], dialled: Iterable[str]) -> None:
        plans = [rf"(?:{_prefix(region)})?(?:{plan_of(region)})" for region in dict.fromkeys(regions)]
        self._at_home = re.compile("|".join(plans) or r"(?!)")
        self._dialled = re.compile(rf"(?:{'|'.join(dialled) or '(?!)'})(?!\d)")

    def within(self, text: str, begin: int, end: int, said: bool, named: bool = False) -> Iterator[tuple[int, int]]:
        """Numbers in a run of figures; where nothing said that one follows, only what is written as people dial.

        `named`: a word for a telephone stands before them, so that a number of any country is one.
        """
        if not said and _THOUSANDS.fullmatch(text, begin, end) and text[begin - 1 : begin] != "+":
            return
        groups = [match.span() for match in _GROUP.finditer(text, begin, end)]
        first = 0
        while first < len(groups):
            place = groups[first][0]
            if other := _NO_NUMBER.match(text, place, end):
                first = next((at for at, group in enumerate(groups) if group[0] >= other.end()), len(groups))
                continue
            if first and text[place - 1] in ".-_'":
                first += 1
                continue
            start = _sign_before(text, place)
            last = self._last(text, groups, first, start, said)
            if last is None and named and first == 0:
                last = _whole(text, groups)
            if last is None:
                first += 1
                continue
            yield start, groups[last][1]
            first = last + 1

    def exists(self, number: str) -> bool:
        """Whether figures are a number, at home or with a country's code."""
        return self._exists(number, plus=False, said=True)

    def _last(self, text: str, groups: list[tuple[int, int]], first: int, start: int, said: bool) -> int | None:
        """The last group of the longest number that begins with this one."""
        place = groups[first][0]
        plus = "+" in text[start:place] or (start > 0 and text[start - 1] == "+")
        if not (said or plus or text[place] == "0" or self._dialled.match(text, start)):
            return None
        number, ends = "", []
        for at in range(first, len(groups)):
            number += text[slice(*groups[at])]
            if len(number) > _LONGEST + 3:
                break
            ends.append((at, number))
        for at, digits in reversed(ends):
            if len(digits) < _SHORTEST:
                break
            if self._exists(digits, plus, said) and self._as_written(text, start, groups[at][1], digits, plus, said):
                return at
        return None

    def _exists(self, digits: str, plus: bool, said: bool) -> bool:
        if plus:
            return exists_abroad(digits) or (10 - said <= len(digits) <= _LONGEST and _code_exists(digits))
        if digits.startswith("00"):
            return exists_abroad(digits[2:])
        if digits.startswith("011") and exists_abroad(digits[3:]):
            return True
        return self._at_home.fullmatch(digits) is not None or (len(digits) >= 10 and exists_abroad(digits))

    def _as_written(self, text: str, start: int, end: int, digits: str, plus: bool, said: bool) -> bool:
        if said or plus:
            return True
        if digits[0] == "0":
            return len(digits) >= 9 or text[start] == "("
        match = self._dialled.match(text, start)
        return match is not None and match.end() == end


def _whole(text: str, groups: list[tuple[int, int]]) -> int | None:
    """The last group, where all together are as long as a number of some country; None otherwise."""
    last = next(
        (at for at in range(len(groups) - 1) if not _GAP.fullmatch(text, groups[at][1], groups[at + 1][0])), None
    )
    last = len(groups) - 1 if last is None else last
    size = sum(end - begin for begin, end in groups[: last + 1])
    return last if size in _ANYWHERE and not _THOUSANDS_BY_DOTS.fullmatch(text, groups[0][0], groups[last][1]) else None


def _sign_before(text: str, place: int) -> int:
    """Where a number begins that has a plus or an opening parenthesis before its first figure."""
    start = place
    while start and text[start - 1] in "(+" and place - start < 3:
        start -= 1
    if start == place and text[place - 2 : place] == "+ ":
        return place - 2
    return start
