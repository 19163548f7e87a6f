"""Where the served log lies: daily files for the gateways of one machine, a table for those of several."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.layout import Layout
from zantara_exp.packed import in_order, reading
from zantara_exp.rollout.served import SCHEMA_VERSION, Served, Sink
from zantara_exp.shadow.jsonl import append_lines

if TYPE_CHECKING:
    from psycopg import Connection

_CONNECT_SECONDS = 3
_STATEMENT_MS = 5000
_NAMES = tuple(Served.__dataclass_fields__)
_CREATE = """
create table if not exists zantara_served (at timestamptz not null, line text not null);
create index if not exists zantara_served_at on zantara_served (at);
"""
_DAYS = """
select date_trunc('day', at, 'UTC') as day, count(*), max(xmin::text::bigint) from zantara_served
where at >= %s group by day order by day
"""
_LINES = "select line from zantara_served where at >= %s and at < %s order by at"
_log = logging.getLogger(__name__)


def open_sink(config: Config, layout: Layout) -> Sink:
    """Where this config keeps what was served: beside the state of the rollout."""
    if config.rollout.state == "postgres":
        return PostgresSink(config.rollout.state_url_env)
    return FileSink(layout.logs)


def read_served(config: Config, layout: Layout, since: datetime) -> Iterator[Served]:
    """What was served since a moment, read once: see ServedReader."""
    return ServedReader(config, layout).read(since)


@dataclass(frozen=True)
class _Part:
    """What one file, or the table, held of a UTC day at a moment."""

    lines: tuple[Served, ...]
    unreadable: int


class ServedReader:
    """Reads the served log again and again; a day that has not changed since is not read again."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self._config, self._layout = config, layout
        self._known: dict[Hashable, _Part] = {}
        """By what would be another if the day had changed."""

    def read(self, since: datetime) -> Iterator[Served]:
        """What was served since a moment, UTC days apart oldest first; an unreadable line is counted and warned of.

        Raises OSError or psycopg.Error where the log cannot be reached: that is no evidence, not an empty log.
        """
        days = _days_of_table(self._config, since) if self._config.rollout.state == "postgres" else None
        seen: dict[Hashable, _Part] = {}
        for mark, lines in days or _days_of_files(self._layout, since):
            seen[mark] = self._known.get(mark) or _part(lines())
            yield from (line for line in seen[mark].lines if line.timestamp >= since)
        self._known = seen
        if unreadable := sum(part.unreadable for part in seen.values()):
            _log.warning("%d lines of the served log cannot be read", unreadable)


def _part(lines: Iterable[bytes | str]) -> _Part:
    found, unreadable = [], 0
    for line in lines:
        try:
            found.append(from_line(line))
        except (ValueError, KeyError, TypeError):
            unreadable += 1
    return _Part(tuple(found), unreadable)


def to_line(served: Served) -> bytes:
    """One line of JSON, newline included."""
    fields = {name: getattr(served, name) for name in _NAMES} | {"timestamp": served.timestamp.astimezone(UTC)}
    return orjson.dumps(fields, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


def from_line(line: bytes | str) -> Served:
    """The line's record. Raises ValueError, KeyError or TypeError where it is none."""
    body: Mapping[str, Any] = orjson.loads(line)
    if body["schema_version"] not in (1, SCHEMA_VERSION):
        raise ValueError(f"schema_version {body['schema_version']} is not known")
    known = {name: body[name] for name in _NAMES if name in body}
    return Served(**{**known, "timestamp": datetime.fromisoformat(body["timestamp"]).astimezone(UTC)})


_FILE = re.compile(r"served_(\d{4}-\d{2}-\d{2})\.jsonl")


def served_files(folder: Path) -> list[Path]:
    """The daily files, oldest first, also those that were rotated and packed."""
    return in_order(folder.glob("served_*.jsonl*"), _FILE)


class FileSink:
    """Daily files by UTC, which several processes of one machine may share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def append(self, lines: Sequence[Served]) -> int:
        """See Sink."""
        done = 0
        for day, group in groupby(lines, _day):
            batch = [to_line(line) for line in group]
            written, _ = append_lines(self._folder / f"served_{day}.jsonl", batch)
            done += written
            if written < len(batch):
                break
        return done

    def close(self) -> None:
        """See Sink; a file is open only while it is appended to."""


class PostgresSink:
    """A table in the database that holds the rollout's state; one connection, opened again when it was lost."""

    def __init__(self, variable: str) -> None:
        self._variable = variable
        self._connection: Connection | None = None

    def append(self, lines: Sequence[Served]) -> int:
        """See Sink. All or nothing; raises psycopg.Error, and connects anew the next time."""
        import psycopg

        rows = [(line.timestamp, to_line(line).decode()) for line in lines]
        try:
            if self._connection is None:
                self._connection = connected(self._variable)
                self._connection.execute(_CREATE)
            with self._connection.transaction():
                self._connection.cursor().executemany("insert into zantara_served (at, line) values (%s, %s)", rows)
        except psycopg.Error:
            self.close()
            raise
        return len(lines)

    def close(self) -> None:
        """See Sink."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def connected(variable: str) -> Connection:
    """A connection to the rollout's database, whose every wait is bounded. Raises psycopg.Error."""
    import psycopg

    return psycopg.connect(
        os.environ.get(variable, ""),
        autocommit=True,
        connect_timeout=_CONNECT_SECONDS,
        options=f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={_STATEMENT_MS}",
        tcp_user_timeout=_STATEMENT_MS,
        application_name="zantara-exp served log",
    )


_Days = Iterator[tuple[Hashable, Callable[[], Iterator[bytes | str]]]]
"""Days, oldest first: what is another as soon as the day's lines are, and how to read them."""


def _days_of_files(layout: Layout, since: datetime) -> _Days:
    first = f"served_{since.astimezone(UTC).date()}.jsonl"
    for path in served_files(layout.logs):
        if path.name >= first:
            stat = path.stat()
            yield (path.name, stat.st_size, stat.st_mtime_ns, stat.st_ino), partial(_lines_of_file, path)


def _lines_of_file(path: Path) -> Iterator[bytes]:
    with reading(path) as lines:
        yield from lines


def _days_of_table(config: Config, since: datetime) -> _Days:
    with connected(config.rollout.state_url_env) as connection:
        found = connection.execute("select to_regclass('zantara_served')").fetchone()
        if found is None or found[0] is None:
            return
        day = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read")
            # a line that came, went or was rewritten shows in the count or in the newest transaction
            for row in connection.execute(_DAYS, [day]).fetchall():
                yield row, partial(_lines_of_day, connection, row[0])


def _lines_of_day(connection: Connection, day: datetime) -> Iterator[str]:
    with connection.cursor(name="served") as cursor:
        for row in cursor.execute(_LINES, [day, day + timedelta(days=1)]):
            yield row[0]


def _day(served: Served) -> str:
    return served.timestamp.astimezone(UTC).date().isoformat()
