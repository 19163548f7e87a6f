"""Evidence whose numbers are none: it is missing and named, it never passes, and nothing is raised about it."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tests.gates.evidence import DAY, above, crowd, gate_of, user_days
from zantara_exp.config.gate import Criterion, Threshold
from zantara_exp.gates import Number, Reviews, Seen, judge_gate
from zantara_exp.gates.kinds.kind import Weighed, outcomes
from zantara_exp.gates.rules import resolve

NAN, INF = float("nan"), float("inf")
GOOD = crowd(600, 2, 1.0)
REVIEW = Criterion("r", "review", go=Threshold(above=0.8), no_go=Threshold(below=0.7), method="exact")


def verdict_on(criterion, evidence):
    return judge_gate(gate_of(c=criterion), {"c": evidence})


def assert_missing(criterion, evidence, words):
    verdict = verdict_on(criterion, evidence)
    assert (verdict.verdict, verdict.missing) == ("INCONCLUSIVE", ["c"])
    assert words in verdict.criteria[0].reason


@pytest.mark.parametrize("method", ["weighted", "strict", "exact"])
@pytest.mark.parametrize("count", [NAN, INF, -INF, -1.0, None, "7", np.float64("nan")])
def test_losses_that_are_no_count_are_missing(method, count):
    assert verdict_on(above(0.98, method=method), GOOD).verdict == "GO"
    assert_missing(above(0.98, method=method), replace(GOOD, lost_per_day={DAY + 1: count}), "lost requests")


@pytest.mark.parametrize("day", [NAN, INF, -5, 10**9, 0.5, "2025-10-20"])
def test_losses_on_no_day_are_missing(day):
    assert_missing(above(0.98), replace(GOOD, lost_per_day={day: 1.0}), "lost requests on days outside")


def test_losses_that_are_no_number_are_missing_in_the_count_against_no_go_too():
    quantile = Criterion("l", "quantile", go=Threshold(below=1500), no_go=Threshold(above=2500))
    broken = replace(GOOD, lost_per_day={DAY: NAN})
    assert_missing(quantile, Seen(GOOD, broken), "lost requests are no numbers")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"day": np.where(np.arange(600) == 3, NAN, DAY)}, "day holds values that are no whole numbers"),
        ({"day": np.where(np.arange(600) == 3, INF, DAY)}, "day holds values that are no whole numbers"),
        ({"day": np.full(600, 10**9)}, "days outside 1970 to 2200"),
        ({"day": np.full(600, -1)}, "days outside 1970 to 2200"),
        ({"user": np.full(600, NAN)}, "user holds values that are no whole numbers"),
        ({"user": np.arange(600) * 1.0}, "user holds values that are no whole numbers"),
        ({"user": np.arange(600).astype(np.uint64)}, "user holds values that are no whole numbers"),
        ({"user": list(range(600))}, "user is no column"),
        ({"trials": [2.0] * 600}, "trials is no column"),
        ({"total": np.full(600, None)}, "total holds values that are no numbers"),
        ({"total": np.full((600, 1), 2.0)}, "total is no column"),
        ({"day": GOOD.day[:-1]}, "differ in length"),
        ({"segments": {"language": ["it"] * 600}}, "language is no column"),
        ({"segments": None}, "segments are no columns"),
        ({"lost_per_day": None}, "not given by day"),
    ],
)
def test_columns_that_are_not_what_they_should_be_are_missing(column, words):
    assert_missing(above(0.98), replace(GOOD, **column), words)


def test_malformed_evidence_does_not_move_the_day_of_the_others():
    gate = gate_of(a=above(0.98), b=above(0.98))
    alone = judge_gate(gate, {"a": GOOD, "b": GOOD})
    verdict = judge_gate(gate, {"a": GOOD, "b": replace(GOOD, day=np.full(600, 80_000), total=np.full(600, NAN))})
    assert verdict.as_of == alone.as_of
    assert verdict.missing == ["b"]


@pytest.mark.parametrize(
    "review",
    [
        Reviews(60, -10, 0, 0),
        Reviews(50, 5, -5, 0),
        Reviews(30, 20, 0, -15),
        Reviews(-1, 60, 0, 0),
        Reviews(NAN, 1, 0, 0),
        Reviews(45, 5, 0, None),
        Reviews(45.5, 5, 0, 0),
    ],
)
def test_a_review_of_anything_but_counts_is_missing(review):
    assert verdict_on(REVIEW, Reviews(45, 5, 0, 0)).verdict == "GO"
    assert_missing(REVIEW, review, "count")


@pytest.mark.parametrize("value", [-1, -0.5, NAN, INF, -INF, None, "0"])
def test_a_count_that_is_none_is_missing(value):
    bugs = Criterion("critical_bugs", "count", go=Threshold(at_most=0), no_go=Threshold(at_least=1))
    assert verdict_on(bugs, Number(0)).verdict == "GO"
    assert_missing(bugs, Number(value), f"critical_bugs: it is {value}")


def test_a_difference_may_lie_below_zero():
    gap = Criterion("generalization_gap", "count", go=Threshold(at_most=0.3))
    assert verdict_on(gap, Number(-0.01)).verdict == "GO"
    assert_missing(gap, Number(NAN), "no number")


def test_wins_and_losses_of_pairs_are_never_negative():
    paired = Criterion("judge", "paired", go=Threshold(above=0.5))
    rows = [(u, 0, 1, 1, -0.5) for u in range(10)]
    assert_missing(paired, user_days(rows, baseline=True), "negative counts")


def test_evidence_that_is_no_number_never_passes():
    rule = resolve(gate_of(c=above(0.98, 0.95)))["c"]
    looks = Weighed(np.array([[50.0, NAN, 50.0]]), np.array([[-50.0, -50.0, NAN]]))
    found = outcomes(rule, looks, 600, enough=True)
    assert found.passes.tolist() == [[True, False, False]]
    assert not found.fails.any()


def test_days_that_lost_everything_count():
    lost = replace(GOOD, lost_per_day={DAY + 15: 500.0})
    verdict = verdict_on(above(0.98), lost)
    assert verdict.verdict == "INCONCLUSIVE"
    assert "were lost" in verdict.criteria[0].reason
    assert verdict.criteria[0].lost == 500
    assert date.fromisoformat(verdict.as_of).toordinal() - date(1970, 1, 1).toordinal() == DAY + 15
    before = judge_gate(gate_of(c=above(0.98)), {"c": lost}, date.fromordinal(date(1970, 1, 1).toordinal() + DAY + 14))
    assert before.verdict == "GO"
