"""Reads conversations from PostgreSQL, the embedded one or production's: read only, in one snapshot, as a stream.

with open_source(config, layout) as source:
    for row in source.rows(): ...
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from zantara_exp.config.data import DATABASES, FILES, SHADOW_LOG
from zantara_exp.config.schema import Config
from zantara_exp.core import extensions
from zantara_exp.core.errors import ConfigError, MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import connect, query, row_security
from zantara_exp.dataset.connect import Link
from zantara_exp.dataset.days import EARLIEST, latest
from zantara_exp.dataset.parts import AFTER, BEHIND, KEYS, UP_TO, Key, Within, settled
from zantara_exp.dataset.period import period, said_later
from zantara_exp.dataset.row_stream import Position, Stream
from zantara_exp.dataset.usage import Conversations, ModelUsage
from zantara_exp.dataset.user_hash import hash_key
from zantara_exp.text.wording import agreed

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable, Composed

_USAGE = """
select coalesce(model, 'unknown'), count(*), count(distinct "user"),
    avg(case when tokens_input ~ '^[0-9]{{1,12}}$' then tokens_input::numeric end),
    avg(case when tokens_output ~ '^[0-9]{{1,12}}$' then tokens_output::numeric end)
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
_UNDATED = """
select id, "user" from ({select}) r where created_at is null or created_at < %(earliest)s limit %(limit)s
"""
_COLUMNS = (
    "id", "created_at", "user", "session", "messages", "model", "rating", "language", "tokens_input", "tokens_output",
    "latency_ms",
)  # fmt: skip
_NEWEST_FIRST = "order by created_at desc, coalesce(id, '') collate \"C\" desc limit %(limit)s"


