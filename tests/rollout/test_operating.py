"""The shipped guardrails over simulated ramps (`bench.ramps`), all at once; `scripts/bench rollout` says more."""

from __future__ import annotations

import numpy as np
import pytest

from tools.bench.ramps import Ending, Ramp, plan_of_default, play
from tools.bench.rollout import BAD, GOOD

PLAN = plan_of_default()


def endings(ramp: Ramp, ramps: int, looks_a_day: float = 4) -> list[Ending]:
    rng = np.random.default_rng(11)
    found = [play(ramp, PLAN, looks_a_day, rng) for _ in range(ramps)]
    return [ending for ending in found if ending is not None]


def test_a_fall_and_a_good_ramp():
    """A few of each, looked at once a day: the same machinery in seconds."""
    assert endings(GOOD["as good as usual (99 % answered by the candidate, 98 % fast)"], 2, 1) == []
    found = endings(BAD["99 % answered by the candidate, 85 % from day 14 on"], 3, 1)
    assert len(found) == 3
    assert all(14 < ending.day <= 28 and ending.by.startswith("fallback") for ending in found)


@pytest.mark.slow
@pytest.mark.parametrize("what", GOOD)
def test_good_ramps_are_left_alone(what: str):
    assert len(endings(GOOD[what], 100)) <= 5


@pytest.mark.slow
@pytest.mark.parametrize("what", BAD)
def test_bad_ramps_are_rolled_back(what: str):
    found = endings(BAD[what], 100)
    assert len(found) == 100
    assert np.median([ending.day - BAD[what].change for ending in found]) <= 4
    assert np.median([ending.hurt for ending in found]) <= 60
