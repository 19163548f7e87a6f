"""What withholds a GO from a candidate that was good and no longer is: the last days have to show it too, more mildly.

Evidence of the whole epoch has inertia. After 14 days at 99.7 % a candidate that falls to 97.5 % still has enough of
it for weeks, and a point estimate over a week wanders across a threshold so near. So the last days alone, taken as if
nothing had been before, must be evidence for GO: `recent_log_evidence >= needed(alpha)`, with an alpha of its own
that is larger than the gate's (1 in 5), as a week and a half cannot show what a month does. It withholds a GO and
gives none, so it adds to no error rate. A candidate below the threshold all through the window reaches it at a look
with probability at most alpha (Markov), and far less often where it lies clearly below.

Users are weighed as everywhere (`zantara_exp.gates.eprocess.user_weights`), by their requests within the window.

Measured (100 / 300 comparisons a day, ICC 0.2, daily looks to day 60, 300 rollouts; `method: weighted`, 14 days at
least, window of 10 days, alpha 0.2): GO on some day from 22 on after a fall from 99.7 to 97.5 % on day 14: 4.0 / 2.7 %
instead of 19.7 / 29.7 % by the estimate of a week, and 22 / 59 % by nothing; falling by 0.1 points a day to 96 %: 3.0 /
2.3 % instead of 12.3 / 21.3 %. The median day of GO at a truth of 99 % moves from 35 to 37 at 100 a day; at 99.5 % it
stays 14. Windows of 7, 14 and 21 days and a two-sample likelihood ratio for a change withheld less at the same cost.

Sources: Waudby-Smith & Ramdas 2024 (betting); Howard et al. 2021 (mixtures).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates.eprocess import Floats, log_evidence_go, user_weights

WINDOW_DAYS = 10
ALPHA = 0.2

Ints = NDArray[np.int64]


def needed(alpha: float = ALPHA) -> float:
    """Log evidence of the last days without which a GO is withheld."""
    return -math.log(alpha)


def recent_log_evidence(
    user: Ints, day: Ints, trials: Floats, good: Floats, p0: float, rho0: float, days: int, width: int = WINDOW_DAYS,
    owner: Ints | None = None,
) -> Floats:  # fmt: skip
    """Log evidence for GO against `p0` of the `width` days that end with each look, shape (rollouts, days).

    Rows are user-days, in any order, all of one shape: `user` codes from 0 on, `day` from 0 to `days` - 1, `good` up to
    `trials`. `owner` is the rollout of each user, shape (users,), where many are looked at at once; None: one rollout.
    Looks before day `width` - 1 see all there is.
    """
    owner = np.zeros(int(user.max(initial=0)) + 1, dtype=np.int64) if owner is None else owner
    weight, weighted_good = _windowed(user, day, trials, good, rho0, width, days)
    rollouts = int(owner.max(initial=0)) + 1
    sums = []
    for at, values in (weight, weighted_good):
        cell = owner[at // days] * days + at % days
        sums.append(np.bincount(cell, values, rollouts * days).reshape(rollouts, days).cumsum(axis=1))
    bad = sums[0] - sums[1]
    # Rounding must not look like a failure where there was none.
    return log_evidence_go(np.maximum(sums[1], 0.0), np.where(bad < 1e-9, 0.0, bad), p0)


def _windowed(
    user: Ints, day: Ints, trials: Floats, good: Floats, rho0: float, width: int, days: int
) -> tuple[tuple[Ints, Floats], tuple[Ints, Floats]]:
    """What each user's weight, and his weighted good share, change by; with `user` * `days` + the day of the change.

    A row enters on its day, and leaves `width` days later; between two changes a user's sums stay.
    """
    leaves = day + width < days
    at = np.concatenate([user * days + day, user[leaves] * days + day[leaves] + width])
    order = np.argsort(at, kind="stable")
    at = at[order]
    last = np.flatnonzero(np.diff(at, append=-1))  # of the changes of one user on one day
    at, whose = at[last], at[last] // days
    m, s = (
        _running(np.concatenate([values, -values[leaves]])[order].cumsum()[last], whose) for values in (trials, good)
    )
    weights = user_weights(np.round(m, 9), rho0)
    shares = np.divide(s, m, out=np.zeros_like(m), where=weights > 0)
    return (at, _steps(weights, whose)), (at, _steps(weights * np.clip(shares, 0.0, 1.0), whose))


def _running(total: Floats, whose: Ints) -> Floats:
    """Sums over all users, turned into sums over each user's own rows."""
    first = np.flatnonzero(np.diff(whose, prepend=-1))
    before = np.concatenate([[0.0], total])[first]
    return np.asarray(total - np.repeat(before, np.diff(first, append=whose.size)))


def _steps(values: Floats, whose: Ints) -> Floats:
    """By how much each value differs from the user's one before."""
    steps = np.diff(values, prepend=0.0)
    first = np.flatnonzero(np.diff(whose, prepend=-1))
    steps[first] = values[first]
    return np.asarray(steps)
