"""Postal addresses: a street, a number, and what follows of flat, postcode and town."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zantara_exp.dataset.personal.around import UNIT, Around, is_money
from zantara_exp.dataset.personal.pack import Streets
from zantara_exp.dataset.personal.words import Hit

_I = re.IGNORECASE
_NUMBER = (
    r"\d{1,4}(?:\s?(?:bis|ter|quater)\b"
    r"|\s?[A-Za-z](?![^\W_]))?(?:\s?[-/+]\s?\d{1,4}[A-Za-z]?(?![^\W_]))?(?:/[A-Za-z](?![^\W_]))?"
)
"""A house's number: 12, 12/A, 8 bis, 14-16."""
_MARK = r"(?:n\.?|no\.?|nr\.?|num\.?|nomor|n°|nº|numero|número|civico|núm\.?)"
_SMALL = (  # words that no street is called, so that "piazza con 3 bar" and "via email in 24 ore" are none
    r"(?:dove|che|con|per|sono|è|da|ci|si|and|with|the|on|in|of|a|an|to|at|is|are|yang|untuk|dengan|ada|di|ke|dari"
    r"|ini|itu|sudah|mit|und|ist"
    r"|wo|que|y|es|para|por|où|qui|avec|est|pour|sur|email|e-mail|mail|whatsapp|telegram|sms|web|internet|telefono"
    r"|pec|posta|fax|chat|app|zoom"
    r"|skype|online|telepon|wa|hp|kaki|aerea|mare|terra|minutes?|years?|days?|hours?|kilometres?|miles?|my|your|our"
    r"|this|that|same|side|main"
    r"|più|meno|no|non|piena|stretta|chiusa|lunga|alle|dalle|ore|entro|teams|meet|garaje|aparcamiento|parking"
    r"|tol)(?![\w'’.])"
)
_NAME = rf"(?!{_SMALL})(?:\d{{1,2}}\s(?-i:(?=[A-ZÀ-Ý])))?(?:(?:[^\W\d_][\w'’.-]*|[IVX]+)\s){{0,4}}?[^\W\d_][\w'’.-]*"
_FIRST = re.compile(
    rf"\s?(?P<name>{_NAME}(?:\s\d{{1,3}}(?=\s?,?\s{_MARK}))?)(?:\s?,\s?"
    rf"|\s)(?P<mark>{_MARK}\s?)?(?P<number>{_NUMBER})(?![\w%€$])",
    _I,
)
_SMALL_WITHIN = re.compile(rf"(?:^|\s){_SMALL}")
_SMALL_AT_END = re.compile(rf"\s(?:{_SMALL}|d[aeiu]|de[li]|della?|des|von|van)$")
# In a name with capitals, particles apart: more than one makes it a sentence.
_WORD_IN_SMALL = re.compile(
    r"(?<![\w'’])(?!d[aeiou]l?\s|de[gil]l?i?\s|dell|de\s|la\s|las\s|los\s|y\s)[a-zà-ÿ][\w'’.-]*"
)
# A name without capitals: one or two words behind a particle.
_LITTLE_NAME = re.compile(
    r"(?:(?:d[aeiou]|de[gil]|dell[aeo'’]|dei|degli|de la|del|de los|de las|la|las|los|san|santa"
    r"|raya)[\s'’]*)?[^\W\d_][\w'’.-]*(?:\s[^\W\d_][\w'’.-]*)?$",
    _I,
)
_CAPITALS = re.compile(
    r"(?:(?:d[aeiou]l?|de[gil]l?i?|dell[aeo]?['’]?|dei|degli|du|des|de|la|las|los|le|les|l['’]"
    r"|d['’])[\s'’]?){0,3}(?:\d{1,2}\s)?[A-ZÀ-Ý]"
)
# What stands before the street's word: the number in French, number and name in English, the name in German.
_BEHIND = re.compile(r"(?<![\w.,/-])(?P<number>\d{1,4}(?:\s?(?:bis|ter|quater)|\s?[A-Da-d](?![\w]))?)\s?,?\s$", _I)
# The name behind the street's word, without a number that would end it.
_FRENCH = re.compile(
    r"\.?\s(?:(?:d[eu]s?|la|les?|du|aux?|saint|sainte|st|ste|général|du général|docteur|dr|maréchal|président"
    r"|professeur|place)\s|[dl]['’]){0,4}"
    r"(?!(?:et|ou|pour|avec|qui|est|par|dans|sur|au|yoga"
    r"|cinéma)\b)[^\W\d_][\w'’.-]*(?:[ -](?:(?-i:[A-ZÀ-Ý])[\w'’.-]*|d[eu]s?|la|les?)){0,5}",
    _I,
)
_ENGLISH = re.compile(
    r"(?<![\w.,/$€£-])(?:(?:flat|apt\.?|apartment|unit|suite"
    r"|room)\s\w{1,5},?\s)?(?P<number>\d{1,5}(?:[A-Za-z](?![\w])"
    r"|\s?-\s?\d{1,5}[A-Za-z]?(?!\w))?),?\s(?P<name>(?:(?:[^\W\d_][\w'’.-]*"
    r"|\d{1,3}(?:st|nd|rd|th))\s){1,4})$",
    _I,
)
_SHORTENED = frozenset(("st", "rd", "ave", "dr", "ct", "blvd", "ln", "sq", "pl", "hwy", "pkwy", "cres", "gdns", "cir"))
"""A full stop behind these is theirs and no sentence's."""
_YEAR = re.compile(r"(?:19|20)\d\d")
_NO_WORD_FOLLOWS = re.compile(r"\s*(?:$|[^\w\s]|(?:a|in|di|en|de|à|int|scala|piano|rt|rw)\b|(?-i:[A-ZÀ-Ý])|\d{5})", _I)
_HOUSE = re.compile(_NUMBER + r"(?!\w)")
_STEM = re.compile(r"(?:(?-i:[A-ZÄÖÜ])[\w.]*-?(?:er|e[rsn]?)?\s){0,2}(?-i:[A-ZÄÖÜ])?[\w.-]*$")
# Karl-Marx-Platz, Potsdamer Platz, Lindenweg; not: Sitzplatz 12, Heimweg 20.
_SURE_NAME = re.compile(
    r"-|\b(?!Dieser|Jeder|Unser|Immer|Unter|Hinter|Oder|Aber)[A-ZÄÖÜ]\w{2,}er\s|^[A-ZÄÖÜ][\wäöüß]{2,}(?:weg|platz)$"
)
_NO_STREET = re.compile(
    r"(?:park|sitz|stell|arbeits|steh|zelt|camping|spiel|liege|studien|kita|tisch|start|fenster|gang|warte|lager"
    r"|treff|rast|bolz|golf|tennis|fußball"
    r"|sport|speicher|heim|rück|hin|um|aus|schul|flucht|kinder|blumen|tier|bier|winter|vor|rechts)(?:platz|weg|ring"
    r"|garten|hof)$",
    _I,
)


