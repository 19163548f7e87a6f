"""Recognises numbers that are not personal by their surroundings: amounts, quantities, order and law numbers."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from zantara_exp.dataset.personal.words import Hit

_I = re.IGNORECASE
_MONEY_BEFORE = re.compile(r"(?:\b(?:rp|idr|eur|euro|usd|us|aud|sgd|gbp|chf|dollars?|rupiah)|[€$£¥])\.?\s?$", _I)
_MONEY_AFTER = re.compile(
    r"[\s,.-]{0,3}(?:(?:rp|rupiah|rupie|idr|juta|jt|ribu|rb|miliar|milyar|million|mln|billion|bn|thousand|k|milioni"
    r"|miliardi|mila|mio"
    r"|mrd|millionen|milliarden|tausend|millions|milliards|mille|millones|mil|euros?|eur|usd|gbp|chf|dollars?"
    r"|dollari|dólares|pounds?)\b|[€$£%])",
    _I,
)
UNIT = re.compile(
    r"\s?(?:(?:k?m|cm|mm|mq|m2|m²|kg|g|gr|l|ml|cl|gb|mb|tb|kwh?|w|v|ha|are|ft|mi|miles?|meter[n]?|metri|mètres"
    r"|metros|minut[eiosn]\w*|minutes?|min"
    r"|secondi|seconds?|sekunden|secondes|segundos|detik|menit|jam|hours?|hrs?|or[ae]|std|stunden?|uhr|heures?"
    r"|horas?|h|giorn[oi]|gg|days?|hari"
    r"|tage?n?|jours?|d[ií]as?|settiman[ae]|weeks?|minggu|wochen?|semaines?|semanas?|mes[ei]|months?|bulan"
    r"|monate?n?|mois|meses|ann[oi]"
    r"|years?|tahun|jahren?|ans?|années|años?|abitanti|penduduk|jiwa|einwohner|habitants|habitantes|inhabitants"
    r"|persone|people|persons?|orang|personen|personnes|personas|volte|times|kali|mal|fois|veces"
    r"|stelle|stars?|bintang|sterne|étoiles|estrellas|notti|nights?|malam|nächte|nuits|noches|piani|stops?|scali"
    r"|posti|seats|places|plazas"
    r"|livelli|zimmer|rooms?|kamar|camere|chambres|habitaciones|pax|pcs|pezzi|stück|am|pm|st|nd|rd|th)\b|[€$£%°]"
    r"|[:.,]\d)",
    _I,
)
"""What makes a number behind a name a quantity."""
_JOINING = re.compile(
    r"[\s:#=°º()*\"'-]*(?:(?:number|numbers|no|nr|n|num|numero|numeri|nomor|nomer|nummer|numéro|número|is|are|è|e'"
    r"|adalah|ist|lautet|est|es"
    r"|di|da|of|von|de|del|der|the|il|la|el|le|les|saya|kami|anda|my|your|our|mio|mia|id|code|codice|kode|was|for"
    r"|per|untuk|für|pour|para|sebesar)"
    r"\b\.?[\s:#=°º()*\"'-]*){0,4}"
)
_OTHER = frozenset(("other", "amount"))
_NEUTRAL = frozenset({"number", "at", "user", "key", "network", "address", "email"})


def is_money(text: str, begin: int, end: int) -> bool:
    """Whether a currency or a word such as `million` stands right beside."""
    return bool(_MONEY_BEFORE.search(text, max(0, begin - 12), begin) or _MONEY_AFTER.match(text, end, end + 16))


class Around:
    """The naming words of one text, asked for what they say of a place in it."""

    def __init__(self, lower: str, hits: Sequence[Hit]) -> None:
        self._lower, self._hits = lower, hits
        self.labels = frozenset(hit.label for hit in hits)
        """All that is named anywhere in the text."""

    def named(self, place: int, label: str, near: int) -> bool:
        """Whether a word of this label stands at most `near` characters before, with no figure or line between."""
        if label not in self.labels:
            return False
        for hit in self._before(place, near):
            if hit.label == label:
                return not _HOLDS_FIGURE.search(self._lower, hit.end, place)
        return False

    def other(self, place: int, amounts: bool = True) -> bool:
        """Whether the last naming word before says that the number is an order's, a law's or an amount."""
        if self.labels.isdisjoint(_OTHER):
            return False
        for hit in self._before(place, 40):
            if hit.label not in _NEUTRAL:
                other = hit.label == "other" or (amounts and hit.label == "amount")
                return other and bool(_JOINING.fullmatch(self._lower, hit.end, place))
        return False

    def any(self, begin: int, end: int, labels: frozenset[str]) -> bool:
        """Whether a word of one of these labels stands in between."""
        at = bisect_left(self._hits, (begin,))
        while at < len(self._hits) and self._hits[at].begin < end:
            if self._hits[at].label in labels and self._hits[at].end <= end:
                return True
            at += 1
        return False

    def _before(self, place: int, near: int) -> list[Hit]:
        """The nearest first."""
        found, at = [], bisect_left(self._hits, (place,)) - 1
        while at >= 0 and self._hits[at].begin >= place - near - _LONGEST_PHRASE:
            if place - near <= self._hits[at].end <= place:
                found.append(self._hits[at])
            at -= 1
        if len(found) > 1:
            found.sort(key=lambda hit: -hit.end)
        return found


_LONGEST_PHRASE = 45
_HOLDS_FIGURE = re.compile(r"[\d\n]")
