"""Texts whose personal data is marked, and how much of it a redactor finds: recall and precision by country and kind.

A line of `tests/dataset/redaction/*.txt` is a text; `<KIND:value>` in it is what has to go, `[IT]` begins a country.
Found is a detail of which every figure and nine tenths of all letters and figures are replaced. Wrong is a placeholder
that touches no marked detail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tools.bench.checkout import ROOT

SETS = ROOT / "tests" / "dataset" / "redaction"
HELD_OUT = ("first", "second", "third", "fourth")
_MARK = re.compile(r"<([A-Z_]+):(.*?)>")
_SECTION = re.compile(r"\[([A-Z]+)\]")
Spans = Sequence[tuple[int, int, str]]


class Marked(NamedTuple):
    """A text without its marks, and what they said."""

    country: str
    text: str
    details: Spans


class Found(NamedTuple):
    """How a text fared."""

    missed: list[str]
    wrong: list[str]


@dataclass
class Score:
    """Details and placeholders, counted."""

    marked: int = 0
    found: int = 0
    named: int = 0
    """Found under the kind that was marked."""
    right: int = 0
    wrong: int = 0

    @property
    def recall(self) -> float:
        """Share of the details that were found; 1 where there is none."""
        return self.found / self.marked if self.marked else 1.0

    @property
    def precision(self) -> float:
        """Share of the placeholders that stand for a detail; 1 where there is none."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    def row(self) -> list[str]:
        """For a table."""
        return [str(self.marked), f"{self.recall:.3f}", f"{self.precision:.3f}", str(self.wrong)]


@dataclass
class Scores:
    """One set's scores."""

    countries: dict[str, Score] = field(default_factory=dict)
    kinds: dict[str, Score] = field(default_factory=dict)
    whole: Score = field(default_factory=Score)

    def add(self, marked: Marked, spans: Spans) -> Found:
        """Count one text; what was missed and what was wrong, for a person to read."""
        found = Found([], [])
        replaced = {place for begin, end, _ in spans for place in range(begin, end)}
        for begin, end, kind in marked.details:
            signs = [place for place in range(begin, end) if marked.text[place].isalnum()]
            gone = sum(place in replaced for place in signs)
            figures = all(place in replaced for place in signs if marked.text[place].isdigit())
            is_found = figures and gone >= 0.9 * len(signs)
            named = is_found and any(said == kind and first < end and begin < last for first, last, said in spans)
            for score in self._of(marked.country, kind):
                score.marked, score.found, score.named = score.marked + 1, score.found + is_found, score.named + named
            found.missed.extend([] if is_found else [f"{kind} {marked.text[begin:end]!r} in {marked.text!r}"])
        for begin, end, kind in spans:
            right = any(begin < last and first < end for first, last, _ in marked.details)
            for score in self._of(marked.country, kind):
                score.right, score.wrong = score.right + right, score.wrong + (not right)
            found.wrong.extend([] if right else [f"{kind} {marked.text[begin:end]!r} in {marked.text!r}"])
        return found

    def _of(self, country: str, kind: str) -> tuple[Score, Score, Score]:
        by_country = self.countries.setdefault(country, Score())
        return by_country, self.kinds.setdefault(kind, Score()), self.whole


def read(path: Path) -> Iterator[Marked]:
    """The texts of a set."""
    country = "GENERIC"
    for line in path.read_text(encoding="utf-8").splitlines():
        if section := _SECTION.fullmatch(line):
            country = section[1]
        elif line and not line.startswith("//"):
            yield marked(line, country)


def marked(line: str, country: str = "GENERIC") -> Marked:
    """A line without its marks."""
    text, details, done = "", [], 0
    for mark in _MARK.finditer(line):
        text += line[done : mark.start()]
        details.append((len(text), len(text) + len(mark[2]), mark[1]))
        text += mark[2]
        done = mark.end()
    return Marked(country, text + line[done:], details)


def scored(name: str, spans: Callable[[str], Spans]) -> tuple[Scores, Found]:
    """A set's scores under a redactor's `spans`, and what it missed and got wrong."""
    scores, all_found = Scores(), Found([], [])
    for each in read(SETS / f"{name}.txt"):
        found = scores.add(each, spans(each.text))
        all_found.missed.extend(found.missed)
        all_found.wrong.extend(found.wrong)
    return scores, all_found
