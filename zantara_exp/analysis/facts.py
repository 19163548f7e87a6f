"""Facts: one narrow row per comparison, with everything a number can be computed from and no text.

From each day of the comparison log this module derives one file of facts, by Arrow, and keeps it until the day's log
changes. Deciding here, once, what an answer is means that report, gate and MLflow cannot disagree, on any engine, and
that a query reads megabytes instead of gigabytes. A fact says in which part of the log its line is, and where: texts
are read from there (`zantara_exp.analysis.texts`), and stand nowhere a second time.
Latencies also get an integer bucket on a log scale: counts of buckets add up over days and engines, quantiles do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from zantara_exp.analysis.similarity import hashes
from zantara_exp.config.schema import Config
from zantara_exp.shadow.record import ONLY_PRIMARY, REPLAY
from zantara_exp.traffic.answers import LONGEST_PLACEHOLDER, PLACEHOLDER

if TYPE_CHECKING:
    from zantara_exp.dataset.language import LanguageDetector

BUCKET_RATIO = 1.005
"""A latency bucket is half a percent wide: quantiles read from buckets are within a quarter of one."""

SET_BACK = timedelta(hours=1)
"""Writers that work side by side, and slow answers, put lines a little out of order; more is a clock that jumped."""
_UNDER_WAY = 64
"""Comparisons that may be under way at once."""

UNKNOWN = "unknown"
"""Language, category or model that a line does not name."""

_SIDES = ("primary", "candidate")
_AS_THEY_ARE = (
    *("comparison_id", "arm", "epoch", "timestamp", "day", "user", "sampling_percent", "sampling_reason"),
    *("part", "place"),
)
_NAMED = ("category", "primary_model", "candidate_model", "candidate_provider")
USAGE = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
"""Tokens of a side by how they are billed."""
_TOKENS = tuple(f"{side}_usage_{part}" for side in _SIDES for part in USAGE)
_ESTIMATED = tuple(f"{side}_estimated" for side in _SIDES)
_BILLED = ("candidate_billed_usd", "candidate_billed_seconds")
DISTINCT = ("comparison_id", "timestamp", *(f"{side}_{what}" for side in _SIDES for what in ("answer", "latency_ms")))
"""Columns of many values, for which a dictionary would only take time."""


class Speech:
    """Names the language of a comparison that does not say it: version 1 never does."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._detector: LanguageDetector | None = None

    def languages(self, rows: Any) -> Any:
        """The column of languages."""
        import pyarrow as pa
        import pyarrow.compute as pc

        known = pc.fill_null(rows["language"], "")
        if not pc.any(pc.equal(known, "")).as_py():
            return known
        said, asked = known.to_pylist(), rows["query"].to_pylist()
        named = [language or self._detected(query) for language, query in zip(said, asked, strict=True)]
        return pa.array(named, pa.string())

    def _detected(self, query: str) -> str:
        if self._detector is None:
            from zantara_exp.dataset.language import detector

            self._detector = detector(self._config)
        return self._detector.detect(query)


class Order:
    """Counts comparisons that are dated well before one of the same candidate logged before them.

    Those under way at once end in any order, and a replay's may be hours apart: each is held against what had been
    logged _UNDER_WAY comparisons before it. A replay to one candidate after the other sets no clock back.
    """

    def __init__(self) -> None:
        self.set_back = 0
        self._latest: dict[str, list[int]] = {}

    def read(self, timestamps: Any, epochs: Any) -> None:
        """The next ones, in the order of the log."""
        import numpy as np
        import pyarrow.compute as pc

        every = timestamps.cast("int64").to_numpy()
        for epoch in (present := pc.unique(epochs).to_pylist()):
            alone = len(present) == 1
            micros = every if alone else every[pc.equal(epochs, epoch).to_numpy(zero_copy_only=False)]
            before = self._latest.get(epoch, [0] * _UNDER_WAY)
            latest = np.concatenate([before, np.maximum.accumulate(np.maximum(micros, before[-1]))])
            self.set_back += int((micros < latest[: micros.size] - SET_BACK // timedelta(microseconds=1)).sum())
            self._latest[epoch] = latest[-_UNDER_WAY:].tolist()


def first(keys: Sequence[str], seen: set[str]) -> list[bool]:
    """Which of the keys come for the first time; they are seen from then on."""
    fresh = set(keys)
    if len(fresh) == len(keys) and seen.isdisjoint(fresh):
        seen |= fresh
        return [True] * len(keys)
    found = []
    for key in keys:
        found.append(key not in seen)
        seen.add(key)
    return found


def derived(rows: Any, speech: Speech) -> Any:
    """What comparisons say (`zantara_exp.shadow.columns`, and the name of their part), as facts: a table, in order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    facts: dict[str, Any] = {name: rows[name] for name in _AS_THEY_ARE}
    facts |= {"language": speech.languages(rows)}
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
            facts |= {"candidate_seconds": _seconds_of_work(rows, answered)}
    facts |= {name: rows[name].cast("float64") for name in _TOKENS}
    return pa.table(facts | {name: rows[name] for name in (*_ESTIMATED, *_BILLED)})


def _until_answered(rows: Any, side: str) -> Any:
    """What a user would have waited: for a free place, and for the answer."""
    import pyarrow.compute as pc

    return pc.add(rows[f"{side}_latency_ms"], pc.fill_null(rows[f"{side}_waited_ms"], 0.0))


def _seconds_of_work(rows: Any, answered: Any) -> Any:
    """As the job reports it; else what an answer took once its call could begin, the way there and back included."""
    import pyarrow as pa
    import pyarrow.compute as pc

    taken = rows["candidate_latency_ms"]
    measured = pc.if_else(pc.and_(answered, pc.greater_equal(taken, 0.0)), taken, pa.scalar(None, pa.float64()))
    return pc.coalesce(rows["candidate_billed_seconds"], pc.divide(measured, 1000.0))


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
    short = pa.array(np.flatnonzero(pc.less_equal(pc.utf8_length(response), LONGEST_PLACEHOLDER)))
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
