from dataclasses import replace

import numpy as np
import pytest

from zantara_exp.config.gate import Traffic
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.population import (
    MEAN_REQUESTS,
    STAY_DAYS,
    chunks,
    probabilities,
    resampled,
    successes,
    visits,
)

CHURNING, POOL = Traffic(), Traffic(population="pool")


def rng():
    return np.random.default_rng(5)


def test_users_ask_as_often_as_described():
    assert pytest.approx(7.7, abs=0.01) == MEAN_REQUESTS
    at = visits(CHURNING, 60, 200, rng())
    assert np.bincount(at.user, at.trials).max() <= 100
    arrived = at.owner[at.day[at.first] >= STAY_DAYS]
    # 100 a day, 7.7 a user: 13 new users a day
    assert arrived.size / 200 / (60 - STAY_DAYS) == pytest.approx(100 / MEAN_REQUESTS, rel=0.03)


@pytest.mark.parametrize("traffic", [CHURNING, POOL], ids=["churning", "pool"])
def test_a_hundred_comparisons_come_on_every_day(traffic):
    at = visits(traffic, 30, 400, rng())
    per_day = np.bincount(at.day, at.trials) / 400
    assert per_day.size == 30
    np.testing.assert_allclose(per_day, 100, rtol=0.05)


@pytest.mark.parametrize("traffic", [CHURNING, POOL], ids=["churning", "pool"])
def test_rows_are_sorted_and_every_user_has_one(traffic):
    at = visits(traffic, 20, 5, rng())
    key = at.user * 10_000 + at.slot
    np.testing.assert_array_equal(at.slot // 144, at.day)
    assert (np.diff(key) > 0).all()
    np.testing.assert_array_equal(at.first, np.searchsorted(at.user, np.arange(at.users)))
    assert at.trials.min() >= 1
    assert set(at.owner) == set(range(5))


def test_a_pool_follows_zipfs_law():
    at = visits(POOL, 60, 50, rng())
    total = np.bincount(at.user, at.trials)
    heaviest = [total[at.owner == simulation].max() for simulation in range(50)]
    assert np.mean(heaviest) / 6000 == pytest.approx(1 / (1 / np.arange(1, 301)).sum(), rel=0.05)
    assert at.users <= 300 * 50


@pytest.mark.parametrize("shape", ["beta", "two_point"])
@pytest.mark.parametrize("icc", [0.05, 0.2, 0.5, 0.9])
def test_probabilities_have_the_mean_and_the_correlation(shape, icc):
    p = probabilities(0.95, replace(CHURNING, icc=icc, shape=shape), 400_000, rng())
    assert p.mean() == pytest.approx(0.95, abs=0.002)
    assert p.var() / (0.95 * 0.05) == pytest.approx(icc, rel=0.05)
    assert p.min() >= 0
    assert p.max() <= 1


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_perfect_and_hopeless_users_are_all_alike(mean):
    assert set(probabilities(mean, CHURNING, 10, rng())) == {mean}
    assert set(probabilities(0.7, replace(CHURNING, icc=0.0), 10, rng())) == {0.7}


def test_successes_never_exceed_requests():
    at = visits(CHURNING, 10, 20, rng())
    good = successes(at, probabilities(0.9, CHURNING, at.users, rng()), rng())
    assert (good <= at.trials).all()
    assert good.sum() / at.trials.sum() == pytest.approx(0.9, abs=0.02)


def test_the_same_seed_draws_the_same():
    one, two = visits(CHURNING, 10, 3, rng()), visits(CHURNING, 10, 3, rng())
    np.testing.assert_array_equal(one.trials, two.trials)
    assert sum(chunks(CHURNING, 60, 4000)) == 4000


def test_parts_stay_small_when_traffic_is_large():
    assert max(chunks(replace(CHURNING, comparisons_per_day=50_000), 60, 100)) == 1
    assert max(chunks(CHURNING, 60, 4000)) * 100 * 74 <= 200_000


def test_rollouts_are_split_by_a_code_of_their_users():
    at = visits(CHURNING, 10, 4, rng())
    code = rng().integers(0, 3, at.users)
    parts = at.split(code, 3)
    seen = np.bincount(parts.cell, parts.trials, parts.simulations * parts.days).reshape(4, 3, 10)
    whole = np.bincount(at.cell, at.trials, 40).reshape(4, 10)
    np.testing.assert_array_equal(seen.sum(axis=1), whole)
    of_the_last = (at.owner[at.user] == 0) & (code[at.user] == 2)
    assert seen[0, 2].sum() == at.trials[of_the_last].sum()
    np.testing.assert_array_equal(parts.seen, at.seen)


def log():
    users = np.arange(40).repeat(3)
    days = 20_000 + np.tile([0, 2, 6], 40)
    return UserDays(user=users * 7, day=days, trials=np.tile([1.0, 2.0, 3.0], 40), total=np.zeros(120))


def test_a_logs_users_come_as_they_came():
    at = resampled(log(), CHURNING, 1.0, 7, 30, rng())
    assert at.users == 40 * 30
    assert set(at.day) == {0, 2, 6}
    np.testing.assert_array_equal(np.bincount(at.user, at.trials), 6.0)


def test_a_longer_horizon_sees_the_same_users_again_and_more_traffic_more_users():
    at = resampled(log(), CHURNING, 2.0, 14, 10, rng())
    assert at.users == 80 * 10
    assert set(at.day) == {0, 2, 6, 7, 9, 13}
