"""A connection to PostgreSQL that every wait of is bounded, and that says nothing of its address."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zantara_exp.errors import MissingRequirementError, ZantaraError

if TYPE_CHECKING:
    from psycopg import Connection

_CONNECT_SECONDS = 3
_STATEMENT_MS = 30_000


class Database:
    """One connection, opened again after it was lost; threads take turns."""

    def __init__(self, variable: str, setting: str) -> None:
        """`setting`: what asked for it, as `log=postgres`. Raises MissingRequirementError where there is no URL."""
        self.variable = variable
        self._setting = setting
        self._url = checked_url(variable, setting)
        self._connection: Connection | None = None
        self._turn = threading.Lock()

    @property
    def identity(self) -> str:
        """Which database this is, without its password."""
        from psycopg.conninfo import conninfo_to_dict

        parts = conninfo_to_dict(self._url)
        return hashlib.sha256(repr([parts.get(key) for key in ("host", "port", "dbname")]).encode()).hexdigest()[:16]

    @contextmanager
    def used(self, statement_ms: int = _STATEMENT_MS) -> Iterator[Connection]:
        """A transaction; trouble with it drops the connection. Raises ZantaraError where the database cannot be used.

        What it needs is set in the transaction, nothing in the session: a pooler may give each another connection.
        """
        import psycopg

        try:
            with self._turn:
                connection = self._opened()
                with connection.transaction():
                    connection.execute(f"set local statement_timeout = {int(statement_ms)}")
                    yield connection
        except psycopg.Error as broken:
            self.close()
            # The driver's words may quote the URL, which holds the password: only the kind of trouble is said.
            raise ZantaraError(
                f"{self._setting}: the database of {self.variable} cannot be used: {type(broken).__name__}",
                f"check {self.variable}, and that the account may create and use tables named zantara_...",
            ) from None

    def _opened(self) -> Connection:
        import psycopg

        if self._connection is None:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=_CONNECT_SECONDS,
                client_encoding="utf8",
                tcp_user_timeout=_STATEMENT_MS,
                application_name="zantara-exp",
                prepare_threshold=None,
            )
            self._prepare(self._connection)
        return self._connection

    def _prepare(self, connection: Connection) -> None:
        """Called with each new connection."""

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def checked_url(variable: str, setting: str) -> str:
    """The URL that the variable holds. Raises MissingRequirementError where it holds none."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    url = os.environ.get(variable, "").strip()
    name, _, value = setting.partition("=")
    other = "file" if name == "rollout.state" else "jsonl"
    how = f"export {variable}=postgresql://user:password@host:5432/database, or take {name}={other}"
    if not url:
        raise MissingRequirementError(f"{name}={value} reads {variable}, which is not set", how)
    try:
        conninfo_to_dict(url)
    except psycopg.Error:  # its message may quote the URL
        raise MissingRequirementError(f"{variable} is no URL of a PostgreSQL database", how) from None
    return url
