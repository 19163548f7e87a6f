"""The comparison log as Parquet: one file per day with flat columns, rewritten only when that day's log has changed.

Run `compact` before every analysis; it costs nothing where nothing is new. By hand:
    python -m zantara_exp.shadow.compact [log=postgres paths.logs=DIR]
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import UTC
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from zantara_exp.layout import Layout
from zantara_exp.shadow._append import QUARANTINE, day_file
from zantara_exp.shadow.columns import Taken, blocks, take
from zantara_exp.shadow.reader import HashUser, Quarantined, day_of, log_files, read_lines
from zantara_exp.shadow.record import Comparison, Drops, Side
from zantara_exp.whole import beside, remove_leftovers, write_whole

_FORMAT = 4
"""Raise it when the columns or the reader's meaning change, so that older files are written anew."""

_ROWS = 20_000
_GROUP = 16 << 20
"""Bytes of a group of the Parquet file: few large answers fill one as well as many small ones."""
_THREADS = 2
"""Days read at once; each holds some blocks of its file in memory."""
_REPEATED = (
    *("epoch", "arm", "user", "category", "language", "sampling_reason"),
    *(f"{side}_{name}" for side in ("primary", "candidate") for name in ("model", "provider", "error")),
)
"""Columns of few values; a dictionary of texts that never come again would only take time."""
_SIDE = tuple(field.name for field in fields(Side))


@dataclass(frozen=True)
class Compacted:
    """The log, ready for queries."""

    comparisons: list[Path]
    drops: list[Path]
    malformed: int
    quarantine: Path | None


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
    )


class _Day:
    """The files made from one day's log."""

    def __init__(self, day: str, sources: Sequence[Path], cache: Path) -> None:
        self.sources = sources
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
        drops: list[tuple[Any, str, str, int]] = []
        bad: list[Quarantined] = []
        _write(self.rows, self._tables(hash_user, drops, bad))
        _write(self.drops, [_drops_table(drops)] if drops else [])
        lines = [self._with_made(mark), *(orjson.dumps(item) for item in bad)]
        write_whole(self.bad, b"\n".join(lines) + b"\n")

    def _with_made(self, mark: str) -> bytes:
        """The mark and what it stands for: a file that somebody removed, or a power cut damaged, is made again."""
        return ":".join([mark, *(_size(path) for path in (self.rows, self.drops))]).encode()

    def _tables(
        self, hash_user: HashUser, drops: list[tuple[Any, str, str, int]], bad: list[Quarantined]
    ) -> Iterator[Any]:
        for source in self.sources:
            first = 1
            for content in blocks(source):
                taken = take(content)
                yield from _merged(taken, source.name, first, hash_user, drops, bad)
                first += taken.size


def _size(made: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return f"{pq.read_metadata(made).num_rows} in {made.stat().st_size}"
    except FileNotFoundError:
        return "none"
    except pa.ArrowInvalid:
        return "damaged"


def _merged(
    taken: Taken,
    name: str,
    first: int,
    hash_user: HashUser,
    drops: list[tuple[Any, str, str, int]],
    bad: list[Quarantined],
) -> Iterator[Any]:
    """What was taken of a block and what the reader says of its other lines, in the order of the lines."""
    import pyarrow as pa

    items: list[Comparison | Drops | Quarantined] = []
    places = taken.lines.tolist()
    for place, line in taken.left:
        for item in read_lines([line], name, first + place, hash_user):
            items.append(item)
            places += [place] if isinstance(item, Comparison) else []
    tables = [table for table in (taken.table, *_batches(items, drops, bad)) if table is not None]
    if len(tables) > 1:
        yield pa.concat_tables(tables).take(np.argsort(places))
    else:
        yield from tables


def _batches(
    items: Iterable[Comparison | Drops | Quarantined], drops: list[tuple[Any, str, str, int]], bad: list[Quarantined]
) -> Iterator[Any]:
    """Tables of comparisons; what is not one, or what one says was lost, goes to the two lists."""
    rows: list[Comparison] = []
    for item in items:
        if isinstance(item, Quarantined):
            bad.append(item)
            continue
        day = item.timestamp.astimezone(UTC).date()
        drops += [(day, item.epoch, reason, lost) for reason, lost in item.dropped.items() if lost]
        if isinstance(item, Comparison):
            rows.append(item)
        if len(rows) == _ROWS:
            yield _table(rows)
            rows = []
    if rows:
        yield _table(rows)


def _table(rows: Sequence[Comparison]) -> Any:
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    moments = [row.timestamp.astimezone(UTC).replace(tzinfo=None) for row in rows]
    columns: dict[str, Any] = {"schema_version": pa.array([row.schema_version for row in rows], whole)}
    for name in ("comparison_id", "request_id", "conversation_id", "epoch", "arm"):
        columns[name] = pa.array([getattr(row, name) for row in rows], text)
    columns["timestamp"] = pa.array(moments, pa.timestamp("us"))
    columns["day"] = pa.array([moment.date() for moment in moments], pa.date32())
    columns["messages"] = pa.array([orjson.dumps(list(row.messages)).decode() for row in rows], text)
    for name in ("user", "query", "category", "language"):
        columns[name] = pa.array([getattr(row, name) for row in rows], text)
    for side in ("primary", "candidate"):
        answers: list[Side] = [getattr(row, side) for row in rows]
        for name in _SIDE:
            kind = whole if name.startswith("tokens") else real if name.endswith(("_ms", "_usd")) else text
            columns[f"{side}_{name}"] = pa.array([getattr(answer, name) for answer in answers], kind)
    columns["sampling_percent"] = pa.array([row.sampling.percent for row in rows], real)
    columns["sampling_reason"] = pa.array([row.sampling.reason for row in rows], text)
    return pa.table(columns)


def _drops_table(drops: Sequence[tuple[Any, str, str, int]]) -> Any:
    import pyarrow as pa

    day, epoch, reason, lost = zip(*drops, strict=True)
    kinds = {"day": pa.date32(), "epoch": pa.string(), "reason": pa.string(), "count": pa.int64()}
    columns = (pa.array(values, kind) for values, kind in zip((day, epoch, reason, lost), kinds.values(), strict=True))
    return pa.table(dict(zip(kinds, columns, strict=True)))


def _write(target: Path, tables: Iterable[Any]) -> None:
    """Write tables of one schema as one Parquet file; no tables, no file."""
    import pyarrow.parquet as pq

    remove_leftovers(target)
    waiting = beside(target)
    writer: Any = None
    try:
        for table in _gathered(tables):
            repeated = [name for name in table.schema.names if name in _REPEATED]
            # snappy takes half the time of zstd, and nobody looks for the least and greatest of texts
            writer = writer or pq.ParquetWriter(
                waiting, table.schema, compression="snappy", use_dictionary=repeated, write_statistics=["day"]
            )
            writer.write_table(table)
        if writer is None:
            target.unlink(missing_ok=True)
            return
        writer.close()
        os.replace(waiting, target)
    finally:
        waiting.unlink(missing_ok=True)


def _gathered(tables: Iterable[Any]) -> Iterator[Any]:
    """The same rows in tables of at least _GROUP bytes, but for the last."""
    import pyarrow as pa

    waiting: list[Any] = []
    size = 0
    for table in tables:
        waiting.append(table)
        size += table.nbytes
        if size >= _GROUP:
            yield pa.concat_tables(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


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
