"""A guardrail that reacts: a Shiryaev-Roberts e-detector on the bets for NO-GO.

Cumulative evidence is the wrong guard for a running rollout: after 3,000 good users it would take hundreds of
failures to turn. A detector restarts at every observation: M_t = (M_{t-1} + 1) L_t for each bet, averaged over the
bets. As long as users' mean share of good answers stays at or above p0, M_t - t has no drift upwards, so over N
observations M reaches N/alpha with probability at most alpha. One observation per user keeps users' correlation out: a
user counts once, with the first day, and a user who turns bad later is not seen.

The order of the observations matters. Evidence per day does not say who of a day came first, so users of one day are
taken in the order of their codes: near the threshold, another order may alarm a day earlier or later, or not at all.
The bound on false alarms holds in any order that does not depend on how the users fared.

Source: Shin, Ramdas & Rinaldo 2024 (e-detectors); Shiryaev 1963; Roberts 1966.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zantara_exp.gates.eprocess import NO_GO_BETS, NO_GO_LOG_PRIOR

Floats = NDArray[np.float64]


def detector_path(shares: ArrayLike, p0: float) -> Floats:
    """Log of the detector after each observation; `shares` in [0, 1], shape (..., observations).

    Where a bet's value leaves the floats, far beyond any alarm, it stays at 709, the largest log of one.
    """
    stakes = (p0 - np.asarray(shares, dtype=np.float64)) / (1.0 - p0)
    bets, prior = NO_GO_BETS[:, None], np.exp(NO_GO_LOG_PRIOR)
    flat = stakes.reshape(int(np.prod(stakes.shape[:-1])), stakes.shape[-1])
    state = np.zeros((bets.size, flat.shape[0]))
    path = np.empty_like(flat)
    with np.errstate(over="ignore"):
        for t in range(flat.shape[-1]):
            state += 1.0
            state *= 1.0 + flat[:, t] * bets
            path[:, t] = prior @ state
    return np.log(np.minimum(path, np.finfo(np.float64).max)).reshape(stakes.shape)
