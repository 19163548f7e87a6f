"""Telephone numbers told figure by figure: zero eight one two, kosong delapan satu, tre quattro sette."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from zantara_exp.dataset.personal.phones import Phones
from zantara_exp.dataset.personal.words import Hit

_FIGURES = {
    "0": "zero nol kosong null cero oh zéro",
    "1": "one uno una satu eins ein un",
    "2": "two due dua zwei zwo deux dos",
    "3": "three tre tiga drei trois tres",
    "4": "four quattro empat vier quatre cuatro",
    "5": "five cinque lima fünf cinq cinco",
    "6": "six sei enam sechs seis",
    "7": "seven sette tujuh sieben sept siete",
    "8": "eight otto delapan acht huit ocho",
    "9": "nine nove sembilan neun neuf nueve",
}
_FIGURE = {word: figure for figure, words in _FIGURES.items() for word in words.split()}
_TWICE = r"(?:double|doppio|dobel|doppel|doble|plus|più|piu|\+)"
_SAID = re.compile(
    rf"(?<!\w)(?:(?:{_TWICE}[\s,.-]{{0,2}})?(?:{'|'.join(sorted(_FIGURE, key=len, reverse=True))}"
    rf"|\d)(?!\w)[\s,.-]{{0,3}}){{7,20}}"
)
WORDS = tuple(word for word, figure in _FIGURE.items() if figure not in "123" and word not in ("oh", "sei", "six"))
"""Those that make a text worth a look: words of every day stand in each number beside others."""


def numbers(lower: str, hits: Sequence[Hit], phones: Phones) -> Iterator[tuple[int, int]]:
    """Where seven or more figures are told in a row that make a number; counting up or down makes none."""
    if sum(hit.label == "spoken" for hit in hits) < 2:
        return
    for match in _SAID.finditer(lower):
        figures = ""
        for word in re.findall(r"\w+", match[0]):
            figures += _FIGURE.get(word, word if word.isdigit() else "") * (2 if figures is None else 1)
        if (
            len(figures) >= 7
            and figures not in "01234567890" * 2
            and figures not in "98765432109876543210"
            and phones.exists(figures)
        ):
            yield match.start(), match.start() + len(match[0].rstrip(" ,.-"))
