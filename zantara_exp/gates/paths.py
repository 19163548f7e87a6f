"""What the judges see at every daily look of many simulated rollouts at once: arrays of (simulations, days).

The same sums as `users` and `judge`, kept up to date row by row instead of recomputed each day: a user's contribution
changes only on days with requests. The evidence comes from the functions that decide (`eprocess`, `intervals`).
`tests/gates/test_paths.py` holds every path here against `decide` on single trajectories.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincc, stdtr

from zantara_exp.gates import eprocess
from zantara_exp.gates.intervals import rho_squared
from zantara_exp.gates.population import Visits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def summed(at: Visits, values: Floats) -> Floats:
    """Sum over users of each one's newest value, per simulation and day; `values` per row."""
    change = np.empty_like(values)
    np.subtract(values[1:], values[:-1], out=change[1:])
    change[at.first] = values[at.first]
    return by_day(at, change)


def by_day(at: Visits, values: Floats) -> Floats:
    """Running sum over days of what each row adds."""
    size = at.simulations * at.days
    return np.bincount(at.cell, values, size).reshape(at.simulations, at.days).cumsum(axis=1)


def complete_users(at: Visits, cells: Ints) -> Ints:
    """Users whose first days are over; `cells` as `first_days` gives them."""
    size = at.simulations * at.days
    done = np.bincount(cells[cells >= 0], minlength=size)
    return done.reshape(at.simulations, at.days).cumsum(axis=1)


def users_seen(at: Visits) -> Ints:
    """Distinct users so far."""
    arrival = at.owner * at.days + at.day[at.first]
    size = at.simulations * at.days
    return np.bincount(arrival, minlength=size).reshape(at.simulations, at.days).cumsum(axis=1)


def weighted(at: Visits, trials: Floats, good: Floats, rho0: float) -> eprocess.Counts:
    """Effective good and bad requests at each look."""
    m, s = at.seen if trials is at.trials else at.so_far(trials), at.so_far(good)
    weights = eprocess.user_weights(m, rho0)
    total = summed(at, weights)
    counted = summed(at, weights * np.divide(s, m, out=np.zeros_like(m), where=m > 0))
    bad = total - counted
    # Rounding must not look like a failure where there was none.
    return eprocess.Counts(counted, np.where(bad < 1e-9, 0.0, bad))


def last_days(at: Visits, good: Floats, width: int) -> tuple[Visits, Floats]:
    """The same users seen through a window: what is `width` days old is taken away again.

    Rows of the result hold changes; running sums over a user's rows are his sums over the window.
    """
    gone = at.day + width < at.days
    user = np.concatenate([at.user, at.user[gone]])
    day = np.concatenate([at.day, at.day[gone] + width])
    # Both parts are sorted already, which a stable sort makes use of.
    order = np.argsort(user * (at.days + 1) + day, kind="stable")
    user, day = user[order], day[order]
    trials = np.concatenate([at.trials, -at.trials[gone]])[order]
    changed = np.concatenate([good, -good[gone]])[order]
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    return Visits(at.simulations, at.days, at.owner, starts, user, day, trials), changed


def first_days(at: Visits, good: Floats, width: int) -> tuple[Ints, Floats]:
    """Users' shares over their first `width` days, and the (simulation, day) cell in which each is complete.

    Users whose first days are not over by the end have the cell -1.
    """
    start = at.day[at.first]
    counted = at.day < start[at.user] + width
    trials = np.bincount(at.user[counted], at.trials[counted], at.users)
    share = np.bincount(at.user[counted], good[counted], at.users) / trials
    close = start + width - 1
    return np.where(close < at.days, at.owner * at.days + close, -1), share


def strict_log_evidence(at: Visits, cells: Ints, shares: Floats, p0: float, side: str) -> Floats:
    """Log evidence of users counted once each; `side` is `go` or `no_go`."""
    factors_of, prior = (
        (eprocess.strict_factors_go, eprocess.GO_LOG_PRIOR)
        if side == "go"
        else (eprocess.strict_factors_no_go, eprocess.NO_GO_LOG_PRIOR)
    )
    kept = cells >= 0
    values, code = np.unique(shares[kept], return_inverse=True)
    factors, where = factors_of(values, p0), cells[kept]
    size = at.simulations * at.days
    wealth = np.stack([np.bincount(where, factor[code], size) for factor in factors.T], axis=-1)
    return eprocess.mix(wealth.reshape(at.simulations, at.days, -1).cumsum(axis=1), prior)


def exact_log_evidence(counts: eprocess.Counts, p0: float, side: str) -> Floats:
    """`intervals.exact_log_evidence_go` and `..._no_go` over arrays."""
    good, bad = counts
    if side == "go":
        tail = np.where(good > 0, betainc(np.maximum(good, 1e-12), bad + 1.0, p0), 1.0)
    else:
        tail = np.where(bad > 0, betaincc(good + 1.0, np.maximum(bad, 1e-12), p0), 1.0)
    return -np.log(np.maximum(tail, 1e-300))


def mean_distance(at: Visits, total: Floats, threshold: float, rho0: float) -> Floats:
    """Cluster-robust standard errors between the users' weighted mean and a threshold, at each look."""
    return distance(at, eprocess.user_weights(at.seen, rho0), at.so_far(total) / at.seen, threshold)


def distance(at: Visits, weights: Floats, values: Floats, threshold: float) -> Floats:
    """The same for values and weights per row, each user's newest counting; +-inf without any spread."""
    n = users_seen(at)
    x = values - threshold  # centred, so that the sums of squares keep their digits
    w0, w1 = summed(at, weights), summed(at, weights * x)
    q0, q1, q2 = (summed(at, weights**2 * x**k) for k in (0, 1, 2))
    gap = np.divide(w1, w0, out=np.zeros_like(w0), where=w0 > 0)
    spread = np.maximum(q2 - 2 * gap * q1 + gap**2 * q0, 0.0)
    spread[spread < 1e-12 * np.maximum(q2, 1e-300)] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        z = gap / (np.sqrt(n / np.maximum(n - 1.0, 1e-9) * spread) / w0)
    return np.where(n < 2, 0.0, np.nan_to_num(z, nan=0.0, posinf=np.inf, neginf=-np.inf))


def sequence_log_evidence(z: Floats, users: Ints, alpha: float) -> Floats:
    """`intervals.sequence_log_evidence` over arrays."""
    spread = users * rho_squared(alpha) + 1.0
    reach = np.where(z > 0, np.minimum(z, 1e100) ** 2 * (spread - 1.0) / (2.0 * spread), 0.0)
    small = np.log(np.maximum(2.0 * np.expm1(np.minimum(reach, 500.0)) / np.sqrt(spread), 1e-300))
    large = reach + np.log(2.0 / np.sqrt(spread))
    return np.asarray(np.where(reach > 500.0, large, np.maximum(-20.0, small)))


def student_log_evidence(z: Floats, users: Ints) -> Floats:
    """`intervals.student_log_evidence` over arrays."""
    return np.asarray(-np.log(np.maximum(stdtr(np.maximum(users - 1.0, 1.0), -z), 1e-300)))


def first_time(happens: NDArray[np.bool_]) -> Floats:
    """Day (from 1) on which something first happens in each simulation; inf where it never does."""
    return np.where(happens.any(axis=1), happens.argmax(axis=1) + 1.0, math.inf)
