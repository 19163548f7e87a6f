"""One-look tests and sequences of intervals, on numbers alone; scipy.special only, which imports fast.

Sources: Clopper & Pearson 1934; Korn & Graubard 1998 (the same on effective counts of a clustered sample); McNemar
1947; Student 1908; Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024 (asymptotic confidence sequences); Fieller 1954.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincc, betaincinv, stdtr, stdtrit

Floats = NDArray[np.float64]

_SMALLEST = 1e-300
_OPTIMISED_FOR = 300.0
"""Users at which the asymptotic confidence sequence is tightest."""


def exact_log_evidence_go(good: float, bad: float, p0: float) -> float:
    """-log of P(as many good or more | p0): the exact binomial test at one look, on whole or effective counts.

    Of discordant pairs against 0.5 it is one side of the exact McNemar test.
    """
    return 0.0 if good <= 0 else -math.log(max(float(betainc(good, bad + 1.0, p0)), _SMALLEST))


def exact_log_evidence_no_go(good: float, bad: float, p0: float) -> float:
    """-log of P(as few good or fewer | p0), at one look."""
    return 0.0 if bad <= 0 else -math.log(max(float(betaincc(good + 1.0, bad, p0)), _SMALLEST))


def exact_lower(good: float, bad: float, alpha: float) -> float:
    """One-sided Clopper-Pearson lower bound at level 1 - alpha."""
    return 0.0 if good <= 0 else float(betaincinv(good, bad + 1.0, alpha))


def exact_upper(good: float, bad: float, alpha: float) -> float:
    """One-sided Clopper-Pearson upper bound at level 1 - alpha."""
    return 1.0 if bad <= 0 else float(betaincinv(good + 1.0, bad, 1.0 - alpha))


def smallest_pass(answers: int, p0: float, alpha: float) -> int | None:
    """Fewest good answers of `answers` that show more than p0 at one look; None where not even all would."""
    for good in range(answers + 1):
        if exact_log_evidence_go(good, answers - good, p0) >= -math.log(alpha):
            return good
    return None


def sequence_radius(users: float, alpha: float) -> float:
    """How many standard errors an asymptotic confidence sequence reaches, one-sided, over all looks together.

    sqrt(2 (t rho^2 + 1)/(t rho^2) log(1 + sqrt(t rho^2 + 1)/(2 alpha))), t = users; good from about 100 users on.
    """
    spread = users * rho_squared(alpha) + 1.0
    return math.sqrt(2.0 * spread / (spread - 1.0) * math.log1p(math.sqrt(spread) / (2.0 * alpha)))


def sequence_log_evidence(z: float, users: float, alpha: float) -> float:
    """Log of 1/alpha', alpha' the level at which `z` standard errors just reach; floored at -20."""
    spread = users * rho_squared(alpha) + 1.0
    # Without any spread between users z is infinite; evidence stays a number.
    reach = min(z * z * (spread - 1.0) / (2.0 * spread), 700.0) if z > 0 else 0.0
    if reach > 500.0:
        return reach + math.log(2.0 / math.sqrt(spread))
    return max(-20.0, math.log(max(2.0 * math.expm1(reach) / math.sqrt(spread), _SMALLEST)))


def rho_squared(alpha: float) -> float:
    """The tuning parameter of an asymptotic confidence sequence that is tightest at `_OPTIMISED_FOR` users."""
    a = -2.0 * math.log(2.0 * alpha)
    return (a + math.log1p(a)) / _OPTIMISED_FOR


def student_radius(users: float, alpha: float) -> float:
    """How many standard errors a one-sided Student interval of `users` clusters reaches, at one look."""
    return float(stdtrit(max(users - 1.0, 1.0), 1.0 - alpha))


def student_log_evidence(z: float, users: float) -> float:
    """-log of the one-sided p-value of `z` standard errors at one look."""
    return -math.log(max(float(stdtr(max(users - 1.0, 1.0), -z)), _SMALLEST))


def cluster_mean(weights: ArrayLike, values: ArrayLike) -> tuple[float, float]:
    """Weighted mean of one value per user, and its cluster-robust standard error (inf with one user)."""
    w, x = np.asarray(weights, dtype=np.float64), np.asarray(values, dtype=np.float64)
    estimate = float((w * x).sum() / w.sum())
    if w.size < 2:
        return estimate, math.inf
    scores = w * (x - estimate)
    return estimate, math.sqrt(w.size / (w.size - 1.0) * float((scores**2).sum())) / float(w.sum())


def fieller(total: Floats, baseline: Floats, radius: float, growth: float = 1.0) -> tuple[float, float]:
    """Bounds of 1 - sum(total)/sum(baseline) where the users' mean of (1 - t) baseline - total is `radius` errors off.

    Infinite where the baseline's mean is not told from zero. `growth` pretends that many times as many users.
    """
    n = total.size
    if n < 2:
        return -math.inf, math.inf
    c, b = float(total.mean()), float(baseline.mean())
    (vb, cov), (_, vc) = np.cov(baseline, total)
    q2 = radius * radius / (n * growth)
    a2, a1, a0 = b * b - q2 * vb, b * c - q2 * cov, c * c - q2 * vc
    inside = a1 * a1 - a2 * a0
    if a2 <= 0 or inside < 0:
        return -math.inf, math.inf
    root = math.sqrt(inside)
    return 1.0 - float((a1 + root) / a2), 1.0 - float((a1 - root) / a2)
