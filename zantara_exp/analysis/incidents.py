"""Errors that reached users, as the team notes them: `reports/incidents.jsonl`.

    {"day": "2025-10-30", "kind": "blocking_error", "note": "time-outs in the app for ten minutes"}
    {"checked_through": "2025-11-03"}

A count of zero is evidence only for days that somebody says were looked at, so the second kind of line matters as
much as the first: without it, or when it is older than the comparisons, the number is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import orjson

from zantara_exp.gates.evidence import Evidence, Missing, Number

KIND = "blocking_error"


@dataclass(frozen=True)
class Noted:
    """What the lines say that can be read."""

    days: Sequence[date]
    """The day of each blocking error."""
    checked: date
    """Through when somebody looked; `date.min` where nobody did."""
    unreadable: str
    """The first line that is no incident, in words; empty where all can be read."""


def noted(path: Path) -> Noted:
    """The incidents in a file. Raises OSError when it cannot be read, FileNotFoundError where there is none."""
    days: list[date] = []
    checked, unreadable = date.min, ""
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
            if "checked_through" in row:
                checked = max(checked, date.fromisoformat(row["checked_through"]))
            elif row["kind"] == KIND:
                days.append(date.fromisoformat(row["day"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            what = f"{path.name}, line {number}: is no incident; it needs day and kind, or checked_through"
            unreadable = unreadable or what
    return Noted(days, checked, unreadable)


def blocking_errors(path: Path, last: date) -> Evidence:
    """How many blocking errors were noted up to and including `last`, the day of the newest comparison judged."""
    add = f'add {{"checked_through": "{last}"}} to {path.name} in paths.reports when that is so'
    if not path.is_file():
        return Missing(f"nobody noted whether users met errors: {add}")
    seen = noted(path)
    if seen.unreadable:
        # A line nobody can read might be the one that matters.
        return Missing(seen.unreadable)
    found = sum(day <= last for day in seen.days)
    if not found and seen.checked < last:
        looked = "nobody looked yet" if seen.checked == date.min else f"looked at through {seen.checked} only"
        return Missing(f"whether users met errors: {looked}; {add}")
    return Number(float(found))
