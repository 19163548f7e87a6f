"""Looks that were recorded: the evidence, and all that a gate said about it, as lines of words and numbers.

`recorded_looks.json` holds both. `test_recorded.py` says it all again and compares word by word. Where a change is
meant to move a figure, write the lines anew and read the difference before it is committed:

    python -m tests.gates.recorded
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.gates.test_config import SHIPPED, shipped
from zantara_exp.config.gate import Criterion, Gate, Segments, Threshold
from zantara_exp.gates import Evidence, Missing, Number, Reviews, Seen, UserDays, judge_gate
from zantara_exp.gates.check import findings_of
from zantara_exp.gates.decision import View
from zantara_exp.gates.evidence import CANNOT, GOOD, OPEN, SLOTS, WORSE, Judgements, reviews_of
from zantara_exp.gates.operating import Plan
from zantara_exp.gates.power import _table, operating
from zantara_exp.gates.table import criteria_table, segments_table, sensitivity_table, summary

FILE = Path(__file__).with_name("recorded_looks.json")
FIRST = 20_000
LOOKS = {"a good log": (8, 20), "a bad log": (8, 20)}
"""Days after the first on which a gate looks; at other logs on the last alone."""


def above(value: float) -> Threshold:
    return Threshold(above=value)


def below(value: float) -> Threshold:
    return Threshold(below=value)


def every_kind() -> Gate:
    """Each kind by each of its methods, beyond what the shipped gates use."""
    c = Criterion
    criteria = {
        "success": c("success", go=above(0.9), no_go=below(0.85), window="7d", window_min_users=20),
        "success_strict": c("success", method="strict", go=above(0.9), no_go=below(0.85), first_days=2),
        "success_exact": c("success", method="exact", go=above(0.9), no_go=below(0.85), looks=2),
        "success_alarm": c("success", method="detector", no_go=below(0.93)),
        "timeouts": c("timeout", go=below(0.1), no_go=above(0.15), window="3d", window_min_users=5, rho0=0.1),
        "timeouts_strict": c("timeout", method="strict", go=below(0.12), where={"language": ["it"]}),
        "english": c("success", go=above(0.9), where={"language": ["en"]}),
        "p95": c("latency_ms", "quantile", go=below(1500), no_go=above(2500), window="7d"),
        "p80_strict": c("latency_ms", "quantile", method="strict", quantile=0.8, go=below(1500), no_go=above(2500)),
        "p80_exact": c("latency_ms", "quantile", method="exact", quantile=0.8, go=below(1500)),
        "p90_alarm": c("latency_ms", "quantile", method="detector", quantile=0.9, no_go=above(1500)),
        "mean": c("mean_ms", "mean", bound=5000, go=below(900), no_go=above(1100), window="5d"),
        "mean_exact": c("mean_ms", "mean", method="exact", go=above(700), no_go=below(500)),
        "savings": c("savings", "ratio", go=above(0.7), no_go=below(0.6), window="7d"),
        "savings_exact": c("savings", "ratio", method="exact", no_go=below(0.7)),
        "better": c("judged_preference", "paired", go=above(0.5), no_go=below(0.4)),
        "better_exact": c("judged_preference", "paired", method="exact", go=above(0.5)),
        "completion": c("completion", "non_inferiority", go=above(0), no_go=below(-0.2), margin=0.1),
        "tickets": c("tickets", "non_inferiority", no_go=above(0), margin=0.02, required=False),
        "fewer_tickets": c("tickets", "non_inferiority", go=below(0.05)),
        "review": c("review_equivalent", "review", method="exact", go=above(0.8), no_go=below(0.7), min_users=30),
        "review_only_no_go": c("review_equivalent", "review", method="exact", no_go=below(0.7)),
        "bugs": c("critical_bugs", "count", go=Threshold(at_most=0), no_go=Threshold(at_least=1)),
        "comparisons": c("comparisons", "count", go=Threshold(at_least=500)),
        "gap": c("generalization_gap", "count", no_go=above(0.05)),
    }
    gate = Gate("every_kind", criteria, segments=Segments(["it", "id", "xx"]), horizon_days=14, planned_users=200)
    gate.traffic.baseline_bad = 0.1
    return gate


def in_looks() -> Gate:
    """A review that is looked at as it grows, alone and beside a judge."""
    review = Criterion("review_equivalent", "review", method="sequential", go=above(0.8), look_at=[20, 40, 60])
    criteria = {
        "review": replace(review, no_go=below(0.7)),
        "with_judge": replace(review, no_go=below(0.7), judge=True),
        "early_with_judge": replace(review, look_at=[10, 15], judge=True, min_users=12),
    }
    gate = Gate("in_looks", criteria, horizon_days=14)
    gate.traffic.judge_right = 0.85
    return gate


def evidence_of(log: Mapping[str, Any], gate: Gate) -> dict[str, Seen]:
    """What a recorded log has on each criterion of a gate."""
    return {name: _seen(log, criterion) for name, criterion in gate.criteria.items()}


def _seen(log: Mapping[str, Any], criterion: Criterion) -> Seen:
    of = _evidence(log, criterion.metric)
    if criterion.look_at and isinstance(of, Reviews):
        return Seen(_in_order(of), source="review")
    if criterion.kind != "quantile" or not isinstance(of, UserDays):
        return Seen(of, source="analysis")
    go = criterion.go.value if criterion.go.given else criterion.no_go.value
    no_go = criterion.no_go.value if criterion.no_go.given else go
    under = {limit: _evidence(log, f"under_{limit:g}") for limit in (go, no_go)}
    return Seen(under[go], None if go == no_go else under[no_go], source="analysis")


def _evidence(log: Mapping[str, Any], metric: str) -> Evidence:
    if metric in log["numbers"]:
        return Number(log["numbers"][metric])
    if metric == "review_equivalent" and log["reviews"]:
        return Reviews(*log["reviews"], "sample")
    metric = "under_1500" if metric == "latency_ms" else metric
    side = "arms" if metric in ("tickets", "completion") else "rows"
    table, total = log[side], log[side].get(metric)
    if total is None:
        return Missing(f"nobody measured {metric}")
    floats = {name: np.array(values, dtype=np.float64) for name, values in table.items() if name not in _SEGMENTS}
    return UserDays(
        user=np.array(table["user"], dtype=np.int64),
        day=np.array(table["day"], dtype=np.int64) + FIRST,
        trials=floats["trials"],
        total=floats[metric],
        baseline=floats.get(f"{metric}_baseline"),
        segments={name: np.array(table[name], dtype=np.str_) for name in _SEGMENTS if name in table},
        lost_per_day={FIRST + int(day): lost for day, lost in log["lost"].items()} if side == "rows" else {},
        epoch=log["epoch"],
        slot=np.arange(len(table["user"])) * 7 % SLOTS if side == "rows" else None,
    )


def _in_order(of: Reviews) -> Reviews:
    """The same labels shuffled, open pairs last, and a judge who is wrong about every sixth."""
    letters = GOOD * of.equivalent_or_better + WORSE * of.worse + CANNOT * of.cannot_judge
    letters = "".join(letters[place * 7 % len(letters)] for place in range(len(letters))) + OPEN * of.missing
    calls = "".join(GOOD if (letter == GOOD) == (place % 6 > 0) else WORSE for place, letter in enumerate(letters))
    judged = Judgements("a judge", calls.count(GOOD) / len(calls), 400, calls)
    return replace(reviews_of(letters, of.sample_hash), judged=judged)


_SEGMENTS = ("language", "category", "arm")


def said(recorded: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Every part of the record by name, and its lines."""
    gates = {gate.name: gate for gate in [*(shipped(path.stem) for path in SHIPPED), every_kind(), in_looks()]}
    for name, log in recorded["logs"].items():
        for gate in gates.values():
            for look in LOOKS.get(name, (20,)):
                yield f"{gate.name} on {name}, day {look}", list(_verdict(gate, log, look))
    for gate in gates.values():
        yield f"power and check of {gate.name}", list(_planned(gate))


