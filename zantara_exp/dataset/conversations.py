"""The table `conversations` as production has it, for databases of our own: the demo's, and imported exports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

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


@dataclass(frozen=True)
class Row:
    """A row of `conversations`."""

    id: UUID
    user_id: str
    session_id: str | None
    messages: Any
    metadata: dict[str, Any]
    created_at: datetime


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
