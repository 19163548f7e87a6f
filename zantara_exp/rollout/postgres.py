"""The state in PostgreSQL, for processes on several machines: one row, read and changed whole.

The table is made by the first change, where it is not there: `zantara_rollout(name, document, changed_at)`. Changes
take an advisory lock, so that two controllers stand in line wherever they run. Every wait is bounded: a database that
hangs is one that cannot be reached.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from zantara_exp.errors import MissingRequirementError
from zantara_exp.rollout.state import State, UnreachableStateError, UnreadableStateError, dump, load
from zantara_exp.rollout.store import changed_meanwhile

if TYPE_CHECKING:
    from psycopg import Connection

T = TypeVar("T")
_NAME = "rollout"
_CONNECT_SECONDS = 3
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
    """The state in the database that an environment variable names; one connection, opened again when it was lost."""

    def __init__(self, variable: str) -> None:
        self._variable = variable
        self._url = os.environ.get(variable, "").strip()
        if not self._url:
            raise MissingRequirementError(
                f"rollout.state=postgres reads {variable}, which is not set",
                f"export {variable}=postgresql://user:password@host:5432/database, or take rollout.state=file",
            )
        self._connection: Connection | None = None
        self._one_at_a_time = threading.Lock()

    def read(self) -> State:
        """See Store."""
        found = self._in_transaction(_document)
        return State() if found is None else load(found.encode())

    def swap(self, seen: State | None, new: State) -> State:
        """See Store. A state that cannot be read is kept in a row of its own."""
        return self._in_transaction(lambda connection: _swapped(connection, seen, new))

    def close(self) -> None:
        """See Store."""
        with self._one_at_a_time:
            self._drop()

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        """Do `work`, and once more on a new connection where the old one was lost; a swap done twice is refused."""
        import psycopg

        with self._one_at_a_time:
            used_before = self._connection is not None
            for last in (not used_before, True):
                try:
                    connection = self._connected()
                    with connection.transaction():
                        return work(connection)
                except psycopg.Error as broken:
                    self._drop()
                    if last:
                        raise self._unreachable(broken) from None
            raise AssertionError("the second attempt returns or raises")

    def _connected(self) -> Connection:
        import psycopg

        if self._connection is None:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=_CONNECT_SECONDS,
                options=f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={_STATEMENT_MS}",
                tcp_user_timeout=_STATEMENT_MS,
                application_name="zantara-exp rollout",
            )
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _unreachable(self, broken: Exception) -> UnreachableStateError:
        # The driver's words may quote the URL, and the URL holds the password: only the kind of trouble is said.
        return UnreachableStateError(
            f"the database of {self._variable} with the state of the rollout cannot be used: {type(broken).__name__}",
            f"check {self._variable} and the account's rights; LLAMA_ENABLED=false serves the primary only meanwhile",
        )


def _document(connection: Connection) -> str | None:
    """The state's text; None before the first rollout, empty where a row was there, since it is made with the table."""
    found = connection.execute("select to_regclass('zantara_rollout')").fetchone()
    if found is None or found[0] is None:
        return None
    row = connection.execute(_READ, [_NAME]).fetchone()
    return "" if row is None else str(row[0])


def _swapped(connection: Connection, seen: State | None, new: State) -> State:
    connection.execute("select pg_advisory_xact_lock(hashtext('zantara_rollout'))")
    if _now(connection) != seen:
        raise changed_meanwhile()
    found = connection.execute("select to_regclass('zantara_rollout')").fetchone()
    if found is None or found[0] is None:
        connection.execute(_CREATE)
    if seen is None:
        connection.execute(_SET_ASIDE, [_NAME])
    written = replace(new, version=(seen.version if seen else 0) + 1)
    connection.execute(_WRITE, [_NAME, dump(written).decode()])
    return written


def _now(connection: Connection) -> State | None:
    found = _document(connection)
    try:
        return State() if found is None else load(found.encode())
    except UnreadableStateError:
        return None
