"""Checks the written files for anything that is on both sides of the splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from zantara_exp.dataset import records
from zantara_exp.dataset.duplicates import Trained
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.splits import NAMES
from zantara_exp.dataset.turns import turns_of


def leakage(folder: Path, threshold: float) -> dict[str, int]:
    """Count what two splits share: users, conversations, and what of val and test stands in train: turns, each of which
    is scored, word for word or nearly, and whole dialogues nearly.

    All zero is the only good answer. Raises MissingInputError before stage `prepare` has run.
    """
    parts = {name: list(records.read(folder / f"{name}.jsonl", "prepare")) for name in NAMES}
    train = Trained(((str(number), each) for number, each in enumerate(parts["train"])), threshold)
    held_out = [*parts["val"], *parts["test"]]
    turns = [turn for each in held_out for turn in turns_of(each["messages"])]
    same = sum(map(train.word_for_word, turns))
    return {
        "users on two sides": _shared(parts, "user"),
        "conversations on two sides": _shared(parts, "conversation_id"),
        "held-out near-duplicates of train": sum(map(bool, train.dialogues(held_out))),
        "held-out turns that stand in train": same,
        "held-out turns that nearly stand in train": sum(map(bool, train.turns(turns))) - same,
    }


def _shared(parts: Mapping[str, Sequence[Record]], fact: str) -> int:
    values: list[set[Any]] = [{each["metadata"][fact] for each in rows} for rows in parts.values()]
    return len(set().union(*(one & other for one, other in combinations(values, 2))))
