"""How often a certificate is wrong, and how much it moves, on simulated logs of known truth (docs/statistics.md)."""

from __future__ import annotations

import numpy as np
import pytest

from tests.routing.simulated import Outcome, Texts, World, simulate

MARK = 0.8 / 0.995
"""Share of good answers at which those answered and good are just 80 %: every certificate is a false one."""
WORST = {
    "null score": World(MARK, MARK),
    "null score, labels alone": World(MARK, MARK, judge=None),
    "null score, lenient judge": World(MARK, MARK, judge=(0.98, 0.4)),
    "null score, a judge that guesses": World(MARK, MARK, judge=(0.5, 0.5)),
    "the best are at the mark": World(MARK, 0.4),
    "who fits fares better": World(MARK, 0.4, fit_easy=0.95),
}


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts()


def wrong(found: Outcome, quality: float) -> bool:
    return found.point is not None and found.truth <= quality + 1e-9


@pytest.mark.slow  # 500 logs in each world
@pytest.mark.parametrize("name", WORST)
def test_a_certificate_is_rarely_wrong(texts: Texts, name: str) -> None:
    world = WORST[name]
    assert np.mean([wrong(simulate(world, texts, seed), world.quality) for seed in range(500)]) <= 0.05


@pytest.mark.slow  # 500 logs
def test_most_of_what_could_move_does(texts: Texts) -> None:
    world = World()
    found = [simulate(world, texts, seed) for seed in range(500)]
    assert np.mean([wrong(each, world.quality) for each in found]) <= 0.05
    assert np.mean([each.point is not None for each in found]) >= 0.75
    assert np.mean([each.moved for each in found]) >= 0.5


def test_a_user_with_most_of_the_requests_is_not_outvoted(texts: Texts) -> None:
    """All that he was answered is worse: users' mean says otherwise, and requests would be worse than declared."""
    found = [simulate(World(heavy=2000), texts, seed) for seed in range(3)]
    assert all(each.point is None or each.point.by_request >= 0.8 for each in found)


def test_a_log_of_two_kinds_of_requests_moves_one_of_them(texts: Texts) -> None:
    found = simulate(World(easy=0.98, hard=0.2), texts, seed=1)
    assert found.point is not None
    assert found.truth > 0.85
    assert 0.5 < found.moved < 0.85
