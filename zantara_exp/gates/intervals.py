"""One-look tests and sequences of intervals, on arrays of numbers; scipy.special only, which imports fast.

Sources: Clopper & Pearson 1934; Korn & Graubard 1998 (the same on effective counts of a clustered sample); McNemar
1947; Student 1908; Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024 (asymptotic confidence sequences).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincc, betaincinv, stdtr, stdtrit

Floats = NDArray[np.float64]

_SMALLEST = 1e-300
_SOME = 1e-12
"""Stands for a count of none, where a function is not asked for its value."""
_OPTIMISED_FOR = 300.0
"""Users at which the asymptotic confidence sequence is tightest."""


def exact_log_evidence_go(good: ArrayLike, bad: ArrayLike, p0: float) -> Floats:
    """-log of P(as many good or more | p0): the exact binomial test at one look, on whole or effective counts.

    Of discordant pairs against 0.5 it is one side of the exact McNemar test.
    """
    good, bad = np.asarray(good, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    return _minus_log(np.where(good > 0, betainc(np.maximum(good, _SOME), bad + 1.0, p0), 1.0))


def exact_log_evidence_no_go(good: ArrayLike, bad: ArrayLike, p0: float) -> Floats:
    """-log of P(as few good or fewer | p0), at one look."""
    good, bad = np.asarray(good, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    return _minus_log(np.where(bad > 0, betaincc(good + 1.0, np.maximum(bad, _SOME), p0), 1.0))


def exact_lower(good: ArrayLike, bad: ArrayLike, alpha: float) -> Floats:
    """One-sided Clopper-Pearson lower bound at level 1 - alpha."""
    good, bad = np.asarray(good, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    return np.where(good > 0, betaincinv(np.maximum(good, _SOME), bad + 1.0, alpha), 0.0)


def exact_upper(good: ArrayLike, bad: ArrayLike, alpha: float) -> Floats:
    """One-sided Clopper-Pearson upper bound at level 1 - alpha."""
    good, bad = np.asarray(good, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    return np.where(bad > 0, betaincinv(good + 1.0, np.maximum(bad, _SOME), 1.0 - alpha), 1.0)


def _minus_log(tail: ArrayLike) -> Floats:
    return np.asarray(0.0 - np.log(np.maximum(tail, _SMALLEST)))


def smallest_pass(answers: int, p0: float, alpha: float) -> int | None:
    """Fewest good answers of `answers` that show more than p0 at one look; None where not even all would."""
    for good in range(answers + 1):
        if exact_log_evidence_go(good, answers - good, p0) >= -math.log(alpha):
            return good
    return None


def sequence_radius(users: ArrayLike, alpha: float) -> Floats:
    """How many standard errors an asymptotic confidence sequence reaches, one-sided, over all looks together.

    sqrt(2 (t rho^2 + 1)/(t rho^2) log(1 + sqrt(t rho^2 + 1)/(2 alpha))), t = users; good from about 100 users on.
    """
    spread = np.asarray(users) * rho_squared(alpha) + 1.0
    with np.errstate(divide="ignore"):  # without a user it reaches everywhere
        return np.asarray(np.sqrt(2.0 * spread / (spread - 1.0) * np.log1p(np.sqrt(spread) / (2.0 * alpha))))


def sequence_log_evidence(z: ArrayLike, users: ArrayLike, alpha: float) -> Floats:
    """Log of 1/alpha', alpha' the level at which `z` standard errors just reach; floored at -20."""
    z, spread = np.asarray(z, dtype=np.float64), np.asarray(users) * rho_squared(alpha) + 1.0
    # Without any spread between users z is infinite; evidence stays a number.
    reach = np.where(z > 0, np.minimum(z, 1e100) ** 2 * (spread - 1.0) / (2.0 * spread), 0.0)
    reach = np.minimum(reach, 700.0)
    small = np.log(np.maximum(2.0 * np.expm1(np.minimum(reach, 500.0)) / np.sqrt(spread), _SMALLEST))
    large = reach + np.log(2.0 / np.sqrt(spread))
    return np.asarray(np.where(reach > 500.0, large, np.maximum(-20.0, small)))


def rho_squared(alpha: float) -> float:
    """The tuning parameter of an asymptotic confidence sequence that is tightest at `_OPTIMISED_FOR` users."""
    a = -2.0 * math.log(2.0 * alpha)
    return (a + math.log1p(a)) / _OPTIMISED_FOR


def student_radius(users: ArrayLike, alpha: float) -> Floats:
    """How many standard errors a one-sided Student interval of `users` clusters reaches, at one look."""
    return np.asarray(stdtrit(np.maximum(np.asarray(users) - 1.0, 1.0), 1.0 - alpha))


def student_log_evidence(z: ArrayLike, users: ArrayLike) -> Floats:
    """-log of the one-sided p-value of `z` standard errors at one look."""
    return _minus_log(stdtr(np.maximum(np.asarray(users) - 1.0, 1.0), -np.asarray(z, dtype=np.float64)))
