"""What the comparison log says to a gate: numbers per user and day, of the newest epoch only.

All of it over what a rollout would move (`zantara_exp.traffic.movable`); the rest is out of scope.

success     successes among all sampled requests
latency_ms  with a limit: requests answered at or under it, among all (a failure counts as not fast);
            without one: summed latency of the requests that were answered, none longer than the bound, if one is given
similar     answers with chrF at or above `engine.similar_chrf`, among requests that the primary answered
timeout     timeouts among all sampled requests
savings     what the candidate is billed, with the primary's cost of the same requests as baseline, in US dollars,
            over `rollout.categories`; by the volume that the log does not contradict (`zantara_exp.analysis.volume`)
comparisons how many there are
<any other> what a function of an installed package says of the answers (`zantara_exp.analysis.own_metrics`)

Support tickets, completion and return rate are no part of the log: `zantara_exp.analysis.business`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from zantara_exp.analysis import cost
from zantara_exp.analysis.business import business
from zantara_exp.analysis.engine import fetched, first_value
from zantara_exp.analysis.excluded import whole
from zantara_exp.analysis.incidents import blocking_errors
from zantara_exp.analysis.log import ComparisonLog, open_log
from zantara_exp.analysis.movable_share import moving, parts
from zantara_exp.analysis.own_metrics import with_own
from zantara_exp.analysis.sample import sampled
from zantara_exp.analysis.tables import newest_epoch, user_days
from zantara_exp.analysis.volume import volume
from zantara_exp.config.business import BUSINESS_METRICS
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.cost import billing
from zantara_exp.gates.collect import COMPOSITION, DAYS, SAMPLE
from zantara_exp.gates.evidence import (
    Composition,
    Evidence,
    EvidenceRequest,
    Logged,
    Missing,
    Moving,
    Number,
    UserDays,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

_PARTS = ("language", "category")
_EPOCH_START = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class _Measured:
    """A metric over some facts: the rows it speaks of, and what is summed per user and day."""

    facts: ir.Table
    trials: ir.Value
    total: ir.Value
    baseline: ir.Value | None = None
    capped: ir.Value | None = None
    blind: ir.Table | None = None
    """Rows that belong to the metric's requests and could not be measured."""
    lacks: str = ""
    """What would measure them."""


_Measure = Callable[["ir.Table", EvidenceRequest, Config], _Measured]


def _success(facts: ir.Table, request: EvidenceRequest, config: Config) -> _Measured:
    return _Measured(facts, facts.count(), facts.candidate_ok.sum())


def _latency(facts: ir.Table, request: EvidenceRequest, config: Config) -> _Measured:
    unclear = facts.candidate_ok & facts.candidate_latency_ms.isnull()
    blind, known = facts.filter(unclear), facts.filter(~unclear)
    if request.limit is None:
        answered = known.filter(known.candidate_ok)
        taken, capped = answered.candidate_latency_ms, None
        if request.bound is not None:
            capped = (taken > request.bound).sum()
            taken = taken.clip(upper=request.bound)
        return _Measured(answered, answered.count(), taken.sum(), capped=capped, blind=blind)
    fast = (known.candidate_latency_ms <= request.limit).fill_null(False)
    return _Measured(known, known.count(), fast.sum(), blind=blind)


def _similar(facts: ir.Table, request: EvidenceRequest, config: Config) -> _Measured:
    scored = facts.filter(facts.chrf.notnull())
    return _Measured(scored, scored.count(), (scored.chrf >= config.engine.similar_chrf).sum())


def _timeout(facts: ir.Table, request: EvidenceRequest, config: Config) -> _Measured:
    return _Measured(facts, facts.count(), facts.candidate_timeout.sum())


