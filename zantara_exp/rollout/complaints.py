"""Complaints of users, as a product notes them: `<paths.logs>/complaints_YYYY-MM-DD.jsonl`, by UTC day.

    {"timestamp": "2025-11-18T09:12:00Z", "user_id": "as the product knows him"}
    {"timestamp": "2025-11-18T09:12:00Z", "user": "keyed hash, as in the served log"}

A thumb down, a ticket, a hand-over to a human. No text. A complaint counts for the arm that the user was in that day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from zantara_exp.layout import Layout
from zantara_exp.shadow._append import append_lines
from zantara_exp.shadow.identity import hash_user

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Complaint:
    """One user's complaint."""

    timestamp: datetime
    """With a zone, UTC."""
    user: str
    """Keyed hash, as in the served log."""


def note_complaint(layout: Layout, user_id: str, moment: datetime) -> None:
    """Write one down, with the user hashed. Raises OSError, or MissingRequirementError where there is no key."""
    moment = moment.astimezone(UTC)
    line = orjson.dumps(
        {"timestamp": moment, "user": hash_user(layout)(user_id)}, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    )
    _, trouble = append_lines(layout.logs / f"complaints_{moment.date()}.jsonl", [line])
    if trouble is not None:
        raise trouble


def read_complaints(layout: Layout, since: datetime) -> Iterator[Complaint]:
    """The complaints since a moment; a line that cannot be read is counted and warned of.

    Raises OSError where the files cannot be read, MissingRequirementError where ids have to be hashed without a key.
    """
    first, hashed, unreadable = f"complaints_{since.astimezone(UTC).date()}.jsonl", hash_user(layout), 0
    for path in sorted(layout.logs.glob("complaints_????-??-??.jsonl")):
        if path.name < first:
            continue
        for line in path.read_bytes().splitlines():
            found = _complaint(line, hashed)
            if found is None:
                unreadable += bool(line.strip())
            elif found.timestamp >= since:
                yield found
    if unreadable:
        _log.warning("%d lines of complaints cannot be read", unreadable)


def _complaint(line: bytes, hashed: Callable[[str], str]) -> Complaint | None:
    try:
        body = orjson.loads(line)
        moment = datetime.fromisoformat(body["timestamp"])
        user = body.get("user") or (hashed(body["user_id"]) if body.get("user_id") else None)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if moment.tzinfo is None or not isinstance(user, str):
        return None
    return Complaint(moment.astimezone(UTC), user)
