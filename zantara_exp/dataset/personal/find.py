"""Finds personal data in a text. Surer findings come first, and later ones do not take their characters.

A text without figures, signs of addresses and naming words is passed after one quick check.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from zantara_exp.dataset.personal import GENERIC, PACKS, mail, network, secrets, spoken
from zantara_exp.dataset.personal.around import Around
from zantara_exp.dataset.personal.figures import RUN, Figures
from zantara_exp.dataset.personal.fold import folded
from zantara_exp.dataset.personal.named import Sayings
from zantara_exp.dataset.personal.pack import Pack
from zantara_exp.dataset.personal.phones import Phones
from zantara_exp.dataset.personal.search import Search, Span
from zantara_exp.dataset.personal.streets import Addresses
from zantara_exp.dataset.personal.words import Hit, Words

_FIGURE = re.compile(r"[0-9]")
_ALONE = frozenset(("key", "password", "token", "user", "at", "email", "spoken"))
"""Labels of what holds no figure."""
_TOLD = frozenset(("password", "token", "code"))


class Finder:
    """Finds what some countries' packs and the generic one, which comes first, declare."""

    def __init__(self, packs: Sequence[Pack]) -> None:
        words: dict[str, list[str]] = defaultdict(list)
        for pack in packs:
            for label, phrases in pack.words.items():
                words[label] += phrases.split("|")
        generic, *countries = packs
        regions = [region for pack in (*countries, generic) for region in pack.regions]
        self._phones = Phones(regions, [pack.dialled for pack in packs if pack.dialled])
        self._addresses = Addresses([street for pack in packs for street in pack.streets])
        self._words = Words({**words, **self._addresses.words, "spoken": spoken.WORDS}, _ALONE)
        self._sayings = Sayings([named for pack in packs for named in pack.named])
        self._figures = Figures(packs, self._addresses, self._phones, self._words.of("phone"))

    def spans(self, text: str) -> list[Span]:
        """Where the text holds what, in order and without overlaps."""
        usual, places = folded(text)
        found = self._in_usual(usual)
        if places is None:
            return found
        return [Span(places[begin], places[end - 1] + 1, kind) for begin, end, kind in found]

    def _in_usual(self, text: str) -> list[Span]:
        lower = text.lower()
        figures = _FIGURE.search(text) is not None
        hits = self._words.among(lower, figures)
        bracketed, key = "(a)" in lower or "[a]" in lower, secrets.may_hold_key(text)
        if not (hits or figures or bracketed or key or "@" in text):
            return []
        search, labels = Search(text), {hit.label for hit in hits}
        if key or "key" in labels:
            search.take("KEY", secrets.keys(text, hits))
        if not labels.isdisjoint(_TOLD):
            search.take("KEY", secrets.told(text, hits))
        if "@" in text:
            search.take("EMAIL", mail.written(text))
        if bracketed:
            search.take("EMAIL", mail.bracketed(text))
        if "at" in labels:
            search.take("EMAIL", mail.spelled(text, lower, hits))
        if "::" in text or text.count(":") > 6:
            search.take("IP", network.addresses6(text))
        if figures:
            self._at_figures(search, lower, hits)
        if "spoken" in labels:
            search.take("PHONE", spoken.numbers(lower, hits, self._phones))
        return search.spans()

    def _at_figures(self, search: Search, lower: str, hits: list[Hit]) -> None:
        runs, around = list(RUN.finditer(search.text)), Around(lower, hits)
        if hits:
            self._sayings.take(search, hits, [run.span() for run in runs], around)
            for begin, end in self._addresses.by_words(search.text, hits, around):
                self._figures.before_an_address(search, runs, begin, around)
                search.take("ADDRESS", [(begin, end)])
        self._figures.take(search, runs, lower, around)


@lru_cache(32)
def finder(countries: tuple[str, ...]) -> Finder:
    """The finder of these countries and of what is no country's; raises KeyError for one without a pack."""
    return Finder([GENERIC, *(PACKS[country] for country in countries)])
