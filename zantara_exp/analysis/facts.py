"""Facts: one narrow row per comparison, with everything a number can be computed from and no text.

The comparison log is compacted to Parquet once (`zantara_exp.shadow.compact`); from each of its files this module
derives one file of facts, by Arrow, and keeps it until the source changes. Deciding here, once, what an answer is means
that report, gate and MLflow cannot disagree, on any engine, and that a query reads megabytes instead of gigabytes.
Latencies also get an integer bucket on a log scale: counts of buckets add up over days and engines, quantiles do not.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.analysis.similarity import Scorer, hashes
from zantara_exp.answers import LONGEST_PLACEHOLDER, PLACEHOLDER
from zantara_exp.config.schema import Config
from zantara_exp.shadow.record import ONLY_PRIMARY, REPLAY
from zantara_exp.whole import unfinished

if TYPE_CHECKING:
    from zantara_exp.dataset.language import LanguageDetector

_FORMAT = 10
"""Raise it when a definition below changes, so that cached facts are derived anew."""

BUCKET_RATIO = 1.005
"""A latency bucket is half a percent wide: quantiles read from buckets are within a quarter of one."""

SET_BACK = timedelta(hours=1)
"""Writers that work side by side, and slow answers, put lines a little out of order; more is a clock that jumped."""
_UNDER_WAY = 64
"""Comparisons that may be under way at once."""

UNKNOWN = "unknown"
"""Language, category or model that a line does not name."""

_SIDES = ("primary", "candidate")
_TEXT = ("primary_response", "candidate_response", "query")
_AS_THEY_ARE = ("comparison_id", "arm", "epoch", "timestamp", "day", "user", "sampling_percent", "sampling_reason")
_NAMED = ("category", "primary_model", "candidate_model", "candidate_provider")
_SCOPE = ("scope_movable", "scope_why_not")
USAGE = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
"""Tokens of a side by how they are billed."""
_TOKENS = tuple(f"{side}_usage_{part}" for side in _SIDES for part in USAGE)
_ESTIMATED = tuple(f"{side}_estimated" for side in _SIDES)
_BILLED = ("candidate_billed_usd", "candidate_billed_seconds")
_MEASURED = (
    *_TOKENS,
    *_ESTIMATED,
    *_BILLED,
    *(f"{side}_{what}" for side in _SIDES for what in ("error", "latency_ms", "waited_ms")),
)
_ROWS = 20_000
_DISTINCT = ("comparison_id", "timestamp", *(f"{side}_{what}" for side in _SIDES for what in ("answer", "latency_ms")))
"""Columns of many values, for which a dictionary would only take time."""


def facts_of(source: Path, cache: Path, config: Config) -> Path:
    """The file of facts for one compacted file, derived unless an up-to-date one is in `cache`.

    A kill leaves the old file or the new one.
    """
    import pyarrow.parquet as pq

    stat, scored = source.stat(), config.engine.scored_per_file
    spoken = config.dataset.languages, config.dataset.language_min_confidence, config.dataset.language_words
    mark = f"{_FORMAT}:{stat.st_size}:{stat.st_mtime_ns}:{scored}:{_short_hash(repr(spoken))}".encode()
    target = cache / f"{_short_hash(str(source.parent))}-{source.name}"
    if target.is_file() and _mark(target) == mark:
        return target
    scorer = Scorer(scored, pq.read_metadata(source).num_rows, _known_scores(target))
    with unfinished(target) as waiting:
        _write(waiting, _batches(source), scorer, _Speech(config), mark)
    return target


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class _Speech:
    """Names the language of a comparison that does not say it: version 1 never does."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._detector: LanguageDetector | None = None

    def languages(self, batch: Any) -> Any:
        """The column of languages."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not pc.any(pc.equal(batch["language"], "")).as_py():
            return batch["language"]
        said, asked = batch["language"].to_pylist(), batch["query"].to_pylist()
        named = [language or self._detected(query) for language, query in zip(said, asked, strict=True)]
        return pa.array(named, pa.string())

    def _detected(self, query: str) -> str:
        if self._detector is None:
            from zantara_exp.dataset.language import detector

            self._detector = detector(self._config.dataset)
        return self._detector.detect(query)


def _mark(target: Path) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        written: dict[bytes, bytes] = pq.read_metadata(target).metadata or {}
    except pa.ArrowInvalid:  # damaged: derived again
        return b""
    return written.get(b"zantara", b"")


def doubles_of(facts: Path) -> int:
    """How many comparisons of a file of facts stand in it a second time."""
    return _noted(facts, b"doubles")


def set_back_of(facts: Path) -> int:
    """How many comparisons are dated more than SET_BACK before one that was logged before them."""
    return _noted(facts, b"set_back")


def _noted(facts: Path, what: bytes) -> int:
    import pyarrow.parquet as pq

    return int(dict(pq.read_metadata(facts).metadata or {}).get(what, b"0"))


def newest_day(facts: Path) -> date:
    """The last day in a file of facts, from its statistics."""
    import pyarrow.parquet as pq

    written = pq.read_metadata(facts)
    place = written.schema.names.index("day")
    groups = [written.row_group(number).column(place).statistics for number in range(written.num_row_groups)]
    return max((group.max for group in groups if group is not None and group.has_min_max), default=date.min)


def _known_scores(target: Path) -> Mapping[str, float]:
    """Scores of an earlier version of the file: a day that grows is scored once, not again with every look."""
    import pyarrow.parquet as pq

    if not target.is_file() or not _mark(target).startswith(f"{_FORMAT}:".encode()):
        return {}
    old = pq.read_table(target, columns=["comparison_id", "chrf"])
    pairs = zip(old["comparison_id"].to_pylist(), old["chrf"].to_pylist(), strict=True)
    return {key: score for key, score in pairs if score is not None}


def _batches(source: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    columns = [*_AS_THEY_ARE, *_NAMED, "language", *_SCOPE, "primary_provider", *_MEASURED, *_TEXT]
    with pq.ParquetFile(source) as file:
        for group in range(file.num_row_groups):  # which bounds the bytes, and _ROWS the rows
            yield from map(derived, file.iter_batches(_ROWS, [group], columns, use_threads=False))


def _write(target: Path, batches: Iterable[Any], scorer: Scorer, speech: _Speech, mark: bytes) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: Any = None
    seen: set[str] = set()
    doubles, order = 0, _Order()
    for batch in batches:
        order.read(batch["timestamp"])
        first = _first(batch["comparison_id"].to_pylist(), seen)
        doubles += first.count(False)
        rows = pa.Table.from_batches([batch]).append_column("first", pa.array(first, pa.bool_()))
        rows = rows.append_column("chrf", pa.array(scorer.scores(batch), pa.float64()))
        place = rows.schema.get_field_index("language")
        rows = rows.set_column(place, "language", speech.languages(batch))
        rows = rows.drop_columns(list(_TEXT))
        if writer is None:
            repeated = [name for name in rows.schema.names if name not in _DISTINCT]
            schema = rows.schema.with_metadata({b"zantara": mark})
            writer = pq.ParquetWriter(
                target, schema, compression="snappy", use_dictionary=repeated, write_statistics=["day"]
            )
        writer.write_table(rows.cast(writer.schema))
    if writer is not None:
        writer.add_key_value_metadata({b"doubles": str(doubles).encode(), b"set_back": str(order.set_back).encode()})
        writer.close()


class _Order:
    """Counts comparisons that are dated well before one logged before them.

    Those under way at once end in any order, and a replay's may be hours apart: each is held against what had been
    logged _UNDER_WAY comparisons before it.
    """

    def __init__(self) -> None:
        self.set_back = 0
        self._latest = [0] * _UNDER_WAY

    def read(self, timestamps: Any) -> None:
        """The next ones, in the order of the log."""
        import numpy as np

        micros = timestamps.cast("int64").to_numpy(zero_copy_only=False)
        if micros.size:
            latest = np.concatenate([self._latest, np.maximum.accumulate(np.maximum(micros, self._latest[-1]))])
            self.set_back += int((micros < latest[: micros.size] - SET_BACK // timedelta(microseconds=1)).sum())
            self._latest = latest[-_UNDER_WAY:].tolist()


def _first(keys: Sequence[str], seen: set[str]) -> list[bool]:
    """Which of the keys come for the first time; they are seen from then on."""
    fresh = set(keys)
    if len(fresh) == len(keys) and seen.isdisjoint(fresh):
        seen |= fresh
        return [True] * len(keys)
    first = []
    for key in keys:
        first.append(key not in seen)
        seen.add(key)
    return first


def derived(rows: Any) -> Any:
    """What a batch of compacted comparisons says, as facts; the texts stay for the scorer and the detector."""
    import pyarrow as pa
    import pyarrow.compute as pc

    facts: dict[str, Any] = {name: rows[name] for name in _AS_THEY_ARE}
    facts |= {"language": pc.fill_null(rows["language"], "")}
    facts |= {name: pc.fill_null(rows[name], UNKNOWN) for name in _NAMED}
    facts |= {"movable": pc.fill_null(rows["scope_movable"], True)}  # versions 1 and 2 do not say
    facts |= {"scoped": pc.is_valid(rows["scope_movable"])}
    facts |= {"why_aside": _why_aside(rows), "replayed": _replayed(rows)}
    for side in _SIDES:
        said = pc.utf8_trim_whitespace(rows[f"{side}_response"])
        fault = _fault(rows[f"{side}_error"], rows[f"{side}_response"], said)
        answered = pc.equal(fault, "")
        facts |= {f"{side}_answer": pa.array(hashes(said)), f"{side}_ok": answered}
        facts |= _latency(side, _until_answered(rows, side), answered)
        if side == "candidate":
            facts |= {"candidate_fault": fault, "candidate_timeout": pc.equal(fault, "timeout")}
    facts |= {name: rows[name].cast("float64") for name in _TOKENS} | {
        name: rows[name] for name in (*_ESTIMATED, *_BILLED)
    }
    return pa.record_batch(facts | {name: rows[name] for name in _TEXT})


def _until_answered(rows: Any, side: str) -> Any:
    """What a user would have waited: for a free place, and for the answer."""
    import pyarrow.compute as pc

    return pc.add(rows[f"{side}_latency_ms"], pc.fill_null(rows[f"{side}_waited_ms"], 0.0))


def _why_aside(rows: Any) -> Any:
    """What keeps a request with the primary, or what became of one that nobody else was asked about; empty else."""
    import pyarrow.compute as pc

    alone = pc.equal(rows["arm"], ONLY_PRIMARY)
    became = pc.if_else(alone, pc.fill_null(rows["primary_error"], ""), "")
    return pc.fill_null(pc.coalesce(rows["scope_why_not"], became), "")


def _replayed(rows: Any) -> Any:
    """Whether the request comes from recorded conversations, and not from live traffic."""
    import pyarrow.compute as pc

    said = (pc.equal(pc.fill_null(rows[name], ""), REPLAY) for name in ("sampling_reason", "primary_provider"))
    return pc.or_(*said)


def _fault(error: Any, response: Any, said: Any) -> Any:
    """Empty where the side answered; else its error, `empty_answer` or `placeholder` ("..." and the like)."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    error = pc.utf8_trim_whitespace(pc.fill_null(error, ""))
    short = pc.indices_nonzero(pc.less_equal(pc.utf8_length(response), LONGEST_PLACEHOLDER))
    dots = short.filter(pc.match_substring_regex(response.take(short), PLACEHOLDER))
    placeholder = np.zeros(len(response), bool)
    placeholder[dots.to_numpy()] = True
    silent = pc.if_else(pc.equal(said, ""), "empty_answer", pc.if_else(pa.array(placeholder), "placeholder", ""))
    return pc.if_else(pc.not_equal(error, ""), error, silent)


def _latency(side: str, taken: Any, answered: Any) -> dict[str, Any]:
    """Latency of an answer; a failure has none, and neither has a clock that jumped back."""
    import pyarrow as pa
    import pyarrow.compute as pc

    measured = pc.if_else(pc.and_(answered, pc.greater_equal(taken, 0.0)), taken, pa.scalar(None, pa.float64()))
    at_least = pc.max_element_wise(measured, 0.001, skip_nulls=False)
    bucket = pc.floor(pc.divide(pc.ln(at_least), math.log(BUCKET_RATIO))).cast("int32")
    return {f"{side}_latency_ms": measured, f"{side}_bucket": bucket}
