"""How many more days until a decision, by extending what was seen at the rate it came in."""

from __future__ import annotations

import math

from zantara_exp.gates.decision import GO, NO_GO, Days
from zantara_exp.gates.judge import Judged, Outlook, judge
from zantara_exp.gates.rules import Rule
from zantara_exp.gates.users import Users

_HORIZON = 365


def forecast(rule: Rule, users: Users, lost: float, observed_days: int, now: Judged) -> Days | None:
    """Range of days for an estimate one standard error better to one worse; None where a year would not do."""
    if rule.criterion.method in ("exact", "detector"):
        return None
    spread = _standard_error(rule, now)
    found = [_first_day(rule, users, lost, observed_days, shift) for shift in (-spread, 0.0, spread)]
    reached = [day for day in found if day is not None]
    if not reached:
        return None
    days = [day for day, _ in reached]
    sides = {side for _, side in reached}
    return Days(
        low=min(days),
        high=max(days) if len(reached) == len(found) else None,
        toward=sides.pop() if len(sides) == 1 else "either",
    )


def _standard_error(rule: Rule, now: Judged) -> float:
    if rule.criterion.kind in ("mean", "ratio"):
        return 1.0
    share = (now.estimate * now.effective + 0.5) / (now.effective + 1.0)
    if rule.criterion.kind == "non_inferiority":
        share = 0.5 + now.estimate / 2
    return math.sqrt(max(share * (1.0 - share), 0.0) / (now.effective + 1.0))


def _first_day(rule: Rule, users: Users, lost: float, observed: int, shift: float) -> tuple[int, str] | None:
    """First further day on which the evidence suffices; past zero it only grows along a ray, so halving finds it."""

    def side(day: int) -> str:
        growth = (observed + day) / observed
        seen = judge(rule, users, lost, Outlook(growth, shift, bounds=False))
        many = users.compared * growth >= rule.min_users_no_go
        if rule.criterion.no_go.given and many and seen.log_no_go >= rule.needed_no_go:
            return NO_GO
        enough = users.compared * growth >= rule.min_users
        return GO if rule.criterion.go.given and enough and seen.log_go >= rule.needed_go else ""

    low, high = 0, _HORIZON
    if not side(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if side(middle) else (middle, high)
    return high, side(high)
