"""Bursts are found where one was, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from zantara_exp.gates.clusters.bursts import Burst, bursts, shown_minutes

DAY = 144


def _log(rng: np.random.Generator, days: int, per_day: int, failing: float) -> tuple[np.ndarray, ...]:
    slot = rng.integers(0, days * DAY, days * per_day)
    user = rng.integers(0, max(days * per_day // 8, 1), slot.size)
    return user, slot, (rng.random(slot.size) < failing).astype(np.float64)


def test_an_outage_is_found_with_its_length() -> None:
    rng = np.random.default_rng(1)
    user, slot, bad = _log(rng, 30, 300, 0.005)
    outage = (slot >= 2000) & (slot < 2018)
    bad[outage] = 1.0
    (found,) = bursts(user, slot, bad)
    assert 2000 <= found.first <= 2003
    assert 2014 <= found.last <= 2017
    assert found.failing == np.unique(user[outage]).size


def test_two_outages_are_two_and_congestion_is_one() -> None:
    rng = np.random.default_rng(2)
    user, slot, bad = _log(rng, 20, 600, 0.01)
    bad[(slot >= 500) & (slot < 506)] = 1.0
    congested = (slot >= 1500) & (slot < 1530)
    bad[congested] = rng.random(int(congested.sum())) < 0.6
    first, second = bursts(user, slot, bad)
    assert (first.first >= 500, first.last < 506, second.first > 1495, second.last < 1535) == (True,) * 4
    assert first.slots >= 5
    assert second.slots >= 24


@pytest.mark.parametrize("icc", [0.0, 0.2])
def test_without_an_outage_almost_none_is_found(icc: float) -> None:
    rng = np.random.default_rng(3)
    some = 0
    for _ in range(200):
        user, slot, bad = _log(rng, 14, 100, 0.0)
        chance = np.full(user.max() + 1, 0.02) if icc == 0 else rng.beta(0.02 * 4, 0.98 * 4, user.max() + 1)
        some += bool(bursts(user, slot, (rng.random(user.size) < chance[user]).astype(np.float64)))
    assert some <= 6


def test_one_user_who_always_fails_is_no_burst() -> None:
    rng = np.random.default_rng(4)
    user, slot, bad = _log(rng, 14, 100, 0.0)
    user[(slot >= 700) & (slot < 760)] = 999
    bad[user == 999] = 1.0
    assert bursts(user, slot, bad) == []
    assert bursts(user[:0], slot[:0], bad[:0]) == []


def test_a_log_that_is_down_most_of_the_time_has_bursts() -> None:
    rng = np.random.default_rng(6)
    user, slot, bad = _log(rng, 14, 100, 0.0)
    bad[slot % 288 >= 100] = 1.0  # two thirds of each two days
    assert bursts(user, slot, bad)[0].failing > 100


def test_minutes_are_shown_as_people_say_them() -> None:
    shown = [shown_minutes(minutes) for minutes in (10, 80, 1440, 2880 + 60)]
    assert shown == ["10 minutes", "1 hour 20 minutes", "1 day", "2 days 1 hour"]
    assert Burst(3, 6, 9, 8).slots == 4
