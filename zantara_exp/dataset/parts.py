"""Divides a table's rows into parts by time and id, the newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

KEYS = """
select created_at::text, id, rows from (
    select created_at, coalesce(id, '') as id, row_number() over (key) as number, count(*) over (key) as rows
    from (select created_at, id from ({select}) r where {scope} {newest_first}) r
    window key as (order by created_at desc, coalesce(id, '') collate "C" desc)
) r where mod(number, %(size)s) = 0 order by number
"""
"""`rows`: how many there are up to a key, all that have it included."""
_KEY = "(created_at, coalesce(id, '') collate \"C\")"
AFTER = f"{_KEY} <= (%(after_time)s::timestamptz, %(after_id)s)"
BEHIND = f"{_KEY} < (%(behind_time)s::timestamptz, %(behind_id)s)"
UP_TO = f"{_KEY} >= (%(last_time)s::timestamptz, %(last_id)s)"


_MOST_TIED = 10_000
"""Rows with one time and id that are held to be sorted."""


class Key(NamedTuple):
    """Where a row stands in the order of reading, which is total but for rows that share it."""

    created_at: str
    id: str


class Within(NamedTuple):
    """A part of the rows in scope."""

    rows: int
    """How many it has at most."""
    behind: Key | None = None
    """None: from the first on."""
    last: Key | None = None
    """None: to the end."""


def settled(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows, of which those that follow one another and share time and id are sorted, so many as may be held."""
    held: list[dict[str, Any]] = []
    for row in rows:
        if held and (
            row["id"] != held[0]["id"] or row["created_at"] != held[0]["created_at"] or len(held) == _MOST_TIED
        ):
            yield from sorted(held, key=_values) if len(held) > 1 else held
            held = []
        held.append(row)
    yield from sorted(held, key=_values)


def _values(row: Mapping[str, str]) -> list[str]:
    return list(row.values())
