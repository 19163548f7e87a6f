"""Goes through the figures of a text; the surroundings of each decide which forms are tried."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from zantara_exp.dataset.personal import network
from zantara_exp.dataset.personal.around import UNIT, Around, is_money
from zantara_exp.dataset.personal.pack import Check, Pack, Shape
from zantara_exp.dataset.personal.phones import Phones
from zantara_exp.dataset.personal.search import Search
from zantara_exp.dataset.personal.streets import Addresses

RUN = re.compile(
    r"[0-9](?:(?<![^\W_].)(?<![+(][0-9])(?:[0-9]{0,3}"
    r"|(?P<dull>[0-9]{0,2}(?:\.[0-9]{3}){1,2}|[0-9]?(?P<_between>[./-])[0-9]{1,2}(?P=_between)(?:19|20)[0-9]{2}))"
    r"(?![^\W_]|-[^\W_]|[ .\-/()·_']{1,3}[0-9])"
    r"|[0-9]*(?P<run>(?:[ .\-/()·_']{1,3}[0-9]+){0,24}))"
)
"""Figures: a small number, a dull one (an amount in groups of three, a date) or a run that may be anything."""
_TWO_LETTERS = re.compile(r"[\W_][A-Za-z]{2} ")
_NEXT_GROUP = re.compile(r"(?<=[ /(])[0-9]")
_DECIMALS = re.compile(r",\d{1,2}(?!\d)")
_NO_FIGURES = re.compile(r"[^0-9]+")
_WINDOW = 28
"""Within so many signs all figures of a shape stand."""
_LONGEST_WORD = 40
"""So many letters and figures before a figure are looked back over, or a word of thousands would take seconds."""
_LONG = 16
"""Longer data with letters in them are nothing else: a word such as `order` before them says nothing."""
_OTHER = frozenset(("other", "amount"))
_PHONE = frozenset(("phone", "number"))
_GLUED = frozenset(("is", "at", "to", "di", "ke", "al", "au", "no"))
_LINKS = ("wa.me/", "phone=", "/+", "whatsapp.com/")


class _Seen(NamedTuple):
    kind: str
    form: re.Pattern[str]
    valid: Check | None


class Figures:
    """What the packs of some countries look for at figures. The first pack is the generic one."""

    def __init__(
        self, packs: Sequence[Pack], addresses: Addresses, phones: Phones, phone_words: frozenset[str]
    ) -> None:
        generic, *countries = packs
        self._addresses, self._phones, self._phone_words = addresses, phones, phone_words
        shapes = [generic.shapes[0], *(shape for pack in countries for shape in pack.shapes), *generic.shapes[1:]]
        self._lettered, self._figured = (
            _by_count([shape for shape in shapes if shape.letter is letter]) for letter in (True, False)
        )

    def take(self, search: Search, runs: Sequence[re.Match[str]], lower: str, around: Around) -> None:
        """Keep what the matches of `RUN` turn out to be."""
        text, phone = search.text, not around.labels.isdisjoint(_PHONE)
        for run in runs:
            begin, end = run.span()
            if run.lastgroup == "dull" and not phone:
                continue
            if begin > 4 and end - begin <= 9 and (address := self._addresses.by_number(text, lower, begin, around)):
                search.take("ADDRESS", [address])
                continue
            if not (search.is_free(begin, begin + 1) or search.is_free(end - 1, end)):
                continue
            if run.lastgroup is None and not _TWO_LETTERS.match(text, begin - 4):
                continue
            left = begin
            while left and text[left - 1].isalnum() and begin - left < _LONGEST_WORD:
                left -= 1
            self._run(search, left, begin, end, around)

    def before_an_address(self, search: Search, runs: Sequence[re.Match[str]], begin: int, around: Around) -> None:
        """Keep the telephone number that stands right before an address, before the address is kept."""
        for run in runs:
            if run.start() < begin < run.end():
                self._numbers(search, run.start(), run.start(), run.end(), around)

    def _run(self, search: Search, left: int, begin: int, end: int, around: Around) -> None:
        """Figures with the letters that they are glued to from `left` on."""
        text = search.text
        if text[begin - 1 : begin] == "+" or around.named(begin, "phone", 30):
            self._numbers(search, left, begin, end, around)
        glued = left < begin or text[end : end + 1].isalpha()
        for start in (*_starts_before(text, left, end - begin, glued), left):
            self._shape(search, start, around)
        if end - begin > 7:
            for match in _NEXT_GROUP.finditer(text, begin + 1, end):
                self._shape(search, match.start(), around)
        if end - begin > 6:
            for quad in network.QUAD.finditer(text, begin, end):
                self._quad(search, quad.start(), quad.end(), around)
        if end - begin >= 7 and (search.is_free(begin, begin + 1) or search.is_free(end - 1, end)):
            self._numbers(search, left, begin, end, around)

    def _shape(self, search: Search, start: int, around: Around) -> None:
        text = search.text
        if not search.is_free(start, start + 1) or (
            start > 1 and text[start - 1] in ".," and text[start - 2].isdigit()
        ):
            return
        count = len(_NO_FIGURES.sub("", text[start : start + _WINDOW]))
        any_of, shapes = (self._lettered if text[start].isalpha() else self._figured)[count]
        if not any_of.match(text, start):
            return
        for seen in shapes:
            match = seen.form.match(text, start)
            if match is None or (seen.valid is not None and not seen.valid(match[0])):
                continue
            end = match.end()
            weak = end - start < _LONG or match[0].upper() == match[0].lower()
            if not (weak and (around.other(start) or is_money(text, start, end))) and search.is_free(start, end):
                search.take(seen.kind, [(start, end)])
                return

    def _quad(self, search: Search, begin: int, end: int, around: Around) -> None:
        text = search.text
        said = around.named(begin, "network", 40)
        if not network.exists(text[begin:end]) or (not said and network.looks_like_an_amount(text, begin, end)):
            return
        if not around.other(begin) and (said or not is_money(text, begin, end)):
            search.take("IP", [(begin, end)])

    def _numbers(self, search: Search, left: int, begin: int, end: int, around: Around) -> None:
        text = search.text
        if left < begin and text[left:begin].lower() not in self._phone_words | _GLUED:
            return
        if (
            begin > 1
            and text[begin - 1] in "/-_#"
            and text[begin - 2].isalnum()
            and not text.endswith(_LINKS, 0, begin)
        ):
            return
        said = around.named(begin, "phone", 30) or (left < begin and text[left:begin].lower() not in _GLUED)
        said = said or (around.named(begin, "number", 25) and not around.any(begin - 40, begin, _OTHER))
        named = around.named(begin, "phone", 30)
        for start, stop in self._phones.within(text, begin, end, said, named):
            decimal = _DECIMALS.match(text, stop) or (
                start > 1 and text[start - 1] == "," and text[start - 2].isdigit()
            )
            if decimal or is_money(text, start, stop) or text[stop : stop + 1].isalpha():
                continue
            if around.other(start, amounts=text[start] not in "0+("):  # no amount begins so
                continue
            if said or not UNIT.match(text, stop):
                search.take("PHONE", [(start, stop)])


def _starts_before(text: str, left: int, figures: int, glued: bool) -> list[int]:
    """Where the one or two short words before figures begin that may be part of them.

    Two letters stand before a whole number (AB 12 34 56 C, IT 60 X) or in capitals, three or six before glued ones
    (RSS MRA 85T10).
    """
    starts: list[int] = []
    at = left
    while at > 1 and len(starts) < 2 and text[at - 1] in " ./-" and text[at - 2].isalpha():
        word = at - 2
        while word and text[word - 1].isalpha() and at - word < 8:
            word -= 1
        letters = at - word - 1
        fits = glued if letters in (3, 6) else letters < 3 and (figures > 5 or glued or text[word].isupper())
        if not fits or (word and text[word - 1].isalnum()):
            break
        starts.append(word)
        at = word
    return starts[::-1]


def _by_count(shapes: Sequence[Shape]) -> list[tuple[re.Pattern[str], list[_Seen]]]:
    """By the number of figures that follow: the shapes that may stand there, and a pattern of them all.

    The pattern lets most places pass by at once.
    """
    possible = [[shape for shape in shapes if shape.digits <= count] for count in range(_WINDOW + 1)]
    return [
        (
            _compiled("|".join(shape.form for shape in each) or "(?!)"),
            [_Seen(shape.kind, _compiled(shape.form), shape.valid) for shape in each],
        )
        for each in possible
    ]


@lru_cache(512)
def _compiled(form: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{form})(?![^\W_])(?!\.\d)", re.IGNORECASE)
