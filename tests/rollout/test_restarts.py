"""Evidence that starts anew: beside plain products of bets, whom and when it sees, and how often it errs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.rollout import restarts
from zantara_exp.rollout.restarts import (
    BLOCK_BETS,
    EXCESS_BETS,
    USER_BETS,
    Rows,
    blocks_above,
    blocks_exceed,
    pooled,
    shares_since,
    users_above,
    users_exceed,
)

LIMIT = 0.05
NOBODY = Rows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def rows(*asked: tuple[int, int, int, int]) -> Rows:
    """From (user, block, trials, bad)."""
    user, block, trials, bad = zip(*asked, strict=True)
    return Rows(np.array(user), np.array(block), np.array(trials, float), np.array(bad, float))


def many(count: int, block: int, bad: int, first: int = 0, trials: int = 1) -> list[tuple[int, int, int, int]]:
    return [(first + user, block, trials, bad) for user in range(count)]


def product(bad: int, good: int, bets=USER_BETS, limit: float = LIMIT) -> float:
    """Log of the mean over bets of the wealth after so many bad and good observations, multiplied out."""
    return math.log(((1 + bets * (1 - limit) / limit) ** bad * (1 - bets) ** good).mean())


def test_users_shares_since_each_start():
    seen = rows((0, 0, 2, 1), (1, 0, 1, 0), (0, 2, 2, 2), (2, 3, 4, 1), (2, 3, 1, 1))
    found = {since.start: sorted(since.shares) for since in shares_since(seen, [0, 1, 2, 3])}
    assert found == {3: [0.4], 2: [0.4, 1.0], 1: [0.4, 1.0], 0: [0.0, 0.4, 0.75]}


def test_users_are_bet_on_from_each_start():
    seen = rows(*many(40, 0, 0), *many(6, 1, 1, first=40))
    assert users_above(seen, LIMIT, [0, 1]) == pytest.approx([product(6, 40), product(6, 0)])


def test_a_user_counts_once_however_often_he_asks():
    often = rows(*many(5, 0, 30, trials=30), *many(5, 1, 30, trials=30))
    assert users_above(often, LIMIT, [0]) == pytest.approx([product(5, 0)])


def test_a_block_is_one_voice_however_many_it_fails():
    """300 users failed in one hour, 23 hours without a fault: one bad observation of 24."""
    seen = rows(*many(300, 5, 1), *[(user, block, 1, 0) for block in range(24) if block != 5 for user in range(9)])
    assert blocks_above(seen, LIMIT, [0]) == pytest.approx([product(1, 23, BLOCK_BETS)])
    assert users_above(seen, LIMIT, [0])[0] > 100


def test_blocks_from_each_start_and_those_without_a_request():
    seen = rows((0, 0, 4, 0), (1, 2, 1, 1), (2, 2, 1, 1), (1, 7, 2, 1), (1, 8, 0, 0))
    half = math.log(((1 + BLOCK_BETS * (0.5 - LIMIT) / LIMIT) * (1 + BLOCK_BETS * (1 - LIMIT) / LIMIT)).mean())
    found = blocks_above(seen, LIMIT, [0, 1, 3, 8])
    assert found[1] == pytest.approx(half)
    assert found[0] < half
    assert found[2] == pytest.approx(math.log((1 + BLOCK_BETS * (0.5 - LIMIT) / LIMIT).mean()))
    assert found[3] == 0.0


def test_users_who_turn_bad_are_seen_again():
    """60 users served well for 3,000 requests, then badly: a detector of new users would see nothing."""
    good = [row for block in range(50) for row in many(60, block, 0)]
    found = users_above(rows(*good, *many(8, 50, 1)), LIMIT, range(51))
    assert found[50] > math.log(1000 / 0.01)
    assert found[0] < 0


def test_starts_are_pooled_by_their_weights():
    found = pooled([3, 4], np.array([2.0, 1.0]), np.log([0.25, 0.75]))
    assert found.log_evidence == pytest.approx(math.log(0.25 * math.e**2 + 0.75 * math.e))
    assert found.start == 4
    assert pooled([], np.zeros(0), np.zeros(0)) == restarts.NOTHING


asked_at_random = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(1, 5), st.integers(0, 5)), min_size=1, max_size=40
)


@given(asked_at_random)
def test_no_start_shows_more_than_all_who_met_something_bad(asked: list[tuple[int, int, int, int]]):
    seen = rows(*[(u, b, n, min(n, x)) for u, b, n, x in asked])
    others = rows(*[(u, b, n, 0) for u, b, n, _ in asked])
    for limit in (0.02, 0.2):
        most = restarts.most_users_can_show(seen, limit, range(5))
        assert users_above(seen, limit, range(5)).max() <= most + 1e-9
        most = restarts.most_users_can_exceed(seen, limit, range(5))
        assert users_exceed(seen, others, limit, range(5)).max() <= most + 1e-9


@given(asked_at_random)
def test_users_are_counted_from_each_start_on(asked: list[tuple[int, int, int, int]]):
    seen, starts = rows(*[(u, b, n, min(n, x)) for u, b, n, x in asked]), [0, 2, 4, 9]
    for each in (seen, restarts.only_bad(seen)):
        assert list(restarts.users_since(each, starts)) == [np.unique(each.user[each.block >= s]).size for s in starts]
    assert list(restarts.users_since(NOBODY, starts)) == [0] * 4


@given(asked_at_random)
def test_what_is_asked_in_one_request_or_in_many_is_the_same(asked: list[tuple[int, int, int, int]]):
    whole = rows(*[(u, b, n, min(n, x)) for u, b, n, x in asked])
    parts = rows(*[(u, b, 1, int(i < min(n, x))) for u, b, n, x in asked for i in range(n)])
    for above in (users_above, blocks_above):
        assert above(whole, LIMIT, range(5)) == pytest.approx(above(parts, LIMIT, range(5)))


def test_nothing_seen_is_no_evidence():
    one = rows((0, 0, 1, 1))
    for above in (users_above, blocks_above):
        assert list(above(NOBODY, LIMIT, [0, 1])) == [0.0, 0.0]
    for exceed in (users_exceed, blocks_exceed):
        assert list(exceed(NOBODY, one, 0.02, [0])) == list(exceed(one, NOBODY, 0.02, [0])) == [0.0]


def excess(*gaps: float) -> float:
    factors = [1 + EXCESS_BETS * (gap - 0.02) / 1.02 for gap in gaps]
    return math.log(np.prod(factors, axis=0).mean())


def test_an_excess_by_hand():
    ours, theirs = rows(*many(3, 0, 1)), rows(*many(6, 0, 0))
    assert users_exceed(ours, theirs, 0.02, [0]) == pytest.approx([excess(1, 1, 1)])
    assert blocks_exceed(ours, theirs, 0.02, [0]) == pytest.approx([excess(1)])


def test_an_excess_uses_every_user_of_the_larger_arm():
    """Three of the candidate's users against six of the control, in pairs: 1 against the mean of (1, 0)."""
    ours, theirs = rows(*many(3, 0, 1)), rows(*[(user, 0, 1, user % 2) for user in range(6)])
    assert users_exceed(ours, theirs, 0.02, [0]) == pytest.approx([excess(0.5, 0.5, 0.5)])


