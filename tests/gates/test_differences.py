"""The difference of two shares, bet on as one."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom, norm

from zantara_exp.gates import eprocess
from zantara_exp.gates.differences import BETS, LOG_PRIOR, constrained, log_evidence, lower_bound
from zantara_exp.gates.eprocess import Counts


def counts(users, bad):
    return Counts(np.array([[users - bad]], dtype=float), np.array([[bad]], dtype=float))


@pytest.mark.parametrize(("users", "bad"), [(1000, 0.05), (3000, 0.05), (45_000, 0.05), (45_000, 0.01), (10**6, 0.01)])
def test_an_interval_is_at_most_twice_that_of_one_look(users, bad):
    """Two bounds, one less the other, were 2.7 to 12 times as wide as Wald's interval at 5 %."""
    side = counts(users, bad * users)
    wald = norm.ppf(0.95) * math.sqrt(2 * bad * (1 - bad) / users)
    assert 1.0 < -lower_bound(side, side, 0.05) / wald < 2.2
    two = eprocess.upper_bound(*side, 0.025) - eprocess.lower_bound(*side, 0.025)
    assert -lower_bound(side, side, 0.05) < 0.75 * two.item()


@pytest.mark.parametrize(
    ("gap", "first", "second"), [(0.0, (50, 9), (80, 4)), (0.1, (30, 3), (60, 20)), (-0.05, (9, 0), (40, 0))]
)
def test_the_constrained_share_is_the_most_likely_one(gap, first, second):
    def unlikely(b):
        good, other = (binom.logpmf(n - bad, n, p) for (n, bad), p in ((first, b + gap), (second, b)))
        return -(good + other)

    best = minimize_scalar(unlikely, bounds=(max(0, -gap), min(1, 1 - gap)), method="bounded", options={"xatol": 1e-9})
    found = constrained(counts(*first), counts(*second), gap).item()
    assert found == pytest.approx(best.x, abs=1e-5)


def test_evidence_is_the_mixture_that_is_written_down():
    (good, bad), (other_good, other_bad), gap = (90, 10), (150, 50), 0.05
    b = constrained(counts(100, 10), counts(200, 50), gap).item()
    wealth = [
        (1 + bet * (1 - b - gap)) ** good
        * (1 - bet * (b + gap)) ** bad
        * (1 - bet / 2 * (1 - b)) ** other_good
        * (1 + bet / 2 * b) ** other_bad
        for bet in BETS
    ]
    expected = math.log(np.mean(wealth))
    assert log_evidence(counts(100, 10), counts(200, 50), gap).item() == pytest.approx(expected, abs=1e-9)
    assert np.exp(LOG_PRIOR).sum() == pytest.approx(1.0)


@settings(max_examples=40)
@given(st.integers(1, 2000), st.integers(1, 2000), st.floats(0, 1), st.floats(0, 1), st.floats(-0.9, 0.9))
def test_a_larger_gap_is_never_shown_better_and_fewer_bad_requests_never_worse(n, other, share, other_share, gap):
    first, second = counts(n, share * n), counts(other, other_share * other)
    before = log_evidence(first, second, gap).item()
    assert log_evidence(first, second, gap + 0.05).item() <= before + 1e-9
    if before > 0:
        assert log_evidence(counts(n, 0.9 * share * n), second, gap).item() >= before - 1e-6


def test_no_users_are_no_evidence():
    nobody = counts(0, 0)
    assert log_evidence(nobody, nobody, 0.0).item() == pytest.approx(0.0, abs=1e-6)
    assert log_evidence(counts(500, 0), nobody, 0.0).item() == pytest.approx(0.0, abs=1e-6)
    assert lower_bound(nobody, nobody, 0.05) == pytest.approx(-1.0, abs=1e-6)


@pytest.mark.parametrize("sides", [((11, 0.42), (15, 1.27)), ((1, 1), (1, 0)), ((3, 0), (40, 40)), ((0, 0), (9, 2))])
def test_few_users_have_a_bound_without_a_warning(sides):
    bounds = [lower_bound(counts(*first), counts(*second), 0.05) for first, second in (sides, sides[::-1])]
    assert all(-1.0 <= bound < 1.0 for bound in bounds)


def test_bound_and_evidence_meet():
    first, second = counts(300, 12), counts(500, 40)
    bound = lower_bound(first, second, 0.05)
    assert log_evidence(first, second, bound).item() == pytest.approx(-math.log(0.05), abs=1e-6)


@pytest.mark.parametrize(("bad", "gap"), [(0.05, 0.0), (0.01, 0.0), (0.01, -0.02)])
def test_looks_at_every_tenth_user_rarely_mislead(bad, gap):
    """Independent users, the difference exactly at the gap; rare events."""
    rng, users = np.random.default_rng(5), 2000
    drawn = [(rng.random((400, users)) < share).cumsum(axis=1)[:, 9::10] for share in (bad - min(gap, 0), bad)]
    n = np.arange(10, users + 1, 10)
    first, second = (Counts(n - one, one.astype(float)) for one in drawn)
    assert (log_evidence(first, second, gap).max(axis=1) >= -math.log(0.05)).mean() <= 0.05
