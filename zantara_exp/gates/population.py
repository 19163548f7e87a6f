"""Simulated traffic: which user asks how often on which day, and how well each user is served.

Two populations, so that figures compare:

  churning  users arrive at random (Poisson), ask m requests in all, P(m) ~ m^-1.5 up to 100 (7.7 on average), spread
            evenly over 14 days, and go. Those who arrived in the 13 days before the first are there at the start.
  pool      always the same users; who asks is drawn by Zipf's law, P(rank) ~ 1/rank.

A user is served well with a probability of his own, so that two of his requests agree more than two users' do: the
intra-class correlation (ICC). Everything is drawn for many rollouts at once and returned as user-days, sorted by user
and day; `chunks` keeps the memory bounded.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zantara_exp.config.gate import Traffic
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.visits import Floats, Visits, grouped

STAY_DAYS = 14
MOST_REQUESTS = 100
_REQUESTS = np.arange(1, MOST_REQUESTS + 1)
_SHARES = _REQUESTS**-1.5 / (_REQUESTS**-1.5).sum()
MEAN_REQUESTS = float((_REQUESTS * _SHARES).sum())
_CHUNK_REQUESTS = 2_000_000


def chunks(traffic: Traffic, days: int, simulations: int) -> Iterator[int]:
    """Sizes of the parts in which `simulations` rollouts fit into bounded memory."""
    size = max(1, int(_CHUNK_REQUESTS / (traffic.comparisons_per_day * (days + STAY_DAYS))))
    for start in range(0, simulations, size):
        yield min(size, simulations - start)


def visits(traffic: Traffic, days: int, simulations: int, rng: np.random.Generator) -> Visits:
    """Draw who asks when, for `simulations` rollouts of `days` days."""
    drawn = _pool if traffic.population == "pool" else _churning
    return drawn(traffic, days, simulations, rng)


def users_within(traffic: Traffic, days: int) -> float:
    """The most distinct users that `days` days of this traffic bring on average: all whose stay touches them."""
    if traffic.population == "pool":
        return min(float(traffic.users), traffic.comparisons_per_day * days)
    return traffic.comparisons_per_day / MEAN_REQUESTS * (days + STAY_DAYS - 1)


def _churning(traffic: Traffic, days: int, simulations: int, rng: np.random.Generator) -> Visits:
    rate = traffic.comparisons_per_day / MEAN_REQUESTS
    arrivals = rng.poisson(rate * (days + STAY_DAYS - 1), simulations)
    owner = np.repeat(np.arange(simulations), arrivals)
    arrived = rng.integers(1 - STAY_DAYS, days, owner.size)
    requests = 1 + np.searchsorted(np.cumsum(_SHARES), rng.random(owner.size) * (1 - 1e-12))
    asking = np.repeat(np.arange(owner.size), requests)
    offset = rng.integers(0, STAY_DAYS, asking.size)
    counts = np.bincount(asking * STAY_DAYS + offset, minlength=owner.size * STAY_DAYS)
    rows = np.flatnonzero(counts)
    user = rows // STAY_DAYS
    day = arrived[user] + rows % STAY_DAYS
    inside = (day >= 0) & (day < days)
    return grouped(simulations, days, owner, user[inside], day[inside], counts[rows[inside]])


def _pool(traffic: Traffic, days: int, simulations: int, rng: np.random.Generator) -> Visits:
    rates = 1.0 / np.arange(1, traffic.users + 1)
    rates *= traffic.comparisons_per_day / rates.sum()
    counts = rng.poisson(rates[:, None], (simulations, traffic.users, days)).ravel()
    rows = np.flatnonzero(counts)
    owner = np.repeat(np.arange(simulations), traffic.users)
    return grouped(simulations, days, owner, rows // days, rows % days, counts[rows])


def resampled(log: UserDays, factor: float, days: int, simulations: int, rng: np.random.Generator) -> Visits:
    """Rollouts of users drawn from a log with replacement, `factor` times as many, on the days they asked.

    A horizon longer than the log sees the same users again: no new user is invented, which errs on the slow side.
    """
    codes, code = np.unique(log.user, return_inverse=True)
    start, length = int(log.day.min()), int(log.day.max() - log.day.min()) + 1
    grid = np.zeros((codes.size, length))
    np.add.at(grid, (code, log.day - start), log.trials)
    tiled = np.tile(grid, -(-days // length))[:, :days]
    asked = tiled[tiled.sum(axis=1) > 0]
    size = max(1, round(factor * asked.shape[0]))
    drawn = asked[rng.integers(0, asked.shape[0], simulations * size)]
    user, day = np.nonzero(drawn)
    owner = np.repeat(np.arange(simulations), size)
    return grouped(simulations, days, owner, user, day, drawn[user, day])


def probabilities(mean: float, traffic: Traffic, size: int, rng: np.random.Generator) -> Floats:
    """Each user's own probability, with the given mean and intra-class correlation.

    beta: Beta(a, b) with a + b = 1/ICC - 1. two_point: some users are served perfectly, the others alike badly.
    """
    if traffic.icc == 0 or mean in (0.0, 1.0):
        return np.full(size, mean)
    if traffic.shape == "two_point":
        drop = traffic.icc * mean + (1.0 - mean)
        return np.where(rng.random(size) < (1.0 - mean) / drop, 1.0 - drop, 1.0)
    spread = 1.0 / traffic.icc - 1.0
    return rng.beta(mean * spread, (1.0 - mean) * spread, size)


def successes(at: Visits, probability: Floats, rng: np.random.Generator) -> Floats:
    """Successes per row, for one probability per user."""
    return rng.binomial(at.trials.astype(np.int64), probability[at.user]).astype(np.float64)
