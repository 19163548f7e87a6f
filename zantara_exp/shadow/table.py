"""The comparison log's table in PostgreSQL: one row a line, for replicas on several machines.

`zantara_comparisons(position, spool, ends_at, day, line, written_at)`, made by the first writer. Writers take turns
(an advisory lock), so that positions become visible in their order: whoever has read up to one has missed none.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from zantara_exp.errors import MissingRequirementError, ZantaraError

if TYPE_CHECKING:
    from psycopg import Connection

_CONNECT_SECONDS = 3
_STATEMENT_MS = 30_000
_READ_AT_ONCE = 2000
_DAY = re.compile(r'"timestamp":"(\d{4}-\d{2}-\d{2})T')
_TAKE_TURNS = "select pg_advisory_xact_lock(hashtext('zantara_comparisons'))"
_IS_THERE = "select to_regclass('zantara_comparisons')"
_CREATE = """
create table zantara_comparisons (
    position bigint generated always as identity primary key,
    spool text not null, ends_at bigint not null,
    day date not null, line text not null, written_at timestamptz not null default now(),
    unique (spool, ends_at)
)
"""
_ADD = """
insert into zantara_comparisons (spool, ends_at, day, line)
select * from unnest(%s::text[], %s::bigint[], %s::date[], %s::text[]) on conflict do nothing
"""
_KNOWN_END = "select coalesce(max(ends_at), 0) from zantara_comparisons where spool = %s"
_AFTER = "select position, day::text, line from zantara_comparisons where position > %s order by position limit %s"


class Row(NamedTuple):
    """A line on its way to the table."""

    spool: str
    ends_at: int
    line: str


class Stored(NamedTuple):
    """A line of the table."""

    position: int
    day: str
    line: str


class Database:
    """One connection, opened again after it was lost. Every wait is bounded. Used by one thread."""

    def __init__(self, variable: str) -> None:
        """Raises MissingRequirementError where the variable does not hold a URL."""
        self._variable = variable
        self._url = checked_url(variable)
        self._connection: Connection | None = None

    @property
    def identity(self) -> str:
        """Which database this is, without its password."""
        from psycopg.conninfo import conninfo_to_dict

        parts = conninfo_to_dict(self._url)
        return hashlib.sha256(repr([parts.get(key) for key in ("host", "port", "dbname")]).encode()).hexdigest()[:16]

    @contextmanager
    def used(self) -> Iterator[Connection]:
        """The connection; trouble with it drops it. Raises ZantaraError where the database cannot be used."""
        import psycopg

        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=_CONNECT_SECONDS,
                    client_encoding="utf8",
                    options=f"-c statement_timeout={_STATEMENT_MS}",
                    tcp_user_timeout=_STATEMENT_MS,
                    application_name="zantara-exp comparison log",
                )
                self._prepare(self._connection)
            yield self._connection
        except psycopg.Error as broken:
            self.close()
            # The driver's words may quote the URL, which holds the password: only the kind of trouble is said.
            raise ZantaraError(
                f"log=postgres: the database of {self._variable} cannot be used: {type(broken).__name__}",
                f"check {self._variable}, and that the account may create and use tables named zantara_...",
            ) from None

    def _prepare(self, connection: Connection) -> None:
        """Called with each new connection."""

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Table(Database):
    """The log's table, made where it is not there."""

    def _prepare(self, connection: Connection) -> None:
        with connection.transaction():
            connection.execute(_TAKE_TURNS)
            if connection.execute(_IS_THERE).fetchone() == (None,):
                connection.execute(_CREATE)

    def add(self, rows: Sequence[Row]) -> None:
        """Add lines that are not there yet. Raises ZantaraError where the database cannot be used."""
        today = datetime.now(UTC).date().isoformat()
        days = [found[1] if (found := _DAY.search(row.line)) else today for row in rows]
        texts = [row.line.replace("\x00", "\\u0000") for row in rows]
        with self.used() as connection, connection.transaction():
            connection.execute(_TAKE_TURNS)
            connection.execute(_ADD, [[row.spool for row in rows], [row.ends_at for row in rows], days, texts])

    def known_end(self, spool: str) -> int:
        """Up to where a spool has been sent: it is sent in order. Raises ZantaraError as `add` does."""
        with self.used() as connection:
            found = connection.execute(_KNOWN_END, [spool]).fetchone()
        return int(found[0]) if found else 0

    def after(self, position: int) -> Iterator[list[Stored]]:
        """What came after a position, some at a time, in order. Raises ZantaraError as `add` does."""
        while True:
            with self.used() as connection:
                rows = [Stored(*row) for row in connection.execute(_AFTER, [position, _READ_AT_ONCE])]
            if not rows:
                return
            yield rows
            position = rows[-1].position


def checked_url(variable: str) -> str:
    """The URL that the variable holds. Raises MissingRequirementError where it holds none."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    url = os.environ.get(variable, "").strip()
    how = f"export {variable}=postgresql://user:password@host:5432/database, or take log=jsonl"
    if not url:
        raise MissingRequirementError(f"log=postgres reads {variable}, which is not set", how)
    try:
        conninfo_to_dict(url)
    except psycopg.Error:  # its message may quote the URL
        raise MissingRequirementError(f"{variable} is no URL of a PostgreSQL database", how) from None
    return url
