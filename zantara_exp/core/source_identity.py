"""The identity of the configured source and product, as plain values without secrets. Equal values mean the same
source.

Unknown values (the host, if DATABASE_URL is not set) are left out and contradict nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zantara_exp.config.data import DATABASES, FILES, SHADOW_LOG
from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.io.address import for_libpq

ADDRESS = ("service", "host", "port", "database")
"""Of a `postgres` source: what its URL decides."""
_BY_MESSAGE = ("role", "content", "position")
"""Mapped only where a row holds one message."""
_HERE = ("", "localhost", "127.0.0.1", "::1")


def identity(config: Config, layout: Layout) -> dict[str, Any]:
    """`kind`, `domain`, and what tells a source of this kind from another: database and table with their mapping, or a
    file. What is read is sorted and kept by the domain, so one table is two sources to two of them.

    The demo is one source, whatever its size and seed: it can be made again. Folders and files are told as seen from
    the dataset's folder, with which they may be moved.
    """
    source, known = config.source, dict[str, Any]()
    if source.kind == "postgres":
        known = _address(os.environ.get(source.url_env, "").strip())
    elif source.kind == "embedded":
        known = {"database": source.database}
        if source.database != "demo":
            known["state"] = _seen_from(layout.dataset, layout.state)
    elif source.kind == SHADOW_LOG:
        known = {"log": _seen_from(layout.dataset, layout.logs)}
    elif source.path:
        known = {"file": _seen_from(layout.dataset, Path(source.path).absolute())}
    if source.kind in DATABASES:
        mapped = {name: path for name, path in asdict(source.columns).items() if path or name not in _BY_MESSAGE}
        known |= {"table": source.table.removeprefix("public."), "columns": mapped}
        known |= {"where": source.where} if source.where else {}
    domain = {"domain": config.domain.name} if config.domain.name else {}
    return {"kind": FILES[0] if source.kind in FILES else source.kind, **domain, **known}


def _address(url: str) -> dict[str, Any]:
    """Host, port and name of a database; neither its user nor his password."""
    from psycopg.conninfo import conninfo_to_dict

    if not url:
        return {}
    try:
        told = conninfo_to_dict(for_libpq(url))
    except ValueError:
        return {}
    if told.get("service"):
        return {"service": told["service"]}
    host = str(told.get("host") or told.get("hostaddr") or os.environ.get("PGHOST", "")).lower()
    port = str(told.get("port") or os.environ.get("PGPORT", "5432"))
    name = told.get("dbname") or os.environ.get("PGDATABASE") or told.get("user")
    return {"host": "localhost" if host in _HERE else host, "port": port, **({"database": str(name)} if name else {})}


def _seen_from(folder: Path, path: Path) -> str:
    return os.path.relpath(path, folder)


def in_words(known: Mapping[str, Any]) -> str:
    """A source as a person would name it."""
    kind = known.get("kind")
    if kind is None:
        return "a source that was not noted"
    if kind == "embedded" and known.get("database") == "demo":
        return "the demo (source=embedded)"
    place = {
        "postgres": address_in_words(known),
        "embedded": f"database {known.get('database', '?')} of the embedded PostgreSQL",
        "files": f"{known.get('file', 'a file')} (seen from paths.dataset)",
        "shadow_log": f"the comparison log {known.get('log', '')} (seen from paths.dataset)",
    }.get(str(kind), "?")
    table = f", table {known['table']}" if "table" in known and kind in ("postgres", "embedded") else ""
    return f"source={kind}: {place}{table}"


def address_in_words(known: Mapping[str, Any]) -> str:
    """Where the database of a `postgres` source is."""
    return str(known.get("service") or "{host}:{port}/{database}".format_map(_Unknown(known)))


class _Unknown(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"
