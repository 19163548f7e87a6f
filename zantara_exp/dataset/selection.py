"""The conversations that are still selected, and why the others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zantara_exp.dataset.balance import Cell
from zantara_exp.dataset.filters import Sifted
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.turns import turns_of, with_turns

Said = Mapping[str, str]
"""The reason for which something goes, and what else is to say."""


@dataclass(frozen=True)
class Before:
    """Counts of what was taken out elsewhere, before a selection was made of the rest."""

    rejected: Counter[str] = field(default_factory=Counter)
    """Conversations by reason."""
    turns_of_rejected: int = 0
    rejected_turns: Counter[str] = field(default_factory=Counter)
    """Turns of conversations that stayed, by reason."""
    users: frozenset[str] = frozenset()
    """Some of their users, enough to know that there are enough."""


class Selection:
    """What is left of the conversations, and why the others are not."""

    def __init__(self, conversations: Iterable[Record], before: Before | None = None) -> None:
        self.before = before or Before()
        self.kept = sorted(conversations, key=lambda record: (record["timestamp"], record["conversation_id"]))
        self.total = len(self.kept) + self.before.rejected.total()
        taken = self.before.turns_of_rejected + self.before.rejected_turns.total()
        self.total_turns = _turns_in(self.kept) + taken
        self.rejected: list[Record] = []
        self.rejected_turns: list[dict[str, Any]] = []

    def reject(self, reasons: Mapping[str, Said]) -> None:
        """Take out the conversations named, each with its reason and what else is to say."""
        if not reasons:
            return
        for record in self.kept:
            if said := reasons.get(record["conversation_id"]):
                self.rejected.append({**said, **record})
        self.kept = [record for record in self.kept if record["conversation_id"] not in reasons]
        rejected = len(self.rejected) + self.before.rejected.total()
        if self.total != len(self.kept) + rejected:
            raise RuntimeError(f"{self.total} conversations in, {len(self.kept)} kept + {rejected} rejected")

    def sift(self, sifted: Mapping[str, Sifted]) -> None:
        """Take out what the filters refuse: conversations, and turns of others."""
        self.reject({name: {"reason": each.reason} for name, each in sifted.items() if each.reason})
        self.trim({name: {at: {"reason": why} for at, why in each.dropped.items()} for name, each in sifted.items()})

    def trim(self, dropped: Mapping[str, Mapping[int, Said]]) -> None:
        """Take turns, by their places, out of the conversations named; one that has none left goes, by its first."""
        emptied = {}
        for at, record in enumerate(self.kept):
            if not (gone := dropped.get(name_of(record))):
                continue
            turns = turns_of(record["messages"])
            left = [turn for place, turn in enumerate(turns) if place not in gone]
            if not left:
                emptied[name_of(record)] = gone[min(gone)]
                continue
            self.kept[at] = with_turns(record, left)
            about = {name: record[name] for name in ("conversation_id", "user", "timestamp")}
            self.rejected_turns += [{**gone[at], **about, "messages": list(turns[at].messages)} for at in sorted(gone)]
        self.reject(emptied)

    def turns(self) -> dict[str, Any]:
        """How many turns there were, are left, and went by themselves or with their conversations.

        Raises RuntimeError where these do not add up.
        """
        reasons = self.before.rejected_turns + Counter(turn["reason"] for turn in self.rejected_turns)
        with_chats = self.before.turns_of_rejected + _turns_in(self.rejected)
        kept, alone = _turns_in(self.kept), reasons.total()
        if self.total_turns != kept + with_chats + alone:
            raise RuntimeError(f"{self.total_turns} turns in, {kept} kept + {with_chats} + {alone} rejected")
        return {
            "in": self.total_turns,
            "kept": kept,
            "in rejected conversations": with_chats,
            "rejected": dict(reasons.most_common()),
        }

    def reasons(self) -> Counter[str]:
        """How many were rejected for which reason."""
        return self.before.rejected + Counter(record["reason"] for record in self.rejected)

    def users(self) -> set[str]:
        """Whose conversations there were; of many, some."""
        return {*self.before.users, *(record["user"] for record in (*self.kept, *self.rejected))}


def _turns_in(records: Iterable[Record]) -> int:
    return sum(len(turns_of(record["messages"])) for record in records)


def name_of(record: Record) -> str:
    """The conversation's name."""
    return str(record["conversation_id"])


def cell_of(record: Record) -> Cell:
    """Language and category."""
    return record["metadata"]["language"], record["metadata"]["category"]
