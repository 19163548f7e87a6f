"""The kinds of events that are logged, and the names under which they lie.

    <paths.logs>/<prefix>_YYYY-MM-DD.jsonl, .part2.jsonl, ...     one file a UTC day, which goes on in parts when large
    table zantara_...                                             the same lines in PostgreSQL, from several machines

Rotated and packed files are read as well (`zantara_exp.io.packed`).
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import NamedTuple

from zantara_exp.core.errors import ZantaraError
from zantara_exp.io.packed import in_order


class Kind(NamedTuple):
    """One kind of events."""

    prefix: str
    """Of the daily files."""
    table: str
    said: str
    """What a message calls the log."""


COMPARISONS = Kind("shadow_comparison", "zantara_comparisons", "comparison log")
SERVED = Kind("served", "zantara_served", "served log")
COMPLAINTS = Kind("complaints", "zantara_complaints", "log of complaints")


def day_file(folder: Path, kind: Kind, day: str, part: int = 1) -> Path:
    """The file of a UTC day, YYYY-MM-DD."""
    return folder / f"{kind.prefix}_{day}{f'.part{part}' if part > 1 else ''}.jsonl"


def event_files(folder: Path, kind: Kind) -> list[Path]:
    """The daily files, oldest first; of a day its parts in order.

    Raises ZantaraError for a folder, or a link to what is gone, that has the name of one.
    """
    named = (path for path in folder.glob(f"{kind.prefix}_*.jsonl*") if _is_day(day_of(path, kind)))
    found = in_order(named, _name(kind))
    if lost := [path for path in found if not path.is_file()]:
        raise ZantaraError(
            f"{lost[0]} is named like a day of the {kind.said} and is no file that can be read",
            "bring the file back, or move what stands there out of paths.logs",
        )
    return found


def day_of(path: Path, kind: Kind) -> str:
    """The UTC day of one of `event_files`, YYYY-MM-DD."""
    return path.name.removeprefix(f"{kind.prefix}_")[:10]


def _is_day(said: str) -> bool:
    try:
        return date.fromisoformat(said).isoformat() == said
    except ValueError:
        return False


def _name(kind: Kind) -> re.Pattern[str]:
    """`.postgres` is what earlier versions copied from the table; where the table is read, the copies go."""
    return re.compile(rf"{kind.prefix}_(\d{{4}}-\d{{2}}-\d{{2}})(?:\.part(\d+)|\.postgres)?\.jsonl")
