"""Decides one criterion on its evidence. Missing, malformed or thin evidence never passes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates.decision import CriterionDecision, missing
from zantara_exp.gates.evidence import Evidence, Missing, Reviews, UserDays
from zantara_exp.gates.kinds.kind import Rule, Seen
from zantara_exp.gates.user_visits import of_log
from zantara_exp.gates.users import between
from zantara_exp.gates.wellformed import unsound


def decide(rule: Rule, seen: Evidence | Seen, last: int | None = None) -> CriterionDecision:
    """Decide `rule` on what was seen up to the day `last` (days since 1970-01-01; default: the evidence's last)."""
    seen = seen if isinstance(seen, Seen) else Seen(seen)
    c, evidence = rule.criterion, seen.go
    if seen.refused:
        return missing(rule.name, c, _noted(seen.refused, evidence))
    if isinstance(evidence, Missing):
        return missing(rule.name, c, evidence.reason)
    if wrong := unsound(evidence, c.metric):
        return missing(rule.name, c, f"{c.metric}: {wrong}")
    if not isinstance(evidence, rule.kind.takes):
        gives = type(evidence).__name__
        return missing(rule.name, c, f"kind={c.kind} cannot be judged on what {c.metric} gives ({gives})")
    identified = evidence_hash(rule.kind.looked(c, evidence), c.one_look, last)
    decided = replace(rule.kind.decide(rule, seen, last), evidence_hash=identified)
    decided = replace(decided, reason=_noted(decided.reason, evidence))
    return replace(decided, monthly_requests=evidence.monthly_requests) if isinstance(evidence, UserDays) else decided


def _noted(reason: str, evidence: Evidence) -> str:
    note = evidence.note if isinstance(evidence, UserDays | Reviews) else ""
    return f"{reason}; {note}" if note else reason


def evidence_hash(evidence: Evidence, one_look: bool, last: int | None = None) -> str:
    """A hash of the evidence, independent of the order of rows and of the users' codes.

    With one look the days do not matter either: the same sample measured again is the same evidence.
    """
    if not isinstance(evidence, UserDays):
        return hashlib.sha256(repr(evidence).encode()).hexdigest()[:16]
    days = between(evidence, None, last)
    slot = None if days.slot is None else days.slot.astype(np.float64)
    columns: list[NDArray[np.float64] | None] = [days.day.astype(np.float64), slot]
    columns += [days.trials, days.total, days.baseline]
    if one_look:
        of = of_log(days, int(days.day.max(initial=0)))
        summed = (of.at.trials, of.total, of.baseline)
        columns = [None if values is None else of.at.by_user(values) for values in summed]
    content = _multiset([column for column in columns if column is not None])
    return hashlib.sha256(f"{content} {sum(days.lost_per_day.values()):.6g} {days.epoch}".encode()).hexdigest()[:16]


def _multiset(columns: Sequence[NDArray[np.float64]]) -> int:
    """A number that is independent of the order of rows: each row is hashed to 64 bits, and the hashes are added."""
    state = np.zeros(columns[0].size, dtype=np.uint64)
    for column in columns:
        # A sum of floats may differ in its last digits from run to run.
        bits = (np.round(column.astype(np.float64), 6) + 0.0).view(np.uint64)
        state = (state ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        state ^= state >> np.uint64(29)
    return int(state.sum())
