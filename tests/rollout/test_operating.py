"""How the guardrails behave over simulated ramps: four steps of a week, looked at daily, users who come and go.

100 requests a day of the rolled-out categories; requests per user m with P(m) proportional to m^-1.5 up to 100, over
14 days; a user's probability of a good answer is beta distributed with ICC 0.2. Each look sees every user's share since
the step began, as `rollout.guardrails` does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from tests.gates.test_config import load
from zantara_exp.config import CONF
from zantara_exp.gates.detector import detector_path
from zantara_exp.gates.rules import resolve

RULE = resolve(load(CONF / "gate/guardrails.yaml"))["success"]
DAYS, STEP, STAY, ICC, RAMPS = 28, 7, 14, 0.2, 200
SIZES = np.arange(1, 101)
WEIGHTS = SIZES**-1.5 / (SIZES**-1.5).sum()


class Ending(NamedTuple):
    """When a ramp was rolled back, and how many users had met a failure since the change."""

    day: int
    hurt: int


def probabilities(rng: np.random.Generator, mean: float, users: int) -> np.ndarray:
    spread = (1 - ICC) / ICC
    return rng.beta(mean * spread, (1 - mean) * spread, users)


def ramp(rng: np.random.Generator, before: float, after: float, change: int) -> Ending | None:
    """One ramp whose success turns from `before` to `after` on the day `change`; None is no alarm."""
    users = rng.poisson(100 / (SIZES @ WEIGHTS) * (DAYS + STAY))
    requests = rng.choice(SIZES, p=WEIGHTS, size=users)
    user = np.repeat(np.arange(users), requests)
    day = rng.integers(-STAY, DAYS, users)[user] + rng.integers(0, STAY, user.size)
    at_first = probabilities(rng, before, users)
    later = at_first if before == after else probabilities(rng, after, users)
    good = rng.random(user.size) < np.where(day < change, at_first[user], later[user])
    for today in range(DAYS):
        now = (day >= today // STEP * STEP) & (day <= today)
        asked, first = np.unique(user[now], return_inverse=True)
        began = np.full(asked.size, DAYS)
        np.minimum.at(began, first, day[now])
        shares = np.bincount(first, good[now]) / np.bincount(first)
        path = detector_path(shares[np.argsort(began, kind="stable")], RULE.p0_no_go or 0.0)
        if path.size and path.max() >= RULE.needed_no_go:
            since = (day >= change) & (day <= today) & ~good
            return Ending(today, np.unique(user[since]).size)
    return None


def endings(before: float, after: float, change: int = 0) -> list[Ending]:
    rng = np.random.default_rng(7)
    found = [ramp(rng, before, after, change) for _ in range(RAMPS)]
    return [ending for ending in found if ending is not None]


@pytest.mark.slow
@pytest.mark.parametrize("truth", [0.99, 0.95])
def test_good_ramps_are_left_alone(truth: float):
    assert len(endings(truth, truth)) <= 0.05 * RAMPS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "change", "days", "hurt"),
    [(0.85, 0.85, 0, 4, 60), (0.99, 0.85, 14, 4, 60), (0.99, 0.001, 16, 0, 80)],
)
def test_bad_ramps_are_rolled_back(before: float, after: float, change: int, days: int, hurt: int):
    found = endings(before, after, change)
    assert len(found) >= 0.98 * RAMPS
    assert np.median([ending.day - change for ending in found]) <= days
    assert np.median([ending.hurt for ending in found]) <= hurt
