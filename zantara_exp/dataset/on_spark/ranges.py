"""Parts of a source, each read, redacted and labelled by a worker; together, in their order, they are the whole."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from zantara_exp import spark
from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.batches import Batch, Row, batches
from zantara_exp.dataset.forgotten_users import Refusal
from zantara_exp.dataset.on_spark import tables
from zantara_exp.dataset.on_spark.files import SparkFiles
from zantara_exp.dataset.on_spark.scratch import scratch
from zantara_exp.dataset.sources import Database
from zantara_exp.dataset.usage import Conversations

_LEAST_ROWS = 1_000
"""For fewer rows the start of a task takes longer than it saves."""
_TASKS_PER_CORE = 4
"""A worker that is done early takes the next range."""


class Range(Protocol):
    """Some rows of a source, which a worker can read."""

    def rows(self) -> Iterator[Row]:
        """Yield them, as `Conversations.rows`."""


class Rows(NamedTuple):
    """Rows that were read by who asks: those of a small source."""

    held: Sequence[Row]

    def rows(self) -> Iterator[Row]:
        """See Range."""
        return iter(self.held)


def ranges_of(source: Conversations, session: Any, total: int) -> Sequence[Range]:
    """The parts of a source of so many conversations, in its order."""
    if isinstance(source, SparkFiles):
        return source.ranges()
    if not isinstance(source, Database):
        return [Rows(list(source.rows()))]
    tasks = _TASKS_PER_CORE * session.sparkContext.defaultParallelism
    return tables.ranges_of(source, max(_LEAST_ROWS, ceil(total / tasks)))


def spark_batches(source: Conversations, layout: Layout, key: bytes, refusal: Refusal, total: int) -> Iterator[Batch]:
    """What `batches` makes of a source's rows, made by the workers. What `refusal` leaves out they count for it.

    Raises ZantaraError where a worker cannot read the source or write to the dataset's folder.
    """
    config = source.config
    session = spark.session(config.engine.master, layout.state)
    with scratch(layout.dataset, "extract") as folder:
        write = partial(_written, config, key, refusal.users, folder)
        for part, refused in spark.each(session, write, ranges_of(source, session, total)):
            refusal.count += refused
            yield from _batches_in(part)
            part.unlink()


def _written(config: Config, key: bytes, users: frozenset[str], folder: Path, part: Range) -> tuple[Path, int]:
    """A worker's: the file that holds what was made of a range, and how many conversations were forgotten ones'.

    A task may be run twice, so the file is its own.
    """
    refusal, path = Refusal(users, key), folder / f"part-{uuid4().hex}"
    with path.open("wb") as file:
        for batch in batches(config, key, refusal.others(part.rows()), 0):
            pickle.dump(batch, file)
    return path, refusal.count


def _batches_in(path: Path) -> Iterator[Batch]:
    with path.open("rb") as file:
        while True:
            try:
                yield _loaded(file)
            except EOFError:
                return


def _loaded(file: Any) -> Batch:
    made: Batch = pickle.load(file)  # noqa: S301 - a worker of ours wrote it
    return made
