"""Simulated values have the mean they are asked for, and reach as far as they are said to."""

from dataclasses import replace

import numpy as np
import pytest

from zantara_exp.config.gate import Traffic
from zantara_exp.gates.population import visits
from zantara_exp.gates.simulated_values import amounts

CHURNING = Traffic(comparisons_per_day=100.0)


def drawn(mean, bound=None, **traffic):
    planned = replace(CHURNING, **traffic)
    at = visits(planned, 20, 300, np.random.default_rng(7))
    return at, amounts(at, mean, planned, np.random.default_rng(8), bound)


@pytest.mark.parametrize("values", ["gamma", "lognormal"])
@pytest.mark.parametrize("icc", [0.0, 0.2])
@pytest.mark.parametrize("bound", [None, 10_000.0])
def test_amounts_have_the_mean_and_the_spread(icc, values, bound):
    at, total = drawn(800.0, bound, icc=icc, variation=0.5, values=values)
    assert total.sum() / at.trials.sum() == pytest.approx(800, rel=0.01)
    assert total[at.trials == 1].std() / 800 == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize(("values", "variation"), [("gamma", 2.0), ("lognormal", 3.0), ("cold_starts", 0.3)])
@pytest.mark.parametrize("bound", [1000.0, 5000.0])
def test_values_with_a_bound_keep_their_mean_below_it(values, variation, bound):
    at, total = drawn(600.0, bound, values=values, variation=variation)
    assert (total <= at.trials * bound * (1 + 1e-12)).all()
    assert total.sum() / at.trials.sum() == pytest.approx(600, rel=0.02)


def test_one_in_fifty_is_cold():
    at, total = drawn(800.0, 10_000.0, values="cold_starts", variation=0.1)
    assert (total[at.trials == 1] == 8000).mean() == pytest.approx(0.02, abs=0.002)


@pytest.mark.parametrize("values", ["gamma", "lognormal", "cold_starts"])
def test_a_mean_at_the_bound_is_the_bound(values):
    at, total = drawn(1.0, 1.0, values=values)
    assert total == pytest.approx(at.trials)


def test_log_normal_values_reach_farther():
    far = {}
    for name in ("gamma", "lognormal"):
        at, total = drawn(1.0, values=name, variation=1.3, icc=0.0)
        far[name] = (total[at.trials == 1] > 15).sum()
    assert far["lognormal"] > 10 * far["gamma"] > 0
