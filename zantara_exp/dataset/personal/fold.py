"""Replaces unusual characters by usual ones, so that one spelling of a number or an address is enough: full-width and
other digits, no-break and thin spaces, dashes, invisible characters, digits in boxes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_UNUSUAL = re.compile(
    "[\u00a0\u00ad\u0130\u02d0-\u036f\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u1680\u180e\u2000-\u200f\u2010-\u2015\u2024"
    "\u2028-\u202f\u205f-\u206f\u2070-\u2089\u20e3\u2212\u2460-\u24ff\u3000\u3002\ufe0e\ufe0f\ufe50-\ufe6b\ufeff"
    "\uff01-\uff5e\U0001d400-\U0001d7ff\U0001f100-\U0001f10a]"
)
_DASHES = dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")


def folded(text: str) -> tuple[str, Sequence[int] | None]:
    """The text with usual signs, and where each of them stood; None where nothing moved."""
    text = text.replace("\t", " ") if "\t" in text else text
    if text.isascii():
        return text, None
    text = text.replace("\u2019", "'")
    if not _UNUSUAL.search(text):
        return text, None
    signs, places = [], []
    for place, sign in enumerate(text):
        usual = sign if sign < "\u00a0" else _usual(sign)
        if usual:
            signs.append(usual)
            places.append(place)
    return "".join(signs), [*places, len(text)] if len(places) < len(text) else None


@lru_cache(4096)
def _usual(sign: str) -> str:
    """The usual sign, "" for one that is not seen."""
    if sign in _DASHES:
        return _DASHES[sign]
    if unicodedata.category(sign) in ("Cf", "Me") or "\ufe00" <= sign <= "\ufe0f":
        return ""
    if sign == "\u0130":  # its small letter is two signs long
        return "I"
    decimal = unicodedata.digit(sign, None)
    if decimal is not None:
        return str(decimal)
    usual = unicodedata.normalize("NFKC", sign)
    return usual if len(usual) == 1 else sign
