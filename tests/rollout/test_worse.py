"""The guardrail `worse` over simulated ramps: verdicts on a share of the requests, hours after the answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zantara_exp.config import compose
from zantara_exp.config.gate import Traffic
from zantara_exp.config.rollout import Rollout
from zantara_exp.rollout.alarm_levels import Cell, cells_of
from zantara_exp.rollout.worse_rates import Ramp, alarm_on, days_of, judged_per_day

PLAN = compose(["rollout=judged", "primary.endpoint=anthropic"]).rollout


def cell_of(plan: Rollout) -> Cell:
    return next(cell for cell in cells_of(plan) if cell.name == "worse")


def share_alarmed(worse: float, ramps: int, per_day: float = 10, late_days: float = 0.0) -> tuple[float, float]:
    """Of so many ramps, `per_day` requests of which are judged; and the median day."""
    seed, traffic = (7, round(1000 * worse), round(per_day), round(100 * late_days)), Traffic(icc=0.2)
    traffic = replace(traffic, comparisons_per_day=per_day)
    days = [alarm_on(Ramp(PLAN, "worse", traffic, worse, late_days, (*seed, number))) for number in range(ramps)]
    return float(np.mean(np.isfinite(days))), float(np.median(days))


def test_a_judge_who_finds_most_answers_worse_ends_a_ramp_and_one_at_the_limit_does_not():
    assert share_alarmed(0.7, 6, 20, 1.0)[0] == 1.0
    assert share_alarmed(0.25, 6, 20, 1.0)[0] == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("late_days", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("per_day", [10, 50])
def test_verdicts_that_come_late_alarm_no_more_often(late_days: float, per_day: float):
    """At the limit itself, all four weeks, the worst that is allowed."""
    assert share_alarmed(0.3, 200, per_day, late_days)[0] <= 0.05


@pytest.mark.slow
def test_a_share_that_is_judged_sees_a_candidate_that_got_worse():
    found, median = share_alarmed(0.6, 100, 20, 0.1)
    assert found >= 0.95
    assert median <= 10


def test_the_limit_is_the_plans():
    assert cell_of(PLAN).limit == 0.3
    assert cell_of(replace(PLAN, alpha=0.01)).needed > cell_of(PLAN).needed
    assert days_of(PLAN) == 28
    assert judged_per_day(PLAN, 30_000) == pytest.approx(1000 * 0.4625 * 0.05)
