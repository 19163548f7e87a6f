"""Adds to the training split: repeats of rare kinds of examples, and variants of questions. Other splits are never
enlarged, and originals stay as they are. Both are drawn by the example's name, so that new data do not change old
draws.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from zantara_exp.config.data import Dataset
from zantara_exp.dataset import balance
from zantara_exp.dataset.duplicates import draw
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.selection import cell_of, name_of

_END = re.compile(r"[\s.!?…]+$")
_VARIANTS: dict[str, Callable[[str], str]] = {
    "lowercase": str.lower,
    "no_punctuation": lambda text: _END.sub("", text) or text,
}
"""How people type on a phone. Neither changes a word, so no variant comes nearer to a held-out example."""


def enlarged(train: Sequence[Record], dataset: Dataset, seed: int) -> list[Record]:
    """The examples, each followed by its repetitions (`dataset.balance=weights`) and variants (`dataset.augment`)."""
    counts = balance.cells([cell_of(each) for each in train])
    weigh = dataset.balance == "weights"
    weights = balance.weights(counts, dataset.targets, dataset.balance_max_weight) if weigh else {}
    made = []
    for each in train:
        weight = weights.get(cell_of(each), 1.0)
        made += [each] * (int(weight) + (_chance(seed, f"weight/{name_of(each)}") < weight % 1))
        made += [
            _varied(each, kind, _VARIANTS[kind])
            for kind in dataset.augment
            if _chance(seed, f"{kind}/{name_of(each)}") < dataset.augment_share
        ]
    return made


def _chance(seed: int, name: str) -> float:
    """A number from 0 to 1, the same for the same name."""
    return int.from_bytes(draw(seed, name), "big") / 2**64


def _varied(record: Record, kind: str, change: Callable[[str], str]) -> Record:
    messages = [
        {**message, "content": change(message["content"])} if message["role"] == "user" else message
        for message in record["messages"]
    ]
    return {**record, "conversation_id": f"{name_of(record)}~{kind}", "messages": messages}
