"""Whether anything stands on both sides of the splits, asked of the written files themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from zantara_exp.dataset import records
from zantara_exp.dataset.duplicates import Index, words_of
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.splits import NAMES


def leakage(folder: Path, threshold: float) -> dict[str, int]:
    """Count what two splits share: users, conversations, and held-out dialogues that are near-duplicates of train's.

    All zero is the only good answer. Raises MissingInputError before stage `prepare` has run.
    """
    parts = {name: list(records.read(folder / f"{name}.jsonl", "prepare")) for name in NAMES}
    train = Index(threshold)
    for number, each in enumerate(parts["train"]):
        train.add(str(number), words_of(each))
    held_out = [*parts["val"], *parts["test"]]
    return {
        "users on two sides": _shared(parts, "user"),
        "conversations on two sides": _shared(parts, "conversation_id"),
        "held-out near-duplicates of train": sum(bool(train.near(words_of(each))) for each in held_out),
    }


def _shared(parts: Mapping[str, Sequence[Record]], fact: str) -> int:
    values: list[set[Any]] = [{each["metadata"][fact] for each in rows} for rows in parts.values()]
    return len(set().union(*(one & other for one, other in combinations(values, 2))))