def _savings(facts: ir.Table, request: EvidenceRequest, config: Config) -> _Measured:
    table = cost.priced(facts.filter(facts.category.isin(config.rollout.categories)), config)
    there = table.primary_usd.notnull() & table.candidate_usd.notnull()
    known, blind = table.filter(there), table.filter(~there)
    sides = ("primary", "candidate") if config.endpoint.billing == billing.TOKENS else ("primary",)
    names = ", ".join(name for side in sides for name in cost.unpriced(table, side, config.cost))
    lacks = f"; no price is known for {names}: cost.prices or cost.aliases" if names else ""
    return _Measured(known, known.count(), known.candidate_usd.sum(), known.primary_usd.sum(), blind=blind, lacks=lacks)


def _own(scored: ir.Table, request: EvidenceRequest) -> _Measured:
    if request.bound is None:
        return _Measured(scored, scored.count(), scored.own.sum())
    beyond = (scored.own > request.bound).sum()
    return _Measured(scored, scored.count(), scored.own.clip(upper=request.bound).sum(), capped=beyond)


_MEASURES: Mapping[str, _Measure] = {
    "success": _success,
    "latency_ms": _latency,
    "similar": _similar,
    "timeout": _timeout,
    "savings": _savings,
}
METRICS = frozenset(_MEASURES) | frozenset(BUSINESS_METRICS) | {"comparisons", "blocking_errors"}
"""What is built in; a metric that is not is an installed package's (`analysis.own_metrics`)."""


def evidence(requests: Sequence[EvidenceRequest], until: date | None, config: Config, layout: Layout) -> list[Evidence]:
    """What the log, opened once, says about each metric; Missing with the reason where it says nothing."""
    with ExitStack() as opened:

        @cache
        def log() -> ComparisonLog:
            return opened.enter_context(open_log(config, layout, until))

        @cache
        def newest() -> _Newest:
            return _Newest(log(), config, layout)

        def ask(request: EvidenceRequest) -> Evidence:
            try:
                if request.metric in BUSINESS_METRICS:
                    return business(request.metric, until, log, config, layout)
                if request == DAYS and (until is not None or config.rollout.exclude):
                    with open_log(whole(config), layout) as everything:
                        return _days(everything, newest().epoch)
                return newest().of(request, config, layout)
            except MissingInputError as error:
                return Missing(f"{error.message}: run `{error.hint}`")

        return [ask(request) for request in requests]


def logged(config: Config, layout: Layout, epoch: str) -> Logged | None:
    """The days that the whole log, whatever `as_of` says, holds of one candidate; None where it holds nothing of it."""
    try:
        with open_log(whole(config), layout) as log:
            return _days(log, epoch)
    except MissingInputError:
        return None


def _days(log: ComparisonLog, epoch: str) -> Logged:
    """Raises MissingInputError where the log holds nothing of the candidate."""
    facts = log.facts.filter(log.facts.epoch == epoch)
    days = {
        row["day"]: int(row["count"]) for row in fetched(facts.group_by("day").agg(count=facts.count())).to_pylist()
    }
    if not days:
        raise MissingInputError(f"the log holds no comparison of candidate {epoch}", command("stage=shadow"))
    return Logged({**dict.fromkeys(log.lost(epoch, min(days)), 0), **days})


def would_move(config: Config, layout: Layout) -> Moving | None:
    """What of the newest epoch's traffic a rollout would move; None without a log."""
    try:
        with open_log(config, layout) as log:
            keys = ("epoch", "day", "timestamp")
            epoch, first = newest_epoch(log.facts.select(*keys).union(log.aside.select(*keys)))
            return moving(parts(log, epoch, first, config))
    except MissingInputError:
        return None


