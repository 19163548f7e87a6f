"""An event log's table in PostgreSQL: one row a line, for replicas on several machines.

`{table}(position, spool, ends_at, day, line, written_at)`, made by the first who writes. Writers take turns (an
advisory lock), so that positions become visible in their order. A line that is changed gets a new position: a day whose
count and newest position are as they were holds what it held.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from zantara_exp.io.database import Database
from zantara_exp.io.events import Kind

if TYPE_CHECKING:
    from psycopg import Connection

_READ_AT_ONCE = 2000
_SLOW_MS = 600_000
"""For what goes over the whole table."""
_DAY = re.compile(r'"timestamp":"(\d{4}-\d{2}-\d{2})T')
_TAKE_TURNS = "select pg_advisory_xact_lock(hashtext('{table}'))"
_COLUMNS = "select attname from pg_attribute where attrelid = to_regclass('{table}') and not attisdropped"
_CREATE = """
create table {table} (
    position bigint generated always as identity primary key,
    spool text not null, ends_at bigint not null,
    day date not null, line text not null, written_at timestamptz not null default now(),
    unique (spool, ends_at)
)
"""
_OLDER = """
alter table {table}
    add column position bigint generated always as identity primary key,
    add column spool text not null default 'older', add column ends_at bigint,
    add column day date not null default (now() at time zone 'utc')::date,
    add column written_at timestamptz not null default now(),
    add unique (spool, ends_at), alter column at drop not null;
update {table} set ends_at = position, day = (at at time zone 'utc')::date
"""
"""A table (at, line), as it was; a gateway of that version goes on writing it."""
_INDEX_IS_THERE = "select to_regclass('{table}_day')"
_INDEX = "create index {table}_day on {table} (day, position)"
_ADD = """
insert into {table} (spool, ends_at, day, line)
select * from unnest(%s::text[], %s::bigint[], %s::date[], %s::text[]) on conflict do nothing
"""
_KNOWN_END = "select coalesce(max(ends_at), 0) from {table} where spool = %s"
_DAYS = "select day::text, count(*), max(position) from {table} where day >= %s group by day order by day"
_OF_DAY = "select position, line from {table} where day = %s and position > %s order by position limit %s"
_AT = "select line from {table} where position = any(%s) order by position"
_NEWEST = "select coalesce(max(position), 0) from {table}"
_UP_TO = "select position, line from {table} where position > %s and position <= %s order by position limit %s"
_CHANGE = "update {table} set line = %s, position = default where position = %s"


class Row(NamedTuple):
    """A line on its way to the table."""

    spool: str
    ends_at: int
    line: str


class Day(NamedTuple):
    """What the table holds of a UTC day."""

    day: str
    lines: int
    newest: int
    """The highest position."""


class Table(Database):
    """The table of one kind of events; who writes makes it where it is not there, who reads finds it empty."""

    def __init__(self, kind: Kind, variable: str, asked_by: tuple[str, str]) -> None:
        """As Database."""
        super().__init__(variable, asked_by)
        self.kind = kind
        self._known = False
        """Whether the table was found as it is to be, on this connection."""

    def _sql(self, text: str) -> str:
        return text.format(table=self.kind.table)

    def _prepare(self, connection: Connection) -> None:
        self._known = False

    def _is_there(self, connection: Connection, make: bool = False) -> bool:
        """Whether there is a table; one of an earlier version is brought up to date. `make`: where there is none."""
        if not self._known:
            columns = {name for (name,) in connection.execute(self._sql(_COLUMNS))}
            if not columns and not make:
                return False
            if make or "position" not in columns:
                self._make(connection)
            self._known = True
        return True

    def _make(self, connection: Connection) -> None:
        connection.execute(self._sql(_TAKE_TURNS))
        columns = {name for (name,) in connection.execute(self._sql(_COLUMNS))}  # another may have been first
        if not columns:
            connection.execute(self._sql(_CREATE))
        elif "position" not in columns:
            connection.execute(self._sql(_OLDER))
        if connection.execute(self._sql(_INDEX_IS_THERE)).fetchone() == (None,):
            connection.execute(self._sql(_INDEX))

    def add(self, rows: Sequence[Row]) -> None:
        """Add lines that are not there yet. Raises ZantaraError where the database cannot be used."""
        today = datetime.now(UTC).date().isoformat()
        days = [found[1] if (found := _DAY.search(row.line)) else today for row in rows]
        texts = [row.line.replace("\x00", "\\u0000") for row in rows]
        with self.used() as connection:
            self._is_there(connection, make=True)
            connection.execute(self._sql(_TAKE_TURNS))
            values = [[row.spool for row in rows], [row.ends_at for row in rows], days, texts]
            connection.execute(self._sql(_ADD), values)

    def known_end(self, spool: str) -> int:
        """Up to where a spool has been sent: it is sent in order. Raises ZantaraError as `add` does."""
        with self.used() as connection:
            if not self._is_there(connection):
                return 0
            found = connection.execute(self._sql(_KNOWN_END), [spool]).fetchone()
        return int(found[0]) if found else 0

    def days(self, since: str = "0001-01-01") -> list[Day]:
        """The days there are from one on, oldest first. Raises ZantaraError as `add` does."""
        with self.used() as connection:
            rows = connection.execute(self._sql(_DAYS), [since]) if self._is_there(connection) else ()
            return [Day(*row) for row in rows]

    def of_day(self, day: str) -> Iterator[list[tuple[int, str]]]:
        """Positions and lines of a day, some at a time, in order. Raises ZantaraError as `add` does."""
        position = 0
        while True:
            with self.used() as connection:
                rows = connection.execute(self._sql(_OF_DAY), [day, position, _READ_AT_ONCE]).fetchall()
            if not rows:
                return
            yield rows
            position = rows[-1][0]

    def at(self, positions: Sequence[int]) -> list[str]:
        """The lines at these positions, in their order. Raises ZantaraError as `add` does."""
        with self.used() as connection:
            return [line for (line,) in connection.execute(self._sql(_AT), [list(positions)])]

    def edit(self, change: Callable[[str], str | None], dry: bool) -> int:
        """Put what `change` makes of each line in its place, or an empty one, all or nothing; how many are others now.

        An empty line stays, since a spool is known by where it ends. `dry`: count only. Raises ZantaraError as `add`.
        """
        changed, position = 0, 0
        with self.used(_SLOW_MS) as connection:
            if not self._is_there(connection):
                return 0
            connection.execute(self._sql(_TAKE_TURNS))
            newest = connection.execute(self._sql(_NEWEST)).fetchone() or (0,)
            while rows := connection.execute(self._sql(_UP_TO), [position, newest[0], _READ_AT_ONCE]).fetchall():
                position = rows[-1][0]
                fresh = [(change(line) or "", place, line) for place, line in rows if line.strip()]
                others = [(now, place) for now, place, line in fresh if now != line]
                changed += len(others)
                if others and not dry:
                    connection.cursor().executemany(self._sql(_CHANGE), others)
        return changed
