"""Exported files, each read by one worker: whole conversations, one in a record.

What a period needs is known after all files are read once; what comes of them, after twice. Only counts come back.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import Any

from zantara_exp import spark
from zantara_exp.config.data import Source
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.batches import Row
from zantara_exp.dataset.exported import digest_of, place_of, require_conversations
from zantara_exp.dataset.exports import Line, moment_of
from zantara_exp.dataset.files import Given, Spread, in_scope, is_nobodys, newest_rows, path_of, placed_in_time
from zantara_exp.dataset.joined_records import Joined
from zantara_exp.dataset.messages import Unreadable
from zantara_exp.dataset.period import newest_of
from zantara_exp.dataset.reading import paths_of, placed
from zantara_exp.dataset.usage import ModelUsage, Tallies

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


@dataclass(frozen=True)
class FileRange:
    """The conversations of one file that are in scope."""

    config: Config
    root: Path
    """From where the path is seen."""
    path: Path
    before: int
    """Conversations in the files before it."""
    spread: Spread
    first: datetime
    end: datetime
    oldest: str = ""
    left: int | None = None
    """None: all that are in scope."""

    def rows(self) -> Iterator[Row]:
        """See Range."""
        rows = self._in_scope()
        yield from rows if self.left is None else newest_rows(rows, self.oldest, self.left)

    def _in_scope(self) -> Iterator[Row]:
        for place, line in enumerate(_lines(self.root, self.path, self.config.source), self.before):
            moment = moment_of(line.facts.get("created_at")) or self.spread.at(place)
            if facts := in_scope(self.config, self.first, self.end, line, moment):
                yield facts


class SparkFiles:
    """Exported files as a source; what is not counted here is read by the workers."""

    interruptions = 0
    hidden = ""

    def __init__(self, config: Config, session: Any, paths: Sequence[Path], seen: Sequence[Given]) -> None:
        """`seen` says of each path what it holds."""
        self.config, self._session, self._paths = config, session, paths
        self.first, self.end, spread, self.note = placed_in_time(config, _together(seen), path_of(config), paths)
        before = accumulate((each.conversations for each in seen), initial=0)
        self._all = [
            FileRange(config, Path.cwd(), path, behind, spread, self.first, self.end)
            for path, behind in zip(paths, before, strict=False)
        ]
        self._found: int | None = None

    def undated(self) -> Sequence[Row]:
        """None: every conversation has a time."""
        return ()

    def usage(self) -> list[ModelUsage]:
        """Conversations, users and mean tokens by model, the limit apart."""
        tallies = Tallies()
        for each in spark.each(self._session, partial(_tallied, os.urandom(16)), self._all):
            tallies.merge(each)
        self._found = tallies.conversations
        return tallies.usage()

    def fingerprint(self) -> str:
        """A hash of the files' bytes."""
        return digest_of(self._paths)

    def rows(self) -> Iterator[Row]:
        """Yield the conversations here, file by file."""
        for each in self.ranges():
            yield from each.rows()

    def ranges(self) -> list[FileRange]:
        """A range a file; of more conversations than `source.limit`, the newest."""
        import numpy as np

        limit = self.config.source.limit
        if self._found is None:
            self.usage()
        if (self._found or 0) <= limit:
            return self._all
        times = [np.frombuffer(each, dtype=np.int64) for each in spark.each(self._session, _times, self._all)]
        least = np.partition(np.concatenate(times), -limit)[-limit]
        oldest, left, found = _written(int(least)), limit, list[FileRange]()
        for part, moments in zip(self._all, times, strict=True):
            found.append(replace(part, oldest=oldest, left=left))
            left -= min(left, int((moments >= least).sum()))
        return found


def open_files(config: Config, layout: Layout) -> SparkFiles:
    """Open `source.path`; raises like `open_file`, and ZantaraError where records are parts of conversations."""
    named = path_of(config)
    paths = paths_of(named)
    session = spark.session(config.engine.master, layout.state)
    found = spark.each(session, partial(_seen, config, Path.cwd()), paths)
    seen, whys = [given for given, _ in found], [why for _, why in found]
    whole = _together(seen)
    first = f"{whole.first_unreadable} {next(filter(None, whys), '')}"
    require_conversations(named, whole.conversations, whole.unreadable.total(), first)
    return SparkFiles(config, session, paths, seen)


def _lines(root: Path, path: Path, source: Source) -> Iterator[Line]:
    """The conversations of a file. Raises ZantaraError where a record is a part of one."""
    joined = Joined(source.columns)
    for each in placed(root / path, source.encoding):
        place = place_of(each._replace(path=path))
        joined.learn(each.record, place)
        if joined.any:
            raise ZantaraError(
                f"{place} is a part of a conversation: engine=spark reads files of whole ones, one in a record",
                "take engine=duckdb, or a table: source=postgres reads one row per message with either",
            )
        line = joined.line(each.record, place)
        if line is not None:
            yield line


def _seen(config: Config, root: Path, path: Path) -> tuple[Given, str]:
    """What a file holds, and why the first record that cannot be read cannot be."""
    total, undated, nobodys, why = 0, 0, 0, ""
    unreadable, first_unreadable = Counter[str](), ""

    def moments() -> Iterator[datetime]:
        nonlocal total, undated, nobodys, why, first_unreadable
        for line in _lines(root, path, config.source):
            total += 1
            nobodys += is_nobodys(line)
            if isinstance(line.chat, Unreadable):
                unreadable[line.chat.reason] += 1
                first_unreadable, why = first_unreadable or line.place, why or str(line.chat)
            moment = moment_of(line.facts.get("created_at"))
            if moment:
                yield moment
            else:
                undated += 1

    newest, later, _ = newest_of(moments(), config)
    return Given(total, undated, newest, later, unreadable, first_unreadable, nobodys), why


def _together(seen: Sequence[Given]) -> Given:
    unreadable = Counter[str]()
    for each in seen:
        unreadable.update(each.unreadable)
    return Given(
        sum(each.conversations for each in seen),
        sum(each.undated for each in seen),
        max((each.newest for each in seen if each.newest), default=None),
        sum(each.later for each in seen),
        unreadable,
        next((each.first_unreadable for each in seen if each.first_unreadable), ""),
        sum(each.nobodys for each in seen),
    )


def _tallied(salt: bytes, part: FileRange) -> Tallies:
    """Counts of a file; its users leave the worker as hashes."""
    tallies = Tallies()
    for facts in part.rows():
        user = blake2b(str(facts["user"]).encode("utf-8", "surrogatepass"), digest_size=16, key=salt).digest()
        tallies.add({**facts, "user": user})
    return tallies


def _times(part: FileRange) -> bytes:
    """When the conversations of a file were, in microseconds: 64 bits each."""
    moments = (datetime.fromisoformat(facts["created_at"]) - _EPOCH for facts in part.rows())
    return array("q", (moment // _MICROSECOND for moment in moments)).tobytes()


def _written(microseconds: int) -> str:
    return (_EPOCH + microseconds * _MICROSECOND).isoformat()