class _Newest:
    """The newest epoch of a log. Raises MissingInputError where no comparison is known."""

    def __init__(self, log: ComparisonLog, config: Config, layout: Layout) -> None:
        self._log = log
        self.epoch, self._first = log.newest()
        self._facts = log.evidence(self.epoch, config, layout)

    def of(self, request: EvidenceRequest, config: Config, layout: Layout) -> Evidence:
        """What it says about one metric of the log."""
        if request == SAMPLE:
            return sampled(self._log.facts.filter(self._log.facts.epoch == self.epoch))
        if request == DAYS:
            return _days(self._log, self.epoch)
        if request == COMPOSITION:
            return _composition(self._facts)
        if request.metric == "blocking_errors":
            return blocking_errors(layout.incidents, first_value(self._log.facts.day.max()))
        if request.metric == "comparisons":
            return Number(float(first_value(self._facts.count())))
        by = volume(self._log, config) if request.metric == "savings" else None
        if request.metric in _MEASURES:
            found = _MEASURES[request.metric](self._facts, request, config if by is None else by.config(config))
        else:
            found = _own(with_own(self._facts, request.metric, self._log.parts, layout.state), request)
        lost = _lost(found, self._log.lost(self.epoch, self._first))
        measured = _user_days(found, lost, self.epoch, request.metric)
        if by is None or not isinstance(measured, UserDays):
            return measured
        return replace(measured, note=by.contradiction, monthly_requests=by.judged)


def _composition(facts: ir.Table) -> Composition:
    rows = fetched(facts.group_by(*_PARTS).agg(count=facts.count())).to_pylist()
    parts: dict[str, Counter[str]] = {name: Counter() for name in _PARTS}
    for row in rows:
        for name in _PARTS:
            parts[name][row[name]] += int(row["count"])
    return Composition(sum(int(row["count"]) for row in rows), parts)


def _lost(found: _Measured, lost: Mapping[date, int]) -> dict[int, float]:
    """Drops, unreadable lines, and rows that the metric could not measure; by day."""
    days = {_day(day): float(count) for day, count in lost.items()}
    if found.blind is not None:
        for row in fetched(found.blind.group_by("day").agg(count=found.blind.count())).to_pylist():
            days[_day(row["day"])] = days.get(_day(row["day"]), 0.0) + row["count"]
    return days


def _user_days(found: _Measured, lost: Mapping[int, float], epoch: str, metric: str) -> Evidence:
    measures = {"trials": found.trials, "total": found.total}
    others = {"baseline": found.baseline, "capped": found.capped}
    measures |= {name: value for name, value in others.items() if value is not None}
    rows = user_days(found.facts, **measures)
    if not rows.num_rows:
        return Missing(f"no comparison of candidate {epoch} has what {metric} is measured on{found.lacks}")
    return _as_user_days(rows, found, lost, epoch)


def days_of_users(facts: ir.Table, trials: ir.Value, total: ir.Value, baseline: ir.Value) -> UserDays | None:
    """Numbers of other rows than a candidate's, per user and day; None where there are none."""
    rows = user_days(facts, trials=trials, total=total, baseline=baseline)
    return _as_user_days(rows, _Measured(facts, trials, total, baseline), {}, "") if rows.num_rows else None


def _as_user_days(rows: Any, found: _Measured, lost: Mapping[int, float], epoch: str) -> UserDays:
    return UserDays(
        user=np.from_dlpack(rows["user"].combine_chunks().dictionary_encode().indices).astype(np.int64),
        day=np.array([_day(day) for day in rows["day"].to_pylist()], dtype=np.int64),
        trials=_floats(rows["trials"]),
        total=_floats(rows["total"]),
        baseline=_floats(rows["baseline"]) if found.baseline is not None else None,
        capped=_floats(rows["capped"]) if found.capped is not None else None,
        segments={name: np.array(rows[name].to_pylist(), dtype=np.str_) for name in _PARTS},
        lost_per_day=lost,
        epoch=epoch,
        slot=_floats(rows["slot"]).astype(np.int64),
    )


def _floats(column: Any) -> Any:
    """A column's numbers; Arrow's `to_numpy`, which imports pandas, is needed for nulls alone."""
    return (column.to_numpy() if column.null_count else np.from_dlpack(column.combine_chunks())).astype(np.float64)


def _day(day: date) -> int:
    return day.toordinal() - _EPOCH_START
