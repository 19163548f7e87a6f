"""How texts are written: one form for what looks the same, and scripts that part no words.

Patterns and texts are both brought into that form before they meet: an accent that is a sign of its own, a letter that
is as wide as a Chinese one, or a sign that nobody sees must not hide a word. What is stored or sent stays as it was.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

UNPARTED = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1980-\u19df\u1a20-\u1aaf\u1b00-\u1b7f"  # Thai to Tibetan, Burmese, Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3040-\u312f\u31a0-\u31ff"  # Kana, Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua980-\ua9df\uaa60-\uaadf\uf900-\ufaff"  # Chinese characters, Yi, Javanese
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
"""Letters of scripts that part no words, as ranges of a regular expression's set."""
GROWN = "\u0530-\u08ff\u0900-\u0dff\u10a0-\u139f\u1800-\u18af\u1c90-\u1cbf\u2d00-\u2ddf\ua960-\ua97f\uac00-\ud7ff"
"""Letters of scripts whose words grow: an article, a preposition or an ending is written as a part of them. Armenian,
Hebrew, Arabic, Syriac, those of India, Georgian, Korean, Ethiopic, Mongolian."""

_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
)
_MARKS = "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u0652\u0656-\u065f\u0670"
"""Vowels of Hebrew and Arabic, which most leave out, and the line that draws an Arabic word out."""
_APOSTROPHES = "\u00b4\u02b9\u02bb-\u02bd\u02c8\u2018\u2019\u201b\u2032\uff07"
_NOTHING, _AN_APOSTROPHE = re.compile(f"[{_UNSEEN}{_MARKS}]"), re.compile(f"[{_APOSTROPHES}]")
_ODD = re.compile(f"[{_UNSEEN}{_MARKS}{_APOSTROPHES}]")
_LETTERS = re.compile(f"(?!\\W)[{UNPARTED}]")
_WORD, _WORD_OR_LETTER = re.compile(r"\w+"), re.compile(rf"(?!\W)[{UNPARTED}]|[^\W{UNPARTED}]+")
_RUN = re.compile(f"[{UNPARTED}]+|[^{UNPARTED}]+")


def one_form(text: str) -> str:
    """The text in Unicode's NFKC, without signs that nobody sees, and with one kind of apostrophe.

    "…" stays: it ends a sentence, which three dots may not.
    """
    if text.isascii():
        return text
    if _ODD.search(text):
        text = _seen(text)
    if unicodedata.is_normalized("NFKC", text):
        return text
    return _seen("…".join(unicodedata.normalize("NFKC", part) for part in text.split("…")))


def one_form_of_pattern(pattern: str) -> str:
    """A regular expression that finds in texts of one form what it was meant to find."""
    if pattern.isascii():
        return pattern
    whole = unicodedata.normalize("NFC", _seen(pattern))
    return "".join(sign if sign.isascii() else _sign(sign) for sign in whole)


def _sign(sign: str) -> str:
    plain = one_form(sign)
    return sign if plain == sign else re.escape(plain)  # a wide "．" is a dot, which means itself


def _seen(text: str) -> str:
    return _NOTHING.sub("", _AN_APOSTROPHE.sub("'", text))


def words_in(text: str) -> int:
    """How many words a text has; where a script parts none, its letters are counted."""
    return len((_WORD if text.isascii() else _WORD_OR_LETTER).findall(text))


def parts_no_words(text: str) -> bool:
    """Whether a text has letters of a script that parts no words."""
    return not text.isascii() and _LETTERS.search(text) is not None


def pairs(token: str) -> Iterator[str]:
    """A run of letters that no space parts, as overlapping pairs, which stand for words; other letters together."""
    for run in _RUN.findall(token):
        if len(run) > 2 and _LETTERS.match(run):
            yield from (run[at : at + 2] for at in range(len(run) - 1))
        else:
            yield run
