"""Personal data behind, or right before, a word that names it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from zantara_exp.dataset.personal.around import Around, is_money
from zantara_exp.dataset.personal.pack import Check, Named
from zantara_exp.dataset.personal.search import Search
from zantara_exp.dataset.personal.words import Hit

_I = re.IGNORECASE
_GAP = r"(?:[^\d\n?!;.]|(?<=\bn)\.|(?<=\bno)\.|(?<=\bnr)\.|(?<=\bnum)\.|(?<=\brek)\.){0,%d}?"
_VALUE = r"(?P<value>%s)(?![^\W_])"
_LINK = r"[\s)\"']{1,3}(?:(?:is|è|e'|itu|adalah|ist|est|es|:|=|-)\s|\()(?:[^\W\d_]{2,8}\s){0,2}"
"""What stands between a value and the word behind it: X is my passport, X (BCA)."""
_BESIDE = r"|\s"
_AND = re.compile(
    r"\s?(?:,|/|;|&|\+|\b(?:e|ed|and|or|o|und|oder|et|ou|y|dan|atau)\b)\s?(?:(?:anche|also|auch|aussi|juga)\s)?", _I
)
_BACK = 40
"""So near before a word the value ends that it names."""


class _Saying(NamedTuple):
    kind: str
    behind: re.Pattern[str]
    value: re.Pattern[str]
    before: re.Pattern[str]
    valid: Check | None
    others: frozenset[str]
    """Labels that begin something else."""
    reach: int
    """How far its first figure may stand from the word."""


class Sayings:
    """The named forms of some packs."""

    def __init__(self, named: Sequence[Named]) -> None:
        kinds: dict[str, set[str]] = defaultdict(set)
        for each in named:
            kinds[each.label].add(each.kind)
        self._by_label: dict[str, list[_Saying]] = defaultdict(list)
        for each in named:
            others = {label for label, of in kinds.items() if each.kind not in of and label != each.label}
            self._by_label[each.label].append(_compiled(each, frozenset(others | {"phone", "other", "amount"})))

    def take(self, search: Search, hits: Sequence[Hit], runs: Sequence[tuple[int, int]], around: Around) -> None:
        """Keep what the words of a text name; `runs` are the places of its figures, which every value holds."""
        for hit in hits:
            if hit.label not in self._by_label:
                continue
            at = bisect_left(runs, (hit.end,))
            ahead = runs[at][0] - hit.end if at < len(runs) else len(search.text)
            back = at > 0 and hit.begin - runs[at - 1][1] < _BACK
            found = []
            for saying in self._by_label[hit.label]:
                if ahead <= saying.reach or back:
                    places = _places(search.text, hit, saying, around, back)
                    found += [(begin, -end, saying.kind) for begin, end in places]
            for begin, end, kind in sorted(found) if found else ():  # the longest of those that begin first
                search.take(kind, [(begin, -end)])


def _places(text: str, hit: Hit, saying: _Saying, around: Around, back: bool) -> Iterator[tuple[int, int]]:
    """The values that a word brings: behind it, also several, or right before it."""
    match = saying.behind.match(text, hit.end)
    if match is None and back:
        match = saying.before.search(text, max(0, hit.begin - _BACK - 25), hit.begin)
        if match and _is_it(saying, text, match):
            yield match.span("value")
        return
    while match is not None:
        begin, end = match.span("value")
        if around.any(hit.end, begin, saying.others) or not _is_it(saying, text, match):
            return
        yield begin, end
        more = _AND.match(text, end)
        match = saying.value.match(text, more.end()) if more else None


def _is_it(saying: _Saying, text: str, match: re.Match[str]) -> bool:
    if saying.valid is not None and not saying.valid(match["value"]):
        return False
    return saying.kind == "BIRTH_DATE" or not is_money(text, *match.span("value"))


def _compiled(named: Named, others: frozenset[str]) -> _Saying:
    value = _VALUE % named.form
    return _Saying(
        named.kind,
        re.compile(_GAP % named.near + r"(?<![^\W_])" + value, _I),
        re.compile(value, _I),
        re.compile(rf"(?<![^\W_])(?P<value>{named.form})(?:{_LINK}{_BESIDE if named.beside else ''})$", _I),
        named.valid,
        others,
        named.near + 10,
    )
