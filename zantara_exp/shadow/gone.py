"""What was in the comparison log when it was looked at earlier, and is there no more.

Each look notes how many comparisons of the candidate a day held, by epoch. A day that holds fewer later was rotated
away, cut or removed: that is named, and counts as lost until it is back. `stage=forget` deletes the note with the other
copies (`zantara_exp.privacy`): what it removed is no loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import orjson

from zantara_exp.shadow.record import CANDIDATE
from zantara_exp.whole import write_whole

_Day = tuple[int, int]
"""Size and time of change of a day's Parquet file, in bytes and ns: while they stay it is not read again."""


class Gone:
    """The note of one log, brought up to date."""

    def __init__(self, cache: Path, days: Mapping[str, Path]) -> None:
        """`days`: the Parquet file of each day that the log has now."""
        self.path = cache / "seen.json"
        self.counts: dict[tuple[str, str], int] = {}
        """By day and epoch."""
        seen, now = self._read(), dict[str, tuple[_Day, dict[str, int]]]()
        for day, rows in days.items():
            mark = _mark(rows)
            before = seen.get(day)
            now[day] = before if before is not None and before[0] == mark else (mark, _counted(rows))
        noted = {}
        for day in sorted(seen.keys() | now.keys()):
            was, is_now = Counter(seen[day][1] if day in seen else {}), Counter(now[day][1] if day in now else {})
            missing = was - is_now
            self.counts |= {(day, epoch): count for epoch, count in missing.items()}
            noted[day] = [now[day][0] if day in now and not missing else (0, 0), dict(was | is_now)]
        content = orjson.dumps(noted)
        if not self.path.is_file() or self.path.read_bytes() != content:
            write_whole(self.path, content)

    def _read(self) -> dict[str, tuple[_Day, dict[str, int]]]:
        try:
            found = orjson.loads(self.path.read_bytes())
            return {day: ((mark[0], mark[1]), {**counts}) for day, (mark, counts) in found.items()}
        except (OSError, ValueError, TypeError, AttributeError, IndexError):
            return {}


def _mark(rows: Path) -> _Day:
    try:
        stat = rows.stat()
    except OSError:
        return (0, 0)
    return (stat.st_size, stat.st_mtime_ns)


def _counted(rows: Path) -> dict[str, int]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not rows.is_file():
        return {}
    table = pq.read_table(rows, columns=["epoch", "arm"])
    counted = pc.value_counts(table.filter(pc.equal(table["arm"], CANDIDATE))["epoch"])
    return {row["values"]: row["counts"] for row in counted.to_pylist()}
