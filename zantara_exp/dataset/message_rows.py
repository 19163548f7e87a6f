"""For tables with one row per message: the SQL that groups them into conversations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg.sql import Composable, Composed

NAMES = ("role", "content", "position")
"""Facts of `config.data.Columns` that only such tables have."""
_FIRST_FIRST = "position, created_at, number, asks desc, id"
_LAST_FIRST = "position desc, created_at desc, number desc, asks, id desc"
"""Messages of one moment: as their ids count, and where these do not, the question before its answer."""
_CONVERSATIONS = """
select coalesce(session, id) as id, session,
    coalesce((array_agg("user" order by {first}) filter (where "user" is not null and asks))[1], min("user")) as "user",
    json_agg(json_build_object('role', role, 'content', content) order by {first})::text as messages,
    max(created_at) as created_at, {noted}
from (select *, coalesce(lower(btrim(role)) = any({users}), false) as asks from ({messages}) m) m
group by session, case when session is null then id end, coalesce(session, id)
"""
_LAST = "(array_agg({name} order by {last}) filter (where {name} is not null))[1] as {name}"
_NOTED = ("model", "rating", "language", "tokens_input", "tokens_output", "latency_ms")


def conversations(messages: Composable, users: Sequence[str]) -> Composed:
    """The conversations of what `messages` selects; `users` are the names, in small letters, of the user's role.

    A conversation is a session; it took place when its last message was written, its user is the first who asked in
    it, and what is noted of it is what its last row notes. A row without a session is a conversation of its own.
    """
    from psycopg import sql

    noted = [sql.SQL(_LAST).format(name=sql.Identifier(name), last=sql.SQL(_LAST_FIRST)) for name in _NOTED]
    return sql.SQL(_CONVERSATIONS).format(
        messages=messages,
        users=sql.Literal(list(users)),
        first=sql.SQL(_FIRST_FIRST),
        noted=sql.SQL(", ").join(noted),
    )