@dataclass(frozen=True)
class _Compiled:
    streets: Streets
    tail: re.Pattern[str]
    postcode: re.Pattern[str]
    endings: tuple[str, ...]
    unsure: tuple[str, ...]


class Addresses:
    """Finds the addresses of some countries. `words` gives the labels that `hits` come with."""

    def __init__(self, streets: Sequence[Streets]) -> None:
        self.words: dict[str, list[str]] = {}
        self._any_ending: tuple[str, ...] = ()
        self._by_label: dict[str, tuple[_Compiled, bool]] = {}
        self._endings: list[_Compiled] = []
        for number, each in enumerate(streets):
            sure, unsure = (tuple(filter(None, words.split("|"))) for words in (each.sure, each.unsure))
            compiled = _Compiled(each, re.compile(each.tail, _I), re.compile(each.postcode, _I), sure, unsure)
            if each.order == "ending":
                self._endings.append(compiled)
                self._any_ending += (*sure, *unsure)
                continue
            for name, words in (("sure", sure), ("unsure", unsure)):
                self.words[f"street {number} {name}"] = list(words)
                self._by_label[f"street {number} {name}"] = compiled, name == "sure"

    def by_words(self, text: str, hits: Sequence[Hit], around: Around) -> list[tuple[int, int]]:
        """The addresses around words for a street, the longest first: several countries may know one."""
        found = []
        for hit in hits:
            if hit.label in self._by_label:
                compiled, sure = self._by_label[hit.label]
                if place := _ORDERS[compiled.streets.order](text, hit, compiled, sure, around):
                    found.append(place)
        return sorted(found, key=lambda place: place[0] - place[1])

    def by_number(self, text: str, lower: str, begin: int, around: Around) -> tuple[int, int] | None:
        """The address whose number begins here, where the word before ends as names of streets do."""
        end = begin - 1 if text[begin - 1] == " " else begin
        if not lower.endswith(self._any_ending, 0, end):
            return None
        for compiled in self._endings:
            sure = lower.endswith(compiled.endings, 0, end)
            if not (sure or lower.endswith(compiled.unsure, 0, end)):
                continue
            number = _HOUSE.match(text, begin)
            stem = _STEM.search(text, max(0, end - 40), end)
            if number is None or stem is None or _is_quantity(text, begin, number.end()):
                return None
            name = stem[0]
            start = stem.start()
            tail = _tail(compiled, text, number.end())
            known = _postcode(compiled, text, number.end(), tail) or around.named(start, "address", 60)
            capital = name.lstrip()[:1].isupper()
            bare = name.strip().lower() in compiled.endings
            if not known and (bare or len(name.strip(" .")) < 4 or _NO_STREET.search(name)):
                return None
            if known or (sure and len(name) > 4) or (capital and _SURE_NAME.search(name)):
                return start, tail
        return None


