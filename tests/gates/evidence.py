"""Makes evidence for tests: users with given requests, on given days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from zantara_exp.config.gate import Criterion, Gate, Threshold
from zantara_exp.gates.eprocess import Counts, user_weights
from zantara_exp.gates.evidence import UserDays

DAY = 20_000
UNTIMED = {"time_block": "none", "time_block_no_go": "none", "min_days": 0}
"""Of gates whose evidence here knows only the day."""


def user_days(rows: Sequence[tuple], baseline: bool = False, **more) -> UserDays:
    """Rows of (user, day, trials, total[, baseline])."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * (5 if baseline else 4)
    return UserDays(
        user=np.array(columns[0], dtype=np.int64),
        day=np.array(columns[1], dtype=np.int64) + DAY,
        trials=np.array(columns[2], dtype=np.float64),
        total=np.array(columns[3], dtype=np.float64),
        baseline=np.array(columns[4], dtype=np.float64) if baseline else None,
        **more,
    )


def crowd(users: int, requests: int, share: float, days: int = 10, seed: int = 0, **more) -> UserDays:
    """`users` who ask `requests` times, one day each, with independent successes of probability `share`."""
    rng = np.random.default_rng(seed)
    good = rng.binomial(requests, share, users)
    return user_days([(u, u % days, requests, int(g)) for u, g in enumerate(good)], **more)


def weighted_counts(trials: ArrayLike, successes: ArrayLike, rho0: float) -> Counts:
    """As a reference: sum of the weights and of the weighted success shares over the last axis, one entry per user."""
    m = np.asarray(trials, dtype=np.float64)
    weights = user_weights(m, rho0)
    shares = np.divide(successes, m, out=np.zeros_like(m), where=m > 0)
    good = (weights * shares).sum(axis=-1)
    return Counts(good, np.maximum(weights.sum(axis=-1) - good, 0.0))


def timed(days: UserDays) -> UserDays:
    """The same rows, spread over the hours of their days."""
    rows = np.arange(days.user.size)
    return replace(days, slot=rows // 14 % 24 * 6)


def gate_of(**criteria: Criterion) -> Gate:
    return Gate("test", dict(criteria), **UNTIMED)


def above(share: float, no_go: float | None = None, **more) -> Criterion:
    return Criterion("m", go=Threshold(above=share), no_go=Threshold(below=no_go), **more)


def below(share: float, **more) -> Criterion:
    return Criterion("m", go=Threshold(below=share), **more)