@dataclass(frozen=True)
class Database:
    """A database in one snapshot; after a lost connection, in a new one."""

    config: Config
    link: Link
    table: query.Table
    first: datetime
    end: datetime
    """The period: from `first` to before `end`, whole UTC days."""
    note: str = ""
    without_time: int = 0
    hidden: str = ""
    """Where row-level security may hide rows: what it leaves to see."""

    @property
    def connection(self) -> Connection:
        """The connection of now."""
        return self.link.connection

    @property
    def interruptions(self) -> int:
        """How often the connection was lost, or the statement cancelled, and reading went on."""
        return self.link.interruptions

    def _composed(self, statement: str, **parts: Composable) -> tuple[Composed, dict[str, Any]]:
        from psycopg import sql

        scope, values = query.scope(self.config.source, self.first, self.end)
        parts |= {"select": self.table.select(), "scope": scope, "newest_first": sql.SQL(_NEWEST_FIRST)}
        composed = sql.SQL(statement).format(**parts)
        return composed, values | {"limit": self.config.source.limit}

    def usage(self) -> list[ModelUsage]:
        """Conversations, users and mean tokens by model, the limit apart."""
        rows = self._fetched(*self._composed(_USAGE))
        return [ModelUsage(str(row[0]), row[1], row[2], _number(row[3]), _number(row[4])) for row in rows]

    def fingerprint(self) -> str:
        """A hash that changes when a row within the period changes, comes or goes."""
        found = self._fetched(*self._composed(_FINGERPRINT))[0]
        return sha256(repr([*map(str, found), self.without_time]).encode()).hexdigest()

    def undated(self) -> list[dict[str, Any]]:
        """Id and user of conversations whose time cannot be read, `source.limit` of them at most."""
        from psycopg import sql

        if not self.without_time:
            return []
        asked = sql.SQL(_UNDATED).format(select=self.table.select())
        found = self._fetched(asked, {"earliest": EARLIEST, "limit": self.config.source.limit})
        return [{"id": row[0] or "", "user": row[1] or "", "created_at": None} for row in found]

    def _fetched(self, statement: Composed, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        return self.link.asked(lambda connection: connection.execute(statement, values).fetchall())

    def rows(self, within: Within | None = None) -> Iterator[dict[str, Any]]:
        """Yield the conversations, newest first, as their facts under our names; an absent one is "".

        A database gives those that share time and id in any order, and the limit may cut between them; here their order
        is that of what they hold.

        A lost connection is opened again, `source.reconnect_attempts` times without a row in between.
        """
        asked = self._rest(within or Within(self.config.source.limit))
        yield from settled(Stream(self.link.living, asked, _COLUMNS, self.config.source.reconnect_attempts).rows())

    def parts(self, size: int) -> list[Within]:
        """The rows in scope by parts of about so many rows, newest first."""
        composed, values = self._composed(KEYS)
        keys = self._fetched(composed, values | {"size": size})
        found, before, behind = list[Within](), 0, None
        for created_at, name, rows in keys:
            key = Key(created_at, name)
            if key != behind:
                found.append(Within(rows - before, behind, key))
            before, behind = rows, key
        return [*found, Within(self.config.source.limit - before, behind)]

    def _rest(self, within: Within) -> Callable[[Position], tuple[Composed, dict[str, Any]]]:
        from psycopg import sql

        def statement(position: Position) -> tuple[Composed, dict[str, Any]]:
            begins = AFTER if position.rows else BEHIND if within.behind else "true"
            after = sql.SQL(f"{begins} and {UP_TO if within.last else 'true'}").format()
            listed = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
            composed, values = self._composed(_ROWS, columns=listed, after=after)
            for name, key in (("behind", within.behind), ("last", within.last)):
                if key:
                    values |= {f"{name}_time": key.created_at, f"{name}_id": key.id}
            # The rows that share the last one's key are asked for again.
            limit = within.rows - position.rows + len(position.tied)
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
    if config.source.kind in FILES:
        yield _files(config, layout)
        return
    if config.source.kind == SHADOW_LOG:
        from zantara_exp.dataset.failed_requests import open_log

        yield open_log(config, layout)
        return
    if config.source.kind not in DATABASES:
        yield _added(config)
        return
    with open_database(config, layout) as database:
        yield database


def _added(config: Config) -> Conversations:
    """What a source of an installed package gives: records of any shape that `source=files` reads."""
    from zantara_exp.dataset.exported import Given, as_json
    from zantara_exp.dataset.files import opened

    kind = config.source.kind
    give = extensions.load(extensions.SOURCES, kind)
    if not callable(give):
        raise ConfigError(f"source.kind={kind}: {give!r} is no function from a config to records", "mend its package")
    try:
        found = give(config)
        if not isinstance(found, Iterable):
            what = type(found).__name__
            raise ZantaraError(f"source.kind={kind} gave {what}, which is no list of records", "mend its package")
        lines = list(map(as_json, found))
    except ZantaraError:
        raise
    except extensions.FAILURES as error:  # its words may quote what a record holds
        why = f"source.kind={kind} failed: {extensions.place(error)}"
        raise ZantaraError(why, "mend its package, or what it reads") from None
    return opened(config, Given(f"source.kind={kind}", config.source.columns, lines))


def _files(config: Config, layout: Layout) -> Conversations:
    if config.engine.name == "spark":
        from zantara_exp.dataset.on_spark.files import open_files

        return open_files(config, layout)
    from zantara_exp.dataset.files import open_file

    return open_file(config)


@contextmanager
def open_database(config: Config, layout: Layout) -> Iterator[Database]:
    """Open the configured database in one snapshot; raises like `open_source`."""
    import psycopg

    with connect.where(config, layout) as (conninfo, note):
        link = Link(conninfo, config)
        try:
            table = link.asked(lambda connection: query.find_table(connection, config.source))
            hidden = link.asked(lambda connection: row_security.hides(connection, table, config.source))
            newest, later, without = link.asked(lambda connection: _dates(connection, table))
            if newest is None and not later:
                raise _none_with_a_time(config, without, hidden)
            first, end = period(config, newest, later, config.source.table)
            notes = [note, hidden, said_later(later, config), _untimed(without) if without else ""]
            yield Database(config, link, table, first, end, "; ".join(filter(None, notes)), without, hidden)
        except psycopg.Error as broken:
            raise connect.explained(broken, config) from None  # its words may quote what a row holds
        finally:
            link.close()


def fingerprint(config: Config) -> str:
    """Hash of the conversations in scope; changes when any of them does, or the key that users are hashed with."""
    if config.source.stats_only:  # writes nothing, is never reused, and needs no key
        return ""
    key = hash_key(config)
    if config.source.kind in FILES:  # of their bytes alone: they are opened when they are read
        from zantara_exp.dataset.exported import digest_of
        from zantara_exp.dataset.files import path_of
        from zantara_exp.dataset.reading import paths_of

        return hmac.digest(key, digest_of(paths_of(path_of(config))).encode(), "sha256").hex()
    with open_source(config, Layout(config)) as source:
        return hmac.digest(key, source.fingerprint().encode(), "sha256").hex()


def _dates(connection: Connection, table: query.Table) -> tuple[datetime | None, int, int]:
    """The newest time there can be, how many conversations are later, and how many have none."""
    from psycopg import sql

    asked = sql.SQL(_PERIOD).format(select=table.select())
    found = connection.execute(asked, {"earliest": EARLIEST, "latest": latest()}).fetchone()
    return found or (None, 0, 0)


def _untimed(without: int) -> str:
    have = agreed(without, "conversation has", "conversations have")
    return f"{have} no usable time in source.columns.created_at, and {'goes' if without == 1 else 'go'} to quarantine"


def _none_with_a_time(config: Config, without: int, hidden: str) -> MissingInputError:
    why = "; ".join(filter(None, (hidden, _untimed(without) if without else "")))
    hint = "let the product collect conversations first (500 or more in 30 days), or try source=embedded, the demo"
    if without:
        hint = f"map the column that holds the time: source.columns.created_at={config.source.columns.created_at}"
    if hidden:
        hint = row_security.HINT
    return MissingInputError(
        f"table {config.source.table} holds no conversation with a time" + (f": {why}" if why else ""), hint
    )
