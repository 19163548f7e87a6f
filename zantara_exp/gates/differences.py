"""Evidence about the difference between two groups of users' shares, from effective counts: bets on both at once.

To show that the first share exceeds the second by more than `gap`, a gambler stakes on each good request of the first
group and on each bad one of the second:

    sum_1 log(1 + l1 (x - a)) + sum_2 log(1 - l2 (x - b)),   x = 1 good, 0 bad,   a = b + gap

The smaller group is bet on with l, the larger with l times the ratio of their sizes: that is what a likelihood ratio in
the direction of the difference does. `b` is what no difference beyond the gap would leave most likely (the constrained
estimate of Farrington & Manning 1990), so that the variance is that of shares near the threshold, however few events
were seen. A mixture over l, as in `eprocess`. For known a and b it is a test martingale if what is counted is
independent (Waudby-Smith & Ramdas 2024); as b is estimated and users are weighed, its control is measured, not proven
(docs/statistics.md).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates.eprocess import Counts, mix
from zantara_exp.gates.root_search import last

Floats = NDArray[np.float64]

BETS: Floats = np.geomspace(0.005, 0.99, 32)
LOG_PRIOR: Floats = np.full(32, -math.log(32.0))

WIDEST = 1.0 - 1e-6
"""Gaps lie between minus and plus this."""
_HALVINGS = 40
_EDGE = 1e-9
"""Shares are kept this far from 0 and 1."""
_CHUNK = 1 << 12  # with 32 bets each, what is worked on stays in a core's cache


def log_evidence(first: Counts, second: Counts, gap: float) -> Floats:
    """Log evidence that the share of good requests of `first` exceeds that of `second` by more than `gap`.

    `gap` lies within WIDEST. Counts are effective good and bad requests, arrays of one shape; without users on either
    side it is 0.
    """
    counts = np.broadcast_arrays(*first, *second)
    flat = [np.asarray(values, dtype=np.float64).ravel() for values in counts]
    found = np.empty(flat[0].size)
    for start in range(0, found.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        good, bad, other_good, other_bad = (values[part] for values in flat)
        found[part] = _mixed(Counts(good, bad), Counts(other_good, other_bad), gap)
    return found.reshape(counts[0].shape)


def _mixed(first: Counts, second: Counts, gap: float) -> Floats:
    ours, theirs = (np.maximum(side.good + side.bad, _EDGE) for side in (first, second))
    b = constrained(first, second, gap)
    a = b + gap
    one, two = (BETS[:, None] * np.minimum(1.0, ratio) for ratio in (theirs / ours, ours / theirs))
    wealth = first.good * np.log1p(one * (1.0 - a)) + first.bad * np.log1p(-one * a)
    wealth += second.good * np.log1p(-two * (1.0 - b)) + second.bad * np.log1p(two * b)
    return mix(wealth.T, LOG_PRIOR)


def constrained(first: Counts, second: Counts, gap: float) -> Floats:
    """The second share that is most likely if the first exceeds it by exactly `gap`: the root of the score."""
    low = np.full(np.shape(first.good), max(0.0, -gap) + _EDGE)
    high = np.full_like(low, min(1.0, 1.0 - gap) - _EDGE)
    for _ in range(_HALVINGS):
        b = (low + high) / 2.0
        a = b + gap
        rises = second.good / b - second.bad / (1.0 - b) + first.good / a - first.bad / (1.0 - a) > 0
        low, high = np.where(rises, b, low), np.where(rises, high, b)
    return (low + high) / 2.0


def lower_bound(first: Counts, second: Counts, alpha: float) -> float:
    """The gap up to which one look's counts are evidence of 1/alpha that it is exceeded; -1 where they never are."""

    def surplus(gap: float) -> float:
        return float(log_evidence(first, second, gap).max()) + math.log(alpha)

    return last(surplus, _HALVINGS, -WIDEST, WIDEST) if surplus(-WIDEST) >= 0 else -1.0
