"""The comparison log as Parquet: one file per day with flat columns, rewritten only when that day's log has changed.

Run `compact` before every analysis; it costs nothing where nothing is new. By hand:
    python -m zantara_exp.shadow.compact [log=postgres paths.logs=DIR]
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import orjson

from zantara_exp.layout import Layout
from zantara_exp.shadow._parquet import size_of, write_parquet
from zantara_exp.shadow._tables import Tables
from zantara_exp.shadow.gone import gone
from zantara_exp.shadow.jsonl import QUARANTINE, day_file
from zantara_exp.shadow.reader import HashUser, day_of, log_files
from zantara_exp.whole import write_whole

_FORMAT = 5
"""Raise it when the columns or the reader's meaning change, so that older files are written anew."""

_THREADS = 2
"""Days read at once; each holds some blocks of its file in memory."""


@dataclass(frozen=True)
class Compacted:
    """The log, ready for queries."""

    comparisons: list[Path]
    drops: list[Path]
    malformed: int
    quarantine: Path | None
    gone: Mapping[tuple[str, str], int]
    """Comparisons that were in the log when it was looked at earlier and are there no more, by day and epoch."""


def compact(layout: Layout) -> Compacted:
    """Bring the Parquet files up to date with the log under `layout.logs`."""
    from zantara_exp.shadow.identity import hash_user

    place = hashlib.sha256(str(layout.logs).encode()).hexdigest()[:8]
    return compact_folder(layout.logs, layout.state / "comparisons" / place, hash_user(layout))


def compact_folder(logs: Path, cache: Path, hash_user: HashUser) -> Compacted:
    """The same for any folder of logs, with its Parquet files in `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    days = [_Day(day, list(sources), cache) for day, sources in groupby(log_files(logs), key=day_of)]
    with ThreadPoolExecutor(_THREADS) as pool:  # Arrow reads and compresses without the interpreter's lock
        for _ in pool.map(lambda day: day.refresh(hash_user), days):
            pass
    known = {path for day in days for path in (day.rows, day.drops, day.bad)}
    for stale in set(cache.glob("*.parquet")) | set(cache.glob("*.jsonl")):
        if stale not in known:
            stale.unlink(missing_ok=True)
    quarantine, malformed = _quarantine(logs, [day.bad for day in days])
    return Compacted(
        comparisons=[day.rows for day in days if day.rows.is_file()],
        drops=[day.drops for day in days if day.drops.is_file()],
        malformed=malformed,
        quarantine=quarantine,
        gone=gone(cache, {day.day: day.rows for day in days}),
    )


class _Day:
    """The files made from one day's log."""

    def __init__(self, day: str, sources: Sequence[Path], cache: Path) -> None:
        self.day, self.sources = day, sources
        name = day_file(cache, day).stem
        self.rows = cache / f"{name}.parquet"
        self.drops = cache / f"{name}.drops.parquet"
        self.bad = cache / f"{name}.bad.jsonl"

    def refresh(self, hash_user: HashUser) -> None:
        stats = [source.stat() for source in self.sources]
        mark = ":".join([str(_FORMAT), *(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)])
        if _lines(self.bad)[:1] == [self._with_made(mark)]:
            return
        self.bad.unlink(missing_ok=True)  # it carries the mark: first to go, last to come
        tables = Tables(hash_user)
        write_parquet(self.rows, (table for source in self.sources for table in tables.of(source)))
        write_parquet(self.drops, tables.of_drops())
        lines = [self._with_made(mark), *(orjson.dumps(item) for item in tables.bad)]
        write_whole(self.bad, b"\n".join(lines) + b"\n")

    def _with_made(self, mark: str) -> bytes:
        """The mark and what it stands for: a file that somebody removed, or a power cut damaged, is made again."""
        return ":".join([mark, *(size_of(path) for path in (self.rows, self.drops))]).encode()


def _quarantine(logs: Path, bad: Sequence[Path]) -> tuple[Path | None, int]:
    """Bring quarantine.jsonl up to date; what the writer set aside there (line 0) stays."""
    target = logs / QUARANTINE
    kept = [line for line in _lines(target) if _line_number(line) == 0]
    found = [line for path in bad for line in _lines(path)[1:]]
    entries = kept + found
    if not entries:
        target.unlink(missing_ok=True)
        return None, 0
    content = b"\n".join(entries) + b"\n"
    if not target.is_file() or target.read_bytes() != content:
        write_whole(target, content)
    return target, len(entries)


def _lines(path: Path) -> list[bytes]:
    return [line for line in path.read_bytes().split(b"\n") if line] if path.is_file() else []


def _line_number(entry: bytes) -> int:
    try:
        return int(orjson.loads(entry)["line"])
    except (ValueError, TypeError, KeyError):
        return -1


def main(overrides: Sequence[str]) -> int:
    """Bring the Parquet files up to date and say where they are; returns the exit status."""
    import pyarrow.parquet as pq

    from zantara_exp import terminal, umask
    from zantara_exp.config import compose
    from zantara_exp.errors import ZantaraError
    from zantara_exp.shadow.fetch import fetch

    try:
        config = compose(overrides)
        layout = Layout(config)
        with umask.private():
            fetch(config, layout)
            found = compact(layout)
    except ZantaraError as error:
        terminal.say(str(error))
        return error.exit_status
    rows = sum(pq.read_metadata(path).num_rows for path in found.comparisons)
    where = found.comparisons[0].parent if found.comparisons else layout.logs
    terminal.say(f"{rows} comparisons of {len(found.comparisons)} days, {found.malformed} unreadable lines: {where}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