def test_what_hits_both_arms_at_once_cancels():
    everybody = rows(*many(300, 0, 1), *many(300, 1, 0, first=300))
    assert users_exceed(everybody, everybody, 0.02, [0])[0] < 0
    assert blocks_exceed(everybody, everybody, 0.02, [0]) == pytest.approx([excess(0, 0)])


def test_blocks_are_compared_with_the_same_blocks_of_the_control():
    ours = rows(*many(5, 0, 1), *many(5, 1, 0), *many(5, 3, 1))
    theirs = rows(*many(5, 0, 1), *many(5, 1, 0), *many(5, 2, 1))
    assert blocks_exceed(ours, theirs, 0.02, [0]) == pytest.approx([excess(0, 0)])


@pytest.mark.parametrize("icc", [0.0, 0.5, 1.0])
def test_false_alarms_at_the_limit_stay_below_alpha(icc: float):
    """Seven starts pooled, looked at after each day, users whose requests resemble each other: the bound is proven."""
    rng = np.random.default_rng(7)
    starts, weights = range(7), np.full(7, -math.log(7))
    alarms, ramps = 0, 100
    for _ in range(ramps):
        day = np.repeat(np.arange(7), 40)
        own = rng.random(280) < LIMIT if icc == 1 else np.full(280, LIMIT)
        if icc == 0.5:
            own = rng.beta(LIMIT, 1 - LIMIT, 280)
        seen = Rows(np.arange(280), day, np.full(280, 5.0), rng.binomial(5, own).astype(float))
        alarms += any(
            pooled(starts[:until], users_above(Rows(*(column[day < until] for column in seen)), LIMIT, starts[:until]),
                   weights[:until]).log_evidence >= math.log(1 / 0.05)
            for until in range(1, 8)
        )  # fmt: skip
    assert alarms <= 0.05 * ramps


def test_outages_as_long_as_a_block_do_not_alarm():
    """1.9 % bad in the long run, all of it in blocks that fail as a whole: users say that it is bad, blocks do not."""
    rng = np.random.default_rng(3)
    weights, alarms, loud = np.full(28, -math.log(28)), 0, 0
    for _ in range(100):
        block = np.repeat(np.arange(28 * 6), 17)
        out = rng.random(28 * 6) < 0.019
        seen = Rows(rng.integers(0, 400, block.size), block, np.ones(block.size), out[block].astype(float))
        starts = range(0, 28 * 6, 6)
        users, blocks = users_above(seen, 0.02, starts), blocks_above(seen, 0.02, starts)
        loud += pooled(starts, users, weights).log_evidence >= math.log(1 / 0.05)
        alarms += pooled(starts, np.minimum(users, blocks), weights).log_evidence >= math.log(1 / 0.05)
    assert loud > 25
    assert alarms <= 5
