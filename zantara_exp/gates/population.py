"""Simulated traffic: which user asks how often on which day, and how well each user is served.

Two populations, so that figures compare:

  churning  users arrive at random (Poisson), ask m requests in all, P(m) ~ m^-1.5 up to 100 (7.7 on average), spread
            evenly over 14 days, and go. Those who arrived in the 13 days before the first are there at the start.
  pool      always the same users; who asks is drawn by Zipf's law, P(rank) ~ 1/rank.

Requests keep to the hours of the day (`night`) and the days of the week (`weekend`); rollouts begin on a Monday.

A user is served well with a probability of his own, so that two of his requests agree more than two users' do: the
intra-class correlation (ICC). A declared part of what fails (`outage_share`) fails in outages, in which everybody does:
they begin at random times and last `outage_minutes`. Everything is drawn for many rollouts at once and returned as rows
per user and slot of ten minutes, sorted by user and time; `chunks` keeps the memory bounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from zantara_exp.config.gate import Traffic
from zantara_exp.gates.clusters.weeks import weekday
from zantara_exp.gates.evidence import SLOTS, UserDays
from zantara_exp.gates.user_visits import Flags, Floats, Ints, Visits, grouped

STAY_DAYS = 14
MOST_REQUESTS = 100
_REQUESTS = np.arange(1, MOST_REQUESTS + 1)
_SHARES = _REQUESTS**-1.5 / (_REQUESTS**-1.5).sum()
MEAN_REQUESTS = float((_REQUESTS * _SHARES).sum())
_CHUNK_REQUESTS = 200_000
"""What is worked on then stays near a core: with 2,000,000 the same took a third longer."""
_MORNING = 8
"""Hour at which the night ends; it begins at midnight."""


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
    # A stay of two weeks holds each day of the week twice.
    week = rng.integers(0, STAY_DAYS // 7, asking.size) * 7
    offset = (_drawn(_weekdays(traffic), asking.size, rng) - arrived[asking]) % 7 + week
    return _sorted(simulations, days, owner, asking, arrived[asking] + offset, _times(traffic, asking.size, rng))


def _pool(traffic: Traffic, days: int, simulations: int, rng: np.random.Generator) -> Visits:
    rates = 1.0 / np.arange(1, traffic.users + 1)
    rates *= traffic.comparisons_per_day / rates.sum()
    by_day = rates[:, None] * _weekdays(traffic)[np.arange(days) % 7] * 7
    counts = rng.poisson(by_day, (simulations, traffic.users, days)).ravel()
    owner = np.repeat(np.arange(simulations), traffic.users)
    asked = np.repeat(np.arange(counts.size), counts)
    return _sorted(simulations, days, owner, asked // days, asked % days, _times(traffic, asked.size, rng))


def _weekdays(traffic: Traffic) -> Floats:
    """Share of the requests on each day of the week, from Monday on."""
    weights = np.array([1.0] * 5 + [traffic.weekend] * 2)
    return np.asarray(weights / weights.sum())


def _times(traffic: Traffic, size: int, rng: np.random.Generator) -> Ints:
    """Slots of the day."""
    hours = np.where(np.arange(24) < _MORNING, traffic.night, 1.0)
    return _drawn(hours / hours.sum(), size, rng) * (SLOTS // 24) + rng.integers(0, SLOTS // 24, size)


def _drawn(shares: Floats, size: int, rng: np.random.Generator) -> Ints:
    return np.searchsorted(np.cumsum(shares), rng.random(size) * (1 - 1e-12)).astype(np.int64)


def _sorted(simulations: int, days: int, owner: Ints, user: Ints, day: Ints, slot: Ints) -> Visits:
    """One row per user and slot, from one entry per request; what lies outside of the days is left out."""
    inside = (day >= 0) & (day < days)
    time = days * SLOTS
    asked, counts = np.unique(user[inside] * time + day[inside] * SLOTS + slot[inside], return_counts=True)
    slots = asked % time
    return grouped(simulations, days, owner, asked // time, slots // SLOTS, counts, slots)


def resampled(log: UserDays, traffic: Traffic, factor: float, days: int, size: int, rng: np.random.Generator) -> Visits:
    """`size` rollouts of users drawn from a log with replacement, `factor` times as many, at the times they asked.

    A horizon longer than the log sees the same users again: no new user is invented, which errs on the slow side. A log
    without times of day has those of `traffic`.
    """
    start, length = int(log.day.min()), int(log.day.max() - log.day.min()) + 1
    asked = log.trials > 0
    codes, code = np.unique(log.user[asked], return_inverse=True)
    times = _times(traffic, code.size, rng) if log.slot is None else log.slot[asked]
    first = (log.day[asked] - start) * SLOTS + times
    repeats = -(-days // length)
    user, slot = np.tile(code, repeats), (first + np.arange(repeats)[:, None] * length * SLOTS).ravel()
    trials, inside = np.tile(log.trials[asked], repeats), slot < days * SLOTS
    user, slot, trials = user[inside], slot[inside], trials[inside]
    order = np.lexsort((slot, user))
    user, slot, trials = user[order], slot[order], trials[order]
    counts = np.bincount(user, minlength=codes.size)
    begin = np.cumsum(counts) - counts
    there = np.flatnonzero(counts)
    chosen = there[rng.integers(0, there.size, size * max(1, round(factor * there.size)))]
    whose = np.repeat(np.arange(chosen.size), counts[chosen])
    row = np.arange(whose.size) - np.repeat(np.cumsum(counts[chosen]) - counts[chosen], counts[chosen])
    row += begin[chosen][whose]
    owner = np.repeat(np.arange(size), chosen.size // size)
    made = grouped(size, days, owner, whose, slot[row] // SLOTS, trials[row], slot[row])
    return replace(made, start=start)


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


def served(at: Visits, share: float, traffic: Traffic, rng: np.random.Generator) -> Floats:
    """Good requests per row, a `share` of all in the long run, with users, outages and weekends as declared."""
    outside = 1.0 - (1.0 - traffic.outage_share) * (1.0 - share)
    probability = probabilities(outside, traffic, at.users, rng)
    if traffic.weekend_failures != 1.0:
        probability = np.clip(1.0 - (1.0 - probability[at.user]) * _weekend_factor(at, traffic), 0.0, 1.0)
        good = rng.binomial(at.trials.astype(np.int64), probability).astype(np.float64)
    else:
        good = successes(at, probability, rng)
    if outside > share:
        good[out(at, 1.0 - share / outside, traffic, rng)] = 0.0
    return good


def _weekend_factor(at: Visits, traffic: Traffic) -> Floats:
    """Failures on each row's day, relative to the mean over the week's requests."""
    factors = np.where(np.arange(7) < 5, 1.0, traffic.weekend_failures)
    factors /= (factors * _weekdays(traffic)).sum()
    return np.asarray(factors[weekday(at.day + at.start)])


def out(at: Visits, share: float, traffic: Traffic, rng: np.random.Generator) -> Flags:
    """Which rows lie in outages, which take a `share` of the time: they begin by a Poisson process."""
    length, slots = max(1, round(traffic.outage_minutes / 10)), at.days * SLOTS
    slot = at.day * SLOTS if at.slot is None else at.slot
    # Where outages overlap they are one: that a slot lies in none has probability exp(-rate length).
    rate = -math.log1p(-share) / length
    begun = rng.poisson(rate * (slots + length), at.simulations)
    whose = np.repeat(np.arange(at.simulations), begun)
    start = rng.integers(-length, slots, whose.size)
    change = np.zeros((at.simulations, slots + 1))
    np.add.at(change, (whose, np.maximum(start, 0)), 1.0)
    np.add.at(change, (whose, np.minimum(start + length, slots)), -1.0)
    down = change.cumsum(axis=1) > 0.5
    return np.asarray(down[at.owner[at.user], slot])
