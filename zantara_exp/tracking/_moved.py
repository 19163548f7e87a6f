"""A project folder that was moved or copied: MLflow's database notes artifacts by absolute address, of the old place.

Left alone, new artifacts would be written there, and what is removed for a user would be removed there: out of another
copy, or out of nothing. So the addresses in the database of this folder are those of this folder.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_ADDRESSES = (
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
)
"""Columns in which a place below the artifacts stands; an experiment's is that of all of them."""


def place_of(address: str) -> Path | None:
    """The path of a `file:` address; None for any other."""
    parts = urlsplit(address)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" and parts.path else None


def follow(database: Path, artifacts: Path) -> list[Path]:
    """Let the database name `artifacts`, the folder beside it, where it names the one of an earlier place.

    Something that lies at the earlier place and not here keeps its address. Returns the earlier places.
    """
    with closing(sqlite3.connect(database)) as opened, opened:  # nothing is locked before something is to be changed
        earlier = [old for old in _earlier(opened, artifacts) if _was_ours(opened, old, artifacts)]
        changed = [old for old in earlier if _renamed(opened, old, artifacts)]
    return [place for old in changed if (place := place_of(old)) is not None]


def _earlier(opened: sqlite3.Connection, artifacts: Path) -> list[str]:
    """Addresses of folders of artifacts that are not `artifacts`: of experiments, and those that runs lie in."""
    own = artifacts.as_uri()
    of_runs = opened.execute(
        "SELECT DISTINCT substr(artifact_uri, 1, length(artifact_uri) - length('/' || run_uuid || '/artifacts')) "
        "FROM runs WHERE artifact_uri LIKE '%/' || run_uuid || '/artifacts'"
    )
    of_experiments = opened.execute("SELECT DISTINCT artifact_location FROM experiments")
    found = {str(address) for (address,) in (*of_experiments, *of_runs) if address} - {own}
    return sorted(address for address in found if place_of(address) is not None)


def _was_ours(opened: sqlite3.Connection, old: str, artifacts: Path) -> bool:
    """Whether `artifacts` is that folder in another place, rather than a folder that somebody chose by hand."""
    place = place_of(old)
    if place is None or (place.exists() and artifacts.exists() and place.samefile(artifacts)):
        return False  # such as by way of a link: what is written there is written here
    if place.parts[-2:] == artifacts.parts[-2:]:
        return True
    below = opened.execute("SELECT run_uuid FROM runs WHERE artifact_uri = ? || '/' || run_uuid || '/artifacts'", [old])
    return any((artifacts / str(run)).is_dir() for (run,) in below)


def _renamed(opened: sqlite3.Connection, old: str, artifacts: Path) -> bool:
    own, changes = artifacts.as_uri(), opened.total_changes
    opened.execute("UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?", [own, old])
    for table, column in _ADDRESSES:
        for row, address in _below(opened, table, column, old):
            then, now = place_of(address), place_of(own + address[len(old) :])
            if then is not None and now is not None and (now.exists() or not then.exists()):
                opened.execute(
                    f"UPDATE {table} SET {column} = ? WHERE rowid = ?",  # noqa: S608  names of our own
                    [own + address[len(old) :], row],
                )
    return opened.total_changes > changes


def _below(opened: sqlite3.Connection, table: str, column: str, old: str) -> Iterator[tuple[int, str]]:
    wanted = f"SELECT rowid, {column} FROM {table} WHERE substr({column}, 1, ?) = ?"  # noqa: S608  as above
    yield from opened.execute(wanted, [len(old) + 1, old + "/"]).fetchall()
