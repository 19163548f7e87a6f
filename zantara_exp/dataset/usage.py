"""What every source reports about itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from zantara_exp.config.schema import Config


@dataclass(frozen=True)
class ModelUsage:
    """What one model answered within the period."""

    model: str
    conversations: int
    users: int
    tokens_input: float | None
    """Mean per conversation."""
    tokens_output: float | None


class Conversations(Protocol):
    """An opened source."""

    @property
    def config(self) -> Config:
        """What it was opened with."""

    @property
    def first(self) -> datetime:
        """Begin of the period, inclusive."""

    @property
    def end(self) -> datetime:
        """End of the period, exclusive."""

    @property
    def note(self) -> str:
        """What a user should know, or ""."""

    @property
    def interruptions(self) -> int:
        """How often the connection was lost and reading went on."""

    @property
    def hidden(self) -> str:
        """Where the source may hide conversations from us: what it leaves to see."""

    def undated(self) -> Sequence[Mapping[str, Any]]:
        """Id and user of conversations whose time cannot be read."""

    def usage(self) -> Sequence[ModelUsage]:
        """Conversations, users and mean tokens by model, the limit apart."""

    def fingerprint(self) -> str:
        """A hash that changes when a conversation within the period changes, comes or goes."""

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the facts of each conversation under the names of `config.data.Columns`."""


def number(text: str | None) -> float | None:
    """The number that a noted value is; None for what is none, and for what nothing measured can be."""
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < 1e12 else None


def usage_of(rows: Iterable[Mapping[str, Any]]) -> list[ModelUsage]:
    """The usage of rows that are read one by one, the model with most conversations first."""
    tallies = Tallies()
    for facts in rows:
        tallies.add(facts)
    return tallies.usage()


class Tallies:
    """Counts by model, which can be added up; rows are not kept."""

    def __init__(self) -> None:
        self._of: dict[str, _Tally] = defaultdict(_Tally)

    def add(self, facts: Mapping[str, Any]) -> None:
        """Count a conversation."""
        self._of[facts["model"] or "unknown"].add(facts)

    def merge(self, other: Tallies) -> None:
        """Add the counts of conversations that come behind ours."""
        for model, tally in other._of.items():
            self._of[model].merge(tally)

    @property
    def conversations(self) -> int:
        """How many were counted."""
        return sum(each.conversations for each in self._of.values())

    def usage(self) -> list[ModelUsage]:
        """The model with most conversations first; of two the one that came first."""
        made = [
            ModelUsage(
                model, each.conversations, len(each.users), each.mean("tokens_input"), each.mean("tokens_output")
            )
            for model, each in self._of.items()
        ]
        return sorted(made, key=lambda each: -each.conversations)


class _Tally:
    """Counts of one model."""

    def __init__(self) -> None:
        self.conversations = 0
        self.users: set[object] = set()
        self._sums: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()

    def add(self, facts: Mapping[str, Any]) -> None:
        self.conversations += 1
        self.users.add(facts["user"])
        for name in ("tokens_input", "tokens_output"):
            value = facts[name]
            if value is not None and value.isdecimal() and number(value) is not None:
                self._sums[name] += int(value)
                self._counts[name] += 1

    def merge(self, other: _Tally) -> None:
        self.conversations += other.conversations
        self.users |= other.users
        self._sums.update(other._sums)
        self._counts.update(other._counts)

    def mean(self, name: str) -> float | None:
        return self._sums[name] / self._counts[name] if self._counts[name] else None
