"""Connects to a database, read only and in one snapshot, and explains failures."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from zantara_exp.config.schema import Config
from zantara_exp.core import terminal
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.io.address import database_url, without_secrets

if TYPE_CHECKING:
    from psycopg import Connection

T = TypeVar("T")
_KEEPALIVE: dict[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds; a network that swallows everything is noticed after a minute."""
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 30.0
_ROLLED_BACK = "40"
"""The class of errors by which a server takes a statement back that it may do the next time."""
_QUOTING = ("22", "23", "P0", "XX", "F0")
"""Classes of errors whose words may quote what a row holds."""


class Link:
    """A read-only connection that is opened anew where it was lost."""

    def __init__(self, conninfo: str, config: Config, snapshot: str = "") -> None:
        """`snapshot` is another connection's, seen here too. Raises ZantaraError where there is no database."""
        self.conninfo, self._config, self._snapshot = conninfo, config, snapshot
        self.connection = read_only(conninfo, config, snapshot)
        self.interruptions = 0
        """How often it was opened anew; what is read then is of a newer snapshot."""

    def living(self) -> Connection:
        """The connection, a new one where the last was lost. Raises psycopg.OperationalError where there is none."""
        if self.connection.closed:
            self.connection = connect(self.conninfo, self._config, self._snapshot)
            self.interruptions += 1
        return self.connection

    def asked(self, question: Callable[[Connection], T]) -> T:
        """The answer to statements of which none gives rows for long; they are asked again where they were cancelled.

        Raises psycopg.Error where that does not help.
        """
        import psycopg

        failures = 0
        while True:
            connection = None
            try:
                connection = self.living()
                return question(connection)
            except psycopg.OperationalError as lost:
                failures += 1
                if failures > self._config.source.reconnect_attempts or not (is_passing(lost) or _is_lost(connection)):
                    raise
                if connection is not None:
                    connection.close()
                pause(failures, f"interrupted ({first_line(lost)}); asking again")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def is_passing(error: Exception) -> bool:
    """Whether the server took a statement back that it may do the next time, as a replica whose rows are vacuumed."""
    return (getattr(error, "sqlstate", None) or "").startswith(_ROLLED_BACK)


def _is_lost(connection: Connection | None) -> bool:
    return connection is None or connection.closed


def pause(failures: int, said: str) -> None:
    """Say what happened, and wait: twice as long each time."""
    wait = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** (failures - 1))
    terminal.say(f"{said} in {wait:g} s")
    time.sleep(wait)


def first_line(error: Exception) -> str:
    """What a server says in short: the lines behind may quote what a row holds."""
    return (str(error).splitlines() or [""])[0]


@contextmanager
def where(config: Config, layout: Layout) -> Iterator[tuple[str, str]]:
    """Where to connect, and what a user should know about it."""
    if config.source.kind == "postgres":
        yield _url(config), ""
        return
    from zantara_exp.dataset import embedded
    from zantara_exp.dataset.demo.fill import ensure_demo
    from zantara_exp.dataset.demo.phrases import product_of

    with embedded.server(layout.state) as server:
        name = config.source.database
        if name == "demo":
            import psycopg

            server.create_database(name)
            with psycopg.connect(server.conninfo(name), autocommit=True) as writer:
                ensure_demo(writer, product_of(config.domain), config.demo, config.seed)
        elif not server.has_database(name):
            raise MissingInputError(
                f"source.database={name}: the embedded PostgreSQL has no such database",
                f"scripts/import_conversations.py FILE --database {name} --state {shlex.quote(config.paths.state)}",
            )
        yield server.conninfo(name), server.note


def read_only(conninfo: str, config: Config, snapshot: str = "") -> Connection:
    """Connect as `connect`, and say in our words what is wrong."""
    import psycopg

    try:
        return connect(conninfo, config, snapshot)
    except psycopg.Error as broken:
        raise explained(broken, config) from None


def connect(conninfo: str, config: Config, snapshot: str = "") -> Connection:
    """Connect for one read-only transaction with one snapshot, its own or `snapshot`, and bounded statements.

    Raises ZantaraError where that snapshot is gone.
    """
    import psycopg

    timeout = config.source.connect_timeout_seconds
    connection = psycopg.connect(conninfo, connect_timeout=timeout, client_encoding="utf8", **_KEEPALIVE)
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    if snapshot:
        _see(connection, snapshot)
    settings = {
        "statement_timeout": str(config.source.statement_timeout_seconds * 1000),
        "timezone": "UTC",
        "datestyle": "ISO",
    }
    for name, value in settings.items():
        connection.execute("select set_config(%s, %s, true)", [name, value])
    return connection


def _see(connection: Connection, snapshot: str) -> None:
    from psycopg import errors, sql

    try:
        connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
    except (errors.InvalidParameterValue, errors.UndefinedObject):
        connection.close()
        raise ZantaraError(
            "the snapshot that all workers read is gone: the connection that held it was lost",
            "run the same command again",
        ) from None


def _url(config: Config) -> str:
    return database_url(config.source.url_env, "source=postgres", "source=embedded")


def explained(broken: Exception, config: Config) -> ZantaraError:
    """What PostgreSQL or the network said, with the key to look at: no password, and nothing that a row holds."""
    from psycopg import Error, errors

    said, state = _said(broken, config), (getattr(broken, "sqlstate", None) or "")
    if isinstance(broken, errors.QueryCanceled):
        seconds = config.source.statement_timeout_seconds
        return ZantaraError(
            f"a query took longer than source.statement_timeout_seconds={seconds}", "raise it, or read fewer days"
        )
    if isinstance(broken, errors.DiskFull):
        return ZantaraError(f"the disk of the database's server is full: {said}", "make room there, or read fewer days")
    if is_passing(broken):
        return ZantaraError(
            f"the server cancelled the query each time, as a replica does whose rows the primary has vacuumed: {said}",
            "set hot_standby_feedback=on or raise max_standby_streaming_delay there; or read the primary, or less",
        )
    where = config.source.url_env if config.source.kind == "postgres" else "the embedded PostgreSQL"
    if isinstance(broken, Error) and state.startswith(_QUOTING):
        return ZantaraError(
            f"{config.source.table} in the database of {where} holds a row that PostgreSQL cannot read: {said}",
            "leave it out by source.where, or look at what source.columns and a view of that name convert",
        )
    return ZantaraError(
        f"the database of {where} refuses: {said}", f"check {where}, and that the account may read the table"
    )


def _said(broken: Exception, config: Config) -> str:
    """A server's words without its details, which quote rows, and without words of kinds that quote them as well."""
    state = getattr(broken, "sqlstate", None)
    if state is None:  # of the network, or of the driver
        said = " ".join(str(broken).split())
    elif state.startswith(_QUOTING):
        said = f"{type(broken).__name__} ({state})"
    else:
        said = first_line(broken)
    return without_secrets(said, _url(config)) if config.source.kind == "postgres" else said
