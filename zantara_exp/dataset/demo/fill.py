"""Fills a database with conversations in production's schema: the demo's, or imported ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from zantara_exp.config.data import Demo
from zantara_exp.dataset.demo.generate import VERSION, Row, rows

if TYPE_CHECKING:
    from psycopg import Connection

TABLE = """
create table if not exists conversations (
    id uuid primary key,
    user_id text not null,
    session_id text,
    messages jsonb,
    metadata jsonb,
    created_at timestamptz not null
)
"""
_COLUMNS = ("id", "user_id", "session_id", "messages", "metadata", "created_at")
_LOCK = 731_204
"""Advisory lock: several processes that start at once fill the demo once."""


def ensure_demo(connection: Connection, demo: Demo, seed: int) -> bool:
    """Fill the demo's table unless it already holds just these conversations; return whether it was filled."""
    wanted = sha256(orjson.dumps([VERSION, seed, asdict(demo)])).hexdigest()
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        connection.execute("create table if not exists zantara_demo (hash text)")
        found = connection.execute("select hash from zantara_demo").fetchone()
        if found is not None and found[0] == wanted:
            return False
        connection.execute("drop table if exists conversations")
        connection.execute(TABLE)
        fill(connection, rows(demo, seed))
        connection.execute("create index on conversations (created_at)")
        connection.execute("truncate zantara_demo")
        connection.execute("insert into zantara_demo values (%s)", [wanted])
    connection.execute("analyze conversations")
    return True


def fill(connection: Connection, conversations: Iterable[Row], table: str = "conversations") -> int:
    """Append conversations to a table; return how many."""
    from psycopg import sql

    names = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
    count = 0
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("copy {} ({}) from stdin").format(sql.Identifier(table), names)) as copy,
    ):
        for row in conversations:
            messages, metadata = orjson.dumps(row.messages).decode(), orjson.dumps(row.metadata).decode()
            copy.write_row((row.id, row.user_id, row.session_id, messages, metadata, row.created_at))
            count += 1
    return count
