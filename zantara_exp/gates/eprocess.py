"""Evidence about a proportion that survives daily looks: mixtures of bets, for and against a threshold.

`log_evidence_go` is the log wealth of a gambler who bets that the proportion lies above `p0`,
`log_evidence_no_go` of one who bets below. If the truth lies on the other side, the wealth ever
reaches 1/alpha with probability at most alpha (Ville 1939), as long as what is counted is
independent. Requests of one user are not, so users are counted in one of two ways:

  weighted  user u with m requests weighs m / (1 + rho0 (m - 1)), the effective number of requests at an
            intra-user correlation rho0; recomputed at each look, so the control is measured for ICC <= rho0,
            not proven.
  strict    each user counts once, with the mean of the first days: a test martingale at any correlation.

Sources: Waudby-Smith & Ramdas 2024 (betting); Howard, Ramdas, McAuliffe & Sekhon 2021 (mixtures); Ville 1939.
Everything is vectorised: good, bad and p0 broadcast, a simulation passes arrays of shape (simulations, days).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zantara_exp.gates.root_search import last

Floats = NDArray[np.float64]

GO_BETS: Floats = 0.99 * (np.arange(1, 33) - 0.5) / 32
GO_LOG_PRIOR: Floats = np.log(GO_BETS / GO_BETS.sum())
NO_GO_BETS: Floats = np.geomspace(0.005, 0.5, 32)
NO_GO_LOG_PRIOR: Floats = np.full(32, -np.log(32.0))

_CHUNK = 1 << 12  # with 32 bets each, what is worked on stays in a core's cache
_HALVINGS = 50  # to 1e-15; more would round the middle up to 1
_MOST_STEPS, _PRECISION = 60, 1e-8  # a step so small leaves about its square
_FARTHEST, _FEWEST = 600.0, 1e-200
"""Log odds beyond which a share is 0 or 1, and effective requests that are none: so that nothing overflows."""


class Counts(NamedTuple):
    """Effective good and bad requests; scalars or arrays of one shape."""

    good: Floats
    bad: Floats


def user_weights(trials: ArrayLike, rho0: float) -> Floats:
    """Effective requests of users with `trials` requests each; a user without requests weighs nothing."""
    m = np.asarray(trials, dtype=np.float64)
    return m / (1.0 + rho0 * np.maximum(m - 1.0, 0.0))


def mix(log_wealth: ArrayLike, log_prior: Floats) -> Floats:
    """Log of the wealth averaged over the bets on the last axis."""
    return _log_sum(np.moveaxis(np.asarray(log_wealth, dtype=np.float64) + log_prior, -1, 0))


def _log_sum(terms: Floats) -> Floats:
    """Log of the sum over the first axis of the exponentials of `terms`, which are used up."""
    top = terms.max(axis=0)
    terms -= top
    return np.asarray(top + np.log(np.exp(terms, out=terms).sum(axis=0)))


def _in_parts(compute: Callable[..., Floats], *values: ArrayLike) -> Floats:
    """What `compute` makes of arrays that broadcast, piece by piece: it gets one-dimensional arrays, numbers as 0-d."""
    whole = [np.asarray(value, dtype=np.float64) for value in values]
    shape = np.broadcast_shapes(*(value.shape for value in whole))
    flat = [np.broadcast_to(value, shape).ravel() if value.ndim else value for value in whole]
    out = np.empty(int(np.prod(shape)))
    for start in range(0, out.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        out[part] = compute(*(value[part] if value.ndim else value for value in flat))
    return out.reshape(shape)


def log_evidence_go(good: ArrayLike, bad: ArrayLike, p0: ArrayLike) -> Floats:
    """Log evidence that the proportion lies above `p0` in (0, 1), from effective good and bad requests."""
    return _in_parts(lambda s, f, p: _mixture(s, f, (1.0 - p) / p, GO_BETS, GO_LOG_PRIOR), good, bad, p0)


def log_evidence_no_go(good: ArrayLike, bad: ArrayLike, p0: ArrayLike) -> Floats:
    """Log evidence that the proportion lies below `p0` in (0, 1), from effective good and bad requests."""
    return _in_parts(lambda s, f, p: _mixture(f, s, p / (1.0 - p), NO_GO_BETS, NO_GO_LOG_PRIOR), good, bad, p0)


def _mixture(hits: Floats, misses: Floats, odds: Floats, bets: Floats, log_prior: Floats) -> Floats:
    """Log wealth, averaged over bets that gain `odds` times the stake with each hit and lose it with each miss."""
    terms = np.log1p(odds * bets[:, None]) * hits + np.log1p(-bets)[:, None] * misses
    terms += log_prior[:, None]
    return _log_sum(terms)


def lower_bound(good: ArrayLike, bad: ArrayLike, alpha: float) -> Floats:
    """The `p0` at which the evidence for GO is exactly 1/alpha; 0 where nothing good was seen.

    Covers the proportion from below at all looks together with probability 1 - alpha.
    """
    return _in_parts(lambda s, f: _share(-_needed_odds(s, f, GO_BETS, GO_LOG_PRIOR, -np.log(alpha))), good, bad)


def upper_bound(good: ArrayLike, bad: ArrayLike, alpha: float) -> Floats:
    """The `p0` at which the evidence for NO-GO is exactly 1/alpha; 1 where nothing bad was seen."""
    return _in_parts(lambda s, f: _share(_needed_odds(f, s, NO_GO_BETS, NO_GO_LOG_PRIOR, -np.log(alpha))), good, bad)


def _share(log_odds: Floats) -> Floats:
    from scipy.special import expit  # a rollout's status, which needs no bound, does not wait for scipy

    return np.asarray(expit(log_odds))


def _needed_odds(hits: Floats, misses: Floats, bets: Floats, log_prior: Floats, needed: float) -> Floats:
    """Log of the odds at which `_mixture` reaches `needed`; inf without a hit.

    The mixture is convex in the log of the odds and grows with it, so Newton's method, begun above, comes down to the
    crossing and does not pass it. It begins where the best of the bets alone, with its share of the prior, is enough.
    """
    some = hits > _FEWEST
    hits = np.where(some, hits, 1.0)
    fixed = np.log1p(-bets)[:, None] * misses + log_prior[:, None]
    gain = (needed - fixed) / hits
    odds = _near((gain + np.log(-np.expm1(-gain)) - np.log(bets)[:, None]).min(axis=0))
    for _ in range(_MOST_STEPS):
        won = np.exp(odds) * bets[:, None]
        terms = np.log1p(won) * hits + fixed
        top = terms.max(axis=0)
        shares = np.exp(terms - top)
        total = shares.sum(axis=0)
        slope = (shares * won / (1.0 + won)).sum(axis=0) / total * hits
        before, odds = odds, _near(odds - (top + np.log(total) - needed) / slope)
        if (np.abs(odds - before) <= _PRECISION * np.maximum(np.abs(odds), 1.0)).all():
            break
    return np.where(some, odds, np.inf)


def _near(odds: Floats) -> Floats:
    return np.clip(odds, -_FARTHEST, _FARTHEST)


def strict_factors_go(shares: ArrayLike, p0: float) -> Floats:
    """Log factor of each bet, shape (..., 32), for users whose shares of good answers are `shares`.

    Summed over users, `mix(total, GO_LOG_PRIOR)` is the log evidence that the users' mean lies above p0.
    """
    return np.log1p((np.asarray(shares, dtype=np.float64)[..., None] - p0) / p0 * GO_BETS)


def strict_factors_no_go(shares: ArrayLike, p0: float) -> Floats:
    """Like `strict_factors_go` for the bets that the users' mean lies below p0; mix with NO_GO_LOG_PRIOR."""
    return np.log1p((p0 - np.asarray(shares, dtype=np.float64))[..., None] / (1.0 - p0) * NO_GO_BETS)


