"""Simulates values per request (milliseconds, tokens, costs) with a given mean, spread over users.

The standard deviation is `traffic.variation` times the mean, and two requests of one user correlate by `traffic.icc`.
`traffic.values` says how large rare values are:

  gamma        hardly any large values: none of a thousand is ten times the mean at a variation of 0.5
  lognormal    some large values, as token counts and latencies under load have; the logarithms are correlated
  cold_starts  one in fifty takes ten times the mean; the others differ only by `variation`

For a mean with a bound no value exceeds the bound, and the mean stays: a gamma becomes a beta, a log-normal is cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

from zantara_exp.config.gate import Traffic
from zantara_exp.gates.user_visits import Floats, Ints, Visits

COLD_SHARE, COLD_TIMES = 0.02, 10.0
_HALVINGS = 60
_MOST_SPREAD = 0.9
"""The largest part of the variance that is possible for shares with their mean."""


def amounts(at: Visits, mean: float, traffic: Traffic, rng: np.random.Generator, bound: float | None = None) -> Floats:
    """Per row, the sum of values with this mean, each at most `bound`."""
    if bound is not None and mean >= bound:
        return at.trials * bound
    drawn = {"gamma": _gamma, "lognormal": _lognormal, "cold_starts": _cold_starts}[traffic.values]
    return drawn(at, mean, traffic, rng, math.inf if bound is None else bound)


def _gamma(at: Visits, mean: float, traffic: Traffic, rng: np.random.Generator, bound: float) -> Floats:
    if math.isfinite(bound):
        return bound * _beta(at, mean / bound, traffic, rng)
    between = traffic.icc * traffic.variation**2
    within = (1.0 - traffic.icc) * traffic.variation**2
    of_user = rng.gamma(1.0 / between, between * mean, at.users) if between > 0 else np.full(at.users, mean)
    if within == 0:
        return at.trials * of_user[at.user]
    return np.asarray(rng.gamma(at.trials / within) * within * of_user[at.user])


def _beta(at: Visits, mean: float, traffic: Traffic, rng: np.random.Generator) -> Floats:
    """Sums of shares: each user's mean has a beta distribution, and so has the mean of each row around it."""
    spread = min((traffic.variation * mean) ** 2 / (mean * (1.0 - mean)), _MOST_SPREAD)
    of_user = np.full(at.users, mean)
    if traffic.icc > 0:
        more = 1.0 / (traffic.icc * spread) - 1.0
        of_user = rng.beta(mean * more, (1.0 - mean) * more, at.users)
    share = np.clip(of_user[at.user], 1e-12, 1.0 - 1e-12)
    firm = at.trials / ((1.0 - traffic.icc) * spread) - 1.0
    return np.asarray(at.trials * rng.beta(share * firm, (1.0 - share) * firm))


def _lognormal(at: Visits, mean: float, traffic: Traffic, rng: np.random.Generator, bound: float) -> Floats:
    sigma = math.sqrt(math.log1p(traffic.variation**2))
    row = _requests(at)
    own = rng.standard_normal(at.users)[at.user[row]] * math.sqrt(traffic.icc)
    noise = own + rng.standard_normal(row.size) * math.sqrt(1.0 - traffic.icc)
    scale = _solved(lambda scale: _cut_mean(scale, sigma, bound) - mean, mean) if math.isfinite(bound) else mean
    return _summed(at, row, np.minimum(scale * np.exp(sigma * noise - sigma**2 / 2.0), bound))


def _cut_mean(scale: float, sigma: float, bound: float) -> float:
    """Mean of the smaller of `bound` and a log-normal of mean `scale`."""
    edge = (math.log(bound / scale) + sigma**2 / 2.0) / sigma
    return float(scale * ndtr(edge - sigma) + bound * ndtr(-edge))


def _solved(off: Callable[[float], float], start: float) -> float:
    """The zero of a function that rises from a negative value at `start`, by bisection of the logarithm."""
    low, high = start, start
    while off(high) < 0 and high < 1e12 * start:
        high *= 2.0
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if off(middle) < 0 else (low, middle)
    return high


def _cold_starts(at: Visits, mean: float, traffic: Traffic, rng: np.random.Generator, bound: float) -> Floats:
    cold = min(COLD_TIMES * mean, bound)
    row = _requests(at)
    share = np.full(at.users, COLD_SHARE)
    if traffic.icc > 0:
        more = 1.0 / traffic.icc - 1.0
        share = rng.beta(COLD_SHARE * more, (1.0 - COLD_SHARE) * more, at.users)
    warm = (mean - COLD_SHARE * cold) / (1.0 - COLD_SHARE)
    sigma = math.sqrt(math.log1p(traffic.variation**2))
    usual = warm * np.exp(sigma * rng.standard_normal(row.size) - sigma**2 / 2.0)
    return _summed(at, row, np.where(rng.random(row.size) < share[at.user[row]], cold, np.minimum(usual, bound)))


def _requests(at: Visits) -> Ints:
    """The row of each request."""
    return np.repeat(np.arange(at.user.size), at.trials.astype(np.int64))


def _summed(at: Visits, row: Ints, values: Floats) -> Floats:
    return np.bincount(row, values, at.user.size).astype(np.float64, copy=False)
