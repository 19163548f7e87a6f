"""Examples as trainers read them: JSON lines, and a `datasets.DatasetDict` of the same beside them.

datasets.load_dataset("json", data_files={"train": "train.jsonl", "validation": "val.jsonl", "test": "test.jsonl"})
datasets.load_from_disk("dataset_dict")
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from zantara_exp.config.data import Dataset
from zantara_exp.dataset import records
from zantara_exp.dataset.messages import Message
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.turns import answered
from zantara_exp.io.whole_files import beside, remove_leftovers

SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Our names, and those that `datasets` and the hub know."""
FOLDER = "dataset_dict"
_PER_MESSAGE = 4
"""Tokens a chat template spends on a message's role and end."""


def example(record: Record, dataset: Dataset) -> Record:
    """A training example: the system prompt, the turns within the history limit, and what is known about them."""
    metadata = record["metadata"]
    kept: dict[str, Any] = {name: metadata[name] for name in ("language", "category", "rating", "model")}
    names = {"conversation_id": record["conversation_id"], "user": record["user"]}
    said = within_limit(answered(record)["messages"], dataset)
    return {
        "messages": [{"role": "system", "content": dataset.system_prompt}, *said],
        "metadata": kept | names,
    }


def within_limit(messages: Sequence[Message], dataset: Dataset) -> list[Message]:
    """The last question and answer, and as many whole turns before them as `dataset.max_history_tokens` allows."""
    begin, left = max(0, len(messages) - 2), dataset.max_history_tokens
    while begin >= 2:
        left -= sum(_tokens(message, dataset) for message in messages[begin - 2 : begin])
        if left < 0:
            break
        begin -= 2
    return list(messages[begin:])


def _tokens(message: Message, dataset: Dataset) -> int:
    return ceil(len(message["content"]) / dataset.chars_per_token) + _PER_MESSAGE


def write(folder: Path, parts: Mapping[str, Sequence[Record]], dataset: Dataset) -> dict[str, int]:
    """Write every split as JSON lines and all of them as a DatasetDict.

    Returns how many conversations of each split lost turns to the history limit.
    """
    made = {name: [example(record, dataset) for record in rows] for name, rows in parts.items()}
    for name, examples in made.items():
        with records.writer(folder / f"{name}.jsonl") as out:
            for each in examples:
                out.write(each)
    if dataset.dataset_dict:
        write_dict(folder / FOLDER, made)
    return {
        name: sum(
            len(each["messages"]) - 1 < len(answered(record)["messages"])
            for each, record in zip(made[name], rows, strict=True)
        )
        for name, rows in parts.items()
    }


def write_dict(folder: Path, made: Mapping[str, Sequence[Record]]) -> None:
    """Write beside its place, then swap: a kill leaves the old or the new."""
    import datasets

    remove_leftovers(folder)
    fresh, old = beside(folder), folder.with_name(f".{folder.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    text, number = datasets.Value("string"), datasets.Value("float64")
    metadata = dict.fromkeys(("language", "category", "model", "conversation_id", "user"), text)
    features = datasets.Features(
        {"messages": datasets.List({"role": text, "content": text}), "metadata": metadata | {"rating": number}}
    )
    splits = {
        SPLITS[name]: datasets.Dataset.from_list(list(examples), features=features) for name, examples in made.items()
    }
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        datasets.DatasetDict(splits).save_to_disk(str(fresh))
    finally:
        if shown:
            datasets.enable_progress_bars()
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
