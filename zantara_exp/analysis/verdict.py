"""The gate's verdict, as the report shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from zantara_exp.analysis.criteria_plots import Strip, history, spread_of_users, strips
from zantara_exp.analysis.plots import Point
from zantara_exp.core.stage import Table
from zantara_exp.text.wording import counted

if TYPE_CHECKING:
    from zantara_exp.config.gate import Gate
    from zantara_exp.gates.decision import CriterionDecision, View
    from zantara_exp.gates.kinds.kind import Seen
    from zantara_exp.gates.record import Look
    from zantara_exp.gates.verdict import Verdict

COLUMNS = ("criterion", "decision", "estimate", "bounds", "go", "no-go", "requests", "users", "why")


@dataclass(frozen=True)
class VerdictView:
    """A verdict, as the page shows it."""

    word: str
    """GO, NO_GO or INCONCLUSIVE."""
    sentence: str
    reasons: Sequence[tuple[str, str]]
    """Why it is no GO: criteria, and the reason that they share."""
    tables: Sequence[Table]
    """The criteria, what was reckoned with, bursts of failures, and declared segments that a NO-GO could come from."""
    note: str
    opens: str
    """What a rollout may do on it; empty where it is neither a GO nor looks back."""
    not_declared: Sequence[str]
    """Sentences on the parts of the log that the gate does not declare."""
    standing: Sequence[Table]
    """What else was said of the same candidate, what a start has to answer, and the verdicts so far."""
    strips: Sequence[Strip]
    """Each criterion against its thresholds, those that failed first."""
    spread: float
    """How many times fewer requests the latencies are worth than were counted."""


def evidence_path(
    gate: Gate, seen: Mapping[str, Seen], days: Sequence[date], label: Callable[[date], str]
) -> dict[str, list[Point]]:
    """Evidence for GO as a share of what a pass needs, by criterion, at the end of each day, which `label` names.

    What has no evidence by day, such as a review, is left out, and what may not be looked at daily; below none is
    shown as none.
    """
    from zantara_exp.gates.evidence import UserDays
    from zantara_exp.gates.kinds.by_user import ByUser
    from zantara_exp.gates.rules import resolve

    paths: dict[str, list[Point]] = {}
    for name, rule in sorted(resolve(gate).items()):
        item, kind = seen[name], rule.kind
        if not isinstance(item.go, UserDays) or item.refused or not rule.criterion.go.given:
            continue
        assert isinstance(kind, ByUser)  # noqa: S101  user-days are judged by no other
        paths[name] = []
        for day in days:
            found = kind.go_evidence(rule, item, day.toordinal() - date(1970, 1, 1).toordinal())
            reached = None if found is None else min(max(found / rule.needed_go, 0.0), 1.2)
            paths[name].append(Point(label(day), reached))
    return paths


def shown_verdict(verdict: Verdict, gate: Gate, looks: Sequence[Look]) -> VerdictView:
    """A verdict in words, tables and plots, with the looks on record."""
    from zantara_exp.gates.table import assumptions_table, bursts_table, by_weight, shown_opening
    from zantara_exp.gates.undeclared_parts import shown

    opens = shown_opening(verdict)
    open_ = [item for item in verdict.criteria if item.decision != "PASS" and item.criterion.required]
    passed = [item.name for item in verdict.criteria if item.decision == "PASS"]
    shared: dict[str, list[str]] = {}
    for item in open_:
        shared.setdefault(item.reason, []).append(item.name)
    reasons = [(", ".join(names), reason) for reason, names in shared.items()]
    if passed and open_:
        reasons.append((", ".join(passed), "pass"))
    criteria = Table("", COLUMNS, [_row(item) for item in by_weight(verdict.criteria)])
    tables = criteria, assumptions_table(verdict), bursts_table(verdict), _segments(verdict.criteria)
    return VerdictView(
        word=verdict.verdict,
        sentence=_sentence(verdict),
        reasons=reasons,
        tables=[table for table in tables if table is not None and table.rows],
        note=_note(verdict),
        opens=f"Opens {opens}." if opens else "",
        not_declared=shown(verdict.not_declared),
        standing=[*_standing(verdict), *([] if (so_far := history(looks)) is None else [so_far])],
        strips=strips(verdict, gate),
        spread=spread_of_users(verdict),
    )


def _standing(verdict: Verdict) -> list[Table]:
    found = verdict.standing
    if found is None:
        return []
    said = [
        [each.gate, each.gate_hash, each.verdict.replace("_", "-"), f"{each.looks:,}", each.last, each.reason]
        for each in found.others
    ]
    asked = [[each] for each in found.objections]
    tables = [
        Table("Also said of this candidate", ["gate", "hash", "verdict", "looks", "last as of", "why"], said),
        Table("What a start has to answer", ["what"], asked),
    ]
    return [table for table in tables if table.rows]


def _sentence(verdict: Verdict) -> str:
    if verdict.verdict == "GO":
        return f"Everything gate {verdict.gate} asks for is shown: {verdict.reason}."
    if verdict.verdict == "NO_GO":
        return f"Gate {verdict.gate} says stop. The primary goes on answering."
    days = ""
    if verdict.days is not None:
        days = f" At this rate a decision takes {_range(verdict.days.low, verdict.days.high)}."
    return f"Gate {verdict.gate} cannot decide yet: {verdict.reason}.{days}"


def _range(low: int, high: int | None) -> str:
    if low == high:
        return f"{low} more day{'s' if low != 1 else ''}"
    return f"at least {low} more days" if high is None else f"{low} to {high} more days"


def _row(item: CriterionDecision) -> list[str]:
    from zantara_exp.gates.kinds import kind_named

    c, view, kind = item.criterion, item.view, kind_named(item.criterion.kind)
    # a quantile is judged as the share of requests that keep the limit
    why = item.reason
    if item.days is not None:
        why += f" ({_range(item.days.low, item.days.high)})"
    return [
        item.name,
        item.decision.lower(),
        *_figures(item, view),
        kind.shown_threshold(c, c.go),
        kind.shown_threshold(c, c.no_go),
        f"{view.requests:,.0f}" if view.requests else "",
        f"{view.users:,}" if view.users else "",
        why,
    ]


def _figures(item: CriterionDecision, view: View) -> list[str]:
    """Estimate and bounds."""
    from zantara_exp.gates.kinds import kind_named

    kind = kind_named(item.criterion.kind)
    lower, upper = kind.shown(view.lower), kind.shown(view.upper)
    return [kind.shown(view.estimate), _between(lower, upper)]


def _between(lower: str, upper: str) -> str:
    if lower == upper:
        return lower if lower != "-" else ""
    return f"{lower} to {upper}"


def _segments(criteria: Sequence[CriterionDecision]) -> Table | None:
    rows = [
        [item.name, part.segment, "too thin" if part.thin else part.view.decision.lower()]
        + [*_figures(item, part.view), f"{part.view.users:,}"]
        for item in criteria
        if item.criterion.no_go.given
        for part in item.segments
    ]
    return (
        Table(
            "Segments that could end in NO-GO",
            ["criterion", "segment", "decision", "estimate", "bounds", "users"],
            rows,
        )
        if rows
        else None
    )


def _note(verdict: Verdict) -> str:
    text = (
        f"Gate {verdict.gate} ({verdict.gate_hash}), alpha {verdict.alpha:g} over all daily looks, "
        f"evidence of candidate {verdict.epoch or 'none'} up to {verdict.as_of or 'no day'}. "
        "A latency quantile is judged as the share of requests that keep its limit; a failed request does not."
    )
    if verdict.first_use is not None:
        seen = f"{counted(verdict.first_use.requests, 'request')} of {counted(verdict.first_use.users, 'user')}"
        text += f" This gate was first used on {verdict.first_use.as_of}, when {seen} had been seen."
    return text
