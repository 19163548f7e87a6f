"""A connection to PostgreSQL that every wait of is bounded, and that says nothing of its address."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zantara_exp.core.errors import ZantaraError
from zantara_exp.io.address import database_url

if TYPE_CHECKING:
    from psycopg import Connection

_CONNECT_SECONDS = 3


LOG, STATE = ("log=postgres", "log=jsonl"), ("rollout.state=postgres", "rollout.state=file")
"""What asks for a database, and what does without."""


class UnusableDatabaseError(ZantaraError):
    """The database is away, refuses, or takes too long."""


class Database:
    """One connection, opened again after it was lost; threads take turns."""

    def __init__(self, variable: str, asked_by: tuple[str, str], statement_ms: int = 30_000) -> None:
        """`asked_by`: LOG or STATE; `statement_ms`: the longest that the database, or the network, may be silent.

        Raises MissingRequirementError where the variable holds no URL.
        """
        self.variable = variable
        self._statement_ms = statement_ms
        self._setting = asked_by[0]
        self._url = database_url(variable, *asked_by)
        self._connection: Connection | None = None
        self._turn = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, which may have been lost meanwhile."""
        return self._connection is not None

    @property
    def identity(self) -> str:
        """Which database this is, without its password."""
        from psycopg.conninfo import conninfo_to_dict

        parts = conninfo_to_dict(self._url)
        return hashlib.sha256(repr([parts.get(key) for key in ("host", "port", "dbname")]).encode()).hexdigest()[:16]

    @contextmanager
    def used(self, statement_ms: int = 0) -> Iterator[Connection]:
        """A transaction; trouble with it drops the connection. Raises UnusableDatabaseError where it cannot be had.

        `statement_ms`: another time for once. What it needs is set in the transaction, nothing in the session: a pooler
        may give each another connection.
        """
        import psycopg

        with self._turn:
            try:
                connection = self._opened()
                with connection.transaction():
                    connection.execute(f"set local statement_timeout = {int(statement_ms or self._statement_ms)}")
                    yield connection
            except psycopg.Error as broken:
                self.close()
                # The driver's words may quote the URL, which holds the password: only the kind of trouble is said.
                raise UnusableDatabaseError(
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
                tcp_user_timeout=self._statement_ms,
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
