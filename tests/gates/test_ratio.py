"""Savings: few dear users, and users who are all alike."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from tests.gates.evidence import crowd
from zantara_exp.config.gate import Criterion, Gate, Threshold
from zantara_exp.gates import decide, resolve
from zantara_exp.gates.intervals import sequence_log_evidence
from zantara_exp.gates.kinds.ratio import UNSEEN

BOTH = Criterion("savings", "ratio", go=Threshold(above=0.7), no_go=Threshold(below=0.6))


def judge(criterion, days, last=None):
    return decide(resolve(Gate("g", {"c": criterion}))["c"], days, last)


def costs(total, baseline, requests=3):
    return replace(crowd(len(total), requests, 1.0), total=np.asarray(total), baseline=np.asarray(baseline))


def test_evidence_is_that_of_the_users_with_the_farthest_four_times_more():
    rng = np.random.default_rng(3)
    primary = rng.lognormal(0, 1, 200)
    candidate = np.full(200, 0.5) * primary.mean()
    decided = judge(BOTH, costs(candidate, primary))
    loss = candidate - 0.4 * primary
    taken = np.append(loss, np.full(UNSEEN, loss.min()))
    z = taken.mean() / (taken.std(ddof=1) / np.sqrt(taken.size))
    expected = sequence_log_evidence(z, taken.size, 0.05)
    assert decided.view.log_no_go == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("method", ["weighted", "exact"])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_savings_that_are_alike_for_all_users_have_bounds(method, unit):
    primary = np.random.default_rng(4).gamma(2, 1, 150) * unit
    view = judge(replace(BOTH, method=method), costs(0.23 * primary, primary)).view
    assert view.decision == "PASS"
    assert [view.lower, view.upper] == pytest.approx([0.77, 0.77], abs=1e-9)
    assert judge(replace(BOTH, method=method), costs(0.5 * primary, primary)).decision == "FAIL"


def test_a_candidate_that_costs_nothing_saves_all():
    view = judge(BOTH, costs(np.zeros(150), np.ones(150))).view
    assert (view.decision, view.estimate) == ("PASS", 1.0)
    assert view.lower == pytest.approx(1.0, abs=1e-6)


def test_bounds_are_where_the_evidence_just_reaches():
    rng = np.random.default_rng(5)
    primary = rng.gamma(2, 1, 300)
    days = costs(0.25 * rng.gamma(8, 0.125, 300) * primary, primary)
    view = judge(BOTH, days).view
    assert view.lower < view.estimate < view.upper
    at = judge(replace(BOTH, go=Threshold(above=view.lower), no_go=Threshold()), days).view
    assert at.log_go == pytest.approx(-np.log(0.05), abs=1e-6)


def test_one_dear_user_keeps_a_no_go_away():
    """One in a hundred users costs as much as twenty: that there was one says that there may be more."""
    primary = np.ones(200)
    primary[17] = 20.0
    days = costs(np.full(200, 0.37) * primary.mean() / 1.0, primary)
    criterion = Criterion("savings", "ratio", no_go=Threshold(below=0.7))
    assert judge(criterion, days).decision != "FAIL"
    alike = costs(np.full(200, 0.37), np.ones(200))
    assert judge(criterion, alike).decision == "FAIL"


def test_a_day_in_parts_is_the_same_day():
    rng = np.random.default_rng(6)
    primary = rng.lognormal(0, 1, 150)
    whole = costs(np.full(150, 0.4), primary)
    part = rng.random(150)
    split = replace(
        whole,
        **{name: np.concatenate([getattr(whole, name)] * 2) for name in ("user", "day")},
        **{
            name: np.concatenate([getattr(whole, name) * part, getattr(whole, name) * (1 - part)])
            for name in ("total", "baseline", "trials")
        },
    )
    assert judge(BOTH, split).view.log_no_go == pytest.approx(judge(BOTH, whole).view.log_no_go)


def test_with_ordinary_costs_the_bounds_are_near_those_without_the_safety():
    rng = np.random.default_rng(8)
    primary = rng.gamma(4, 1, 2000)
    candidate = 0.25 * rng.gamma(4, 1, 2000)
    view = judge(BOTH, costs(candidate, primary)).view
    gain = candidate - primary * candidate.sum() / primary.sum()
    error = gain.std() / np.sqrt(2000) / primary.mean()
    assert error * norm.ppf(0.95) < view.estimate - view.lower < 4.2 * error
