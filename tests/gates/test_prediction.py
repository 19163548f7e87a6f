"""Labels on few pairs beside a judge's verdicts on many: exact, and wrong as seldom as they say, whatever the judge."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tests.gates.evidence import gate_of
from tests.gates.test_looks import LOOKS, SEQUENTIAL, labelled
from zantara_exp.config.gate import Traffic
from zantara_exp.gates import Seen, decide, intervals, resolve
from zantara_exp.gates.evidence import Judgements, reviews_of
from zantara_exp.gates.kinds.labels import Right, at_looks, drawn
from zantara_exp.gates.looks import bounds, crossed, masses
from zantara_exp.gates.prediction import Judged, estimate, log_evidence, lower, worth

RULE = resolve(gate_of(r=replace(SEQUENTIAL, judge=True)))["r"]
SURE = 1e12
"""So many judged pairs that their share is known."""


def judged(good, pairs, share, saw=SURE):
    return Judged(np.array([good], float), np.array([pairs], float), np.array([share], float), saw)


@pytest.mark.parametrize(("good", "size"), [(46, 50), (45, 50), (40, 40), (30, 50), (180, 200)])
def test_a_judge_that_calls_everything_good_changes_nothing(good, size):
    alone = intervals.exact_log_evidence_go(good, size - good, 0.8)
    for parts in (([0, good], [0, size], 1.0), ([good, 0], [size, 0], 0.0)):
        found = judged(*parts)
        expected = alone if good / size > 0.8 else 0.0
        assert log_evidence(found, 0.8)[0] == pytest.approx(expected, abs=1e-9)
        assert worth(found, 0.8)[0] == pytest.approx(size)
        assert estimate(found)[0] == pytest.approx(good / size)
        assert lower(found, 0.05) == pytest.approx(float(intervals.exact_lower(good, size - good, 0.05)), abs=1e-5)


def test_evidence_is_the_tail_at_the_likeliest_shares():
    """By brute force: the likeliest shares on a grid, and all outcomes as far out."""
    good, pairs, share, p0 = (5, 37), (12, 38), 0.7, 0.8
    grid = np.linspace((p0 - 0.3) / 0.7 + 1e-9, 1 - 1e-9, 400_001)
    other = (p0 - share * grid) / (1 - share)
    likely = binom.logpmf(good[1], pairs[1], grid) + binom.logpmf(good[0], pairs[0], other)
    at = np.argmax(likely)
    of_other, of_good = (binom.pmf(np.arange(n + 1), n, p) for n, p in zip(pairs, (other[at], grid[at]), strict=True))
    estimates = 0.3 * np.arange(pairs[0] + 1)[:, None] / pairs[0] + 0.7 * np.arange(pairs[1] + 1) / pairs[1]
    seen = 0.3 * good[0] / pairs[0] + 0.7 * good[1] / pairs[1]
    tail = (of_other[:, None] * of_good)[estimates >= seen - 1e-12].sum()
    assert seen > p0
    assert log_evidence(judged(good, pairs, share), p0)[0] == pytest.approx(-np.log(tail), abs=1e-4)


@pytest.mark.parametrize(
    ("good", "pairs", "share", "theirs", "half_width"),
    [
        ((3, 36), (12, 38), 0.76, 0.78, 0.06697571),
        ((1, 44), (4, 46), 0.90, 0.88844493, 0.05429647),
        ((20, 60), (25, 75), 0.70, 0.8, 0.06579415),
        ((30, 130), (60, 140), 0.68, 0.79172955, 0.04053881),
        ((5, 33), (15, 35), 0.65, 0.73186947, 0.07532163),
    ],
)
def test_the_estimate_is_that_of_ppi_python(good, pairs, share, theirs, half_width):
    """ppi_mean_pointestimate and ppi_mean_ci(alpha=0.1) of ppi-python 0.2.3, with a million unlabelled verdicts.

    Ours goes by the labels that either part has, theirs by those that it would have on average.
    """
    found, error = judged(good, pairs, share, 1e6), half_width / 1.6448536
    unlike = abs(share - pairs[1] / sum(pairs))
    assert estimate(found)[0] == pytest.approx(theirs, abs=0.1 * error)
    if theirs <= 0.8:  # beyond the threshold ours is the variance under it
        assert worth(found, 0.8)[0] == pytest.approx(theirs * (1 - theirs) / error**2, rel=0.01 + 3 * unlike)


def worst_false_pass(size, p0, level, shares, fractions):
    """Of one look at `size` labels: exact over all outcomes, the worst over judges."""
    said, right, other = np.meshgrid(*[np.arange(size + 1)] * 3, indexing="ij")
    inside = (right <= said) & (other <= size - said)
    said, right, other = (values[inside] for values in (said, right, other))
    worst = 0.0
    for share in shares:
        parts = np.stack([other, right], -1).astype(float), np.stack([size - said, said], -1).astype(float)
        passes = log_evidence(Judged(*parts, np.full(said.size, share), SURE), p0) >= -np.log(level)
        low, high = max(0.0, (p0 - 1 + share) / share), min(1.0, p0 / share)
        for of_good in low + (high - low) * fractions:
            of_other = (p0 - share * of_good) / (1 - share)
            chance = binom.pmf(said, size, share) * binom.pmf(right, said, of_good)
            chance *= binom.pmf(other, size - said, min(max(of_other, 0.0), 1.0))
            worst = max(worst, float(chance[passes].sum()))
    return worst


@pytest.mark.parametrize("p0", [0.8, 0.7])
def test_no_judge_makes_twenty_labels_pass_falsely(p0):
    fractions = np.array([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
    shares = np.array([0.05, 0.5, 0.75, 0.81, 0.85, 0.92, 0.98])
    assert 0.02 < worst_false_pass(20, p0, 0.05, shares, fractions) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.05, 0.0168])
def test_no_judge_makes_forty_labels_pass_falsely(level):
    fractions = np.concatenate([[0.0, 0.02, 0.05], np.linspace(0.1, 0.9, 17), [0.95, 0.98, 1.0]])
    shares = np.concatenate([np.linspace(0.05, 0.65, 5), np.linspace(0.7, 0.98, 15)])
    assert worst_false_pass(40, 0.8, level, shares, fractions) <= level


@pytest.mark.parametrize(
    "right",
    [Right(0.5, 0.5), Right(0.85, 0.85), Right(1.0, 1.0), Right(0.98, 0.4), Right(0.6, 0.98), Right(0.2, 0.2)],
    ids=str,
)
def test_all_looks_together_pass_falsely_as_seldom_as_alpha(right):
    labels = drawn(LOOKS, 0.8, 1500, np.random.default_rng(7), right, 1000)
    found = at_looks(RULE, labels, LOOKS)
    assert found.passes[:, -1].mean() <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / 1500)


def test_a_good_judge_saves_labels_and_a_useless_one_costs_hardly_any():
    alone = crossed(LOOKS, bounds(LOOKS, 0.8, 0.05).needed, 0.88)

    def by(right):
        labels = drawn(LOOKS, 0.88, 2000, np.random.default_rng(7), right, 1000)
        return at_looks(RULE, labels, LOOKS).passes.mean(axis=0)

    def mean_labels(passed):
        return (np.diff(passed, prepend=0) * LOOKS).sum() + (1 - passed[-1]) * LOOKS[-1]

    good, useless = by(Right(0.85, 0.85)), by(Right(0.5, 0.5))
    assert good[1] > alone[1] + 0.08  # more have passed by 75 labels
    assert good[-1] > 0.92
    assert mean_labels(good) < 0.9 * mean_labels(alone)
    assert mean_labels(useless) < 1.04 * mean_labels(alone)
    assert useless[-1] > alone[-1] - 0.04


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_more_good_answers_are_more_evidence_and_parts_may_change_places(data):
    pairs = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 140)))
    good = tuple(data.draw(st.integers(0, count)) for count in pairs)
    share = data.draw(st.floats(0.05, 0.95))
    saw = data.draw(st.sampled_from([SURE, 2000.0, 300.0]))
    found = judged(good, pairs, share, saw)
    log = log_evidence(found, 0.8)[0]
    assert log >= 0
    swapped = judged(good[::-1], pairs[::-1], 1 - share, saw)
    assert log_evidence(swapped, 0.8)[0] == pytest.approx(log, abs=1e-6)
    assert log_evidence(found, 0.85)[0] <= log + 1e-9
    # fewer judged pairs are less evidence
    assert (
        log_evidence(judged(good, pairs, share, 100.0), 0.8)[0]
        <= log_evidence(judged(good, pairs, share), 0.8)[0] + 1e-9
    )
    for part in range(2):
        if good[part] < pairs[part]:
            more = [count + (place == part) for place, count in enumerate(good)]
            assert log_evidence(judged(more, pairs, share, saw), 0.8)[0] >= log - 1e-6
    bound = lower(found, 0.05)
    assert 0 <= bound <= estimate(found)[0] + 1e-6
    if bound > 0.01:
        assert log_evidence(found, bound - 1e-3)[0] >= -np.log(0.05) - 1e-6


def test_a_bound_stands_before_the_first_tooth_however_wide_it_is():
    """With few labels one tooth of the evidence is three hundredths wide: the bound was 0.3133, behind two of them."""
    found = judged((0, 26), (1, 26), 0.3515625, 300.0)
    bound = lower(found, 0.05)
    assert bound == pytest.approx(0.2914, abs=1e-4)
    for share in np.linspace(0.05, bound, 200):
        assert log_evidence(found, share)[0] >= -np.log(0.05) - 1e-6


def test_a_pool_that_is_the_sample_itself_adds_nothing():
    found = judged((5, 40), (10, 40), 40 / 50, 50.0)
    assert worth(found, 0.8)[0] == pytest.approx(50, rel=0.02)
    assert estimate(found)[0] == pytest.approx(0.9)


def said(labels, calls, share=0.76, judge="j1", rule=RULE, **more):
    judgement = Judgements(judge, share, 1000, calls, **more)
    return decide(rule, Seen(replace(reviews_of(labels, "s"), judged=judgement)))


def beside(right_good, good, right_other, other):
    """Labels and calls of pairs: of the good and of the others, how many the judge calls right."""
    return "g" * good + "w" * other, "g" * right_good + "w" * (good - right_good + right_other) + "g" * (
        other - right_other
    )


def test_the_verdict_says_what_the_judge_saved_and_what_it_would_have_said_without():
    labels, calls = beside(37, 44, 6, 6)  # 44 of 50 are good; alone 46 would be needed
    found = said(labels + "." * 150, calls + "w" * 35 + "g" * 115)
    assert found.decision == "PASS", found.reason
    assert found.helped.alone == "UNDECIDED"
    assert found.helped.worth == found.view.effective > 50
    assert found.helped.agrees == pytest.approx(43 / 50)
    saved = round(found.helped.worth - 50)
    assert found.reason.endswith(
        f"with the judge 50 labels tell as much as {found.helped.worth:.0f}, {saved} saved; without it: 44 of 50 are "
        "equivalent or better; 46 would show it; the next look is at 75"
    )
    alone = decide(resolve(gate_of(r=SEQUENTIAL))["r"], Seen(reviews_of(labels + "." * 150, "s")))
    assert (alone.decision, alone.helped) == ("UNDECIDED", None)


def test_worse_answers_beside_a_judge_refute():
    labels, calls = beside(20, 22, 26, 28)
    found = said(labels + "." * 150, calls + "g" * 60 + "w" * 90, share=0.42)
    assert found.decision == "FAIL"
    assert found.view.upper < 0.7


@pytest.mark.parametrize(
    ("calls", "share", "refused", "why"),
    [
        ("." * 10 + "g" * 190, 0.95, "", "it has not seen 10 of the first 50 pairs"),
        ("g" * 200, 0.5, "", "it calls 100 % of the sample good and 50 % of all that it saw"),
        ("g" * 200, 1.0, "the looks at this sample began without it", "the looks at this sample began without it"),
    ],
)
def test_a_judge_that_cannot_be_used_counts_for_nothing(calls, share, refused, why):
    labels = labelled((45, 5, "w")) + "." * 150
    found = said(labels, calls, share, refused=refused)
    alone = "45 of 50 are equivalent or better; 46 would show it; the next look is at 75"
    assert found.reason == f"{alone}; the judge counts for nothing: {why}"
    assert found.helped is None


def test_a_pair_that_the_judge_did_not_see_counts_as_one_that_cannot_be_judged():
    labels = labelled((46, 4, "w")) + "." * 150
    whole, one_unseen = (said(labels, calls + "g" * 199, share=1.0) for calls in ("g", "."))
    assert whole.view.estimate == pytest.approx(0.92)
    assert one_unseen.view.estimate < whole.view.estimate


def test_a_judge_that_is_not_asked_is_not_heard():
    labels = labelled((45, 5, "w")) + "." * 150
    found = said(labels, "g" * 200, rule=resolve(gate_of(r=SEQUENTIAL))["r"])
    assert found.reason == "45 of 50 are equivalent or better; 46 would show it; the next look is at 75"


def test_a_plan_with_a_judge_says_what_it_saves_and_check_what_it_errs():
    rule = resolve(gate_of(r=replace(SEQUENTIAL, judge=True, expected=0.88)))["r"]
    told = rule.kind.promise(rule, 200, Traffic(judge_right=0.85))
    assert "200 with 87 % if 0.88 are good; with a judge right in 85 % by 50 with " in told
    *_, (what, sound, detail) = rule.kind.planned(rule, 200)
    assert (what, sound) == ("r: false pass, with a judge", True)
    assert detail.startswith("who guesses 0.0")


def test_binomial_masses_are_those_of_scipy():
    assert masses(30, 0.85) == pytest.approx(binom.pmf(np.arange(31), 30, 0.85), abs=1e-13)


def test_one_more_good_answer_never_takes_a_pass_away():
    """The likeliest shares move with what is seen: the tail alone fell here, from 0.548 to 0.511 at first."""
    for pairs, share, p0 in (((4, 1), 0.5, 0.8), ((4, 16), 0.95, 0.7), ((33, 7), 0.05, 0.7), ((8, 12), 0.3, 0.9)):
        grid = np.stack(np.meshgrid(*(np.arange(count + 1.0) for count in pairs), indexing="ij"), axis=-1)
        found = log_evidence(
            Judged(grid, np.broadcast_to(pairs, grid.shape).astype(float), np.full(grid.shape[:2], share), SURE), p0
        )
        for part in range(2):
            assert np.diff(found, axis=part).min() >= -1e-6
