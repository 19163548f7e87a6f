"""SQL over a table whose columns are config. Identifiers are composed by psycopg.sql, values are parameters."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from zantara_exp.config.data import Columns, Source
from zantara_exp.errors import ZantaraError

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable, Composed

_SHOWN = 25
_FIND_TABLE = """
select c.oid, n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'v', 'm', 'p', 'f') and c.relname = %(table)s
  and (n.nspname = %(schema)s or (%(schema)s::text is null and pg_table_is_visible(c.oid)))
"""
_LIST_TABLES = """
select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'v', 'm', 'p', 'f') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
order by 1
"""
_LIST_COLUMNS = """
select attname, format_type(atttypid, null) from pg_attribute
where attrelid = %(oid)s and attnum > 0 and not attisdropped order by attnum
"""


@dataclass(frozen=True)
class Table:
    """The table to read, and an SQL expression for each fact that the config maps."""

    name: Composed
    facts: dict[str, Composable]

    def select(self) -> Composed:
        """All mapped facts of all rows, under our names."""
        from psycopg import sql

        mapped = [sql.SQL("{} as {}").format(fact, sql.Identifier(name)) for name, fact in self.facts.items()]
        return sql.SQL("select {} from {} t").format(sql.SQL(", ").join(mapped), self.name)


def find_table(connection: Connection, source: Source) -> Table:
    """Look the table and its mapped columns up.

    Raises ZantaraError that names the tables or columns there are.
    """
    from psycopg import sql

    schema, _, name = source.table.rpartition(".")
    found = connection.execute(_FIND_TABLE, {"table": name, "schema": schema or None}).fetchone()
    if found is None:
        there = [str(row[0]) for row in connection.execute(_LIST_TABLES).fetchall()]
        raise ZantaraError(
            f"source.table={source.table}: the database has no such table; {_there_are('tables', there, name)}",
            "set source.table, and source.columns where its columns have other names",
        )
    types = {str(column): str(kind) for column, kind in connection.execute(_LIST_COLUMNS, {"oid": found[0]}).fetchall()}
    facts = {
        name: _as_fact(name, path, *_expression(f"source.columns.{name}", path, types))
        for name, path in _mapping(source.columns).items()
    }
    return Table(sql.SQL("{}.{}").format(sql.Identifier(found[1]), sql.Identifier(found[2])), facts)


def _mapping(columns: Columns) -> dict[str, str]:
    return {
        "id": columns.id,
        "user": columns.user,
        "session": columns.session,
        "messages": columns.messages,
        "created_at": columns.created_at,
        "model": columns.model,
        "rating": columns.rating,
        "language": columns.language,
        "tokens_input": columns.tokens_input,
        "tokens_output": columns.tokens_output,
        "latency_ms": columns.latency_ms,
    }


def _there_are(what: str, names: list[str], wanted: str) -> str:
    if not names:
        return f"it has no {what} that this account may see"
    near = get_close_matches(wanted, [name.rpartition(".")[2] for name in names], n=1)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    ask = f"did you mean {near[0]}? " if near else ""
    return f"{ask}it has the {what} {', '.join(names[:_SHOWN])}{more}"


def _expression(key: str, path: str, types: dict[str, str]) -> tuple[Composable, str]:
    """The SQL of a column or JSON path, and its type."""
    from psycopg import sql

    if not path:
        return sql.SQL("null::text"), "text"
    if path in types:
        return sql.SQL("t.{}").format(sql.Identifier(path)), types[path]
    column, *steps = path.split(".")
    if column not in types:
        raise ZantaraError(
            f"{key}={path}: the table has no such column; {_there_are('columns', list(types), column)}",
            f'set {key} to a column, to a JSON path such as metadata.model, or to "" where it is not kept',
        )
    if types[column] not in ("json", "jsonb"):
        raise ZantaraError(
            f"{key}={path}: column {column} is {types[column]}, not JSON, so there is no path into it",
            f"set {key} to a column of its own: {', '.join(types)}",
        )
    # A JSON null counts as absent: both make it an SQL null; ->> takes half the time.
    if len(steps) == 1:
        return sql.SQL("t.{} ->> {}").format(sql.Identifier(column), sql.Literal(steps[0])), "path"
    return sql.SQL("t.{} #>> {}").format(sql.Identifier(column), sql.Literal(steps)), "path"


def _as_fact(name: str, path: str, expression: Composable, kind: str) -> Composable:
    from psycopg import sql

    if name != "created_at":  # messages too: a chat nested beyond measure then spoils no more than itself
        return sql.SQL("({})::text").format(expression)
    if kind in ("timestamp with time zone", "date"):
        return sql.SQL("({})::timestamptz").format(expression)
    if kind == "timestamp without time zone":  # production's clocks are UTC; without a zone nothing else can be meant
        return sql.SQL("({}) at time zone 'UTC'").format(expression)
    if kind in ("text", "character varying", "path"):
        return sql.SQL("({})::text::timestamptz").format(expression)
    if kind in ("bigint", "integer", "numeric", "double precision"):
        seconds = sql.SQL("case when {0} > 1e11 then {0} / 1000.0 else {0} end").format(expression)
        return sql.SQL("to_timestamp({})").format(seconds)
    raise ZantaraError(
        f"source.columns.created_at={path} is {kind}, which is no time", "set it to the column that holds the time"
    )


def scope(source: Source, first: object, end: object) -> tuple[Composed, dict[str, Any]]:
    """Conditions, with their parameters, that a row `r` of `Table.select` fulfils to be read."""
    from psycopg import sql

    conditions = ["created_at >= %(first)s and created_at < %(end)s"]
    values: dict[str, Any] = {"first": first, "end": end}
    if source.models and source.columns.model:
        escaped = [name.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") for name in source.models]
        values["models"] = [f"%{name.lower()}%" for name in escaped]
        conditions.append("lower(model) like any(%(models)s)")
    if source.min_rating is not None:
        values["min_rating"] = source.min_rating
        conditions.append(
            "(rating is null or rating !~ '^[0-9]+([.][0-9]+)?$' or rating::numeric >= %(min_rating)s::numeric)"
        )
    return sql.SQL("(" + ") and (".join(conditions) + ")").format(), values
