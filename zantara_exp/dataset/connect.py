"""How a database is reached: where it is, read only, in one snapshot, and what to say where it cannot be."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zantara_exp.config.schema import Config
from zantara_exp.dataset.redact import Redactor
from zantara_exp.errors import MissingInputError, ZantaraError
from zantara_exp.io.address import database_url, without_secrets
from zantara_exp.layout import Layout

if TYPE_CHECKING:
    from psycopg import Connection

_KEEPALIVE: dict[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds; a network that swallows everything is noticed after a minute."""


@contextmanager
def where(config: Config, layout: Layout) -> Iterator[tuple[str, str]]:
    """Where to connect, and what a user should know about it."""
    if config.source.kind == "postgres":
        yield _url(config), ""
        return
    from zantara_exp.dataset import embedded
    from zantara_exp.dataset.demo.fill import ensure_demo

    with embedded.server(layout.state) as server:
        name = config.source.database
        if name == "demo":
            import psycopg

            server.create_database(name)
            with psycopg.connect(server.conninfo(name), autocommit=True) as writer:
                ensure_demo(writer, config.demo, config.seed)
        elif not server.has_database(name):
            raise MissingInputError(
                f"source.database={name}: the embedded PostgreSQL has no such database",
                f"scripts/import_conversations.py FILE --database {name} --state {shlex.quote(config.paths.state)}",
            )
        yield server.conninfo(name), server.note


def read_only(conninfo: str, config: Config) -> Connection:
    """Connect as `connect`, and say in our words what is wrong."""
    import psycopg

    try:
        return connect(conninfo, config)
    except psycopg.Error as broken:
        raise explained(broken, config) from None


def connect(conninfo: str, config: Config) -> Connection:
    """Connect for one read-only transaction with one snapshot and bounded statements."""
    import psycopg

    timeout = config.source.connect_timeout_seconds
    connection = psycopg.connect(conninfo, connect_timeout=timeout, client_encoding="utf8", **_KEEPALIVE)
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    settings = {
        "statement_timeout": str(config.source.statement_timeout_seconds * 1000),
        "timezone": "UTC",
        "datestyle": "ISO",
    }
    for name, value in settings.items():
        connection.execute("select set_config(%s, %s, true)", [name, value])
    return connection


def _url(config: Config) -> str:
    return database_url(config.source.url_env, "source=postgres", "source=embedded")


def explained(broken: Exception, config: Config) -> ZantaraError:
    """What PostgreSQL or the network said, with the key to look at and without the password."""
    from psycopg import errors

    said = " ".join(str(broken).split())
    if config.source.kind == "postgres":
        said = without_secrets(said, _url(config))
    if isinstance(broken, errors.QueryCanceled):
        seconds = config.source.statement_timeout_seconds
        return ZantaraError(
            f"a query took longer than source.statement_timeout_seconds={seconds}", "raise it, or read fewer days"
        )
    if isinstance(broken, errors.DiskFull):
        return ZantaraError(f"the disk of the database's server is full: {said}", "make room there, or read fewer days")
    if isinstance(broken, errors.InvalidDatetimeFormat | errors.DatetimeFieldOverflow):
        column = config.source.columns.created_at
        return ZantaraError(
            f"source.columns.created_at={column} holds a value that is no time: {Redactor().text(said)}",
            "map the column that holds the time, or repair that value",
        )
    where = config.source.url_env if config.source.kind == "postgres" else "the embedded PostgreSQL"
    return ZantaraError(
        f"the database of {where} refuses: {said}", f"check {where}, and that the account may read the table"
    )
