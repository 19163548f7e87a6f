"""Prediction-powered evidence about a share: people's labels on few pairs, a judge's verdicts on many.

The judge parts the pairs into those it calls good and the others; how many it calls good is known from all that it saw,
and people's labels say how many are good in either part. So the estimate is w1 s1/n1 + w0 s0/n0: post-stratified, which
is PPI++ with the best weight for a verdict of two values. The judge's errors, whatever they are, are measured by the
labels: they cost precision, and no truth.

Evidence is the exact probability of an estimate as high or higher, under the shares of both parts that are most likely
where the threshold is just not exceeded (an estimated p-value: Storer & Kim 1990; Lloyd 2008). With a judge that calls
everything good it is the exact binomial test. That it errs no more often than it says, whatever the judge, is shown by
enumeration and simulation: docs/statistics.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, gammaln, xlog1py, xlogy

from zantara_exp.gates import root_search

Floats = NDArray[np.float64]

_HALVINGS = 40
_ROWS = 4000
"""Enumerated at once: bounds the memory that it takes."""
_NOTHING = 1e-300
_TEETH, _LOOKED_AT = 0.01, 400
_SAME = 1e-7
"""Counts nearer to each other than this are the same: an estimate is a sum of fractions."""


class Judged(NamedTuple):
    """Labels by what the judge says of their pairs; the last axis of `good` and `pairs` is (not good, good)."""

    good: Floats
    pairs: Floats
    share: Floats
    """Of all pairs that the judge saw, those that it calls good; shape of `good` without its last axis."""
    saw: float
    """How many independent pairs it saw: users, where each has one voice."""

    @property
    def weights(self) -> Floats:
        """Of the two parts."""
        return np.stack([1.0 - self.share, self.share], axis=-1)


def estimate(of: Judged) -> Floats:
    """The share of good pairs; a part without a label counts as the labels do together."""
    alone = of.good.sum(-1, keepdims=True) / np.maximum(of.pairs.sum(-1, keepdims=True), 1.0)
    shares = np.where(of.pairs > 0, of.good / np.maximum(of.pairs, 1.0), alone)
    return np.asarray((of.weights * shares).sum(-1))


def worth(of: Judged, p0: float) -> Floats:
    """How many labels without a judge would tell as much of whether the share exceeds `p0`."""
    most_likely = _most_likely(of, p0)
    share = (of.weights * most_likely).sum(-1)
    spread = _of_labels(of, most_likely) + _of_pool(of, most_likely, share)
    return np.asarray(share * (1.0 - share) / np.maximum(spread, _NOTHING))


def log_evidence(of: Judged, p0: Floats | float) -> Floats:
    """-log of the probability of an estimate as high or higher, if the share is at most `p0`; the shape of `share`.

    At most what the same labels would tell if all of either part, or of both, were good: the likeliest shares move with
    what was seen, so that without this one more good answer could be less evidence. It only takes evidence away.
    """
    marks = np.broadcast_to(np.asarray(p0, dtype=np.float64), of.share.shape)
    found = _of_tails(of, marks)
    shows = found > 0
    for whole in ((True, False), (False, True), (True, True)):
        if shows.any():
            good, pairs = of.good[shows], of.pairs[shows]
            better = Judged(np.where(whole, pairs, good), pairs, of.share[shows], of.saw)
            found[shows] = np.minimum(found[shows], _of_tails(better, marks[shows]))
    return found


def _of_tails(of: Judged, p0: Floats) -> Floats:
    marks = p0.reshape(-1)
    flat = Judged(of.good.reshape(-1, 2), of.pairs.reshape(-1, 2), of.share.reshape(-1), of.saw)
    parts = [
        _tail(Judged(flat.good[rows], flat.pairs[rows], flat.share[rows], of.saw), marks[rows])
        for rows in (slice(first, first + _ROWS) for first in range(0, flat.share.size, _ROWS))
    ]
    tail = np.concatenate(parts) if parts else np.ones(0)
    return np.asarray(0.0 - np.log(np.maximum(tail, _NOTHING))).reshape(of.share.shape)


def lower(of: Judged, alpha: float) -> float:
    """The share up to which the evidence excludes every one at `alpha`, of one look at one sample.

    Counts are whole, and so evidence falls along the shares in teeth, up to several hundredths wide with few labels.
    The first share that is not excluded ends the bound: it is looked for from the lowest on, then closely before it.
    """
    found = root_search.last(lambda p0: float(log_evidence(of, p0).ravel()[0]) + math.log(alpha), 20)
    for reach in (1.0, _TEETH):
        if found <= 0:
            return 0.0
        shares = np.linspace(max(found - reach, 0.0), found, _LOOKED_AT + 1)
        excluded = _excludes(of, shares[1:], alpha)
        if not excluded.all():
            found = float(shares[np.argmin(excluded)])
    return found


def _excludes(of: Judged, shares: Floats, alpha: float) -> NDArray[np.bool_]:
    good, pairs = (np.repeat(each.reshape(1, 2), shares.size, 0) for each in (of.good, of.pairs))
    share = np.repeat(of.share.reshape(1), shares.size)
    return np.asarray(log_evidence(Judged(good, pairs, share, of.saw), shares) >= -math.log(alpha) - _SAME)


def _most_likely(of: Judged, p0: Floats | float) -> Floats:
    """Shares of good pairs in both parts that explain the labels best where the whole has `p0` of them.

    By a Lagrange multiplier t: s/mu - (n - s)/(1 - mu) = -t w in either part, a quadratic in mu, and mu falls in t.
    """
    weights, low = of.weights, np.zeros(of.share.shape)
    high = of.pairs.sum(-1) / p0 + 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        above = (weights * _at(of, weights, middle)).sum(-1) > p0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return _at(of, weights, high)


def _at(of: Judged, weights: Floats, multiplier: Floats) -> Floats:
    pull = multiplier[..., None] * weights
    both = of.pairs + pull
    root = np.sqrt(np.maximum(both * both - 4.0 * pull * of.good, 0.0))
    found = np.minimum(2.0 * of.good / np.maximum(both + root, _NOTHING), 1.0)
    return np.asarray(np.where(of.good > 0, found, 0.0))


def _of_labels(of: Judged, shares: Floats) -> Floats:
    """Variance of the estimate from the labels."""
    labelled = np.where(of.pairs > 0, of.weights**2 * shares * (1.0 - shares) / np.maximum(of.pairs, 1.0), 0.0)
    return np.asarray(labelled.sum(-1))


def _of_pool(of: Judged, shares: Floats, whole: Floats) -> Floats:
    """Variance of the estimate from not having judged every pair there is."""
    return np.asarray((of.weights * (shares - whole[..., None]) ** 2).sum(-1) / max(of.saw, 1.0))


def _tail(of: Judged, p0: Floats) -> Floats:
    """Of rows of two parts: over all counts in the part with fewer labels, of as many as it takes in the other."""
    shares = _most_likely(of, p0)
    labels, pool = _of_labels(of, shares), _of_pool(of, shares, (of.weights * shares).sum(-1))
    found = (of.weights * np.where(of.pairs > 0, of.good / np.maximum(of.pairs, 1.0), 0.0)).sum(-1)
    # What the pool adds to the spread is taken off the distance.
    reached = p0 + (found - p0) / np.sqrt(1.0 + pool / np.maximum(labels, _NOTHING))
    order = np.argsort(of.pairs, axis=-1)  # the part with fewer labels first
    few, many = (
        tuple(np.take_along_axis(values, order, -1)[:, part, None] for values in (of.pairs, of.weights, shares))
        for part in (0, 1)
    )
    counts = np.arange(few[0].max(initial=0.0) + 1.0)[None, :]
    rest = np.maximum(few[0] - counts, 0.0)
    ways = gammaln(few[0] + 1.0) - gammaln(counts + 1.0) - gammaln(rest + 1.0)
    chance = np.exp(ways + xlogy(counts, few[2]) + xlog1py(rest, -few[2]))
    chance = np.where(counts <= few[0], chance, 0.0)
    left = reached[:, None] - few[1] * counts / np.maximum(few[0], 1.0)
    needed = np.ceil(left * many[0] / np.maximum(many[1], _NOTHING) - _SAME)
    inside = np.clip(needed, 1.0, np.maximum(many[0], 1.0))
    beyond = betainc(inside, many[0] - inside + 1.0, many[2])
    beyond = np.where(needed <= 0, 1.0, np.where(needed > many[0], 0.0, beyond))
    tail = (chance * beyond).sum(-1)
    return np.where(found > p0, np.minimum(tail, 1.0), 1.0)
