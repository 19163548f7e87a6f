"""Group-sequential boundaries, the classical answer to repeated looks: a comparison, not what a gate decides by.

Boundaries on the z scale for one-sided level alpha and K looks at equally spaced information: constant shapes (Pocock;
O'Brien & Fleming) and Lan-DeMets spending functions. Armitage, McPherson & Rowe 1969 (the recursion), Lan & DeMets
1983, Jennison & Turnbull 2000, ch. 19 (the grid). The density of z given no crossing so far is carried from look to
look on a Simpson grid.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]

_LOWEST = -8.0
_POINTS = 801


def pocock(alpha: float, looks: int) -> Floats:
    """The same critical value at every look."""
    return _scaled(alpha, np.ones(looks))


def obrien_fleming(alpha: float, looks: int) -> Floats:
    """Critical values proportional to sqrt(K / k)."""
    return _scaled(alpha, np.sqrt(looks / np.arange(1.0, looks + 1)))


def lan_demets_obrien_fleming(alpha: float, looks: int) -> Floats:
    """Spends 2 - 2 Phi(z_(alpha/2) / sqrt(t)) by information time t."""
    times = np.arange(1.0, looks + 1) / looks
    return _spent(2.0 * ndtr(ndtri(alpha / 2.0) / np.sqrt(times)))


def lan_demets_pocock(alpha: float, looks: int) -> Floats:
    """Spends alpha log(1 + (e - 1) t) by information time t."""
    times = np.arange(1.0, looks + 1) / looks
    return _spent(alpha * np.log1p((np.e - 1.0) * times))


def crossing(bounds: Floats) -> Floats:
    """Probability of the first crossing at each look, under the null hypothesis."""
    walk = _Walk()
    return np.array([walk.step(bound) for bound in bounds])


def _scaled(alpha: float, shape: Floats) -> Floats:
    factor = _root(lambda c: float(crossing(c * shape).sum()) - alpha, 0.5, 6.0)
    return np.asarray(factor * shape)


def _spent(cumulative: Floats) -> Floats:
    walk, bounds, before = _Walk(), [], 0.0
    for spent in cumulative:
        share = float(spent) - before
        bound = _root(lambda b, share=share: walk.probability(b) - share, 0.0, 37.0)  # type: ignore[misc]
        walk.step(bound)
        bounds.append(bound)
        before = float(spent)
    return np.array(bounds)


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(falling, low, high, xtol=1e-12))


class _Walk:
    """The score s_k = z_k sqrt(k) of looks without a crossing: a random walk with standard normal steps."""

    def __init__(self) -> None:
        self._look = 0
        self._points: Floats = np.zeros(1)
        self._mass: Floats = np.ones(1)

    def probability(self, bound: float) -> float:
        """Of crossing `bound` (on the z scale) at the next look, and at none before."""
        return float((self._mass * ndtr(self._points - bound * np.sqrt(self._look + 1))).sum())

    def step(self, bound: float) -> float:
        """Go on to the next look; returns the probability of crossing there."""
        crossed = self.probability(bound)
        self._look += 1
        root = np.sqrt(self._look)
        low, high = _LOWEST * root, min(bound, -_LOWEST) * root
        points = np.linspace(low, high, _POINTS)
        weights = np.full(_POINTS, 2.0)
        weights[1::2], weights[0], weights[-1] = 4.0, 1.0, 1.0
        gaps = points[:, None] - self._points
        density = np.exp(-0.5 * gaps * gaps) @ self._mass / np.sqrt(2.0 * np.pi)
        self._points = points
        self._mass = density * weights * (high - low) / (_POINTS - 1) / 3.0
        return crossed
