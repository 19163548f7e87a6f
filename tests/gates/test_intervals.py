import numpy as np
import pytest

from zantara_exp.gates import UserDays
from zantara_exp.gates import intervals as iv
from zantara_exp.gates.mean_methods import cluster_mean
from zantara_exp.gates.user_visits import of_log

R_LOWER = [(490, 500, 0.9663117), (990, 1000, 0.9830968), (45, 50, 0.8011670)]


@pytest.mark.parametrize(("good", "n", "expected"), R_LOWER)
def test_exact_lower_bounds_as_in_r(good, n, expected):
    assert iv.exact_lower(good, n - good, 0.05) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("good", "n"), [(0, 20), (3, 20), (45, 50), (499, 500), (500, 500)])
def test_exact_tests_and_bounds_agree_with_statsmodels(good, n):
    from statsmodels.stats.proportion import binom_test, proportion_confint

    low, high = proportion_confint(good, n, alpha=0.1, method="beta")
    assert iv.exact_lower(good, n - good, 0.05) == pytest.approx(low, abs=1e-9)
    assert iv.exact_upper(good, n - good, 0.05) == pytest.approx(high, abs=1e-9)
    more = binom_test(good, n, 0.9, alternative="larger")
    fewer = binom_test(good, n, 0.9, alternative="smaller")
    assert np.exp(-iv.exact_log_evidence_go(good, n - good, 0.9)) == pytest.approx(more, rel=1e-9)
    assert np.exp(-iv.exact_log_evidence_no_go(good, n - good, 0.9)) == pytest.approx(fewer, rel=1e-9)


@pytest.mark.parametrize(("wins", "losses"), [(9, 1), (12, 3), (25, 20)])
def test_discordant_pairs_at_one_look_agree_with_statsmodels_mcnemar(wins, losses):
    from statsmodels.stats.contingency_tables import mcnemar

    two_sided = mcnemar([[10, wins], [losses, 10]], exact=True).pvalue
    assert 2 * np.exp(-iv.exact_log_evidence_go(wins, losses, 0.5)) == pytest.approx(two_sided, rel=1e-9)
    assert 2 * np.exp(-iv.exact_log_evidence_no_go(losses, wins, 0.5)) == pytest.approx(two_sided, rel=1e-9)


def test_a_review_of_fifty_needs_forty_five_and_of_a_hundred_eighty_seven():
    assert iv.smallest_pass(50, 0.8, 0.05) == 45
    assert iv.smallest_pass(100, 0.8, 0.05) == 87
    assert iv.smallest_pass(50, 0.95, 0.05) is None


def test_cluster_robust_error_agrees_with_statsmodels():
    from statsmodels.regression.linear_model import OLS

    rng = np.random.default_rng(4)
    users = np.repeat(np.arange(80), rng.integers(1, 30, 80))
    values = rng.normal(800, 90, users.size) + rng.normal(0, 200, 80)[users]
    fit = OLS(values, np.ones(users.size)).fit(cov_type="cluster", cov_kwds={"groups": users})
    requests = np.bincount(users).astype(float)
    log = UserDays(np.arange(80), np.full(80, 20_000), requests, np.bincount(users, values))
    at = of_log(log, 20_000).at
    estimate, error = (float(x[0, 0]) for x in cluster_mean(at, requests, log.total / requests))
    assert estimate == pytest.approx(fit.params[0], rel=1e-12)
    # statsmodels also multiplies by (n - 1)/(n - k), which is one for a mean alone.
    assert error == pytest.approx(fit.bse[0], rel=1e-9)


def test_the_sequence_reaches_further_than_one_look_and_its_evidence_meets_its_radius():
    for users in (100, 300, 5000):
        radius = iv.sequence_radius(users, 0.05)
        assert radius > iv.student_radius(users, 0.05)
        assert iv.sequence_log_evidence(radius, users, 0.05) == pytest.approx(-np.log(0.05), abs=1e-9)
    assert iv.student_log_evidence(iv.student_radius(40, 0.05), 40) == pytest.approx(-np.log(0.05), abs=1e-6)


def test_daily_looks_at_a_mean_rarely_mislead():
    rng = np.random.default_rng(9)
    false = 0
    for _ in range(400):
        values = rng.exponential(1.0, 1500)
        n = np.arange(1, values.size + 1)
        mean = values.cumsum() / n
        error = np.sqrt(np.maximum((values**2).cumsum() / n - mean**2, 0) / n)
        looks = np.arange(100, 1500, 25)
        false += any(mean[i - 1] + iv.sequence_radius(i, 0.05) * error[i - 1] < 1 for i in looks)
    assert false / 400 < 0.06
