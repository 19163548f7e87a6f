"""The shipped guardrails over simulated ramps (`tools.bench.ramps`), all at once; `scripts/bench rollout` says more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tools.bench.ramp_tables import AT_LIMIT, BAD, GOOD, SHORT_OUTAGES
from tools.bench.ramps import Played, Ramp, plan_of_default, play

PLAN = plan_of_default()


def played(ramp: Ramp, ramps: int, looks_a_day: int = 4, answer: str = "pause") -> list[Played]:
    rng = np.random.default_rng(11)
    plan = replace(PLAN, outage=replace(PLAN.outage, answer=answer))
    return [play(ramp, plan, looks_a_day, rng) for _ in range(ramps)]


def days(found: list[Played]) -> list[float]:
    return [each.ending.day for each in found if each.ending is not None]


def test_a_tenth_bad_is_seen_within_days_and_a_candidate_at_the_limit_is_left_alone():
    """A few of each, looked at once a day: the same machinery in seconds."""
    found = days(played(Ramp({"fallback": 0.10}), 12, 1))
    assert len(found) == 12
    assert np.median(found) <= 5
    assert played(AT_LIMIT, 2, 1) == [Played(None, 0)] * 2


@pytest.mark.parametrize("answer", ["pause", "ignore"])
def test_short_outages_are_paused_or_ignored_as_the_plan_says(answer: str):
    for each in played(SHORT_OUTAGES, 2, 1, answer):
        assert each.ending is None
        assert (each.pauses > 0) == (answer == "pause")


def test_an_outage_that_does_not_end_is_paused_and_then_rolled_back():
    (found,) = played(Ramp({}, {"fallback": 0.999}, 2.4), 1)
    assert found.pauses == 1
    assert found.ending is not None
    assert found.ending.by == "outage that does not end"
    assert found.ending.day < 4


@pytest.mark.slow
@pytest.mark.parametrize("what", GOOD)
def test_good_ramps_are_left_alone(what: str):
    assert sum(each != Played(None, 0) for each in played(GOOD[what], 100)) <= 5


@pytest.mark.slow
@pytest.mark.parametrize("what", BAD)
def test_bad_ramps_are_rolled_back(what: str):
    bad = BAD[what]
    found = np.array([*days(played(bad.ramp, 100)), *[np.inf] * 100])[:100] - bad.ramp.change
    assert np.isfinite(found).mean() >= bad.least
    if bad.median_days is not None:
        assert np.median(found) <= bad.median_days


@pytest.mark.slow
@pytest.mark.parametrize("per_day", [100, 300])
@pytest.mark.parametrize("answer", ["pause", "ignore"])
def test_short_outages_end_no_ramp(answer: str, per_day: int):
    found = played(replace(SHORT_OUTAGES, per_day=per_day), 100, answer=answer)
    assert len(days(found)) <= 5
    assert (np.mean([each.pauses for each in found]) > 2) == (answer == "pause")
