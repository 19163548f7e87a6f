"""Intervals that count users."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.evaluation.summary import MEASURES, Measure, by_segment, estimate

ACCURACY = Measure("correct", "tokens", highest=1)


def rows(per_user: dict[str, list[tuple[int, int]]]) -> list[dict]:
    return [
        {"user": user, "language": "it", "category": "casual", "correct": c, "tokens": n}
        for user, answers in per_user.items()
        for c, n in answers
    ]


def test_tokens_count_the_same_whoever_said_them():
    found = estimate(rows({"a": [(1, 2)], "b": [(8, 8)]}), ACCURACY)
    assert found is not None
    assert (found.value, found.examples, found.users) == (0.9, 2, 2)


def test_more_answers_of_the_same_user_do_not_narrow_the_interval():
    once = estimate(rows({"a": [(5, 10)], "b": [(9, 10)], "c": [(8, 10)]}), ACCURACY)
    often = estimate(rows({"a": [(5, 10)] * 50, "b": [(9, 10)] * 50, "c": [(8, 10)] * 50}), ACCURACY)
    assert once is not None
    assert often is not None
    assert once[:3] == pytest.approx(often[:3])


def test_a_mean_over_users_with_one_answer_each_is_the_textbook_interval():
    values = [3.0, 4.0, 8.0, 5.0]
    found = estimate([{"user": str(i), "chrf": v} for i, v in enumerate(values)], Measure("chrf"))
    assert found is not None
    half = 3.182446 * np.std(values, ddof=1) / math.sqrt(4)  # t, 3 degrees of freedom
    assert (found.low, found.high) == pytest.approx((5 - half, 5 + half), rel=1e-6)


def test_no_error_seen_is_not_certainty():
    found = estimate(rows({str(i): [(10, 10)] * 5 for i in range(20)}), ACCURACY)
    assert found is not None
    assert found.high == 1.0
    assert found.low == pytest.approx(1 - 0.16843, abs=1e-4)  # Clopper-Pearson, 20 of 20


def test_the_best_score_of_a_few_users_is_not_certainty_either():
    found = estimate([{"user": str(i), "chrf": 100.0} for i in range(3)], MEASURES["chrf"])
    assert found is not None
    assert (found.low, found.high) == pytest.approx((100 * 0.025 ** (1 / 3), 100.0))


def test_one_user_is_no_interval():
    found = estimate(rows({"a": [(9, 10)] * 30}), ACCURACY)
    assert found is not None
    assert (found.low, found.high) == (0.0, 1.0)


def test_rows_without_the_measure_do_not_count():
    assert estimate(rows({"a": [(1, 1)]}), Measure("chrf")) is None


def test_segments_name_themselves():
    mixed = [*rows({"a": [(1, 2)]}), {"user": "b", "language": "en", "category": "casual", "correct": 1, "tokens": 1}]
    found = by_segment(mixed, ("language", "category"))
    assert list(found) == [
        "all", "language=en", "language=it", "category=casual",
        "language=en, category=casual", "language=it, category=casual",
    ]  # fmt: skip
    assert found["language=it"]["token_accuracy"].value == 0.5


@given(
    st.dictionaries(
        st.text(max_size=3), st.lists(st.tuples(st.integers(0, 9), st.integers(9, 20)), min_size=1), min_size=1
    )
)
def test_the_value_lies_in_its_interval(per_user: dict[str, list[tuple[int, int]]]):
    found = estimate(rows(per_user), ACCURACY)
    assert found is not None
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


def test_ninety_five_percent_means_it():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        made = {}
        for user in range(40):
            skill = rng.beta(18, 2)
            made[str(user)] = [(int(rng.binomial(12, skill)), 12) for _ in range(rng.integers(1, 6))]
        found = estimate(rows(made), ACCURACY)
        assert found is not None
        covered += found.low <= 0.9 <= found.high
    assert 0.91 <= covered / 400 <= 0.98
