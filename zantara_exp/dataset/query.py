"""SQL over a table whose columns are config. Identifiers are composed by psycopg.sql, values are parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zantara_exp.config.data import Source
from zantara_exp.core.errors import ZantaraError
from zantara_exp.dataset import message_rows, sql_values
from zantara_exp.dataset.chat_items import USER, names_of

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable, Composed

_SHOWN = 25
_WHERE = "where ({}\n)"
"""The line break ends a comment in the condition."""
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
    oid: int = 0
    where: str = ""
    """Condition on its rows; percent signs are doubled, so its statements are sent with parameters."""
    users: tuple[str, ...] = ()
    """Where a row holds one message: the names of the user's role."""

    def select(self) -> Composed:
        """All mapped facts of all conversations, under our names."""
        from psycopg import sql

        mapped = [sql.SQL("{} as {}").format(fact, sql.Identifier(name)) for name, fact in self.facts.items()]
        condition = sql.SQL(_WHERE.format(self.where)).format() if self.where else sql.SQL("")
        rows = sql.SQL("select {} from {} t {}").format(sql.SQL(", ").join(mapped), self.name, condition)
        return message_rows.conversations(rows, self.users) if self.users else rows


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
        near = sql_values.near(name, (each.rpartition(".")[2] for each in there))
        has = f"it has the tables {shown}" if there else "it has none that this account may see"
        raise ZantaraError(
            f"source.table={source.table}: the database has no such table{near or ';'} {has}",
            "set source.table, and source.columns where its columns have other names",
        )
    types = {str(column): str(kind) for column, kind in connection.execute(_LIST_COLUMNS, {"oid": found[0]}).fetchall()}
    table = Table(
        name=sql.SQL("{}.{}").format(*map(sql.Identifier, found[1:])),
        facts=_facts(source, types, connection.info.server_version),
        oid=int(found[0]),
        where=source.where.strip().replace("%", "%%").replace("{", "{{").replace("}", "}}"),
        users=names_of(USER, source.roles.meant) if source.columns.by_message else (),
    )
    _require_condition(connection, source, table)
    return table


def _require_condition(connection: Connection, source: Source, table: Table) -> None:
    """Raises ZantaraError where PostgreSQL does not understand `source.where`."""
    import psycopg
    from psycopg import sql

    if not table.where:
        return
    try:
        condition = sql.SQL(_WHERE.format(table.where)).format()
        connection.execute(sql.SQL("select from {} t {} limit 0").format(table.name, condition), {})
    except psycopg.Error as broken:
        raise ZantaraError(
            f"source.where={source.where} is no condition on {source.table}: {broken.diag.message_primary}",
            "write what stands behind WHERE, such as source.where='deleted_at is null'",
        ) from None


def _facts(source: Source, types: Mapping[str, str], version: int) -> dict[str, Composable]:
    """The SQL of every fact; raises ZantaraError that names all that cannot be had, and what the table has."""
    facts, wrong = {}, list[str]()
    left = ("messages",) if source.columns.by_message else message_rows.NAMES
    for name, path in asdict(source.columns).items():
        try:
            if name not in left:
                facts[name] = _fact(name, path, types, version)
        except sql_values.UnmappedError as why:
            wrong.append(f"source.columns.{name}={path}: {why}")
    if wrong:
        has = ", ".join(f"{column} ({kind})" for column, kind in types.items())
        raise ZantaraError(
            "\n".join([f"source.table={source.table} has the columns {has}", *(f"  {line}" for line in wrong)]),
            f'set {wrong[0].split("=")[0]} to a column, to a JSON path such as metadata.model, or to "" where it is '
            "not kept",
        )
    if source.columns.by_message:
        facts["number"] = sql_values.numbered(source.columns.id, types)
    return facts


def _fact(name: str, path: str, types: Mapping[str, str], version: int) -> Composable:
    if name == "created_at":
        return sql_values.time(path, types, version)
    if name == "position":
        return sql_values.order(path, types)
    return sql_values.chat(path, types) if name == "messages" else sql_values.text(path, types)


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
            "case when rating ~ '^[0-9]{{1,9}}([.][0-9]{{1,9}})?$' then rating::numeric >= %(min_rating)s::numeric "
            "else true end"
        )
    return sql.SQL("(" + ") and (".join(conditions) + ")").format(), values
