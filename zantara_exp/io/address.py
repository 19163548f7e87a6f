"""The address of a PostgreSQL database, as other tools write it too, and what is wrong with one: never the password.

Understood: `postgres://`, `postgresql+asyncpg://` and the like of SQLAlchemy; `?pgbouncer=true`, `connection_limit` and
others of Prisma, which mean nothing here; `?ssl=require` of asyncpg; `?schema=public`. Anything else that libpq does
not know is named.
"""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, quote, urlencode

from zantara_exp.core.errors import MissingRequirementError

_SCHEME = re.compile(r"(postgres(?:ql)?)(?:\+\w+)?://", re.IGNORECASE)
_NOTHING_HERE = frozenset(
    ("pgbouncer", "connection_limit", "pool_timeout", "pool_size", "max_overflow", "socket_timeout", "sslaccept",
     "statement_cache_size", "prepared_statement_cache_size", "prepareThreshold", "prepared_statements", "supa")
)  # fmt: skip
"""What other clients are told about pools and statements of theirs."""
_SSL = {"true": "require", "1": "require", "false": "disable", "0": "disable"}
_ENCODED = "@ : / ? # % in a user or password are percent-encoded: @ is %40, : %3A, / %2F, ? %3F, # %23, % %25"


def database_url(variable: str, asked_by: str, otherwise: str) -> str:
    """The address that an environment variable holds, as libpq takes it.

    `asked_by`, as `log=postgres`, wants it; `otherwise`, as `log=jsonl`, does without. Raises MissingRequirementError
    where the variable holds none, or one with a part that is none.
    """
    said = os.environ.get(variable, "").strip()
    how = f"export {variable}=postgresql://user:password@host:5432/database, or take {otherwise}"
    if not said:
        raise MissingRequirementError(f"{asked_by} reads {variable}, which is not set", how)
    try:
        return for_libpq(said)
    except ValueError as why:
        raise MissingRequirementError(f"{variable} is no URL of a PostgreSQL database: {why}", how) from None


def for_libpq(said: str) -> str:
    """An address as libpq takes it. Raises ValueError, which names the wrong part without quoting it."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    found = _SCHEME.match(said)
    if found is None:
        if "://" in said:
            raise ValueError("it does not begin with postgresql://")
        rest = said  # keywords and values, `host=... dbname=...`
    else:
        rest = f"{found[1].lower()}://{_with_known_options(said[found.end() :])}"
    try:
        parts = conninfo_to_dict(rest)
    except psycopg.Error:  # its message may quote the URL
        raise ValueError(f"libpq cannot read it; {_ENCODED}" if found else "libpq cannot read it") from None
    ports = str(parts.get("port") or "").split(",")
    if any(port and not port.isdecimal() for port in ports):
        raise ValueError(f"its port is no number; {_ENCODED}")
    return rest


def _with_known_options(rest: str) -> str:
    address, _, query = rest.partition("?")
    authority, _, name = address.partition("/")
    whose = "@" not in authority and "@" in name + query  # what was taken for the end of a host was in a password
    if whose or authority.count("@") > 1 or "@" in name or "#" in address:
        raise ValueError(_ENCODED)
    kept = []
    for name, value in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True):  # libpq takes no + for a blank
        if name in _NOTHING_HERE or (name == "schema" and value == "public"):
            continue
        if name == "schema":
            raise ValueError("?schema= is no part that libpq knows: name the table with its schema (source.table)")
        if name == "ssl":
            name, value = "sslmode", _SSL.get(value.lower(), value)
        kept.append((name, value))
    known = _known()
    if wrong := [name for name, _ in kept if name not in known]:
        if any(name == "password" for name, _ in kept):  # what is taken for a part may be the rest of a password
            raise ValueError(f"it has a part that libpq does not know; {_ENCODED}")
        raise ValueError(f"it has the part ?{wrong[0][:30]}=, which libpq does not know")
    return f"{address}?{urlencode(kept, quote_via=quote)}" if kept else address


def _known() -> frozenset[str]:
    from psycopg import pq

    return frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())


def without_secrets(text: str, url: str) -> str:
    """What a driver said, without the password of an address that `database_url` gave."""
    from psycopg.conninfo import conninfo_to_dict

    secret = str(conninfo_to_dict(url).get("password") or "")
    return text.replace(secret, "***") if secret else text
