"""The end that is found is the one that halving finds, in far fewer steps where the surplus is smooth."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from zantara_exp.gates.root_search import last


def halved(surplus: Callable[[float], float], halvings: int, low: float, high: float) -> float:
    for _ in range(halvings):
        middle = (low + high) / 2.0
        low, high = (middle, high) if surplus(middle) >= 0 else (low, middle)
    return low


SMOOTH: list[Callable[[float], float]] = [
    lambda x: 0.7 - x,
    lambda x: math.log((1.0 - x) / x) - 3.0,
    lambda x: 300 * math.log1p(0.9 * (0.97 - x) / x) - 7,
    lambda x: math.exp(-9 * x) - 1e-3,
]
ROUGH: list[Callable[[float], float]] = [
    lambda x: 1.0 if x < 1 / 3 else -1.0,
    lambda x: 1e-9 if x < 0.9 else -1e9,
    lambda x: 0.25 - x if x < 0.25 else -math.inf,
    lambda x: 1.0 if x <= 0.6 else math.nan,
    lambda x: (0.4 - x) ** 9,
    lambda x: math.inf if x < 1e-7 else -1.0,
]


@pytest.mark.parametrize("halvings", [30, 50])
@pytest.mark.parametrize(("surplus", "most"), [*((each, 0.5) for each in SMOOTH), *((each, 2.5) for each in ROUGH)])
def test_it_ends_where_halving_ends(surplus: Callable[[float], float], most: float, halvings: int) -> None:
    asked = []

    def noted(x: float) -> float:
        assert 0 < x < 1
        asked.append(x)
        return surplus(x)

    found = last(noted, halvings)
    assert found == 0 or surplus(found) >= 0
    assert abs(found - halved(surplus, halvings, 0.0, 1.0)) <= 2.0 ** (1 - halvings)
    assert len(asked) <= most * halvings


def test_the_ends_of_what_is_searched() -> None:
    assert last(lambda _: -1.0, 30) == 0
    assert last(lambda _: 1.0, 30) == pytest.approx(1, abs=1e-8)
    assert last(lambda x: -x, 40, -2.0, 2.0) == pytest.approx(0, abs=1e-11)
