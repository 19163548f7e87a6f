"""Looks at the tables of a database, and takes the one that seems to hold the chats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from zantara_exp.config.data import Columns
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import start
from zantara_exp.dataset.messages import Message
from zantara_exp.guess.columns import Rows, by_message, id_of, in_order, others_of, time_of, user_of, where_of
from zantara_exp.guess.speakers import Speech, chat_of, speech_of
from zantara_exp.io.address import database_url

if TYPE_CHECKING:
    from psycopg import Connection

URL_ENV = "DATABASE_URL"
_ROWS = 500
"""Newest rows of a table that are looked at."""
_SECONDS = 20
_WORDS_TO_TELL, _SURE, _LEAST_SHARE = 6, 0.9, 0.02
"""Words of a chat, and probability, from which its language is told; share of the chats from which one is named."""
_TEXTS = ("json", "jsonb", "text", "character varying")
_WORD = re.compile(r"[^\W\d_]{4,}")
_USERS_PER_WORD = 5
"""A word is shown where so many users wrote it: what one wrote is personal."""
_WORDS_SHOWN = 30
_SHOWN = 25
"""Names of tables in a refusal."""


_COLUMNS = """
select attname, format_type(atttypid, null) from pg_attribute
where attnum > 0 and not attisdropped and attrelid = %s::regclass order by attnum
"""
_INDEXED = """
select a.attname, bool_or(k.first) from pg_attribute a join (
    select conrelid as rel, unnest(conkey) as num, false as first from pg_constraint where contype = 'f'
    union all select indrelid, unnest(indkey::int2[]), indisprimary from pg_index where indisprimary or not indisunique
) k on k.rel = a.attrelid and k.num = a.attnum where a.attrelid = %s::regclass group by 1
"""
"""Columns of foreign keys and of indexes that many rows may share, and of the primary key, which is told."""


@dataclass(frozen=True)
class Found:
    """What a database seems to hold."""

    table: str
    columns: Mapping[str, str]
    """Of `source.columns`: a column, a JSON path, or "" where there is none."""
    speech: Speech
    """The product's own names of who speaks, and of the keys of a message."""
    where: str
    """The condition that leaves out what is marked as deleted; "" for none."""
    unused: Sequence[str]
    """Columns that hold none of these facts, with their types."""
    chats: int
    """Conversations that were read, of `rows`."""
    rows: int
    share: float
    """Of the rows, how many are of a conversation that was read."""
    languages: Mapping[str, float]
    """Share of the chats that are long enough to tell, by ISO code; the most first."""
    words: Sequence[str]
    """Words that many users write, the most first: what patterns could be made of."""

    @property
    def by_message(self) -> bool:
        """Whether a row holds one message."""
        return bool(self.columns["role"])


def look(table: str = "") -> Found:
    """Look at the database that DATABASE_URL names; at one table where it is given.

    Raises MissingRequirementError where the variable is not set, ZantaraError where no table seems to hold chats.
    """
    import psycopg

    url = database_url(URL_ENV, "init --from-database", "init without it")
    try:
        with psycopg.connect(url, connect_timeout=10, client_encoding="utf8") as connection:
            connection.read_only = True
            connection.execute("select set_config('statement_timeout', %s, true)", [str(_SECONDS * 1000)])
            there = list(_tables(connection))
            names = [name for name in there if table in ("", name, name.rpartition(".")[2], f"public.{name}")]
            seen = [found for name in names if (found := _looked(connection, name))]
            if not seen:
                raise _none(connection, table, names, there)
    except psycopg.Error as broken:
        raise ZantaraError(
            f"the database of {URL_ENV} refuses ({type(broken).__name__})", f"check {URL_ENV}, or {start()}"
        ) from None
    return max(seen, key=lambda found: (found.share * (0.9 if found.by_message else 1), found.chats))


def _none(connection: Connection, table: str, looked: Sequence[str], there: Sequence[str]) -> ZantaraError:
    """Why no table was taken, and what there is."""
    if table and not looked:
        has = f"it has {', '.join(there[:_SHOWN])}" if there else "it has none"
        return ZantaraError(
            f"--table={table}: the database has no such table that this account may read; {has}",
            start() + " --from-database   # looks at all of them",
        )
    what = f"table {table} does not seem to hold chats" if table else "no table that this account may read holds chats"
    what += ": neither a column with JSON lists of messages by two who take turns, nor one row per message"
    columns = _types(connection, looked[0]) if table else {}
    has = f"; its columns: {', '.join(f'{name} ({kind})' for name, kind in columns.items())}" if columns else ""
    read = f"; looked at: {', '.join(looked[:_SHOWN]) or 'none'}" if not table else ""
    return ZantaraError(
        what + has + read,
        start() + "   # writes the mapping with usual names, to be changed by hand; a view can join tables",
    )


def _tables(connection: Connection) -> Iterator[str]:
    rows = connection.execute(
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'v', 'm', 'p', 'f') and has_table_privilege(c.oid, 'select')"
        " and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') order by c.reltuples desc limit 200"
    ).fetchall()
    for schema, name in rows:
        yield name if schema == "public" else f"{schema}.{name}"


def _quoted(table: str) -> str:
    schema, _, name = table.rpartition(".")
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema or "public", name))


def _types(connection: Connection, table: str) -> dict[str, str]:
    return dict(connection.execute(_COLUMNS, [_quoted(table)]).fetchall())


