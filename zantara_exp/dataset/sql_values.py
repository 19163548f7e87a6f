r"""SQL that reads a column or a JSON path so that no value can stop the statement.

PostgreSQL ends a statement at the first value that it cannot convert: a `json` that holds \u0000 or half of a surrogate
pair, a text that is no time, an epoch beyond the calendar. With this SQL each of them is read, or becomes null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg.sql import Composable

_ASKS = 160_000
"""Servers of this version say of a text whether it can be converted."""
_PATH = "path"
_TIMES = ("timestamp with time zone", "date")
_WHOLE = ("bigint", "integer", "smallint")
_NUMBERS = (*_WHOLE, "numeric", "double precision", "real")
_TEXTS = ("text", "character varying", "character", _PATH)

_SUSPECTS = (r"\u0000", r"\ud", r"\uD")
"""Looked for first, which takes no time: few texts hold one."""
_ESCAPE = (
    r"(?<!\\)((?:\\\\)*)\\u(?:0000|[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u)[dD][c-fC-F][0-9a-fA-F]{2})"
)
"""An escape of NUL or of half a surrogate pair; the backslash before its `u` is no escaped one."""
_READABLE = "(case when {suspect} then regexp_replace({json}::text, {escape}, {replaced}, 'g')::json else {json} end)"

_DAY = (
    r"(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
_ISO = (
    rf"^{_DAY}(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{{1,9}})?)?"
    r" ?(?:Z|UTC|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)?)?$"
)
"""ISO 8601 as products write it, and only days that there are: what is asked of a server that cannot say."""
_EPOCH = r"^-?[0-9]{9,19}(?:[.][0-9]{1,9})?$"
_TEXT_TIME = """(case when {text} ~ {epoch} and {text} !~ '^(?:19|20)[0-9]{{12}}$' then {moment}
    when {readable} then {text}::timestamptz end)"""
_MOMENT = """(case when {0} between -1e20 and 1e20 then to_timestamp((case when abs({0}) < 1e11 then {0}
    when abs({0}) < 1e14 then {0} / 1e3 when abs({0}) < 1e17 then {0} / 1e6 else {0} / 1e9 end)::double precision)
    end)"""
"""Of seconds, milli-, micro- or nanoseconds, told apart by their size; NaN and infinity are beyond."""


class UnmappedError(Exception):
    """Why the table cannot give a fact."""


def near(wanted: str, names: Iterable[str]) -> str:
    """A hint at the name that was meant, or ""."""
    found = get_close_matches(wanted, list(names), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def text(path: str, types: Mapping[str, str]) -> Composable:
    """A column or JSON path as text; raises UnmappedError where there is none."""
    from psycopg import sql

    expression, kind = _expression(path, types)
    if kind in ("json", "jsonb"):
        # A string without its quotes, anything else as JSON; PostgreSQL need not read all of it.
        whole = sql.SQL("{} #>> '{{}}'").format(_readable(expression, kind))
        return sql.SQL("({})::text").format(whole)
    return sql.SQL("({})::text").format(expression)


def chat(path: str, types: Mapping[str, str]) -> Composable:
    """A column or JSON path that holds a whole chat, as it stands there: PostgreSQL does not look into a column, so
    that one nested beyond measure spoils no more than itself. Raises UnmappedError where there is none."""
    from psycopg import sql

    return sql.SQL("({})::text").format(_expression(path, types)[0])


def time(path: str, types: Mapping[str, str], version: int) -> Composable:
    """A column or JSON path as a time, null where it holds none; `version` is the server's.

    Raises UnmappedError where there is none, or nothing that could be a time.
    """
    from psycopg import sql

    expression, kind = _expression(path, types)
    if kind in _TIMES:
        return sql.SQL("({})::timestamptz").format(expression)
    if kind == "timestamp without time zone":  # production's clocks are UTC; without a zone nothing else can be meant
        return sql.SQL("({}) at time zone 'UTC'").format(expression)
    if kind in _NUMBERS:
        return sql.SQL(_MOMENT).format(expression)
    if kind not in _TEXTS:
        raise UnmappedError(f"it is {kind}, which is no time")
    told = sql.SQL("nullif(btrim(({})::text), '')").format(expression)
    can = "pg_input_is_valid({}, 'timestamptz')" if version >= _ASKS else "{} ~ {}"
    return sql.SQL(_TEXT_TIME).format(
        text=told,
        epoch=sql.Literal(_EPOCH),
        moment=sql.SQL(_MOMENT).format(sql.SQL("({})::numeric").format(told)),
        readable=sql.SQL(can).format(told, sql.Literal(_ISO)),
    )


def order(path: str, types: Mapping[str, str]) -> Composable:
    """A column to sort by, in its own order. Raises UnmappedError where it is none."""
    expression, kind = _expression(path, types)
    if path and kind == _PATH:
        raise UnmappedError("a path into JSON has no order of its own; name a column")
    return expression


def numbered(path: str, types: Mapping[str, str]) -> Composable:
    """A column of whole numbers to sort by; nothing where it holds others."""
    from psycopg import sql

    expression, kind = _expression(path, types)
    return expression if kind in _WHOLE else sql.SQL("null::bigint")


def _expression(path: str, types: Mapping[str, str]) -> tuple[Composable, str]:
    """The SQL of a column or JSON path, and its type."""
    from psycopg import sql

    if not path:
        return sql.SQL("null::text"), "text"
    if path in types:
        return sql.SQL("t.{}").format(sql.Identifier(path)), types[path]
    column, *steps = path.split(".")
    if column not in types:
        raise UnmappedError(f"no such column{near(column, types)}")
    if types[column] not in ("json", "jsonb"):
        raise UnmappedError(f"column {column} is {types[column]}, not JSON, so there is no path into it")
    # A JSON null counts as absent: both make it an SQL null; ->> takes half the time.
    whole = _readable(sql.SQL("t.{}").format(sql.Identifier(column)), types[column])
    if len(steps) == 1:
        return sql.SQL("{} ->> {}").format(whole, sql.Literal(steps[0])), _PATH
    return sql.SQL("{} #>> {}").format(whole, sql.Literal(steps)), _PATH


def _readable(column: Composable, kind: str) -> Composable:
    """A JSON column whose strings can all be read: `jsonb` never holds another, `json` whatever was written."""
    from psycopg import sql

    if kind != "json":
        return column
    suspect = sql.SQL(" or ").join(
        sql.SQL("strpos({}::text, {}) > 0").format(column, sql.Literal(text)) for text in _SUSPECTS
    )
    return sql.SQL(_READABLE).format(
        suspect=suspect, json=column, escape=sql.Literal(_ESCAPE), replaced=sql.Literal(r"\1\\ufffd")
    )
