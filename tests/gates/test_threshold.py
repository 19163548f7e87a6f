"""The threshold: by exact counts, in its order, and withheld where it has to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from zantara_exp.gates.threshold import Fresh, Order, alpha_of, at, certified, fewest, in_order, lower, needed, order

ALPHA = 0.04
ALL = Order((0.0,), 0)


def fresh(good: int, bad: int, others: int = 3000, ok: float = 1.0) -> Fresh:
    """Users with one request each, at scores from 1 down: the good labels, the bad ones, and nobody's."""
    size, labels = good + bad + others, good + bad
    answered = np.ones(size, bool)
    answered[labels : labels + round((1 - ok) * size)] = False
    return Fresh(
        np.linspace(1.0, 0.1, size), np.arange(size), answered, np.arange(labels), np.arange(labels) < good,
        np.array([], np.int64), np.ones(labels, bool),
    )  # fmt: skip


@given(size=st.integers(20, 120), missing=st.integers(0, 30), quality=st.sampled_from([0.7, 0.8, 0.9]))
def test_labels_alone_pass_as_the_exact_binomial_test_says(size: int, missing: int, quality: float) -> None:
    good = max(size - missing, 0)
    found = at(fresh(good, size - good), 0.0, quality, ALPHA)
    tail = binom.sf(good - 1, size, quality / found.answered)
    assert found.passes == (tail <= 0.9 * ALPHA)
    assert found.answered == pytest.approx(1.0, abs=0.01)


def test_all_requests_are_tested_apart() -> None:
    """The sequence would end at its start, of which nobody knows anything."""
    tests = Order((0.9999, 0.0), 0)
    assert not at(fresh(60, 2), 0.9999, 0.8, ALPHA).passes
    assert certified(fresh(60, 2), tests, 0.8, ALPHA) == at(fresh(60, 2), 0.0, 0.8, ALPHA / 4)


def test_requests_that_fail_are_not_as_good() -> None:
    assert certified(fresh(60, 4), ALL, 0.8, ALPHA) is not None
    assert certified(fresh(60, 4, ok=0.8), ALL, 0.8, ALPHA) is None


def test_the_tests_end_with_the_first_that_fails() -> None:
    """Good labels lie at the highest scores and at the lowest: what passes again after a failure is not reached."""
    scores = np.linspace(1.0, 0.0, 500, endpoint=False)
    good = (np.arange(500) < 60) | ((np.arange(500) > 100) & (np.arange(500) < 400))
    of = replace(fresh(250, 250, others=0), score=scores, good=good)
    marks = (*scores[[60, 100, 399]], 0.0)
    assert [at(of, mark, 0.8, in_order(ALPHA)).passes for mark in marks] == [True, False, True, False]
    assert (best := certified(of, Order(marks, 0), 0.8, ALPHA)) is not None
    assert best.threshold == marks[0]
    assert certified(of, Order(marks, 1), 0.8, ALPHA) is None


def test_a_user_with_most_of_the_requests_withholds_what_he_found_worse() -> None:
    of = fresh(60, 4)
    user = np.concatenate([of.user, np.full(40_000, 63)])  # of the last label, a bad one
    score, ok = np.append(of.score, np.full(40_000, 0.5)), np.append(of.ok, np.ones(40_000, bool))
    more = replace(of, user=user, score=score, ok=ok)
    point = at(more, 0.0, 0.8, ALPHA)
    assert (point.passes, point.good, point.labels) == (False, 60, 64)
    assert point.by_request < 0.01


def test_a_judge_counts_as_far_as_labels_agree_with_it() -> None:
    """70 of 80 do not show more than 80 %; beside a judge that is always right on 3,000 others, they do."""
    alone = fresh(70, 10)
    assert certified(alone, ALL, 0.8, ALPHA) is None
    pool = np.arange(80, 3080)
    called = np.concatenate([alone.good, np.arange(3000) % 10 > 0])
    assert certified(replace(alone, pool=pool, called=called), ALL, 0.8, ALPHA) is not None
    guesses = np.concatenate([np.arange(80) % 2 == 0, np.arange(3000) % 2 == 0])
    assert certified(replace(alone, pool=pool, called=guesses), ALL, 0.8, ALPHA) is None


def test_the_bound_and_the_test_agree() -> None:
    passes, fails = fresh(60, 4), fresh(50, 14)
    assert lower(passes, at(passes, 0.0, 0.8, ALPHA), 0.8, ALPHA) == pytest.approx(0.85, abs=0.02)
    assert lower(fails, at(fails, 0.0, 0.8, ALPHA), 0.8, ALPHA) <= 0.8


def test_where_the_tests_begin_does_not_hang_on_how_lenient_a_judge_is() -> None:
    rng = np.random.default_rng(1)
    score = rng.random(400)
    good = rng.random(400) < np.where(score > 0.4, 0.9, 0.4)
    lenient = good | (rng.random(400) < 0.5)
    starts = [order(score, said, score) for said in (good, lenient)]
    moved = [np.mean(score >= each.thresholds[each.start]) for each in starts]
    assert moved == pytest.approx([0.6, 0.6], abs=0.11)


def test_alike_scores_are_one_threshold_that_moves_all() -> None:
    same = np.full(50, 0.7)
    assert order(same, np.ones(50, bool), same) == Order((0.0,), 0)


def test_all_looks_together_spend_alpha() -> None:
    assert sum(alpha_of(look, 0.05) for look in range(1, 50)) == pytest.approx(0.05)


def test_what_is_missing_is_forecast() -> None:
    least = fewest(0.8, ALPHA)
    assert binom.sf(least - 1, least, 0.8) <= 0.9 * ALPHA < binom.sf(least - 2, least - 1, 0.8)
    assert needed(0.5, 0.8, ALPHA, truth=0.8) is None
    half, whole = needed(0.5, 0.8, ALPHA), needed(1.0, 0.8, ALPHA)
    assert half == pytest.approx(2 * (whole or 0), abs=1)
