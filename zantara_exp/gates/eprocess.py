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
from scipy.special import betaln

Floats = NDArray[np.float64]

GO_BETS: Floats = 0.99 * (np.arange(1, 33) - 0.5) / 32
GO_LOG_PRIOR: Floats = np.log(GO_BETS / GO_BETS.sum())
NO_GO_BETS: Floats = np.geomspace(0.005, 0.5, 32)
NO_GO_LOG_PRIOR: Floats = np.full(32, -np.log(32.0))

_CHUNK = 1 << 14
_HALVINGS = 50  # to 1e-15; more would round the middle up to 1


class Counts(NamedTuple):
    """Effective good and bad requests; scalars or arrays of one shape."""

    good: Floats
    bad: Floats


def user_weights(trials: ArrayLike, rho0: float) -> Floats:
    """Effective requests of users with `trials` requests each; a user without requests weighs nothing."""
    m = np.asarray(trials, dtype=np.float64)
    return m / (1.0 + rho0 * np.maximum(m - 1.0, 0.0))


def weighted_counts(trials: ArrayLike, successes: ArrayLike, rho0: float) -> Counts:
    """Sum of the weights and of the weighted success shares over the last axis, one entry per user."""
    m = np.asarray(trials, dtype=np.float64)
    weights = user_weights(m, rho0)
    shares = np.divide(successes, m, out=np.zeros_like(m), where=m > 0)
    good = (weights * shares).sum(axis=-1)
    return Counts(good, np.maximum(weights.sum(axis=-1) - good, 0.0))


def mix(log_wealth: ArrayLike, log_prior: Floats) -> Floats:
    """Log of the wealth averaged over the bets on the last axis."""
    terms = np.asarray(log_wealth, dtype=np.float64) + log_prior
    top = terms.max(axis=-1, keepdims=True)
    return np.asarray(top[..., 0] + np.log(np.exp(terms - top).sum(axis=-1)))


def _mixture(good: ArrayLike, bad: ArrayLike, on_good: Floats, on_bad: Floats, log_prior: Floats) -> Floats:
    """Mixture for log factors `on_good`, `on_bad` of shape (32,), or (..., 32) for a p0 per entry."""
    s, f = np.broadcast_arrays(np.asarray(good, dtype=np.float64), np.asarray(bad, dtype=np.float64))
    if on_good.ndim == on_bad.ndim == 1 and s.size > _CHUNK:
        flat_s, flat_f, out = s.ravel(), f.ravel(), np.empty(s.size)
        for start in range(0, s.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            out[part] = _mixture(flat_s[part], flat_f[part], on_good, on_bad, log_prior)
        return out.reshape(s.shape)
    return mix(s[..., None] * on_good + f[..., None] * on_bad, log_prior)


def log_evidence_go(good: ArrayLike, bad: ArrayLike, p0: ArrayLike) -> Floats:
    """Log evidence that the proportion lies above `p0` in (0, 1), from effective good and bad requests."""
    odds = (1.0 - np.asarray(p0, dtype=np.float64)) / np.asarray(p0, dtype=np.float64)
    return _mixture(good, bad, np.log1p(odds[..., None] * GO_BETS), np.log1p(-GO_BETS), GO_LOG_PRIOR)


def log_evidence_no_go(good: ArrayLike, bad: ArrayLike, p0: ArrayLike) -> Floats:
    """Log evidence that the proportion lies below `p0` in (0, 1), from effective good and bad requests."""
    odds = np.asarray(p0, dtype=np.float64) / (1.0 - np.asarray(p0, dtype=np.float64))
    return _mixture(good, bad, np.log1p(-NO_GO_BETS), np.log1p(odds[..., None] * NO_GO_BETS), NO_GO_LOG_PRIOR)


def lower_bound(good: ArrayLike, bad: ArrayLike, alpha: float) -> Floats:
    """The `p0` at which the evidence for GO is exactly 1/alpha; 0 where nothing good was seen.

    Covers the proportion from below at all looks together with probability 1 - alpha.
    """
    s, f = np.broadcast_arrays(np.asarray(good, dtype=np.float64), np.asarray(bad, dtype=np.float64))
    shown = _crossing(lambda p0: log_evidence_go(s[..., None], f[..., None], p0) >= -np.log(alpha), s.shape)
    return np.where(s > 0, shown, 0.0)


def upper_bound(good: ArrayLike, bad: ArrayLike, alpha: float) -> Floats:
    """The `p0` at which the evidence for NO-GO is exactly 1/alpha; 1 where nothing bad was seen."""
    s, f = np.broadcast_arrays(np.asarray(good, dtype=np.float64), np.asarray(bad, dtype=np.float64))
    shown = _crossing(lambda p0: log_evidence_no_go(s[..., None], f[..., None], p0) < -np.log(alpha), s.shape)
    return np.where(f > 0, shown, 1.0)


def _crossing(holds: Callable[[Floats], NDArray[np.bool_]], shape: tuple[int, ...]) -> Floats:
    """Where, for each entry, `holds` turns from true to false on (0, 1); it takes shape (..., points).

    A few entries are searched 32 points at a time, since a call costs as much as a point; many by halving.
    """
    parts = 32 if np.prod(shape) <= 64 else 2
    low, width = np.zeros(shape), 1.0
    inner = np.arange(1, parts) / parts
    for _ in range(_HALVINGS // int(np.log2(parts))):
        low = low + holds(low[..., None] + width * inner).sum(axis=-1) * width / parts
        width /= parts
    return low + width / 2


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
    return _last(lambda p0: strict_evidence_go(values, p0, counts) >= -np.log(alpha))


def strict_upper_bound(shares: ArrayLike, alpha: float, counts: Floats | float = 1.0) -> float:
    """The `p0` at which the strict evidence for NO-GO is exactly 1/alpha; 1 where nothing bad was seen."""
    values = np.asarray(shares, dtype=np.float64)
    if not ((1.0 - values) * counts > 0).any():
        return 1.0
    return 1.0 - _last(lambda q0: strict_evidence_no_go(values, 1.0 - q0, counts) >= -np.log(alpha))


def _last(holds: Callable[[float], bool]) -> float:
    """The end of the part of (0, 1) where `holds` is true, from 0 on."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def closed_form_evidence(good: ArrayLike, bad: ArrayLike, p0: float, a: float = 1, b: float = 1) -> Floats:
    """Log evidence for GO of another mixture, a beta(a, b) prior cut off below p0: a cross-check."""
    from scipy.stats import beta  # slow to import, and used in cross-checks only

    s, f = np.asarray(good, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    likelihood = betaln(a + s, b + f) - betaln(a, b) - s * np.log(p0) - f * np.log1p(-p0)
    return np.asarray(likelihood + beta.logsf(p0, a + s, b + f) - beta.logsf(p0, a, b))