def _verdict(gate: Gate, log: Mapping[str, Any], look: int) -> Iterator[str]:
    day = date(1970, 1, 1) + timedelta(days=FIRST + look)
    verdict = judge_gate(gate, evidence_of(log, gate), day)
    yield from (f"{key}: {value}" for key, value in summary(verdict).items())
    yield f"{verdict.requests} {verdict.users} missing {verdict.missing} days {verdict.days}"
    for table in (criteria_table(verdict), segments_table(verdict), sensitivity_table(verdict)):
        yield from (" | ".join(row) for row in (table.rows if table else []))
    for d in verdict.criteria:
        yield f"{d.name} {d.decision} {_view(d.view)} of {_number(d.needed_go)} {_number(d.needed_no_go)}"
        yield f"  {d.per} {_number(d.view.rho)} {_number(d.view.blocks)} {_number(d.view.other)}"
        yield f"  lost {d.lost:g} {d.days} {d.evidence_hash} {d.epoch} {d.outages}"
        if d.window:
            yield f"  window {d.window.days} {_number(d.window.estimate)} {d.window.users} {d.window.agrees}"
        yield from (f"  rho0 {other.rho0:g} {_view(other.view)}" for other in d.sensitivity)
        yield from (f"  {part.segment} {part.thin} {_view(part.view)}" for part in d.segments)


def _planned(gate: Gate) -> Iterator[str]:
    """Few rollouts with little traffic: figures to compare, not to believe."""
    traffic = replace(gate.traffic, comparisons_per_day=20.0, simulations=8)
    gate = replace(gate, traffic=traffic, horizon_days=min(gate.horizon_days, 14), planned_users=100)
    # What a decision takes is searched with 400 rollouts a step: test_power.py has it.
    unplanned = {name: replace(c, expected=None) for name, c in gate.criteria.items()}
    found = operating(Plan(replace(gate, criteria=unplanned), 14, 8, 7, 40))
    yield from (" | ".join(row) for row in _table(found).rows)
    yield from found.notes
    for name, curves in [*found.criteria.items(), *([("no_go", [found.at_no_go])] if found.at_no_go else [])]:
        for curve in curves:
            yield f"{name} {list(curve.case.truths.values())} {curve.go_day.tolist()} {curve.no_go_day.tolist()}"
    yield from (f"{finding.what} {finding.ok} {finding.detail}" for finding in findings_of(gate, 40, 7))


def _view(view: View) -> str:
    counts = f"{view.decision} {view.requests:g} {view.users}"
    return f"{counts} {' '.join(map(_number, (view.estimate, view.lower, view.upper, view.effective)))} {_logs(view)}"


def _logs(view: View) -> str:
    return f"{_number(view.log_go)} {_number(view.log_no_go)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.9g}"


if __name__ == "__main__":
    record = json.loads(FILE.read_text())
    record["said"] = dict(said(record))
    FILE.write_text(json.dumps(record, indent=0) + "\n")
