"""Slices: searched on one half, confirmed on the other; how often falsely, and how often what is planted."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.config.gate import Traffic
from zantara_exp.gates.eprocess import log_evidence_go
from zantara_exp.gates.slice_rates import PLANTED, WORSE, confirmed, drawn
from zantara_exp.gates.slices import HOUR, Requests, Slice, Terms, confirm, level, search

TERMS = Terms(alpha=0.05, carried=3, min_users=10, rho0=0.2)
ALONE = replace(TERMS, carried=1)


def log(worse: float = 0.0, seed: int = 1, days: int = 28, bad: float = 0.02, **of: object) -> Requests:
    return drawn(replace(Traffic(), **of), days, worse, np.random.default_rng([7, seed]), bad)  # type: ignore[arg-type]


def test_a_planted_slice_is_found_and_confirmed_and_nothing_else():
    at = log(worse=0.3)
    assert search(at, TERMS)[0] == PLANTED
    assert confirmed(at, TERMS) == [PLANTED]
    found = confirm(at, [PLANTED], TERMS)[0]
    assert found is not None
    inside = at.inside(PLANTED) & ~at.searched
    assert found.requests == inside.sum()
    assert found.users == np.unique(at.user[inside]).size
    own, rest = found.rates(0.05)
    assert own.lower < own.share < own.upper
    assert rest.share < 0.05 < own.share


def test_nothing_is_confirmed_where_nothing_is_worse():
    assert not any(confirmed(log(seed=seed), TERMS) for seed in range(10))


def test_the_search_sees_nothing_of_the_other_half():
    at = log(worse=0.3)
    others = replace(at, bad=np.where(at.searched, at.bad, ~at.bad))
    assert search(others, TERMS) == search(at, TERMS)
    chosen = replace(at, bad=np.where(at.searched, ~at.bad, at.bad))
    assert confirm(chosen, [PLANTED], TERMS) == confirm(at, [PLANTED], TERMS)


def test_a_handful_of_bad_users_confirms_nothing():
    at = log(bad=0.001, icc=0.0)
    some = np.unique(at.user[at.inside((("language", "c"),)) & ~at.searched])[:2]
    at = replace(at, bad=at.bad | np.isin(at.user, some))
    found = confirm(at, [(("language", "c"),)], TERMS)[0]
    assert found is not None
    assert found.log_evidence < -math.log(level(1, TERMS.alpha))


def test_a_slice_with_few_users_is_not_looked_at():
    at = log(worse=0.3)
    assert search(at, replace(TERMS, min_users=10_000)) == []
    assert confirm(at, [PLANTED], replace(TERMS, min_users=10_000)) == [None]


def test_an_hour_in_which_everybody_fails_is_one_failure():
    """Forty users of one language fail in one hour: by users alone that would be a slice."""
    size = 400
    user = np.arange(size)
    language = np.where(user % 2, "a", "b")
    bad = (language == "a") & (user < 80)
    block = np.where(bad, 0, user)
    at = Requests(user, block, bad, np.zeros(size, bool), {"language": language})
    found = confirm(at, [(("language", "a"),)], TERMS)[0]
    assert found is not None
    assert found.bad == 40
    assert found.log_evidence < 1.0
    by_user = confirm(replace(at, block=user), [(("language", "a"),)], TERMS)[0]
    assert by_user is not None
    assert by_user.log_evidence > 10


def by_the_hour(failing: np.ndarray) -> Requests:
    """28 days of 20 requests in each of four parts of the day, a user each; `failing`: of shape (days, parts)."""
    day, part = np.repeat(np.arange(28), 80), np.tile(np.repeat(np.arange(4), 20), 28)
    user = np.arange(day.size)
    block = day * 24 + part * 6 + user % 6
    hours = np.array(["00-06", "06-12", "12-18", "18-24"])[part]
    return Requests(user, block, failing[day, part] & (user % 5 > 0), np.zeros(day.size, bool), {HOUR: hours}, day)


def test_nights_that_fail_are_worse_and_one_long_outage_is_not_its_hours():
    night: Slice = ((HOUR, "00-06"),)
    failing = np.zeros((28, 4), bool)
    failing[3] = [True, False, False, False]
    failing[4] = [True, False, False, False]
    outage, nights = by_the_hour(failing), by_the_hour(np.tile([True, False, False, False], (28, 1)))
    once, always = confirm(outage, [night], TERMS)[0], confirm(nights, [night], TERMS)[0]
    assert once is not None
    assert always is not None
    assert once.log_evidence < -math.log(level(1, TERMS.alpha)) < always.log_evidence
    by_blocks = confirm(replace(outage, day=None), [night], TERMS)[0]
    assert by_blocks is not None
    assert by_blocks.log_evidence > -math.log(level(1, TERMS.alpha))


def test_each_next_slice_is_tested_outside_of_those_before_it():
    at = log(worse=0.3)
    wider = (("language", "c"),)
    alone, after = confirm(at, [wider], TERMS)[0], confirm(at, [PLANTED, wider], TERMS)[1]
    assert alone is not None
    assert after is not None
    assert after.log_evidence < 1.0 < alone.log_evidence
    left = ~at.searched & ~at.inside(PLANTED)
    assert after.requests == (left & at.inside(wider)).sum()


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.sampled_from("ab")), min_size=1, max_size=60))
def test_evidence_is_that_of_effective_counts_by_a_plain_loop(rows):
    user, bad, value = (np.array(column) for column in zip(*rows, strict=True))
    at = Requests(user, np.arange(len(rows)), bad.astype(bool), np.zeros(len(rows), bool), {"x": value.astype(str)})
    found = confirm(at, [(("x", "a"),)], replace(ALONE, min_users=0))[0]
    sums = {True: [0.0, 0.0], False: [0.0, 0.0]}
    for inside in sums:
        for each in {*user.tolist()}:
            mine = [b for u, b, v in rows if u == each and (v == "a") == inside]
            for b in mine:
                sums[inside][0 if b else 1] += 1 / (1 + 0.2 * (len(mine) - 1))
    if not any(v == "a" for _, _, v in rows):
        assert found is None
        return
    assert found is not None
    assert (found.bad, found.good) == pytest.approx(sums[True])
    assert (found.rest_bad, found.rest_good) == pytest.approx(sums[False])
    share = min(max(sum(sums[True]) / (sum(sums[True]) + sum(sums[False])), 1e-9), 1 - 1e-9)
    assert found.log_evidence <= float(log_evidence_go(found.bad, found.rest_bad, share)) + 1e-9


def test_levels_add_up_to_alpha():
    assert sum(level(place, 0.05) for place in range(1, 100_000)) == pytest.approx(0.05, rel=1e-4)


@pytest.mark.slow  # 200 null logs and 60 with a planted slice, each searched three times
@pytest.mark.parametrize("of", [{}, {"icc": 0.3, "shape": "two_point"}, {"outage_share": 0.75}])
def test_false_slices_stay_below_alpha_and_a_planted_one_is_found(of):
    false = np.mean([bool(confirmed(log(seed=seed, bad=0.05, **of), TERMS)) for seed in range(200)])
    assert false <= 0.05
    if not of:
        found = np.mean([PLANTED in confirmed(log(WORSE, seed=seed), TERMS) for seed in range(60)])
        assert found >= 0.8
