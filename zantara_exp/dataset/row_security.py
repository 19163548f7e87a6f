"""Finds out whether row-level security hides conversations from the reading account; PostgreSQL does not say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zantara_exp.config.data import Source

if TYPE_CHECKING:
    from psycopg import Connection

    from zantara_exp.dataset.query import Table

HINT = (
    "as the table's owner: `create policy reads_all on TABLE for select to ACCOUNT using (true)`, or as a superuser: "
    "`alter role ACCOUNT bypassrls`; or read as the table's owner"
)
_ACTIVE = """
with recursive used(oid, checked_as) as (
    select %(oid)s::oid, current_user::regrole::oid
    union
    select d.refobjid,
        case when v.reloptions::text like '%%security_invoker=true%%' then u.checked_as else v.relowner end
    from used u join pg_class v on v.oid = u.oid and v.relkind in ('v', 'm')
        join pg_rewrite r on r.ev_class = v.oid
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
            and d.refclassid = 'pg_class'::regclass and d.refobjid <> v.oid
)
select distinct c.relname, greatest(c.reltuples, -1)::bigint, current_user::text, current_setting('row_security')
from used u join pg_class c on c.oid = u.oid join pg_roles a on a.oid = u.checked_as
where c.relrowsecurity and not a.rolsuper and not a.rolbypassrls
    and (c.relforcerowsecurity or not pg_has_role(a.oid, c.relowner, 'usage'))
order by 1
"""
"""Tables with policies that bind whoever is asked for: the account, or the owner of the view it reads them through."""


def hides(connection: Connection, table: Table, source: Source) -> str:
    """What row-level security leaves of the table to see, in words; "" where it is not in the way."""
    from psycopg import sql

    found = connection.execute(_ACTIVE, {"oid": table.oid}).fetchall()
    if not found:
        return ""
    counted = sql.SQL("select count(*) from ({}) r").format(table.select())
    (seen,) = connection.execute(counted, {}).fetchone() or (0,)
    names, rows, account, setting = [str(row[0]) for row in found], found[0][1], found[0][2], found[0][3]
    about = f" of about {rows}" if len(found) == 1 and rows >= 0 and not source.columns.by_message else ""
    return (
        f"row-level security of {' and '.join(names)} binds the account {account}: it sees {seen}{about} "
        f"(row_security={setting}), and what it does not see is not counted anywhere"
    )
