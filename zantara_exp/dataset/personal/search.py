"""The findings in one text, and the characters that they take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """Where a text holds which kind of personal data."""

    begin: int
    end: int
    kind: str


class Search:
    """The findings in a text; what was found first keeps its place."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._taken = bytearray(len(text))
        self._found: list[Span] = []

    def take(self, kind: str, places: Iterable[tuple[int, int]]) -> None:
        """Keep those that lie free."""
        for begin, end in places:
            if begin < end and self.is_free(begin, end):
                self._taken[begin:end] = b"\1" * (end - begin)
                self._found.append(Span(begin, end, kind))

    def is_free(self, begin: int, end: int) -> bool:
        """Whether nothing was found there."""
        return self._taken.find(1, begin, end) < 0

    def spans(self) -> list[Span]:
        """In order."""
        return sorted(self._found)