def _first(text: str, hit: Hit, compiled: _Compiled, sure: bool, around: Around) -> tuple[int, int] | None:
    match = _FIRST.match(text, hit.end)
    if match is None or _is_quantity(text, match.start("number"), match.end()):
        return None
    name, end = match["name"], _tail(compiled, text, match.end())
    known = _postcode(compiled, text, match.end(), end) or around.named(hit.begin, "address", 40)
    capitals = compiled.streets.capitals and _CAPITALS.match(name) is not None
    if _YEAR.fullmatch(match["number"]) and not (known or match["mark"]):
        return None
    if _SMALL_AT_END.search(name):
        return None
    if not known and (len(_WORD_IN_SMALL.findall(name)) > 1 if capitals else _SMALL_WITHIN.search(name)):
        return None
    little = sure and _LITTLE_NAME.match(name) and _NO_WORD_FOLLOWS.match(text, match.end())
    if capitals or known or match["mark"] or little:
        return hit.begin, end
    return None


def _number(text: str, hit: Hit, compiled: _Compiled, sure: bool, around: Around) -> tuple[int, int] | None:
    behind = _BEHIND.search(text, max(0, hit.begin - 14), hit.begin)
    name = _FRENCH.match(text, hit.end) if behind else None
    if behind is None or name is None:
        return None
    end = _tail(compiled, text, name.end())
    capital = re.search(r"[A-ZÀ-Ý]", name[0]) is not None
    known = _postcode(compiled, text, name.end(), end) or around.named(behind.start(), "address", 40)
    return (behind.start(), end) if sure or capital or known else None


def _last(text: str, hit: Hit, compiled: _Compiled, sure: bool, around: Around) -> tuple[int, int] | None:
    behind = _ENGLISH.search(text, max(0, hit.begin - 60), hit.begin)
    if behind is None:
        return None
    stop = hit.end + (text[hit.end : hit.end + 1] == "." and text[hit.begin : hit.end].lower() in _SHORTENED)
    end = _tail(compiled, text, stop)
    known = _postcode(compiled, text, stop, end) or around.named(behind.start(), "address", 40)
    capitals = all(word[0].isupper() or word[0].isdigit() for word in behind["name"].split())
    if _SMALL_WITHIN.search(behind["name"]) and not known:
        return None
    if known or (capitals and (sure or text[hit.begin].isupper())):
        return behind.start(), end
    return None


_ORDERS = {"first": _first, "number": _number, "last": _last}


def _is_quantity(text: str, begin: int, end: int) -> bool:
    """Whether a unit or a currency stands behind a number, also where one was taken for its letter: 300 m."""
    figures = begin + len(text[begin:end]) - len(text[begin:end].lstrip("0123456789"))
    return bool(UNIT.match(text, end) or UNIT.match(text, figures)) or is_money(text, begin, end)


def _tail(compiled: _Compiled, text: str, place: int) -> int:
    match = compiled.tail.match(text, place)
    return match.end() if match else place


def _postcode(compiled: _Compiled, text: str, begin: int, end: int) -> bool:
    return end > begin and compiled.postcode.search(text, begin, end) is not None
