"""How often and how soon a guardrail that a judge decides alarms: simulated ramps, for `stage=check`.

A share of the requests is judged, some time after they were answered; a look a day.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from zantara_exp.config.gate import Traffic
from zantara_exp.config.rollout import Rollout
from zantara_exp.gates.population import probabilities, visits
from zantara_exp.rollout import alarm_levels
from zantara_exp.rollout.alarm_levels import Seen, cells_of
from zantara_exp.rollout.restarts import Rows


class Ramp(NamedTuple):
    """One ramp, to be drawn."""

    plan: Rollout
    guardrail: str
    traffic: Traffic
    """Its `comparisons_per_day` are requests that are judged."""
    worse: float
    """Share of the answers that the judge finds worse, all the time."""
    late_days: float
    """Mean time until a verdict."""
    seed: tuple[int, ...]


def days_of(plan: Rollout) -> int:
    """How long a ramp takes."""
    return math.ceil(sum(plan.hold_days))


def judged_per_day(plan: Rollout, monthly_requests: int) -> float:
    """Requests that are judged on a day, on average over the ramp."""
    whole = sum(plan.hold_days)
    share = sum(step * held for step, held in zip(plan.steps_percent, plan.hold_days, strict=True)) / whole / 100
    return monthly_requests / 30 * share * plan.reverse_percent / 100


def alarm_on(ramp: Ramp) -> float:
    """The day on which a look alarms; infinite where none does."""
    plan, traffic, rng = ramp.plan, ramp.traffic, np.random.default_rng(list(ramp.seed))
    cell = next(each for each in cells_of(plan) if each.name == ramp.guardrail and each.language is None)
    days = days_of(plan)
    at = visits(traffic, days, 1, rng)
    user = np.repeat(at.user, at.trials.astype(np.int64))
    day = np.repeat(at.day, at.trials.astype(np.int64)) + rng.random(user.size)
    bad = rng.random(user.size) < (1.0 - probabilities(1.0 - ramp.worse, traffic, at.users, rng))[user]
    told = day + rng.exponential(ramp.late_days, user.size) if ramp.late_days else day
    begun = {int(sum(plan.hold_days[:step])) for step in range(len(plan.hold_days))}
    for now in range(1, days + 1):
        known = told <= now
        rows = [
            Rows(
                user[known],
                (day[known] * blocks).astype(np.int64),
                np.ones(int(known.sum())),
                bad[known].astype(np.float64),
            )
            for blocks in (1, 24 // cell.block_hours)
        ]
        if alarm_levels.beyond_limit(cell, Seen(*rows), begun, only_alarms=True).alarm:
            return now
    return math.inf
