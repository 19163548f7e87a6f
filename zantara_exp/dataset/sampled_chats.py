"""Chats to read: drawn at random for every label, every reason of the filters and every reason of the quarantine.

Ten of each take half an hour to read. The texts were redacted by `extract`. Of a row that is no chat no text was kept,
so its id, time and place are shown, by which it can be found in the source.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from zantara_exp.dataset import records
from zantara_exp.dataset.duplicates import draw
from zantara_exp.dataset.filters import Sifted
from zantara_exp.dataset.messages import Message
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.turns import questions, turns_of

EACH = 10
"""How many are shown of each."""
_CHARS = 200

Shown = dict[str, list[dict[str, str]]]
"""What they are of -> `conversation_id`, and what is to be read, by a word for it."""


def in_chance_order(conversations: Sequence[Record], seed: int) -> list[int]:
    """The places of the conversations in an order that is chance, and the same for the same ids."""
    return sorted(
        range(len(conversations)), key=lambda place: draw(seed, f"shown:{conversations[place]['conversation_id']}")
    )


def by_label(conversations: Sequence[Record], order: Sequence[int]) -> Shown:
    """The last question of conversations of each category and of each language."""
    found: Shown = defaultdict(list)
    for place in order:
        record = conversations[place]
        asked = list(questions(record))
        for side in ("category", "language"):
            label = f"{side}: {record['metadata'][side]}"
            if asked and len(found[label]) < EACH:
                found[label].append({"conversation_id": record["conversation_id"], "user": asked[-1][:_CHARS]})
    return dict(sorted(found.items()))


def by_reason(conversations: Sequence[Record], sifted: Sequence[Sifted], order: Sequence[int]) -> Shown:
    """What the filters refuse: a turn of a chat of which something is left, or the last one of a chat that goes."""
    found: Shown = defaultdict(list)
    for place in order:
        for reason, said in _refused(conversations[place], sifted[place]):
            if len(found[reason]) < EACH:
                found[reason].append({"conversation_id": conversations[place]["conversation_id"], **said})
    return dict(sorted(found.items()))


def _refused(record: Record, sifted: Sifted) -> Iterator[tuple[str, dict[str, str]]]:
    if sifted.reason:
        yield sifted.reason, _said(record["messages"][-2:])
    turns = turns_of(record["messages"]) if sifted.dropped else []
    for place, reason in sifted.dropped.items():
        yield reason, _said(turns[place].messages)


def _said(messages: Sequence[Message]) -> dict[str, str]:
    return {message["role"]: message["content"][:_CHARS] for message in messages}


def quarantined(path: Path, seed: int) -> Shown:
    """Rows that are no chat, by reason; nothing where `extract` left no quarantine."""
    rows = list(records.read(path, "extract")) if path.is_file() else []
    found: Shown = defaultdict(list)
    for row in sorted(rows, key=lambda each: draw(seed, f"shown:{each.get('conversation_id')}:{each.get('place')}")):
        if len(found[row["reason"]]) < EACH:
            facts = {
                "conversation_id": row.get("conversation_id"),
                "time": row.get("timestamp"),
                "at": row.get("place"),
            }
            found[row["reason"]].append({name: str(value) for name, value in facts.items() if value})
    return dict(sorted(found.items()))