def strict_evidence_go(shares: ArrayLike, p0: float, counts: Floats | float = 1.0) -> float:
    """Log evidence of a list of users, one share each (or `counts` users of each share)."""
    return float(mix(_summed(strict_factors_go(shares, p0), counts), GO_LOG_PRIOR))


def strict_evidence_no_go(shares: ArrayLike, p0: float, counts: Floats | float = 1.0) -> float:
    """Log evidence for NO-GO of a list of users, one share each (or `counts` users of each share)."""
    return float(mix(_summed(strict_factors_no_go(shares, p0), counts), NO_GO_LOG_PRIOR))


def _summed(factors: Floats, counts: Floats | float) -> Floats:
    return np.asarray((factors * np.asarray(counts, dtype=np.float64)[..., None]).sum(axis=0))


def strict_lower_bound(shares: ArrayLike, alpha: float, counts: Floats | float = 1.0) -> float:
    """The `p0` at which the strict evidence for GO is exactly 1/alpha; 0 where nothing good was seen."""
    values = np.asarray(shares, dtype=np.float64)
    if not (values * counts > 0).any():
        return 0.0
    return last(lambda p0: strict_evidence_go(values, p0, counts) + np.log(alpha), _HALVINGS)


def strict_upper_bound(shares: ArrayLike, alpha: float, counts: Floats | float = 1.0) -> float:
    """The `p0` at which the strict evidence for NO-GO is exactly 1/alpha; 1 where nothing bad was seen."""
    values = np.asarray(shares, dtype=np.float64)
    if not ((1.0 - values) * counts > 0).any():
        return 1.0
    return 1.0 - last(lambda q0: strict_evidence_no_go(values, 1.0 - q0, counts) + np.log(alpha), _HALVINGS)
