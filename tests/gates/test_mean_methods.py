"""A mean between 0 and a bound, bet on."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gates.evidence import crowd, gate_of, user_days
from zantara_exp.config.gate import Criterion, Threshold
from zantara_exp.gates import decide, resolve
from zantara_exp.gates.eprocess import user_weights
from zantara_exp.gates.mean_methods import BETS, LOG_PRIOR

BELOW = Criterion("latency_ms", "mean", bound=10_000.0, go=Threshold(below=800), no_go=Threshold(above=1000))
ABOVE = Criterion("accuracy", "mean", bound=1.0, go=Threshold(above=0.9), no_go=Threshold(below=0.8))


def judge(criterion, days, last=None):
    return decide(resolve(gate_of(c=criterion))["c"], days, last)


def latencies(users=400, mean=600.0, seed=1, requests=3, most=10_000.0):
    rng = np.random.default_rng(seed)
    return replace(crowd(users, requests, 1.0), total=np.minimum(rng.gamma(4, mean / 4, users), most) * requests)


def test_evidence_is_the_mixture_that_is_written_down():
    days = user_days([(u, 0, m, x) for u, (m, x) in enumerate([(1, 400), (5, 6000), (40, 20_000)])])
    decided = judge(BELOW, days)
    weight, x = user_weights([1, 5, 40], 0.2), np.array([400, 1200, 500]) / 10_000
    voices = weight * 3 / weight.sum()
    below = [math.exp((voices * np.log1p(bet * (0.08 - x) / 0.92)).sum()) for bet in BETS]
    above = [math.exp((voices * np.log1p(bet * (x - 0.1) / 0.1)).sum()) for bet in BETS]
    assert decided.view.log_go == pytest.approx(math.log(np.average(below, weights=np.exp(LOG_PRIOR))))
    assert decided.view.log_no_go == pytest.approx(math.log(np.average(above, weights=np.exp(LOG_PRIOR))))
    assert decided.view.estimate == pytest.approx((weight * x).sum() / weight.sum() * 10_000)


def test_a_looser_limit_has_no_less_evidence():
    """Half the bound is where a choice of bets by the limit made it leap."""
    days = latencies(users=600, mean=1286, requests=1, most=3000.0)
    limits = np.arange(1400.0, 1700.0, 20.0)
    found = [
        judge(replace(BELOW, bound=3000.0, go=Threshold(below=limit), no_go=Threshold()), days) for limit in limits
    ]
    evidence = [decided.view.log_go for decided in found]
    assert (np.diff(evidence) > 0).all()


@pytest.mark.parametrize(("criterion", "days"), [(BELOW, latencies()), (ABOVE, crowd(300, 3, 0.95))])
def test_bounds_are_where_the_evidence_just_reaches(criterion, days):
    decided = judge(criterion, days)
    lower, upper = decided.view.lower, decided.view.upper
    assert lower < decided.view.estimate < upper
    go = upper if criterion is BELOW else lower
    side = "below" if criterion is BELOW else "above"
    again = judge(replace(criterion, go=Threshold(**{side: go}), no_go=Threshold()), days)
    assert again.view.log_go == pytest.approx(-math.log(0.05), abs=1e-4)


def test_enough_fast_answers_pass_and_slow_ones_are_refuted():
    assert judge(BELOW, latencies()).decision == "PASS"
    assert judge(BELOW, latencies(mean=1500.0)).decision == "FAIL"
    assert judge(BELOW, latencies(users=30)).decision == "UNDECIDED"
    assert judge(ABOVE, crowd(300, 3, 0.97)).decision == "PASS"
    assert judge(ABOVE, crowd(300, 3, 0.6)).decision == "FAIL"


def test_cold_starts_that_were_not_seen_yet_are_allowed_for():
    """110 users at 650 ms: one in fifty at 8 s, unseen in a tenth of such samples, would be a mean of 797 ms."""
    alike = user_days([(u, 0, 1, 650.0 + u % 5) for u in range(110)])
    assert judge(BELOW, alike).decision == "UNDECIDED"
    assert judge(replace(BELOW, method="exact", bound=None), alike).decision == "PASS"


def test_values_beyond_the_bound_are_counted_as_it_and_shown():
    days = latencies()
    capped = np.zeros(days.user.size)
    assert "beyond" not in judge(BELOW, replace(days, capped=capped)).reason
    capped[[3, 7]] = 1, 2
    decided = judge(BELOW, replace(days, capped=capped))
    assert decided.reason.endswith("; 3 values beyond 10000 counted as 10000")
    assert judge(BELOW, replace(days, capped=capped), last=int(days.day.min()) - 1).decision == "MISSING"


@pytest.mark.parametrize("total", [-1.0, 30_001.0])
def test_values_outside_of_the_bound_are_missing(total):
    days = latencies()
    wrong = replace(days, total=np.where(np.arange(days.user.size) == 5, total, days.total))
    decided = judge(BELOW, wrong)
    assert (decided.decision, decided.reason) == (
        "MISSING",
        "latency_ms: the evidence holds values outside 0 to bound=10000",
    )


def test_what_was_lost_took_at_worst_the_bound():
    whole = judge(BELOW, latencies())
    lossy = judge(BELOW, replace(latencies(), lost_per_day={20_000: 8.0}))
    assert lossy.view.log_go < whole.view.log_go - 1
    assert lossy.view.log_no_go < whole.view.log_no_go
    assert lossy.view.upper > whole.view.upper


@settings(max_examples=30)
@given(st.integers(1, 200), st.integers(1, 9), st.floats(100, 3000), st.integers(0, 99), st.booleans())
def test_a_faster_answer_never_speaks_against_a_pass(users, requests, mean, seed, all_of_them):
    days = latencies(users, mean, seed, requests)
    faster = replace(days, total=np.where(all_of_them | (np.arange(users) == 0), days.total * 0.7, days.total))
    before, after = judge(BELOW, days).view, judge(BELOW, faster).view
    assert after.log_go >= before.log_go - 1e-9
    assert after.log_no_go <= before.log_no_go + 1e-9


def test_one_look_without_a_bound_says_what_it_takes_for_granted():
    decided = judge(replace(BELOW, method="exact", bound=None), latencies())
    assert "if the mean over so many users is near to normal" in decided.reason
