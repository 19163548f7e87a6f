"""Complaints of users: a thumb down, a ticket, a hand-over to a human. They hold no text.

    <paths.logs>/complaints_YYYY-MM-DD.jsonl, by UTC day      rollout.state=file
    table zantara_complaints                                  rollout.state=postgres, for several machines

    {"timestamp": "2025-11-18T09:12:00Z", "user_id": "as the product knows him"}
    {"timestamp": "2025-11-18T09:12:00Z", "user": "keyed hash, as in the served log"}

The gateway's `POST /complaints` writes them, or the product itself. A complaint counts for the arm in which the user
was on that day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.io.database import STATE
from zantara_exp.io.events import COMPLAINTS, day_file
from zantara_exp.io.lines import append_lines
from zantara_exp.io.table import Row, Table
from zantara_exp.rollout.served_store import events_of
from zantara_exp.shadow.identity import hash_user

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Complaint:
    """One user's complaint."""

    timestamp: datetime
    """With a zone, UTC."""
    user: str
    """Keyed hash, as in the served log."""


def note_complaint(config: Config, layout: Layout, user: str, moment: datetime) -> None:
    """Write a complaint; `user` is the keyed hash. Raises OSError or ZantaraError if that fails."""
    moment = moment.astimezone(UTC)
    line = orjson.dumps({"timestamp": moment, "user": user}, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
    if config.rollout.state == "postgres":
        with closing(Table(COMPLAINTS, config.rollout.state_url_env, STATE)) as table:
            table.add([Row(uuid4().hex, len(line), line.decode().rstrip("\n"))])
        return
    _, trouble = append_lines(day_file(layout.logs, COMPLAINTS, moment.date().isoformat()), [line])
    if trouble is not None:
        raise trouble


def read_complaints(config: Config, layout: Layout, since: datetime) -> Iterator[Complaint]:
    """The complaints since a moment; unreadable lines are counted, with a warning.

    Raises OSError or ZantaraError if they cannot be read, MissingRequirementError if ids have to be hashed and there is
    no key.
    """
    hashed, unreadable = hash_user(layout), 0
    with closing(events_of(config, layout, COMPLAINTS)) as log:
        for line in log.lines(since.astimezone(UTC).date().isoformat()):
            found = _complaint(line, hashed)
            if found is None:
                unreadable += bool(line.strip())
            elif found.timestamp >= since:
                yield found
    if unreadable:
        _log.warning("%d lines of complaints cannot be read", unreadable)


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
