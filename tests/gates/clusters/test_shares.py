"""The share that is meant, and its effective requests: against sums written out, and against simulated variances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gates.evidence import weighted_counts
from zantara_exp.gates import eprocess
from zantara_exp.gates.clusters import shares
from zantara_exp.gates.clusters.shares import UserSums, correlation, effective, effective_requests, of_users

Users = st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), min_size=1, max_size=30)


def over_users(each: UserSums) -> UserSums:
    """Sums over the last axis."""
    return UserSums(*(np.asarray(values.sum(axis=-1)) for values in each))


def _sums(users: list[tuple[int, float]], per: str) -> UserSums:
    trials = np.array([m for m, _ in users], dtype=np.float64)
    return over_users(of_users(trials, np.floor(trials * np.array([part for _, part in users])), per))


def test_a_share_of_requests_counts_requests_and_a_share_of_users_counts_users() -> None:
    trials, bad = np.array([1.0, 1.0, 8.0]), np.array([0.0, 1.0, 4.0])
    assert over_users(of_users(trials, bad, "request")).bad_share == pytest.approx(5 / 10)
    assert over_users(of_users(trials, bad, "user")).bad_share == pytest.approx((0 + 1 + 0.5) / 3)


@given(Users)
def test_independent_requests_are_worth_their_number_and_identical_ones_kishs(users: list[tuple[int, float]]) -> None:
    trials = np.array([m for m, _ in users], dtype=np.float64)
    per_request, per_user = _sums(users, "request"), _sums(users, "user")
    assert effective_requests(per_request, 0.0) == pytest.approx(trials.sum())
    assert effective_requests(per_request, 1.0) == pytest.approx(trials.sum() ** 2 / (trials**2).sum())
    assert effective_requests(per_user, 1.0) == pytest.approx(len(users))
    assert effective_requests(per_user, 0.0) == pytest.approx(len(users) ** 2 / (1 / trials).sum())


@given(Users, st.floats(0, 1))
def test_where_all_ask_alike_the_counts_are_the_weighted_methods(users: list[tuple[int, float]], rho: float) -> None:
    same = [(7, part) for _, part in users]
    trials = np.full(len(users), 7.0)
    good = trials - np.floor(trials * np.array([part for _, part in same]))
    expected = weighted_counts(trials, good, rho)
    found = effective(_sums(same, "request"), rho)
    assert (float(found.good), float(found.bad)) == pytest.approx((float(expected.good), float(expected.bad)), abs=1e-9)


@given(Users)
def test_changes_between_looks_add_up_to_the_newest_look(users: list[tuple[int, float]]) -> None:
    trials = np.array([m for m, _ in users], dtype=np.float64)
    bad = np.floor(trials * np.array([part for _, part in users]))
    half, half_bad = np.floor(trials / 2), np.floor(bad / 2)
    for per in ("request", "user"):
        early, late = of_users(half, half_bad, per), of_users(trials, bad, per)
        for sum_early, sum_late, sum_all in zip(early, late, over_users(late), strict=True):
            assert sum_early.sum() + (sum_late - sum_early).sum() == pytest.approx(float(sum_all), abs=1e-9)


@pytest.mark.parametrize("per", ["request", "user"])
@pytest.mark.parametrize("icc", [0.0, 0.1, 0.3])
def test_effective_requests_are_those_of_the_simulated_variance(per: str, icc: float) -> None:
    rng = np.random.default_rng(3)
    trials = np.repeat([1.0, 3.0, 12.0, 40.0], [120, 60, 20, 5])
    q, spread = 0.1, 1.0 / max(icc, 1e-9) - 1.0
    size = (4000, trials.size)
    chance = np.full(size, q) if icc == 0 else rng.beta(q * spread, (1 - q) * spread, size)
    sums = over_users(of_users(np.broadcast_to(trials, chance.shape), rng.binomial(trials.astype(int), chance), per))
    assert sums.bad_share.mean() == pytest.approx(q, abs=0.004)
    worth = q * (1 - q) / sums.bad_share.var()
    assert float(effective_requests(sums, icc)[0]) == pytest.approx(worth, rel=0.1)


@pytest.mark.parametrize("icc", [0.05, 0.1, 0.18])
def test_the_correlation_is_estimated_where_there_is_much_data(icc: float) -> None:
    rng = np.random.default_rng(4)
    trials = rng.choice([2.0, 5.0, 30.0], 20_000)
    spread = 1.0 / icc - 1.0
    bad = rng.binomial(trials.astype(int), rng.beta(0.05 * spread, 0.95 * spread, trials.size))
    assert float(correlation(over_users(of_users(trials, bad, "request")), 0.95)) == pytest.approx(icc, abs=0.015)


def test_before_anything_is_known_of_users_the_correlation_is_taken_as_high() -> None:
    few = over_users(of_users([3.0] * 20, [0.0] * 20, "request"))
    none = over_users(of_users([1.0] * 20, [0.0] * 20, "request"))
    many = over_users(of_users([5.0] * 2000, [0.0] * 2000, "request"))
    assert (float(correlation(few, 0.98)), float(correlation(none, 0.98))) == (shares.MOST, shares.MOST)
    assert float(correlation(many, 0.98)) == shares.LEAST


def test_one_heavy_users_failures_are_one_users_word() -> None:
    light = over_users(of_users([5.0] * 400 + [400.0], [0.0] * 400 + [0.0], "request"))
    loud = over_users(of_users([5.0] * 400 + [400.0], [0.0] * 400 + [200.0], "request"))
    assert float(loud.bad_pairs - light.bad_pairs) < shares.PAIRED_REQUESTS * (shares.PAIRED_REQUESTS - 1) / 2


def test_heavy_users_who_fail_are_not_outvoted_by_light_ones() -> None:
    # The case `heavy`: 1,000 users with one fast request, 20 with 400 each of which 30 % are slow: 73 % are fast.
    trials, bad = np.array([1.0] * 1000 + [400.0] * 20), np.array([0.0] * 1000 + [120.0] * 20)
    weighted = weighted_counts(trials, trials - bad, 0.2)
    assert eprocess.log_evidence_go(*weighted, 0.95) > np.log(20)
    sums = over_users(of_users(trials, bad, "request"))
    counts = effective(sums, correlation(sums, 0.95))
    assert eprocess.log_evidence_go(*counts, 0.95) < 0
    assert eprocess.lower_bound(*counts, 0.05) < 1 - bad.sum() / trials.sum()


def test_no_users_are_no_evidence() -> None:
    sums = over_users(of_users(np.zeros((2, 3)), np.zeros((2, 3)), "request"))
    counts = effective(sums, correlation(sums, 0.98))
    assert counts.good.tolist() == counts.bad.tolist() == [0.0, 0.0]
    assert eprocess.log_evidence_go(*counts, 0.98).tolist() == pytest.approx([0.0, 0.0], abs=1e-12)
