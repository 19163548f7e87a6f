"""Keeps the files of facts up to date with the comparison log: one a day, derived anew only when its log has changed.

    <paths.state>/facts/<log>/2025-10-21.parquet      facts, and in its metadata what else the day's lines say
    <paths.state>/facts/<log>/2025-10-21.bad.jsonl    the lines that cannot be read, where there are any

A kill leaves the old files or the new ones.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.analysis.facts import DISTINCT, Order, Speech, derived, first
from zantara_exp.analysis.removed_lines import gone
from zantara_exp.analysis.similarity import Scorer
from zantara_exp.analysis.texts import pairs_at
from zantara_exp.config.schema import Config
from zantara_exp.io.event_log import Part
from zantara_exp.io.lines import QUARANTINE
from zantara_exp.io.whole_files import unfinished, write_whole
from zantara_exp.shadow.columns import Columns, no_rows
from zantara_exp.shadow.reader import HashUser

_FORMAT = 13
"""Raise it when a definition in `facts` changes, so that older files are derived anew."""
_THREADS = 2
"""Days read at once: Arrow computes without the interpreter's lock."""
_MARK = b"zantara"


@dataclass(frozen=True)
class Derived:
    """The log, ready for queries."""

    facts: list[Path]
    """One file a day, oldest first; of a day without a comparison it has no rows."""
    rows: int
    drops: Mapping[tuple[date, str, str], int]
    """Requests the mirror lost, by day, epoch and reason."""
    bad: list[Mapping[str, Any]]
    """What stands in `quarantine.jsonl` under `paths.logs`: file, line, reason, the beginning of the text."""
    doubles: int
    """Comparisons that stand in the log a second time."""
    again: list[str]
    """Of these, those that stand in another day's log than their own: `part:place`."""
    set_back: int
    """Comparisons dated well before one that was logged before them."""
    gone: Mapping[tuple[str, str], int]
    """Comparisons that were in the log when it was looked at earlier and are there no more, by day and epoch."""


def derive(
    parts: Sequence[Part], identity: str, logs: Path, state: Path, config: Config, hash_user: HashUser
) -> Derived:
    """Bring the files of facts in `state` up to date with a log; its quarantine lies in `logs`.

    Raises ZantaraError where the log cannot be read.
    """
    cache = state / "facts" / _short_hash(identity.encode())
    cache.mkdir(parents=True, exist_ok=True)
    days = [_Day(day, list(of_day), cache) for day, of_day in groupby(parts, key=lambda part: part.day)]
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(lambda day: day.refresh(config, hash_user), days):
            pass
    shutil.rmtree(state / "comparisons", ignore_errors=True)  # of earlier versions, which kept the texts twice
    known = {path for day in days for path in (day.facts, day.bad)}
    for stale in {*cache.glob("*.parquet"), *cache.glob("*.jsonl")} - known:
        stale.unlink(missing_ok=True)
    noted = [_noted(day.facts) for day in days]
    again = _again({day.day: day.facts for day in days}, [int(note[b"misplaced"]) for note in noted])
    drops: Counter[tuple[date, str, str]] = Counter()
    for note in noted:
        for day, epoch, reason, count in orjson.loads(note[b"drops"]):
            drops[date.fromisoformat(day), epoch, reason] += count
    return Derived(
        facts=[day.facts for day in days],
        rows=sum(int(note[b"rows"]) for note in noted),
        drops=drops,
        bad=_quarantine(logs, [day.bad for day in days]),
        doubles=sum(int(note[b"doubles"]) for note in noted) + len(again),
        again=again,
        set_back=sum(int(note[b"set_back"]) for note in noted),
        gone=gone(
            cache,
            {day.day: day.facts for day in days},
            {day.day: int(note[b"removed"]) for day, note in zip(days, noted, strict=True)},
        ),
    )


class _Day:
    """The files made of one day's log."""

    def __init__(self, day: str, parts: Sequence[Part], cache: Path) -> None:
        self.day, self.parts = day, parts
        self.facts, self.bad = cache / f"{day}.parquet", cache / f"{day}.bad.jsonl"

    def refresh(self, config: Config, hash_user: HashUser) -> None:
        """Derive them where they are not those of this log and config."""
        spoken = config.dataset.languages, config.dataset.language_min_confidence, config.domain.languages
        how = f"{_FORMAT}:{config.engine.scored_per_file}:{_short_hash(repr(spoken).encode())}:"
        mark = (how + "|".join(part.mark for part in self.parts)).encode()
        old = _noted(self.facts)
        if old.get(_MARK) == mark and old[b"bad"].decode() == _short_hash(_content(self.bad)):
            return
        known = _known_scores(self.facts) if old.get(_MARK, b"").startswith(f"{_FORMAT}:".encode()) else {}
        columns, found = Columns(hash_user), _Found(Speech(config))
        for part in self.parts:
            found.add(part.name, columns.of(part))
        table = _scored(found.table(), config.engine.scored_per_file, known, self.parts)
        bad = b"".join(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in columns.bad)
        write_whole(self.bad, bad) if bad else self.bad.unlink(missing_ok=True)
        drops = [[*key, count] for key, count in columns.drops.items()]
        note = {
            "rows": table.num_rows,
            "doubles": found.doubles,
            "set_back": found.set_back,
            "misplaced": _misplaced(table, self.day).num_rows,
            "removed": columns.removed,
            "bad": _short_hash(bad),
        }
        metadata = {name.encode(): str(value).encode() for name, value in note.items()}
        _write(self.facts, table.replace_schema_metadata(metadata | {_MARK: mark, b"drops": orjson.dumps(drops)}))


