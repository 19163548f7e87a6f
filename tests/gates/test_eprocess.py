import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from tests.gates.evidence import weighted_counts
from zantara_exp.gates import eprocess as ep


@pytest.mark.parametrize(("good", "bad", "expected"), [(500, 0, 8.288860), (495, 5, 0.818661), (990, 10, 2.115298)])
def test_go_vectors(good, bad, expected):
    assert float(ep.log_evidence_go(good, bad, 0.98)) == pytest.approx(expected, abs=1e-6)


def test_strict_equals_weighted_for_users_with_one_request():
    shares = np.r_[np.ones(495), np.zeros(5)]
    assert ep.strict_evidence_go(shares, 0.98) == pytest.approx(float(ep.log_evidence_go(495, 5, 0.98)))
    assert ep.strict_evidence_no_go(shares, 0.98) == pytest.approx(float(ep.log_evidence_no_go(495, 5, 0.98)))
    assert ep.strict_lower_bound(shares, 0.05) == pytest.approx(float(ep.lower_bound(495, 5, 0.05)))
    assert ep.strict_upper_bound(shares, 0.05) == pytest.approx(float(ep.upper_bound(495, 5, 0.05)))


def test_one_bet_is_fair_at_the_threshold():
    # E[factor] = 1 when the mean is p0: what makes the wealth a martingale.
    go = np.exp(ep.strict_factors_go([1.0, 0.0], 0.98))
    no_go = np.exp(ep.strict_factors_no_go([1.0, 0.0], 0.98))
    assert np.allclose(0.98 * go[0] + 0.02 * go[1], 1)
    assert np.allclose(0.98 * no_go[0] + 0.02 * no_go[1], 1)


def test_weights_lie_between_one_user_one_vote_and_one_request_one_vote():
    trials, successes = np.array([1.0, 10.0, 0.0]), np.array([1.0, 5.0, 0.0])
    assert weighted_counts(trials, successes, 0.0) == (6.0, 5.0)
    assert weighted_counts(trials, successes, 1.0) == (1.5, 0.5)
    assert ep.user_weights(1e9, 0.2) == pytest.approx(5.0)


def test_arrays_of_simulations_give_what_scalars_give():
    rng = np.random.default_rng(1)
    good, bad = rng.uniform(0, 900, (700, 60)), rng.uniform(0, 30, (700, 60))
    many = ep.log_evidence_go(good, bad, 0.98)
    assert many.shape == (700, 60)
    assert many[3, 7] == pytest.approx(float(ep.log_evidence_go(good[3, 7], bad[3, 7], 0.98)))
    per_row = ep.log_evidence_no_go(good[:3], bad[:3], np.array([[0.9], [0.95], [0.98]]))
    assert per_row[1, 4] == pytest.approx(float(ep.log_evidence_no_go(good[1, 4], bad[1, 4], 0.95)))


counts = st.floats(0, 5000)


@given(counts, counts, st.floats(0.001, 0.5))
def test_bounds_enclose_and_meet_the_threshold(good, bad, alpha):
    low, high = float(ep.lower_bound(good, bad, alpha)), float(ep.upper_bound(good, bad, alpha))
    assert 0 <= low < 1
    assert 0 < high <= 1
    if good + bad > 0:
        assert low <= good / (good + bad) + 1e-9
        assert high >= good / (good + bad) - 1e-9
    if low > 1e-9:
        assert float(ep.log_evidence_go(good, bad, low)) == pytest.approx(-np.log(alpha), abs=1e-3)


@given(counts, counts, st.floats(0.01, 0.99), st.floats(0.001, 100))
def test_more_good_never_hurts_and_more_bad_never_helps(good, bad, p0, more):
    assert ep.log_evidence_go(good + more, bad, p0) - ep.log_evidence_go(good, bad, p0) > -1e-6
    assert ep.log_evidence_go(good, bad + more, p0) - ep.log_evidence_go(good, bad, p0) < 1e-6
    assert ep.log_evidence_no_go(good + more, bad, p0) - ep.log_evidence_no_go(good, bad, p0) < 1e-6


@pytest.mark.parametrize("which", range(3))
def test_a_number_among_arrays_stands_for_each_of_them(which):
    given = [np.linspace(1.0, 5000.0, 10_000), np.linspace(40.0, 0.0, 10_000), np.linspace(0.5, 0.99, 10_000)]
    given[which] = given[which][17]
    everywhere = np.broadcast_arrays(*given)
    for evidence in (ep.log_evidence_go, ep.log_evidence_no_go):
        np.testing.assert_allclose(evidence(*given), evidence(*everywhere), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(ep.lower_bound(*given[:2], 0.05), ep.lower_bound(*everywhere[:2], 0.05))


def test_bounds_are_what_a_root_finder_finds():
    def beyond(p0, evidence, good, bad):
        return evidence(good, bad, p0) - np.log(20.0)

    for good, bad in 10.0 ** np.random.default_rng(4).uniform(1.0, 3.0, (40, 2)):
        for bound, evidence in ((ep.lower_bound, ep.log_evidence_go), (ep.upper_bound, ep.log_evidence_no_go)):
            root = brentq(beyond, 1e-12, 1 - 1e-12, args=(evidence, good, bad), xtol=1e-15)
            assert bound(good, bad, 0.05) == pytest.approx(root, rel=1e-9)


def test_no_evidence_decides_nothing():
    assert ep.log_evidence_go(0, 0, 0.98) == pytest.approx(0)
    assert (ep.lower_bound(0, 0, 0.05), ep.upper_bound(0, 0, 0.05)) == (0, 1)
    assert (ep.strict_lower_bound([], 0.05), ep.strict_upper_bound([], 0.05)) == (0, 1)
