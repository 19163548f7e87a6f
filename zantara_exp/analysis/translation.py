"""The language of the report: its English is translated at the last moment, where a text is shown.

Whole phrases are looked up; sentences that hold numbers or names are recognised by a pattern, whose groups are
translated in their turn. What no entry covers stays as it is: names of models, files, keys and whatever people wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache

from zantara_exp.analysis import italian
from zantara_exp.core.stage import Table

_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+")
_NUMERIC = re.compile(r"(?:USD |EUR |[<>=+-]+ ?|p\d+ )*[\d.,+-]+(?: %| ms| s)?(?: (?:to|\.\.) [\d.,+-]+(?: %| ms)?)?")
_NAMES = frozenset(
    {
        "criterion",
        "segment",
        "language",
        "category",
        "primary",
        "candidate",
        "kind",
        "day",
        "model",
        "provider",
    }
)
"""Columns that hold names, which are no words of ours."""
_ONE = re.compile(rf"(?<![\w.,])1 ({'|'.join(italian.ONE)})\b")
_SWAP = str.maketrans(",.", ".,")


class Words:
    """What the report is written with, in English or Italian."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._phrases: Mapping[str, str] = italian.PHRASES if language == "it" else {}
        self._sentences = _sentences() if language == "it" else ()

    def __call__(self, text: str) -> str:
        """A text of ours in the report's language; never call it with what people wrote."""
        if self.language == "en" or not text:
            return text
        if text in self._phrases:
            return self._phrases[text]
        if _NUMERIC.fullmatch(text):
            return self.number(text).replace(" to ", " – ")
        for pattern, template in self._sentences:
            if found := pattern.fullmatch(text):
                return _of_one(template.format(*(self._part(group) for group in found.groups())))
        return text

    def _part(self, text: str) -> str:
        """A part of a sentence; one word of letters is a name there, such as that of a criterion."""
        return text if text.isidentifier() else self(text)

    def number(self, text: str) -> str:
        """A text whose numbers are written as the language writes them."""
        return text if self.language == "en" else _NUMBER.sub(lambda found: found[0].translate(_SWAP), text)

    def day(self, day: date) -> str:
        """A day on an axis: 22 Oct."""
        return f"{day.day:02d} {italian.MONTHS[day.month - 1]}" if self.language == "it" else f"{day:%d %b}"

    def table(self, table: Table) -> Table:
        """A table of ours."""
        return replace(
            table,
            title=self(table.title),
            columns=[self(column) for column in table.columns],
            rows=[[self._cell(*cell) for cell in zip(table.columns, row, strict=False)] for row in table.rows],
        )

    def _cell(self, column: str, text: str) -> str:
        return text if column in _NAMES else self(text)


def _of_one(text: str) -> str:
    return _ONE.sub(lambda found: f"1 {italian.ONE[found[1]]}", text)


@cache
def _sentences() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern, re.DOTALL), template) for pattern, template in italian.SENTENCES)
