"""The state in PostgreSQL, for processes on several machines: one row, read and changed whole.

The first change makes the table if it is missing: `zantara_rollout(name, document, changed_at)`. Changes take an
advisory lock, so that two controllers wait for each other. Every wait has a limit: a database that hangs counts as
unreachable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zantara_exp.core.signature import Keys
from zantara_exp.io.database import STATE, Database, UnusableDatabaseError
from zantara_exp.rollout.seal import Seal
from zantara_exp.rollout.state import State, UnreachableStateError, UnreadableStateError, changed_meanwhile

if TYPE_CHECKING:
    from psycopg import Connection

T = TypeVar("T")
_NAME = "rollout"
_STATEMENT_MS = 5000
_CREATE = """
create table zantara_rollout (
    name text primary key, document text not null, changed_at timestamptz not null default now()
)
"""
_READ = "select document from zantara_rollout where name = %s"
_WRITE = """
insert into zantara_rollout (name, document) values (%s, %s)
on conflict (name) do update set document = excluded.document, changed_at = now()
"""
_SET_ASIDE = """
insert into zantara_rollout (name, document)
select 'unreadable ' || clock_timestamp(), document from zantara_rollout where name = %s
"""


class PostgresStore:
    """The state in the database that an environment variable names; a lost connection is opened again."""

    def __init__(self, variable: str, signing_key: Path | None = None) -> None:
        """`signing_key`: the file of the key that signs where the environment has none; None: there is no such file.

        Raises MissingRequirementError where the variable holds no URL.
        """
        self._database = Database(variable, STATE, _STATEMENT_MS)
        self._seal = Seal(Keys(signing_key), f"row {_NAME} of zantara_rollout")

    def read(self) -> State:
        """See Store."""
        found = self._done(_document)
        return self._opened(found)

    def swap(self, seen: State | None, new: State) -> State:
        """See Store. A state that cannot be read is kept in a row of its own."""
        return self._seal.wrote(self._done(lambda connection: self._swapped(connection, seen, new)))

    def close(self) -> None:
        """See Store."""
        self._database.close()

    def _done(self, work: Callable[[Connection], T]) -> T:
        """Do `work`; if the connection was lost, once more on a new one. A second swap is refused, so it is safe."""
        for last in (not self._database.is_open, True):
            try:
                with self._database.used() as connection:
                    return work(connection)
            except UnusableDatabaseError as broken:
                if last:
                    raise UnreachableStateError(
                        f"{broken.message}; it holds the state of the rollout",
                        f"{broken.hint}; LLAMA_ENABLED=false serves the primary only meanwhile",
                    ) from None
        raise AssertionError("the second attempt returns or raises")

    def _swapped(self, connection: Connection, seen: State | None, new: State) -> State:
        connection.execute("select pg_advisory_xact_lock(hashtext('zantara_rollout'))")
        there = _document(connection)
        if self._now(there) != seen:
            raise changed_meanwhile()
        written = replace(new, version=self._seal.after(seen, (there or "").encode()))
        text = self._seal.sealed(written).decode()
        found = connection.execute("select to_regclass('zantara_rollout')").fetchone()
        if found is None or found[0] is None:
            connection.execute(_CREATE)
        if seen is None:
            connection.execute(_SET_ASIDE, [_NAME])
        connection.execute(_WRITE, [_NAME, text])
        return written

    def _now(self, there: str | None) -> State | None:
        try:
            return self._opened(there)
        except UnreadableStateError:
            return None

    def _opened(self, there: str | None) -> State:
        return State() if there is None else self._seal.opened(there.encode())


def _document(connection: Connection) -> str | None:
    """The state's text; None before the first rollout, empty if the row is missing although the table is there."""
    found = connection.execute("select to_regclass('zantara_rollout')").fetchone()
    if found is None or found[0] is None:
        return None
    row = connection.execute(_READ, [_NAME]).fetchone()
    return "" if row is None else str(row[0])
