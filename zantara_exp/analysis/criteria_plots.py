"""Each criterion against its thresholds: its interval as a plot, and what is missing before it may pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zantara_exp.analysis import plots
from zantara_exp.core.stage import Table

if TYPE_CHECKING:
    from zantara_exp.config.gate import Criterion, Gate, Threshold
    from zantara_exp.gates.decision import CriterionDecision
    from zantara_exp.gates.kinds.kind import Rule
    from zantara_exp.gates.record import Look
    from zantara_exp.gates.verdict import Verdict

_SHOWN_LOOKS = 12


@dataclass(frozen=True)
class Strip:
    """One criterion: what was measured, drawn against what is asked."""

    name: str
    decision: str
    """pass, fail, undecided or missing."""
    asked: str
    """Such as `> 98 %; no-go < 95 %`."""
    plot: plots.Plot | None
    """None where nothing was measured."""
    missing: Sequence[str]
    """What a pass lacks of users and days, whatever the evidence says."""


def strips(verdict: Verdict, gate: Gate) -> list[Strip]:
    """The criteria, those that failed first, then the open ones."""
    from zantara_exp.gates.rules import resolve
    from zantara_exp.gates.table import by_weight

    rules = resolve(gate)
    return [_strip(item, rules[item.name]) for item in by_weight(verdict.criteria)]


def _strip(item: CriterionDecision, rule: Rule) -> Strip:
    from zantara_exp.gates.kinds.kind import Kind

    c, kind, view = item.criterion, rule.kind, item.view
    no_go = kind.shown_threshold(c, c.no_go)
    asked = [kind.shown_threshold(c, c.go), f"no-go {no_go}" if no_go else ""]
    share = type(kind).figure is Kind.figure
    plot = plots.interval(
        view.estimate, (view.lower, view.upper), _place(c, c.go), _place(c, c.no_go), "%" if share else ""
    )
    return Strip(item.name, item.decision.lower(), "; ".join(filter(None, asked)), plot, [*_missing(item, rule)])


def _place(criterion: Criterion, bound: Threshold) -> float | None:
    """Where a threshold lies on the axis: a quantile is judged as the share of requests that keep its limit."""
    if not bound.given:
        return None
    if criterion.kind != "quantile":
        return bound.value
    other_limit = criterion.go.given and criterion.go.value != bound.value
    return None if other_limit else criterion.quantile


def _missing(item: CriterionDecision, rule: Rule) -> Iterator[str]:
    if item.view.requests and item.view.users < rule.min_users:
        yield f"{item.view.users:,} of {rule.min_users:,} users seen"
    if item.outages is not None and rule.timed and item.outages.observed < rule.min_days:
        yield f"{item.outages.observed:,} of {rule.min_days:,} days seen"


def spread_of_users(verdict: Verdict) -> float:
    """How many times fewer requests the latencies are worth, as users repeat and outages come in blocks; 1: all."""
    worth = [
        item.view.requests / item.view.effective
        for item in verdict.criteria
        if item.criterion.metric == "latency_ms" and item.criterion.kind == "quantile" and item.view.effective > 0
    ]
    return max([1.0, *worth])


def history(looks: Sequence[Look]) -> Table | None:
    """The newest verdicts on record, by any gate and of any candidate, newest first."""
    rows = [
        [
            str(look.get("time", ""))[:16].replace("T", " "),
            str(look["gate"]),
            str(look["verdict"]).replace("_", "-"),
            str(look["as_of"]),
            str(look["epoch"]),
            f"{look['requests']:,.0f}",
            f"{look['users']:,}",
        ]
        for look in reversed(looks[-_SHOWN_LOOKS:])
        if look.get("verdict")
    ]
    columns = ["time (UTC)", "gate", "verdict", "as of", "candidate id", "requests", "users"]
    return Table("Verdicts so far", columns, rows) if rows else None