class _Found:
    """The facts of a day as they come in."""

    def __init__(self, speech: Speech) -> None:
        self.doubles = 0
        self._order, self._speech = Order(), speech
        self._seen: set[str] = set()
        self._tables: list[Any] = []

    @property
    def set_back(self) -> int:
        return self._order.set_back

    def add(self, part: str, tables: Any) -> None:
        import pyarrow as pa

        for rows in tables:
            once = first(rows["comparison_id"].to_pylist(), self._seen)
            self.doubles += once.count(False)
            self._order.read(rows["timestamp"], rows["epoch"])
            named = rows.append_column("part", pa.array([part] * rows.num_rows, pa.string()))
            self._tables.append(derived(named, self._speech).append_column("first", pa.array(once, pa.bool_())))

    def table(self) -> Any:
        """All of them; a day without any has the columns as well."""
        import pyarrow as pa

        if not self._tables:
            self.add("", [no_rows()])
        return pa.concat_tables(self._tables)


def _misplaced(table: Any, day: str) -> Any:
    """The comparisons of a day's log that are dated on another day."""
    import pyarrow.compute as pc

    return table.filter(pc.and_(table["first"], pc.not_equal(table["day"], date.fromisoformat(day))))


def _again(facts: Mapping[str, Path], misplaced: Sequence[int]) -> list[str]:
    """Comparisons in another day's log that stand in their own as well, or in that of an earlier day."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    columns = ["comparison_id", "day", "first", "part", "place"]
    days = [day for day, count in zip(facts, misplaced, strict=True) if count]
    if not days:
        return []
    rows = pa.concat_tables([_misplaced(pq.read_table(facts[day], columns=columns), day) for day in days])
    double = ~pa.array(first(rows["comparison_id"].to_pylist(), set())).to_numpy(zero_copy_only=False)
    for own in pc.unique(rows["day"]).to_pylist():
        if (path := facts.get(own.isoformat())) is not None:
            there = pq.read_table(path, columns=["comparison_id"])["comparison_id"]
            inside = pc.and_(pc.equal(rows["day"], own), pc.is_in(rows["comparison_id"], there.combine_chunks()))
            double |= inside.to_numpy()
    return [f"{row['part']}:{row['place']}" for row in rows.filter(pa.array(double)).to_pylist()]


def _scored(table: Any, scored: int, known: Mapping[str, float], parts: Sequence[Part]) -> Any:
    """With chrF of a drawn part of the day; what is known from an earlier look is not scored again."""
    import pyarrow as pa

    scores = Scorer(scored, known).scores(table, lambda rows: pairs_at(parts, rows))
    return table.append_column("chrf", pa.array(scores, pa.float64(), from_pandas=True))  # which takes NaN as null


def _write(target: Path, table: Any) -> None:
    import pyarrow.parquet as pq

    repeated = [name for name in table.schema.names if name not in DISTINCT]
    with unfinished(target) as waiting:
        # snappy takes half the time of zstd, and nobody looks for the least and greatest of texts
        pq.write_table(table, waiting, compression="snappy", use_dictionary=repeated, write_statistics=["day"])


def _noted(facts: Path) -> dict[bytes, bytes]:
    """What its metadata say; nothing of a file that is not there or damaged, which is derived again."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return dict(pq.read_schema(facts).metadata or {})
    except (FileNotFoundError, pa.ArrowInvalid):
        return {}


def _known_scores(facts: Path) -> Mapping[str, float]:
    """Scores of an earlier version of the file: a day that grows is scored once, not again with every look."""
    import pyarrow.parquet as pq

    old = pq.read_table(facts, columns=["comparison_id", "chrf"])
    pairs = zip(old["comparison_id"].to_pylist(), old["chrf"].to_pylist(), strict=True)
    return {key: score for key, score in pairs if score is not None}


def _quarantine(logs: Path, bad: Sequence[Path]) -> list[Mapping[str, Any]]:
    """Bring quarantine.jsonl up to date; what the writer set aside there (line 0) stays."""
    target = logs / QUARANTINE
    kept = [line for line in _lines(target) if _line_number(line) == 0]
    entries = kept + [line for path in bad for line in _lines(path)]
    content = b"".join(line + b"\n" for line in entries)
    if not entries:
        if target.is_file():
            target.unlink()
    elif not target.is_file() or target.read_bytes() != content:
        write_whole(target, content)
    return [orjson.loads(line) for line in entries]


def _lines(path: Path) -> list[bytes]:
    return [line for line in _content(path).split(b"\n") if line]


def _content(path: Path) -> bytes:
    """Of a file; empty where there is none."""
    return path.read_bytes() if path.is_file() else b""


def _line_number(entry: bytes) -> int:
    try:
        return int(orjson.loads(entry)["line"])
    except (ValueError, TypeError, KeyError):
        return -1


def _short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]
