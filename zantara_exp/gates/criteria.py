"""Decides one criterion on its evidence. What is missing, malformed or thin never passes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates import intervals
from zantara_exp.gates.clustered import decide_users, outcome
from zantara_exp.gates.decision import FAIL, PASS, UNDECIDED, CriterionDecision, View, missing
from zantara_exp.gates.evidence import Evidence, Missing, Number, Reviews, UserDays
from zantara_exp.gates.judge import Judged
from zantara_exp.gates.rules import Rule
from zantara_exp.gates.sound import unsound
from zantara_exp.gates.users import between, per_user
from zantara_exp.gates.words import reason_of, shown, words_of


@dataclass(frozen=True)
class Seen:
    """The evidence for a criterion, with what a gate must know about it."""

    go: Evidence
    no_go: Evidence | None = None
    """For a quantile whose no_go names another limit: the count against that limit."""
    source: str = ""
    """Who measured it; evidence of one source must be of one epoch."""
    refused: str = ""
    """Why it may not be looked at (again), where it may not."""


def decide(rule: Rule, seen: Evidence | Seen, last: int | None = None) -> CriterionDecision:
    """Decide `rule` on what was seen up to the day `last` (days since 1970-01-01; default: the evidence's last)."""
    seen = seen if isinstance(seen, Seen) else Seen(seen)
    evidence = seen.go
    if seen.refused:
        return missing(rule, seen.refused)
    if isinstance(evidence, Missing):
        return missing(rule, evidence.reason)
    wrong = unsound(evidence, rule.criterion.metric)
    if wrong:
        return missing(rule, f"{rule.criterion.metric}: {wrong}")
    kind = rule.criterion.kind
    if isinstance(evidence, Number) and kind == "count":
        decided = _decide_count(rule, evidence)
    elif isinstance(evidence, Reviews) and kind == "review":
        decided = _decide_review(rule, evidence)
    elif isinstance(evidence, UserDays) and kind not in ("count", "review"):
        decided = decide_users(rule, evidence, seen.no_go, last)
    else:
        name = type(evidence).__name__
        return missing(rule, f"kind={kind} cannot be judged on what {rule.criterion.metric} gives ({name})")
    return replace(decided, evidence_hash=evidence_hash(evidence, rule.criterion.method == "exact", last))


def evidence_hash(evidence: Evidence, one_look: bool, last: int | None = None) -> str:
    """Identifies what was looked at, whatever the order of its rows and the codes of its users.

    For one look the days do not matter either: the same sample measured again is no news.
    """
    if not isinstance(evidence, UserDays):
        return hashlib.sha256(repr(evidence).encode()).hexdigest()[:16]
    days = between(evidence, None, last)
    lost, measured = sum(days.lost_per_day.values()), per_user(days) if one_look else days
    columns = [measured.trials, measured.total] + ([] if measured.baseline is None else [measured.baseline])
    content = _multiset(columns if one_look else [days.day.astype(np.float64), *columns])
    return hashlib.sha256(f"{content} {lost:.6g} {days.epoch}".encode()).hexdigest()[:16]


def _multiset(columns: Sequence[NDArray[np.float64]]) -> int:
    """A number for the rows in any order: each row mixed to 64 bits, and added up."""
    state = np.zeros(columns[0].size, dtype=np.uint64)
    for column in columns:
        # A sum of floats may differ in its last digits from run to run.
        bits = (np.round(column.astype(np.float64), 6) + 0.0).view(np.uint64)
        state = (state ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        state ^= state >> np.uint64(29)
    return int(state.sum())


def _decide_count(rule: Rule, evidence: Number) -> CriterionDecision:
    c, value = rule.criterion, evidence.value
    for bound, sense in ((c.no_go, FAIL), (c.go, PASS)):
        if not bound.given:
            continue
        gap = value - bound.value
        meets = {"above": gap > 0, "below": gap < 0, "at_least": gap >= 0, "at_most": gap <= 0}
        if meets[bound.side]:
            return _counted(rule, value, sense, f"{shown(value, 'count')} is {words_of(c, bound)}")
    if not c.go.given:
        return _counted(rule, value, PASS, f"{shown(value, 'count')} is not {words_of(c, c.no_go)}")
    return _counted(rule, value, UNDECIDED, f"{shown(value, 'count')} is not {words_of(c, c.go)}")


def _counted(rule: Rule, value: float, decision: str, reason: str) -> CriterionDecision:
    view = View(decision, value, value, value, 0.0, 0, 0.0, None, None)
    return CriterionDecision(rule.name, rule.criterion, decision, reason, view, None, None)


def _decide_review(rule: Rule, evidence: Reviews) -> CriterionDecision:
    """One look, exact: what cannot be judged or is not labelled counts against GO, and not for NO-GO."""
    c, good = rule.criterion, evidence.equivalent_or_better
    size = good + evidence.worse + evidence.cannot_judge + evidence.missing
    if size - evidence.missing <= 0:
        return missing(rule, "no pair has been labelled by a reviewer yet")
    p_go, p_no_go, against = rule.p0_go, rule.p0_no_go, size - good
    log_go = intervals.exact_log_evidence_go(good, against, p_go) if p_go else None
    log_no_go = intervals.exact_log_evidence_no_go(size - evidence.worse, evidence.worse, p_no_go) if p_no_go else None
    judged = Judged(
        good / size,
        intervals.exact_lower(good, against, rule.alpha),
        intervals.exact_upper(size - evidence.worse, evidence.worse, rule.level_upper),
        size,
        log_go or 0.0,
        log_no_go or 0.0,
    )
    few = f"{size} reviewed pairs, {rule.min_users} are asked for" if size < rule.min_users else ""
    decision = outcome(rule, judged, size, enough=not few)
    reason = reason_of(rule, judged, decision, few)
    if decision == UNDECIDED and not few and p_go:
        needed = intervals.smallest_pass(size, p_go, rule.alpha)
        reason = f"{good} of {size} are equivalent or better; {needed or 'more pairs than that'} would show it"
    if evidence.missing:
        reason += f"; {evidence.missing} pairs are not labelled yet and count against"
    view = View(decision, judged.estimate, judged.lower, judged.upper, size, size, size, log_go, log_no_go)
    needed_no_go = rule.needed_no_go if p_no_go else None
    return CriterionDecision(rule.name, c, decision, reason, view, rule.needed_go if p_go else None, needed_no_go)
