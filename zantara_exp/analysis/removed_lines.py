"""What was in the comparison log when it was looked at earlier, and is there no more.

Each look notes how many comparisons of the candidate a day held, by epoch. A day that holds fewer later was rotated
away, cut or removed: that is named, and counts as lost until it is back. What `stage=forget` removed is no loss: it
deletes the note with the other copies of this machine, and leaves an empty line in a table that others read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import orjson

from zantara_exp.io.whole_files import write_whole
from zantara_exp.shadow.record import CANDIDATE

NOTE = "seen.json"


class _Day(NamedTuple):
    """What is noted of one day: comparisons by epoch."""

    mark: str = ""
    """Size and time of change of its facts: while they stay they are not read again."""
    there: Mapping[str, int] = {}
    most: Mapping[str, int] = {}
    """As many as it ever held, less what was forgotten."""
    removed: int = 0
    """Lines that are empty by now."""


def gone(cache: Path, days: Mapping[str, Path], removed: Mapping[str, int]) -> dict[tuple[str, str], int]:
    """How many comparisons are gone, by day and epoch; brings the note in `cache` up to date.

    `days`: the facts of each day that the log has now; `removed`: its lines that are empty.
    """
    seen = _read(cache / NOTE)
    now = {
        day: _look(seen.get(day, _Day()), days.get(day), removed.get(day, 0))
        for day in sorted(seen.keys() | days.keys())
    }
    content = orjson.dumps({day: each._asdict() for day, each in now.items()})
    if not (cache / NOTE).is_file() or (cache / NOTE).read_bytes() != content:
        write_whole(cache / NOTE, content)
    missing = {day: Counter(each.most) - Counter(each.there) for day, each in now.items()}
    return {(day, epoch): count for day, epochs in missing.items() for epoch, count in epochs.items()}


def _look(before: _Day, rows: Path | None, removed: int) -> _Day:
    if rows is None or not rows.is_file():
        return _Day(most=before.most, removed=before.removed)
    stat = rows.stat()
    mark = f"{stat.st_size}:{stat.st_mtime_ns}"
    there = before.there if before.mark == mark else _counted(rows)
    most = Counter(before.most)
    forgotten = max(0, removed - before.removed)
    for epoch, missing in (most - Counter(there)).most_common():
        most[epoch] -= min(missing, forgotten)
        forgotten -= min(missing, forgotten)
    return _Day(mark, there, most | Counter(there), removed)


def _read(note: Path) -> dict[str, _Day]:
    """Nothing where there is no note, or none that can be read."""
    try:
        found = {day: _Day(**fields) for day, fields in orjson.loads(note.read_bytes()).items()}
        return found if all(Counter(each.most) >= Counter(each.there) for each in found.values()) else {}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _counted(rows: Path) -> dict[str, int]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(rows, columns=["epoch", "arm"])
    counted = pc.value_counts(table.filter(pc.equal(table["arm"], CANDIDATE))["epoch"])
    return {row["values"]: row["counts"] for row in counted.to_pylist()}
