"""How often means, differences and savings mislead: 60 daily looks, the truth exactly at the threshold."""

import numpy as np
import pytest

from zantara_exp.config.gate import Criterion, Gate, Threshold, Traffic
from zantara_exp.gates.operating import LOOKS, Case, Plan, simulate, standard_error

ROLLOUTS = 600
FAST = Criterion("latency_ms", "mean", bound=10_000.0, go=Threshold(below=800))
SLOW = Criterion("latency_ms", "mean", bound=10_000.0, no_go=Threshold(above=800))
SAVED = Criterion("savings", "ratio", go=Threshold(above=0.7))
WASTED = Criterion("savings", "ratio", no_go=Threshold(below=0.7))
NO_MORE = Criterion("tickets", "non_inferiority", go=Threshold(below=0), margin=0.01)
MORE = Criterion("tickets", "non_inferiority", no_go=Threshold(above=0), margin=0.01)
SPREADS = [("gamma", 0.5), ("cold_starts", 0.3), ("lognormal", 1.8), ("lognormal", 2.9)]
"""Log-normal with a standard deviation of the logarithm of 1.2 and 1.5."""
TOKENS = [0.53, 1.31, 2.91, 7.32]
"""Of log-normal costs: 0.5, 1, 1.5 and 2."""


def misled(criterion, truth, **traffic):
    """Shares of rollouts with a GO, and with a NO_GO, on any day."""
    gate = Gate("g", {"c": criterion}, traffic=Traffic(**traffic))
    (curve,) = simulate(Plan(gate, LOOKS, ROLLOUTS, seed=11), [Case({"c": truth})])
    return curve.go_by(LOOKS), curve.no_go_by(LOOKS), float(np.median(np.minimum(curve.go_day, curve.no_go_day)))


def at_most(share):
    """5 %, and three standard errors: a rule that keeps it is blamed once in a thousand times."""
    return share <= 0.05 + 3 * standard_error(0.05, ROLLOUTS)


@pytest.mark.slow
@pytest.mark.parametrize("icc", [0.0, 0.3])
@pytest.mark.parametrize(("values", "variation"), SPREADS)
def test_a_mean_at_its_threshold_rarely_passes_and_is_rarely_refuted(values, variation, icc):
    assert at_most(misled(FAST, 800.0, values=values, variation=variation, icc=icc)[0])
    assert at_most(misled(SLOW, 800.0, values=values, variation=variation, icc=icc)[1])


@pytest.mark.slow
@pytest.mark.parametrize(("values", "variation"), SPREADS)
def test_a_fast_candidate_passes_within_two_weeks(values, variation):
    passed, _, median = misled(FAST, 600.0, values=values, variation=variation)
    assert passed > 0.99
    assert median <= 14


@pytest.mark.slow
@pytest.mark.parametrize("population", ["churning", "pool"])
@pytest.mark.parametrize("variation", TOKENS)
def test_savings_at_their_threshold_are_rarely_refuted(variation, population):
    assert at_most(misled(WASTED, 0.7, values="lognormal", variation=variation, population=population)[1])
    assert at_most(misled(SAVED, 0.7, values="lognormal", variation=variation, population=population)[0])


@pytest.mark.slow
def test_savings_of_half_are_refuted_in_a_week():
    _, refuted, median = misled(WASTED, 0.5, values="lognormal", variation=1.31)
    assert refuted > 0.98
    assert median <= 7


@pytest.mark.slow
@pytest.mark.parametrize("usual", [0.01, 0.05])
@pytest.mark.parametrize(("icc", "shape"), [(0.0, "beta"), (0.2, "beta"), (0.3, "beta"), (0.3, "two_point")])
def test_a_difference_at_its_margin_rarely_passes_and_is_rarely_refuted(icc, shape, usual):
    assert at_most(misled(NO_MORE, 0.01, icc=icc, shape=shape, baseline_bad=usual)[0])
    assert at_most(misled(MORE, 0.01, icc=icc, shape=shape, baseline_bad=usual)[1])


@pytest.mark.slow
def test_complaints_at_twice_the_usual_are_refuted():
    """5 % usual, 1 % tolerated, 11 % in truth."""
    _, refuted, median = misled(MORE, 0.06, baseline_bad=0.05)
    assert refuted > 0.9
    assert median <= 40
