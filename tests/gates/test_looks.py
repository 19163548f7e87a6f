"""Looks at a review that grows: exact over all of them, and decided in their order."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from tests.gates.evidence import gate_of
from zantara_exp.config.gate import Criterion, Threshold, Traffic
from zantara_exp.gates import Reviews, Seen, decide, resolve
from zantara_exp.gates.evidence import reviews_of
from zantara_exp.gates.kinds.kind import Planned
from zantara_exp.gates.looks import bounds, crossed, schedule
from zantara_exp.gates.population import visits

LOOKS = (50, 75, 100, 150, 200)
SEQUENTIAL = Criterion(
    "r", "review", go=Threshold(above=0.8), no_go=Threshold(below=0.7), method="sequential", look_at=list(LOOKS)
)
RULE = resolve(gate_of(r=SEQUENTIAL))["r"]


def said(in_order, rule=RULE):
    return decide(rule, Seen(reviews_of(in_order, "s")))


def labelled(*parts):
    """Parts of good and other answers, such as (46, 4, "w")."""
    return "".join("g" * good + letter * other for good, other, letter in parts)


@pytest.mark.parametrize("truth", [0.3, 0.8, 0.95])
def test_the_chance_to_have_passed_is_that_of_all_sequences(truth):
    looks, needed = (4, 7, 11), (4, 6, 9)
    by = np.zeros(3)
    for answers in product((0, 1), repeat=11):
        passed = [sum(answers[:look]) >= count for look, count in zip(looks, needed, strict=True)]
        by += truth ** sum(answers) * (1 - truth) ** (11 - sum(answers)) * np.logical_or.accumulate(passed)
    assert crossed(looks, needed, truth) == pytest.approx(by, abs=1e-12)


@pytest.mark.parametrize(("size", "p0", "alpha"), [(50, 0.8, 0.05), (100, 0.8, 0.05), (40, 0.7, 0.01), (20, 0.9, 0.05)])
def test_one_look_is_the_binomial_test(size, p0, alpha):
    found = bounds((size,), p0, alpha)
    assert found.level == alpha
    passes = [k for k in range(size + 1) if binomtest(k, size, p0, alternative="greater").pvalue <= alpha]
    assert found.needed[0] == min(passes, default=size + 1)
    assert found.even == alpha


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 120), min_size=1, max_size=5, unique=True).map(sorted).map(tuple),
    st.floats(0.5, 0.95),
    st.floats(0.005, 0.2),
)
def test_all_looks_together_pass_falsely_in_alpha_at_most(looks, p0, alpha):
    found = bounds(looks, p0, alpha)
    assert crossed(looks, found.needed, p0)[-1] <= alpha + 1e-12
    # and what the next level would let pass is too much
    looser = [1 + int(binom.isf(found.level * (1 + 1e-6), look, p0)) for look in looks]
    assert tuple(looser) == found.needed or crossed(looks, looser, p0)[-1] > alpha or found.level == alpha


def test_the_shipped_looks():
    found = bounds(LOOKS, 0.8, 0.05)
    assert found.needed == (46, 68, 89, 130, 172)
    assert crossed(LOOKS, found.needed, 0.8)[-1] == pytest.approx(0.0493, abs=1e-4)
    assert crossed(LOOKS, found.needed, 0.88) == pytest.approx([0.268, 0.373, 0.516, 0.771, 0.872], abs=1e-3)
    four = bounds((50, 100, 150, 200), 0.8, 0.05)
    assert four.needed == (46, 89, 130, 172)
    assert crossed((50, 100, 150, 200), four.needed, 0.8)[-1] == pytest.approx(0.0474, abs=1e-4)


def test_a_sample_that_is_smaller_is_looked_at_to_its_end():
    assert schedule(LOOKS, 200) == schedule(LOOKS, 300) == LOOKS
    assert schedule(LOOKS, 120) == (50, 75, 100, 120)
    assert schedule(LOOKS, 50) == (50,)
    assert schedule(LOOKS, 30) == (30,)


@pytest.mark.parametrize("truth", [0.8, 0.88, 0.7])
def test_simulated_reviews_pass_and_fail_as_enumerated(truth):
    rng = np.random.default_rng(7)
    at = visits(Traffic(comparisons_per_day=1.0), 3, 4000, rng)
    found = RULE.kind.simulate(RULE, truth, at, Traffic(), Planned(3, 200), rng)
    assert (found.passes == found.passes[:, :1]).all()
    exact = crossed(LOOKS, bounds(LOOKS, 0.8, RULE.alpha).needed, truth)[-1]
    failing = crossed(LOOKS, bounds(LOOKS, 0.3, RULE.alpha_no_go).needed, 1 - truth)[-1]
    for seen, expected in ((found.passes, exact), (found.fails, failing)):
        assert seen[:, 0].mean() == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 4000))


def test_labels_are_looked_at_when_so_many_of_the_first_are_there():
    assert said(labelled((49, 1, ".")) + "." * 150).decision == "MISSING"
    assert "the first 50 pairs" in said("g" * 10 + "." + "g" * 60 + "." * 129).reason
    early = said(labelled((45, 5, "w")) + "." * 150)
    assert (early.decision, early.view.requests) == ("UNDECIDED", 50)
    assert early.reason == "45 of 50 are equivalent or better; 46 would show it; the next look is at 75"
    # labels beyond the look are not looked at yet
    assert said(labelled((45, 5, "w"), (20, 4, "w")) + "." * 126).view == early.view
    later = said(labelled((45, 5, "w"), (23, 2, "c")) + "." * 125)
    assert (later.decision, later.view.requests, later.view.estimate) == ("PASS", 75, 68 / 75)
    assert later.view.log_go >= later.needed_go
    assert later.view.lower > 0.8


def test_what_a_look_has_shown_stands():
    assert said(labelled((46, 4, "w"), (15, 10, "w")) + "." * 125).decision == "PASS"
    at_last = said("ggggw" * 40)
    assert at_last.reason == "160 of 200 are equivalent or better; 172 would show it, and no look is left"
    assert said(labelled((25, 25, "w")) + "." * 150).decision == "FAIL"
    # what cannot be judged refutes nothing
    assert said(labelled((25, 25, "c")) + "." * 150).decision == "UNDECIDED"


def test_looks_need_the_order_of_the_pairs():
    assert decide(RULE, Seen(Reviews(180, 20, 0, 0, "s"))).decision == "MISSING"
    assert decide(RULE, Seen(Reviews(46, 4, 0, 0, "s"))).decision == "PASS"  # of one look there is no order
    wrong = replace(reviews_of("ggw"), worse=2)
    assert "not those of its pairs" in decide(RULE, Seen(wrong)).reason


def test_a_plan_says_when_it_decides():
    rule = resolve(gate_of(r=replace(SEQUENTIAL, expected=0.88)))["r"]
    assert rule.kind.promise(rule, 200, Traffic()) == (
        "r: shown by 50 with 27 %, 75 with 37 %, 100 with 52 %, 150 with 77 %, 200 with 87 % if 0.88 are good"
    )
    ((_, sound, detail),) = rule.kind.planned(rule, 200)
    assert sound
    assert detail == "46 of 50, 68 of 75, 89 of 100, 130 of 150, 172 of 200 show more than 80 %; by chance 0.049"
