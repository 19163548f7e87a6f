"""How many more days until a decision, by extending what was seen at the rate it came in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zantara_exp.gates.decision import GO, NO_GO, Days
from zantara_exp.gates.kinds.kind import Rule, Weighed, outcomes
from zantara_exp.gates.methods import Outlook
from zantara_exp.gates.user_visits import Ints

_HORIZON = 365


def forecast(
    rule: Rule, evidence: Callable[[Outlook], Weighed], users: Ints, observed: int, spread: float, min_days: int
) -> Days | None:
    """Range of days for an estimate one `spread` better to one worse; None where a year would not do.

    `evidence` weighs what was seen in `observed` days of `users` users as it may become: each further day is a look.
    A pass needs `min_days` days.
    """
    growth = (observed + np.arange(1, _HORIZON + 1)) / observed
    found = []
    for shift in (-spread, 0.0, spread):
        enough = (users * growth >= rule.min_users) & (observed * growth >= min_days)
        passes, fails = outcomes(rule, evidence(Outlook(growth, shift)), users * growth, enough)
        reached = (fails | (passes & bool(rule.criterion.go.given)))[0]
        if reached[-1]:
            first = int(reached.argmax())
            found.append((first + 1, NO_GO if fails[0, first] else GO))
    if not found:
        return None
    days, sides = [day for day, _ in found], {side for _, side in found}
    return Days(
        low=min(days),
        high=max(days) if len(found) == 3 else None,
        toward=sides.pop() if len(sides) == 1 else "either",
    )
