"""What every source says of itself, wherever its conversations lie."""

from __future__ import annotations

from collections import defaultdict
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

    def usage(self) -> Sequence[ModelUsage]:
        """Conversations, users and mean tokens by model, the limit apart."""

    def fingerprint(self) -> str:
        """A hash that changes when a conversation within the period changes, comes or goes."""

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the facts of each conversation under the names of `config.data.Columns`."""


def usage_of(rows: Iterable[Mapping[str, Any]]) -> list[ModelUsage]:
    """The usage of rows that are read one by one, the model with most conversations first."""
    seen: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for facts in rows:
        kept = {name: facts[name] for name in ("user", "tokens_input", "tokens_output")}
        seen[facts["model"] or "unknown"].append(kept)
    made = [
        ModelUsage(
            model,
            len(each),
            len({facts["user"] for facts in each}),
            _mean([facts["tokens_input"] for facts in each]),
            _mean([facts["tokens_output"] for facts in each]),
        )
        for model, each in seen.items()
    ]
    return sorted(made, key=lambda each: -each.conversations)


def _mean(values: list[str | None]) -> float | None:
    numbers = [float(value) for value in values if value is not None and value.isdigit()]
    return sum(numbers) / len(numbers) if numbers else None
