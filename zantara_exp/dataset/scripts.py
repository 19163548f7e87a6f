"""The script of a text, and the languages that use a script."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

_IN = {
    "CYRILLIC": "az ba be bg kk ky mk mn ru sr tg tk tt ug uk uz", "GREEK": "el grc", "ARMENIAN": "hy",
    "HEBREW": "he hbo", "ARABIC": "ar ary arz az fa ha kk ku ky ms pa ps sdh tg tk ug ur uz uzs",
    "DEVANAGARI": "gom hi mr ne sa", "BENGALI": "as bn", "GURMUKHI": "pa", "GUJARATI": "gu", "ORIYA": "or",
    "TAMIL": "ta", "TELUGU": "te", "KANNADA": "gom kn", "MALAYALAM": "ml", "SINHALA": "si sa", "THAI": "th",
    "LAO": "lo", "TIBETAN": "dz", "MYANMAR": "my", "KHMER": "km", "GEORGIAN": "ka", "ETHIOPIC": "am", "HANGUL": "ko",
    "HIRAGANA": "ja", "KATAKANA": "ja", "BOPOMOFO": "zh wuu yue", "CJK": "ja ko zh wuu yue", "JAVANESE": "jv",
    "BALINESE": "", "MONGOLIAN": "mn",
}  # fmt: skip
"""Script, as Unicode's names of letters begin -> languages. Latin letters are everybody's: many write so on a phone."""
_OTHER = re.compile(
    "[\u0370-\u1cff\u1f00-\u1fff\u2c80-\ud7ff\uf900-\ufaff\ufb13-\ufdff\ufe70-\uffdc\U00010000-\U0003ffff]"
)
_LETTER = re.compile(r"[^\W\d_]")


def fitting(languages: Iterable[str]) -> frozenset[str]:
    """The scripts that languages are written in, besides Latin."""
    return frozenset(script for script, of in _IN.items() if not {*of.split()}.isdisjoint(languages))


def mostly_in(text: str) -> str:
    """The script of most of a text's letters, where that is not Latin; "" where it is, or there are none."""
    if text.isascii() or not _OTHER.search(text):
        return ""
    counted = Counter(map(_script, _LETTER.findall(text)))
    if not counted:
        return ""
    script, _ = counted.most_common(1)[0]
    return script if script in _IN else ""


@lru_cache(4096)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
