"""Detectors that start anew: their evidence beside a plain product of bets, whom they see, and how often they err."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.gates import restarts
from zantara_exp.gates.eprocess import NO_GO_BETS, strict_evidence_no_go
from zantara_exp.gates.restarts import EXCESS_BETS, Rows, needed, shares_since

P0 = 0.95


def evidence_below(*given) -> float:
    return restarts.evidence_below(*given).log_evidence


def evidence_of_excess(*given) -> float:
    return restarts.evidence_of_excess(*given).log_evidence


def rows(*asked: tuple[int, int, int, int]) -> Rows:
    """From (user, block, trials, bad)."""
    user, block, trials, bad = zip(*asked, strict=True)
    return Rows(np.array(user), np.array(block), np.array(trials, float), np.array(bad, float))


def many(count: int, block: int, bad: int, first: int = 0, trials: int = 1) -> list[tuple[int, int, int, int]]:
    return [(first + user, block, trials, bad) for user in range(count)]


def test_users_shares_since_each_start():
    seen = rows((0, 0, 2, 1), (1, 0, 1, 0), (0, 2, 2, 2), (2, 3, 4, 1), (2, 3, 1, 1))
    found = {since.start: sorted(since.shares) for since in shares_since(seen, [0, 1, 2, 3])}
    assert found == {3: [0.6], 2: [0.0, 0.6], 1: [0.0, 0.6], 0: [0.25, 0.6, 1.0]}


def test_one_start_is_the_strict_evidence_of_the_house():
    seen = rows(*many(40, 0, 0), *many(6, 1, 1, first=40))
    assert evidence_below(seen, P0, [0]) == pytest.approx(strict_evidence_no_go([1.0] * 40 + [0.0] * 6, P0))
    assert evidence_below(seen, P0, [0, 1]) == pytest.approx(strict_evidence_no_go([0.0] * 6, P0))


def test_a_plain_product_of_bets():
    factors = (1 + NO_GO_BETS * P0 / (1 - P0)) ** 3 * (1 - NO_GO_BETS) ** 2
    seen = rows(*many(3, 0, 1), *many(2, 0, 0, first=3))
    assert evidence_below(seen, P0, [0]) == pytest.approx(math.log(factors.mean()))


def test_users_who_turn_bad_are_seen_again():
    """60 users served well for 3,000 requests, then badly: a detector of new users would see nothing."""
    good = [row for block in range(50) for row in many(60, block, 0)]
    seen = rows(*good, *many(8, 50, 1))
    assert evidence_below(seen, P0, range(51)) >= needed(28 * 24, 0.0125)
    assert evidence_below(seen, P0, [0]) < 0


def test_what_cannot_reach_an_alarm_is_not_weighed_and_what_can_is():
    seen = rows(*many(200, 0, 0), *many(30, 1, 1))
    whole = evidence_below(seen, P0, [0, 1])
    assert evidence_below(seen, P0, [0, 1], whole) == whole
    assert evidence_below(seen, P0, [0, 1], 200.0) == 0.0
    assert restarts.evidence_below(seen, P0, [0, 1]).start == 1


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(1, 5), st.integers(0, 5)), max_size=40))
def test_sparing_work_changes_no_alarm(asked: list[tuple[int, int, int, int]]):
    seen = rows(*[(u, b, n, min(n, x)) for u, b, n, x in asked]) if asked else rows((0, 0, 0, 0))
    for least in (1.0, 3.0, 6.0):
        spared = evidence_below(seen, P0, range(5), least)
        assert (spared >= least) == (evidence_below(seen, P0, range(5)) >= least)
        spared = evidence_of_excess(seen, seen, 0.02, range(5), least)
        assert (spared >= least) == (evidence_of_excess(seen, seen, 0.02, range(5)) >= least)


def test_nothing_seen_is_no_evidence():
    nobody = Rows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    assert evidence_below(nobody, P0, []) == 0.0
    assert evidence_below(nobody, P0, [0, 1]) == 0.0
    assert evidence_of_excess(nobody, rows((0, 0, 1, 1)), 0.02, [0]) == 0.0
    assert evidence_of_excess(rows((0, 0, 1, 1)), nobody, 0.02, [0]) == 0.0


def test_an_excess_by_hand():
    ours, theirs = rows(*many(3, 0, 1)), rows(*many(6, 0, 0))
    factors = (1 + EXCESS_BETS * (1 - 0.02) / 1.02) ** 3
    assert evidence_of_excess(ours, theirs, 0.02, [0]) == pytest.approx(math.log(factors.mean()))


def test_an_excess_uses_every_user_of_the_larger_arm():
    """Three of the candidate's users against six of the control, in pairs: 1 against the mean of (1, 0)."""
    ours, theirs = rows(*many(3, 0, 1)), rows(*[(user, 0, 1, user % 2) for user in range(6)])
    factors = (1 + EXCESS_BETS * (0.5 - 0.02) / 1.02) ** 3
    assert evidence_of_excess(ours, theirs, 0.02, [0]) == pytest.approx(math.log(factors.mean()))


def test_a_day_on_which_everybody_fails_is_no_excess():
    everybody = rows(*many(300, 0, 1))
    assert evidence_of_excess(everybody, everybody, 0.02, [0]) < 0


def test_false_alarms_at_the_limit_stay_below_alpha():
    """One look per start, users who resemble themselves however much: the bound that is proven."""
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(400):
        perfect = rng.random(120) < P0  # a user is always served well, or never: ICC 1
        seen = rows(*[(user, 0, 5, 0 if perfect[user] else 5) for user in range(120)])
        alarms += evidence_below(seen, P0, [0]) >= needed(1, 0.05)
    assert alarms <= 0.05 * 400
