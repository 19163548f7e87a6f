"""Reads conversations from PostgreSQL, the embedded one or production's: read only, in one snapshot, as a stream.

with open_source(config, layout) as source:
    for row in source.rows(): ...
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from zantara_exp import terminal
from zantara_exp.config.schema import Config
from zantara_exp.dataset import connect, query
from zantara_exp.dataset.days import EARLIEST, latest
from zantara_exp.dataset.period import period, said_later
from zantara_exp.dataset.stream import Position, Stream
from zantara_exp.dataset.usage import Conversations, ModelUsage
from zantara_exp.dataset.users import hash_key
from zantara_exp.errors import MissingInputError
from zantara_exp.layout import Layout

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable, Composed

_USAGE = """
select coalesce(model, 'unknown'), count(*), count(distinct "user"),
    avg(case when tokens_input ~ '^[0-9]+$' then tokens_input::numeric end),
    avg(case when tokens_output ~ '^[0-9]+$' then tokens_output::numeric end)
from ({select}) r where {scope} group by 1 order by 2 desc, 1
"""
_FINGERPRINT = """
select count(*), max(created_at), sum(hashtextextended(r::text, 0)::numeric)
from (select * from ({select}) r where {scope} {newest_first}) r
"""
_ROWS = "copy (select {columns} from ({select}) r where {scope} and {after} {newest_first}) to stdout (null '')"
_PERIOD = """
select (select max(created_at) from ({select}) r where created_at between %(earliest)s and %(latest)s),
    (select count(*) from ({select}) r where created_at > %(latest)s),
    (select count(*) from ({select}) r where created_at is null or created_at < %(earliest)s)
"""
"""Three questions, each of which an index on the time answers."""
_NEWEST_FIRST = "order by created_at desc, coalesce(id, '') collate \"C\" desc limit %(limit)s"
_AFTER = "(created_at, coalesce(id, '') collate \"C\") <= (%(after_time)s::timestamptz, %(after_id)s)"


@dataclass
class Database:
    """A database in one snapshot; after a lost connection, in a new one."""

    config: Config
    connection: Connection
    reconnect: Callable[[], Connection]
    table: query.Table
    first: datetime
    end: datetime
    """The period: from `first` to before `end`, whole UTC days."""
    note: str = ""
    interruptions: int = 0
    """How often the connection was lost, or the statement cancelled, and reading went on."""

    def _composed(self, statement: str, **parts: Composable) -> tuple[Composed, dict[str, Any]]:
        from psycopg import sql

        scope, values = query.scope(self.config.source, self.first, self.end)
        parts |= {"select": self.table.select(), "scope": scope, "newest_first": sql.SQL(_NEWEST_FIRST)}
        composed = sql.SQL(statement).format(**parts)
        return composed, values | {"limit": self.config.source.limit}

    def usage(self) -> list[ModelUsage]:
        """Conversations, users and mean tokens by model, the limit apart."""
        rows = self.connection.execute(*self._composed(_USAGE)).fetchall()
        return [ModelUsage(str(row[0]), row[1], row[2], _number(row[3]), _number(row[4])) for row in rows]

    def fingerprint(self) -> str:
        """A hash that changes when a row within the period changes, comes or goes."""
        found = self.connection.execute(*self._composed(_FINGERPRINT)).fetchone()
        return sha256(repr([str(value) for value in found or ()]).encode()).hexdigest()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the conversations, newest first, as their facts under our names; an absent one is "".

        A lost connection is opened again, `source.reconnect_attempts` times without a row in between.
        """
        columns = ("id", "created_at", *(name for name in self.table.facts if name not in ("id", "created_at")))
        attempts = self.config.source.reconnect_attempts
        yield from Stream(self._living, self._rest(columns), columns, attempts, terminal.say).rows()

    def _living(self) -> Connection:
        if self.connection.closed:
            self.connection = self.reconnect()
            self.interruptions += 1
        return self.connection

    def _rest(self, columns: Sequence[str]) -> Callable[[Position], tuple[Composed, dict[str, Any]]]:
        from psycopg import sql

        def statement(position: Position) -> tuple[Composed, dict[str, Any]]:
            after = sql.SQL(_AFTER if position.rows else "true").format()
            listed = sql.SQL(", ").join(map(sql.Identifier, columns))
            composed, values = self._composed(_ROWS, columns=listed, after=after)
            # The rows that share the last one's key are asked for again.
            limit = self.config.source.limit - position.rows + len(position.tied)
            return composed, values | {
                "limit": limit,
                "after_time": position.created_at or None,
                "after_id": position.id,
            }

        return statement


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))


@contextmanager
def open_source(config: Config, layout: Layout) -> Iterator[Conversations]:
    """Open the configured source.

    Raises ZantaraError where it cannot be reached, lacks the table or a column, or is empty.
    """
    if config.source.kind == "jsonl":
        from zantara_exp.dataset.files import open_file

        yield open_file(config)
        return
    if config.source.kind == "shadow_log":
        from zantara_exp.dataset.lost import open_log

        yield open_log(config, layout)
        return
    with open_database(config, layout) as database:
        yield database


@contextmanager
def open_database(config: Config, layout: Layout) -> Iterator[Database]:
    """Open the configured database in one snapshot; raises like `open_source`."""
    import psycopg

    with connect.where(config, layout) as (conninfo, note):
        opened = connect.read_only(conninfo, config)
        try:
            table = query.find_table(opened, config.source)
            first, end, dates = _period(opened, table, config)
            notes = "; ".join(filter(None, (note, dates)))
            database = Database(config, opened, partial(connect.connect, conninfo, config), table, first, end, notes)
            try:
                yield database
            finally:
                database.connection.close()
        except psycopg.Error as broken:
            raise connect.explained(broken, config) from broken
        finally:
            opened.close()


def fingerprint(config: Config) -> str:
    """Hash of the conversations in scope; changes when any of them does, or the key that users are hashed with."""
    if config.source.stats_only:  # writes nothing, is never reused, and needs no key
        return ""
    key = hash_key(config)
    with open_source(config, Layout(config)) as source:
        return hmac.digest(key, source.fingerprint().encode(), "sha256").hex()


def _period(connection: Connection, table: query.Table, config: Config) -> tuple[datetime, datetime, str]:
    """The period, and what to say of conversations that lie in no period."""
    from psycopg import sql

    asked = sql.SQL(_PERIOD).format(select=table.select())
    found = connection.execute(asked, {"earliest": EARLIEST, "latest": latest()}).fetchone()
    newest, later, without = found or (None, 0, 0)
    untimed = f"{without} conversations have no usable time in source.columns.created_at and are not read"
    if newest is None and not later:
        raise MissingInputError(
            f"table {config.source.table} holds no conversation with a time" + (f": {untimed}" if without else ""),
            "let the product collect conversations first (500 or more in 30 days), or try source=embedded, the demo",
        )
    notes = (said_later(later, config), untimed if without else "")
    return *period(config, newest, later, config.source.table), "; ".join(filter(None, notes))
