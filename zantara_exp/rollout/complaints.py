"""Complaints of users, as a product notes them: a thumb down, a ticket, a hand-over to a human. No text.

    <paths.logs>/complaints_YYYY-MM-DD.jsonl, by UTC day      rollout.state=file
    table zantara_complaints(at, line)                        rollout.state=postgres, for several machines

    {"timestamp": "2025-11-18T09:12:00Z", "user_id": "as the product knows him"}
    {"timestamp": "2025-11-18T09:12:00Z", "user": "keyed hash, as in the served log"}

`POST /complaints` of the gateway writes them, or the product itself. A complaint counts for the arm that the user was
in that day.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.layout import Layout
from zantara_exp.packed import in_order, reading
from zantara_exp.rollout.served_store import connected
from zantara_exp.shadow.identity import hash_user
from zantara_exp.shadow.jsonl import append_lines

_CREATE = "create table if not exists zantara_complaints (at timestamptz not null, line text not null)"
_INSERT = "insert into zantara_complaints (at, line) values (%s, %s)"
_SELECT = "select line from zantara_complaints where at >= %s order by at"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Complaint:
    """One user's complaint."""

    timestamp: datetime
    """With a zone, UTC."""
    user: str
    """Keyed hash, as in the served log."""


def note_complaint(config: Config, layout: Layout, user: str, moment: datetime) -> None:
    """Write one down; `user` is the keyed hash. Raises OSError or psycopg.Error where it cannot be."""
    moment = moment.astimezone(UTC)
    line = orjson.dumps({"timestamp": moment, "user": user}, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
    if config.rollout.state == "postgres":
        with connected(config.rollout.state_url_env) as connection:
            connection.execute(_CREATE)
            connection.execute(_INSERT, [moment, line.decode()])
        return
    _, trouble = append_lines(layout.logs / f"complaints_{moment.date()}.jsonl", [line])
    if trouble is not None:
        raise trouble


def read_complaints(config: Config, layout: Layout, since: datetime) -> Iterator[Complaint]:
    """The complaints since a moment; a line that cannot be read is counted and warned of.

    Raises OSError or psycopg.Error where they cannot be read, MissingRequirementError where ids have to be hashed
    without a key.
    """
    lines = _lines_of_table(config, since) if config.rollout.state == "postgres" else _lines_of_files(layout, since)
    hashed, unreadable = hash_user(layout), 0
    for line in lines:
        found = _complaint(line, hashed)
        if found is None:
            unreadable += bool(line.strip())
        elif found.timestamp >= since:
            yield found
    if unreadable:
        _log.warning("%d lines of complaints cannot be read", unreadable)


def _lines_of_table(config: Config, since: datetime) -> Iterator[str]:
    with connected(config.rollout.state_url_env) as connection:
        found = connection.execute("select to_regclass('zantara_complaints')").fetchone()
        if found is not None and found[0] is not None:
            for row in connection.execute(_SELECT, [since]):
                yield row[0]


def _lines_of_files(layout: Layout, since: datetime) -> Iterator[bytes]:
    first = f"complaints_{since.astimezone(UTC).date()}.jsonl"
    for path in complaint_files(layout.logs):
        if path.name >= first:
            with reading(path) as lines:
                yield from lines


_FILE = re.compile(r"complaints_(\d{4}-\d{2}-\d{2})\.jsonl")


def complaint_files(folder: Path) -> list[Path]:
    """The daily files, oldest first, also those that were rotated and packed."""
    return in_order(folder.glob("complaints_*.jsonl*"), _FILE)


def _complaint(line: bytes | str, hashed: Callable[[str], str]) -> Complaint | None:
    try:
        body = orjson.loads(line)
        moment = datetime.fromisoformat(body["timestamp"])
        user = body.get("user") or (hashed(body["user_id"]) if body.get("user_id") else None)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if moment.tzinfo is None or not isinstance(user, str):
        return None
    return Complaint(moment.astimezone(UTC), user)
