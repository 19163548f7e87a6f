"""Evidence over blocks of time: against the products written out, proven bounds, and simulated outages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zantara_exp.gates.clusters import blocks
from zantara_exp.gates.clusters.time import Blocks, TimeBlocks
from zantara_exp.gates.eprocess import GO_BETS, NO_GO_BETS

PRIOR = GO_BETS**20 / (GO_BETS**20).sum()
Log = st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1)), min_size=1, max_size=40)


def _arrays(log: list[tuple[int, float]]) -> tuple[blocks.Floats, blocks.Floats]:
    weight = np.array([float(m) for m, _ in log])
    return weight, np.floor(weight * np.array([part for _, part in log]))


def _go(weight: blocks.Floats, bad: blocks.Floats, p0: float) -> float:
    return float(blocks.log_evidence_go(weight[None], bad[None], p0, np.array([weight.size]))[0, 0])


def test_equal_blocks_are_a_product_of_bets() -> None:
    bad = np.zeros(60)
    bad[[5, 20, 41]] = [0.05, 0.4, 1.0]  # no two neighbours
    shares = 1.0 - bad
    wealth = np.prod(1.0 + GO_BETS[:, None] * (shares - 0.98) / 0.98, axis=1)
    assert _go(np.ones(60), bad, 0.98) == pytest.approx(float(np.log(PRIOR @ wealth)), abs=1e-9)
    against = np.prod(1.0 + NO_GO_BETS[:, None] * (0.98 - shares) / 0.02, axis=1)
    found = blocks.log_evidence_no_go(np.ones((1, 60)), bad[None], 0.98, np.array([60]))[0, 0]
    assert found == pytest.approx(float(np.log(against.mean())), abs=1e-9)


def test_149_faultless_blocks_show_98_percent_at_the_highest_bet_and_not_many_more_at_all() -> None:
    fewest = next(n for n in range(100, 300) if _go(np.ones(n), np.zeros(n), 0.98) >= np.log(20))
    assert 149 <= fewest <= 170


def test_neighbouring_failures_count_as_if_they_were_in_as_few_blocks_as_hold_them() -> None:
    apart, split, whole = (np.zeros(50) for _ in range(3))
    apart[[10, 30]], split[[10, 11]], whole[10] = 0.5, 0.5, 1.0
    one = np.ones(50)
    assert _go(one, split, 0.98) == pytest.approx(_go(one, whole, 0.98), abs=1e-9)
    assert _go(one, apart, 0.98) > _go(one, split, 0.98) + 0.5
    three = np.zeros(50)
    three[[10, 11, 12]] = [0.5, 1.0, 0.7]
    pushed = np.zeros(50)
    pushed[[10, 20, 30]] = [1.0, 1.0, 0.2]
    assert _go(one, three, 0.98) == pytest.approx(_go(one, pushed, 0.98), abs=1e-9)


def test_scattered_failures_of_busy_hours_are_no_burst() -> None:
    weight, bad = np.full(60, 200.0), np.full(60, 2.0)
    expected = 60 * np.log1p(GO_BETS * (0.99 - 0.98) / 0.98)
    assert _go(weight, bad, 0.98) == pytest.approx(float(np.log(PRIOR @ np.exp(expected))), abs=1e-9)


@settings(max_examples=30)
@given(Log, st.floats(0.5, 0.99))
def test_what_is_seen_at_a_look_is_what_the_blocks_so_far_say(log: list[tuple[int, float]], p0: float) -> None:
    weight, bad = _arrays(log)
    ends = np.arange(1, weight.size + 1)
    path = blocks.log_evidence_go(weight[None], bad[None], p0, ends)[0]
    assert path == pytest.approx([_go(weight[:n], bad[:n], p0) for n in ends], abs=1e-8)
    against = blocks.log_evidence_no_go(weight[None], bad[None], p0, ends)[0]
    last = np.array([weight.size])
    assert against[-1] == pytest.approx(blocks.log_evidence_no_go(weight[None], bad[None], p0, last)[0, 0], abs=1e-8)


@given(Log, st.floats(0.5, 0.99), st.integers(2, 50))
def test_more_requests_in_each_hour_are_no_more_evidence(log: list[tuple[int, float]], p0: float, times: int) -> None:
    weight, bad = _arrays(log)
    assert _go(times * weight, times * bad, p0) == pytest.approx(_go(weight, bad, p0), abs=1e-8)


@settings(max_examples=8)
@given(Log)
def test_a_bound_is_where_the_evidence_is_just_enough(log: list[tuple[int, float]]) -> None:
    weight, bad = _arrays(log)
    low, high = blocks.lower_bound(weight, bad, 0.05), blocks.upper_bound(weight, bad, 0.05)
    assert 0.0 <= low <= high <= 1.0
    if 0.0 < low < 1.0 - 1e-9:
        assert _go(weight, bad, low * (1 - 1e-6)) >= np.log(20) - 1e-9
        assert _go(weight, bad, low + 1e-6) < np.log(20)


def test_a_share_of_busy_hours_is_not_outvoted_by_quiet_ones() -> None:
    # Nights with one good request an hour, busy hours with 50 of which one in ten fails: 91 % of requests are good.
    weight = np.tile([1.0] * 16 + [50.0] * 8, 60)
    bad = np.tile([0.0] * 16 + [5.0] * 8, 60)
    assert _go(weight, bad, 0.95) < 0.0
    assert blocks.effective_blocks(weight[None], np.array([weight.size]))[0, 0] == pytest.approx(60 * 416**2 / 20016)


def test_the_day_is_forecast_by_the_evidence_that_decides() -> None:
    weight, bad = np.ones(14 * 16), np.zeros(14 * 16)
    bad[::56] = 0.2
    day = blocks.day_shown(weight, bad, 0.98, np.log(20), 14)
    assert day is not None
    log = TimeBlocks([Blocks(weight[None], bad[None], np.array([weight.size]))])
    assert log.log_evidence(True, 0.98, growth=day / 14)[0, 0] >= np.log(20)
    assert log.log_evidence(True, 0.98, growth=(day - 1) / 14)[0, 0] < np.log(20)
    assert blocks.day_shown(weight, np.full(weight.size, 0.05), 0.98, np.log(20), 14) is None


def test_hours_that_are_independent_err_no_more_than_they_say() -> None:
    """Hours down with probability 2 %, everything else faultless: the worst the bets were made for."""
    rng = np.random.default_rng(5)
    down = (rng.random((3000, 60 * 16)) < 0.02).astype(np.float64)
    evidence = blocks.log_evidence_go(np.ones_like(down), down, 0.98, np.arange(1, 61) * 16)
    errs = float((evidence >= np.log(20)).any(axis=1).mean())
    assert 0.02 < errs < 0.05 + 2 * 0.004


def test_outages_as_long_as_a_block_that_fall_into_two_are_not_taken_for_two() -> None:
    """The part of an hour-long outage that falls into each of two hours; 9.5 % err unless they are pushed together."""
    rng = np.random.default_rng(6)
    begins = rng.random((2000, 60 * 16)) < 0.02
    part = rng.random(begins.shape)
    down = begins * (1 - part)
    down[:, 1:] += (begins * part)[:, :-1]
    down = np.minimum(down, 1.0)
    evidence = blocks.log_evidence_go(np.ones_like(down), down, 0.98, np.arange(1, 61) * 16)
    errs = float((evidence >= np.log(20)).any(axis=1).mean())
    assert errs < 0.05 + 2 * 0.005


def test_one_days_outage_is_no_evidence_that_the_candidate_is_bad() -> None:
    """Twenty days at 98 % with one of them down: hour by hour that refutes 95 %, by thirds of a day it does not."""
    weight, bad = np.full((1, 20 * 24), 4.0), np.full((1, 20 * 24), 0.08)
    bad[0, 240:264] = 4.0
    by_hour = blocks.log_evidence_no_go(weight, bad, 0.95, np.arange(1, 21) * 24)
    thirds = [values.reshape(1, -1, 8).sum(axis=2) for values in (weight, bad)]
    assert by_hour.max() > np.log(20)
    assert blocks.log_evidence_no_go(*thirds, 0.95, np.arange(1, 21) * 3).max() < np.log(20)


def test_a_bad_candidate_is_refuted_by_thirds_of_a_day_too() -> None:
    weight, bad = np.full((1, 60), 33.0), np.full((1, 60), 33.0 * 0.2)
    evidence = blocks.log_evidence_no_go(weight, bad, 0.95, np.arange(1, 21) * 3)[0]
    assert 1 <= int((evidence >= np.log(20)).argmax()) + 1 <= 4