def _looked(connection: Connection, table: str) -> Found | None:
    """None where the table holds no chats."""
    types = _types(connection, table)
    if not any(kind in _TEXTS for kind in types.values()):
        return None
    indexed: dict[str, bool] = dict(connection.execute(_INDEXED, [_quoted(table)]).fetchall())
    rows = Rows.of(
        types, _newest(connection, table, types, [name for name, first in indexed.items() if first]), indexed
    )
    return (_whole(table, rows) or _by_message(table, rows)) if rows.count else None


def _newest(
    connection: Connection, table: str, types: Mapping[str, str], keys: Sequence[str]
) -> list[tuple[str | None, ...]]:
    """The newest rows as text, the newest first; of those of one moment, by their key."""
    from psycopg import sql

    at = time_of(Rows(types, {name: [] for name in types}))
    keys = [name for name in keys if types[name] in ("integer", "bigint")]
    by = [sql.SQL("{} desc nulls last").format(sql.Identifier(name)) for name in (at, *keys) if name]
    shown = [sql.SQL("{}::text").format(sql.Identifier(column)) for column in types]
    return connection.execute(
        sql.SQL("select {} from {}{} limit {}").format(
            sql.SQL(", ").join(shown),
            sql.Identifier(*(table.split(".") if "." in table else ("public", table))),
            sql.SQL(" order by ") + sql.SQL(", ").join(by) if by else sql.SQL(""),
            sql.Literal(_ROWS),
        )
    ).fetchall()


def _whole(table: str, rows: Rows) -> Found | None:
    """Of a table with a conversation in a row."""
    read = {}
    for column in rows.left(*_TEXTS):
        speech = speech_of(rows.values[column])
        chats = [chat_of(value, speech) for value in rows.values[column]]
        read[column] = speech, [chat for chat in chats if chat], chats
    best = max(read, key=lambda column: len(read[column][1]))
    speech, chats, by_row = read[best]
    if len(chats) < rows.count / 10:
        return None
    rows.taken.add(best)
    columns = {"messages": best, **_facts(rows), "role": "", "content": "", "position": ""}
    users = rows.values[columns["user"]] if columns["user"] else None
    said = [(users[place] or "" if users else "", chat) for place, chat in enumerate(by_row) if chat]
    return _found(table, rows, columns, speech, said, len(chats) / rows.count)


def _by_message(table: str, rows: Rows) -> Found | None:
    """Of a table with a message in a row."""
    where = by_message(rows)
    if where is None:
        return None
    speech, said, read = Speech(where.turns.own), [], 0
    rows.taken |= {where.session, where.role, where.content, where.position} - {""}
    columns = {"messages": "", **_facts(rows), **where._asdict()}
    del columns["turns"]
    for places in in_order(rows, where.session, where.position):
        chat = [
            {"role": rows.values[where.role][place], "content": rows.values[where.content][place]} for place in places
        ]
        if told := chat_of(chat, speech):
            users = [rows.values[columns["user"]][place] for place in places] if columns["user"] else []
            said.append((next(filter(None, users), ""), told))
            read += len(places)
    return _found(table, rows, columns, speech, said, read / rows.count) if said else None


def _facts(rows: Rows) -> dict[str, str]:
    """Which columns hold time, id, user and what else is read; all of them are taken from then on."""
    found = {}
    for fact, guess in (("created_at", time_of), ("id", id_of)):
        found[fact] = guess(rows)
        rows.taken |= {found[fact]} - {""}
    where = where_of(rows)
    others = others_of(rows)
    found |= {"user": user_of(rows), **others, "where": where}
    rows.taken |= {found["user"]} - {""}
    return found


def _found(
    table: str,
    rows: Rows,
    columns: dict[str, str],
    speech: Speech,
    said: Sequence[tuple[str, Sequence[Message]]],
    share: float,
) -> Found:
    where = columns.pop("where")
    used = {name.partition(".")[0] for name in rows.taken}
    return Found(
        table=table,
        columns={field.name: columns[field.name] for field in fields(Columns)},
        speech=speech,
        where=where,
        unused=[f"{name} ({kind})" for name, kind in rows.types.items() if name not in used],
        chats=len(said),
        rows=rows.count,
        share=share,
        languages=_languages(chat for _, chat in said),
        words=_words(said) if columns["user"] else [],
    )


def _languages(chats: Iterable[Sequence[Message]]) -> dict[str, float]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier: Any = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    told: Counter[str] = Counter()
    for chat in chats:
        text = " ".join(" ".join(each["content"] for each in chat).split())[:4000]
        if len(text.split()) >= _WORDS_TO_TELL:
            language, sure = identifier.classify(text)
            told[language] += sure > _SURE
    total = told.total()
    return {name: count / total for name, count in told.most_common() if total and count / total >= _LEAST_SHARE}


def _words(said: Iterable[tuple[str, Sequence[Message]]]) -> list[str]:
    users: dict[str, set[str]] = {}
    for user, chat in said:
        for each in chat:
            if each["role"] == "user":
                for word in _WORD.findall(each["content"].casefold()):
                    users.setdefault(word, set()).add(user)
    many = sorted(users, key=lambda word: (-len(users[word]), word))
    return [word for word in many if len(users[word]) >= _USERS_PER_WORD][:_WORDS_SHOWN]
