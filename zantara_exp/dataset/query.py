"""SQL over a table whose columns are config. Identifiers are composed by psycopg.sql, values are parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from zantara_exp.config.data import Source
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
        shown = ", ".join(there[:_SHOWN]) + (f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else "")
        near = _near(name, (each.rpartition(".")[2] for each in there))
        has = f"it has the tables {shown}" if there else "it has none that this account may see"
        raise ZantaraError(
            f"source.table={source.table}: the database has no such table{near or ';'} {has}",
            "set source.table, and source.columns where its columns have other names",
        )
    types = {str(column): str(kind) for column, kind in connection.execute(_LIST_COLUMNS, {"oid": found[0]}).fetchall()}
    return Table(sql.SQL("{}.{}").format(*map(sql.Identifier, found[1:])), _facts(source, types))


class _Unmapped(Exception):
    """Why the table cannot give a fact."""


def _facts(source: Source, types: Mapping[str, str]) -> dict[str, Composable]:
    """The SQL of every fact; raises ZantaraError that names all that cannot be had, and what the table has."""
    facts, wrong = {}, list[str]()
    for name, path in asdict(source.columns).items():
        try:
            facts[name] = _as_fact(name, *_expression(path, types))
        except _Unmapped as why:
            wrong.append(f"source.columns.{name}={path}: {why}")
    if wrong:
        has = ", ".join(f"{column} ({kind})" for column, kind in types.items())
        raise ZantaraError(
            "\n".join([f"source.table={source.table} has the columns {has}", *(f"  {line}" for line in wrong)]),
            f'set {wrong[0].split("=")[0]} to a column, to a JSON path such as metadata.model, or to "" where it is '
            "not kept",
        )
    return facts


def _near(wanted: str, names: Iterable[str]) -> str:
    near = get_close_matches(wanted, list(names), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _expression(path: str, types: Mapping[str, str]) -> tuple[Composable, str]:
    """The SQL of a column or JSON path, and its type."""
    from psycopg import sql

    if not path:
        return sql.SQL("null::text"), "text"
    if path in types:
        return sql.SQL("t.{}").format(sql.Identifier(path)), types[path]
    column, *steps = path.split(".")
    if column not in types:
        raise _Unmapped(f"no such column{_near(column, types)}")
    if types[column] not in ("json", "jsonb"):
        raise _Unmapped(f"column {column} is {types[column]}, not JSON, so there is no path into it")
    # A JSON null counts as absent: both make it an SQL null; ->> takes half the time.
    if len(steps) == 1:
        return sql.SQL("t.{} ->> {}").format(sql.Identifier(column), sql.Literal(steps[0])), "path"
    return sql.SQL("t.{} #>> {}").format(sql.Identifier(column), sql.Literal(steps)), "path"


def _as_fact(name: str, expression: Composable, kind: str) -> Composable:
    from psycopg import sql

    if name != "created_at":  # messages too: a chat nested beyond measure then spoils no more than itself
        return sql.SQL("({})::text").format(expression)
    if kind in ("timestamp with time zone", "date"):
        return sql.SQL("({})::timestamptz").format(expression)
    if kind == "timestamp without time zone":  # production's clocks are UTC; without a zone nothing else can be meant
        return sql.SQL("({}) at time zone 'UTC'").format(expression)
    if kind in ("text", "character varying", "path"):
        return sql.SQL("nullif(btrim(({})::text), '')::timestamptz").format(expression)
    if kind in ("bigint", "integer", "numeric", "double precision"):
        seconds = sql.SQL("case when {0} > 1e11 then {0} / 1000.0 else {0} end").format(expression)
        return sql.SQL("to_timestamp({})").format(seconds)
    raise _Unmapped(f"it is {kind}, which is no time")


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
