import numpy as np
import pytest
from scipy.stats import norm

from tools.bench import spending

# rpact 3.3.4: one-sided 0.025, five looks
RPACT = {
    spending.pocock: [2.4131803] * 5,
    spending.obrien_fleming: [4.5617423, 3.2256389, 2.6337232, 2.2808712, 2.0400732],
    spending.lan_demets_obrien_fleming: [4.8768849, 3.3570119, 2.6802801, 2.2898168, 2.0310321],
}


@pytest.mark.parametrize("boundary", RPACT, ids=lambda boundary: boundary.__name__)
def test_boundaries_are_those_of_rpact(boundary):
    np.testing.assert_allclose(boundary(0.025, 5), RPACT[boundary], atol=2e-5)


SPENDING = (spending.lan_demets_obrien_fleming, spending.lan_demets_pocock)
CONSTANT = (spending.pocock, spending.obrien_fleming)
MANY = [(boundary, 14) for boundary in (*SPENDING, *CONSTANT)] + [(boundary, 60) for boundary in SPENDING]
SPENT = [
    *((boundary, 5) for boundary in (*SPENDING, *CONSTANT)),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in MANY),
]


@pytest.mark.parametrize(("boundary", "looks"), SPENT)
def test_all_of_alpha_is_spent(boundary, looks):
    bounds = boundary(0.05, looks)
    assert spending.crossing(bounds).sum() == pytest.approx(0.05, abs=1e-6)
    assert np.all(np.diff(bounds) <= 1e-9) or boundary in (spending.pocock, spending.lan_demets_pocock)


def test_one_look_is_the_plain_test():
    assert spending.lan_demets_obrien_fleming(0.05, 1)[0] == pytest.approx(norm.isf(0.05))


def test_crossings_are_those_of_a_simulated_walk():
    bounds = spending.lan_demets_pocock(0.05, 4)
    walk = np.random.default_rng(3).standard_normal((200_000, 4)).cumsum(axis=1) / np.sqrt(np.arange(1, 5))
    crossed = walk >= bounds
    first = np.where(crossed.any(axis=1), crossed.argmax(axis=1), -1)
    for look, expected in enumerate(spending.crossing(bounds)):
        assert (first == look).mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / 200_000))
