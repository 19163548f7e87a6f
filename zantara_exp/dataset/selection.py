"""Which conversations are still in, and why the others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from zantara_exp.dataset.balance import Cell
from zantara_exp.dataset.records import Record


class Selection:
    """What is left of the conversations, and why the others are not."""

    def __init__(self, conversations: Iterable[Record]) -> None:
        self.kept = sorted(conversations, key=lambda record: (record["timestamp"], record["conversation_id"]))
        self.total = len(self.kept)
        self.rejected: list[Record] = []

    def reject(self, reasons: Mapping[str, Mapping[str, str]]) -> None:
        """Take out the conversations named, each with its reason and what else is to say."""
        if not reasons:
            return
        for record in self.kept:
            if said := reasons.get(record["conversation_id"]):
                self.rejected.append({**said, **record})
        self.kept = [record for record in self.kept if record["conversation_id"] not in reasons]
        if self.total != len(self.kept) + len(self.rejected):
            raise RuntimeError(f"{self.total} conversations in, {len(self.kept)} kept + {len(self.rejected)} rejected")

    def reasons(self) -> Counter[str]:
        """How many were rejected for which reason."""
        return Counter(record["reason"] for record in self.rejected)


def name_of(record: Record) -> str:
    """The conversation's name."""
    return str(record["conversation_id"])


def cell_of(record: Record) -> Cell:
    """Language and category."""
    return record["metadata"]["language"], record["metadata"]["category"]
