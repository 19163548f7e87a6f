"""Redacts and labels conversations in batches, on all cores if there are many; the result does not depend on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core.parallel import in_order
from zantara_exp.dataset.messages import Malformed
from zantara_exp.dataset.row_reader import RowReader

Row = dict[str, Any]
_ROWS, _CHARACTERS = 200, 500_000
"""The most of a batch; a row may hold megabytes."""
_MANY = 4_000
"""For fewer rows the start of a process takes longer than it saves."""
LABELS = ("language", "category")


@dataclass
class Batch:
    """What was made of some rows, as lines to write and counts to add up."""

    raw: list[bytes] = field(default_factory=list)
    quarantine: list[bytes] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    redacted: Counter[str] = field(default_factory=Counter)
    foreign: Counter[str] = field(default_factory=Counter)
    users: set[str] = field(default_factory=set)
    labels: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in LABELS})

    def add(self, other: Batch) -> None:
        """Add another's counts."""
        self.refused.update(other.refused)
        self.redacted.update(other.redacted)
        self.foreign.update(other.foreign)
        self.users |= other.users
        for name, counts in other.labels.items():
            self.labels[name].update(counts)


def batches(config: Config, key: bytes, rows: Iterable[Row], total: int) -> Iterator[Batch]:
    """The rows, redacted and labelled, in their order. Raises ZantaraError where a process is killed."""
    made = partial(_made, config, key)
    if total < _MANY:
        yield from map(made, _in_batches(rows))
    else:
        yield from in_order(made, _in_batches(rows), "redacts and labels conversations")


def _in_batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    held = 0
    for row in rows:
        batch.append(row)
        held += len(row["messages"]) if isinstance(row["messages"], Sized) else 0
        if len(batch) == _ROWS or held > _CHARACTERS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


_readers: dict[tuple[str, bytes], RowReader] = {}
"""The one of this process: its patterns and models of languages take a second."""


def _reader(config: Config, key: bytes) -> RowReader:
    mark = repr(config), key
    if mark not in _readers:
        _readers.clear()
        _readers[mark] = RowReader(config, key)
    return _readers[mark]


def _made(config: Config, key: bytes, rows: Sequence[Row]) -> Batch:
    reader, batch = _reader(config, key), Batch()
    reader.redactor.counts.clear()
    reader.foreign.clear()
    for row, record in zip(rows, reader.read(rows), strict=True):
        if isinstance(record, Malformed):
            batch.refused[record.reason] += 1
            batch.quarantine.append(orjson.dumps(reader.refused(row, record.reason)))
            continue
        batch.raw.append(orjson.dumps(record))
        batch.users.add(record["user"])
        for name, counts in batch.labels.items():
            counts[record["metadata"][name]] += 1
    batch.redacted.update(reader.redactor.counts)
    batch.foreign.update(reader.foreign)
    return batch
