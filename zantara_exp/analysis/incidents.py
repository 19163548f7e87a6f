"""Errors that reached users, as the team notes them: `reports/incidents.jsonl`.

    {"day": "2025-10-30", "kind": "blocking_error", "note": "time-outs in the app for ten minutes"}
    {"checked_through": "2025-11-03"}

A count of zero is evidence only for days that somebody says were looked at, so the second kind of line matters as
much as the first: without it, or when it is older than the comparisons, the number is missing.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import orjson

from zantara_exp.gates.evidence import Evidence, Missing, Number

KIND = "blocking_error"


def blocking_errors(path: Path, last: date) -> Evidence:
    """How many blocking errors were noted up to and including `last`, the day of the newest comparison judged."""
    add = f'add {{"checked_through": "{last}"}} to {path.name} in paths.reports when that is so'
    if not path.is_file():
        return Missing(f"nobody noted whether users met errors: {add}")
    checked, found = date.min, 0
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
            if "checked_through" in row:
                checked = max(checked, date.fromisoformat(row["checked_through"]))
            elif row["kind"] == KIND and date.fromisoformat(row["day"]) <= last:
                found += 1
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            # A line nobody can read might be the one that matters.
            return Missing(f"{path.name}, line {number}: is no incident; it needs day and kind, or checked_through")
    if not found and checked < last:
        seen = "nobody looked yet" if checked == date.min else f"looked at through {checked} only"
        return Missing(f"whether users met errors: {seen}; {add}")
    return Number(float(found))
