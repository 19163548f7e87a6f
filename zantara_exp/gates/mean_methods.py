"""The methods for a mean: bets on values from 0 to a bound, looked at daily; Student's interval, at one look.

Bets: x = value / bound is a share, of a user's requests so far x_u on average. A user with m requests weighs
w = m / (1 + rho0 (m - 1)), and all together are as many voices as there are users:

    log wealth of a bet l = n / sum(w) * sum_u w_u log(1 + l g_u),   g_u = (t - x_u) / (1 - t)   for a mean below t
                                                                     g_u = (x_u - t) / t         for one above t

A user who took the bound costs at most the stake, so that what seldom happens and has not been seen yet (a cold start)
is allowed for. For users of one request each it is a test martingale (Waudby-Smith & Ramdas 2024); a user's mean moves
with further requests, so the control is measured (docs/statistics.md). With w_u voices for a user instead, 7 to 15 %
pass falsely: the mean of m requests spreads as one request of weight w, and a power of it is no fair bet.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from zantara_exp.gates.clusters.time import OverTime, over_time
from zantara_exp.gates.eprocess import mix, user_weights
from zantara_exp.gates.methods import FEW_USERS, NOW, Method, Outlook, Student
from zantara_exp.gates.root_search import last
from zantara_exp.gates.user_visits import Floats, Measured, Visits

_COUNT = 12
"""Bets of either sort; as many as a share has would cost longer, and gain nothing that shows."""
_HIGH: Floats = 0.99 * np.arange(1, _COUNT + 1) / _COUNT
"""Where a user can gain less than the stake: a mean near nothing shown to be lower, one near the bound higher."""
_LOW: Floats = np.geomspace(0.01, 0.5, _COUNT)
"""Where a user can gain many times the stake."""
BETS: Floats = np.concatenate([_HIGH, _LOW])
LOG_PRIOR: Floats = np.log(np.concatenate([_HIGH**3 / (_HIGH**3).sum(), np.full(_COUNT, 1.0 / _COUNT)]) / 2.0)
"""Half on either sort: a choice by the threshold would make evidence leap where the choice changes."""
_HALVINGS = 40


class MeanSums(NamedTuple):
    """Users' newest weights and means, per row, with their weighted mean and its cluster-robust standard error."""

    of: Measured
    weight: Floats
    value: Floats
    mean: Floats
    error: Floats
    """Infinite with one user."""
    blocks: OverTime
    """Of requests."""


class MeanMethod(Method, ABC):
    """Evidence about the weighted mean of one value per user."""

    def sums_of(self, measured: Measured) -> MeanSums:
        """Of users' means so far."""
        weight, value = user_means(measured, self.clusters.rho0)
        return MeanSums(measured, weight, value, *cluster_mean(measured.at, weight, value), self._blocks(measured))

    def _blocks(self, measured: Measured) -> OverTime:
        """Of time."""
        return OverTime(None, None)

    @abstractmethod
    def log_evidence(
        self, sums: MeanSums, threshold: float, upwards: bool, alpha: float, outlook: Outlook = NOW
    ) -> Floats:
        """That the mean lies above `threshold`, or below it where not `upwards`; at each look."""

    @abstractmethod
    def bound(self, sums: MeanSums, upwards: bool, alpha: float) -> Floats:
        """What the mean is shown to lie above (`upwards`) or below, at one look."""

    def note(self) -> str:
        """What it takes for granted, in words."""
        return ""


class StudentMean(Student, MeanMethod):
    """One look, values without a bound: right as far as the mean of so many users is near to normal."""

    over_time = False

    def log_evidence(
        self, sums: MeanSums, threshold: float, upwards: bool, alpha: float, outlook: Outlook = NOW
    ) -> Floats:
        """Of Student's test, by user."""
        z = (errors_off(sums.mean - threshold, sums.error) + outlook.shift) * np.sqrt(outlook.growth)
        users = np.asarray(sums.of.at.users_seen * outlook.growth)
        return self.of_errors(z if upwards else -z, users, alpha)

    def bound(self, sums: MeanSums, upwards: bool, alpha: float) -> Floats:
        """Of Student's interval, by user."""
        radius = self.radius(sums.of.at.users_seen.astype(np.float64), alpha) * sums.error
        return np.asarray(sums.mean - radius if upwards else sums.mean + radius)

    def note(self) -> str:
        """The normal approximation, and independent users."""
        return "if the mean over so many users is near to normal, and nothing hit all at once"


class Bounded(MeanMethod):
    """Looks that repeat: bets on values between 0 and the criterion's `bound`, by user and by block of time."""

    fewest = FEW_USERS
    weighs = True

    def _blocks(self, measured: Measured) -> OverTime:
        """value / bound is what is bad about a request, or good where large values are."""
        part = measured.total / self._most
        return over_time(measured, measured.counted - part if self._good_is_large else part, self.clusters.blocks)

    @property
    def _good_is_large(self) -> bool:
        go, no_go = self.criterion.go, self.criterion.no_go
        return go.upwards if go.given else not no_go.upwards

    def log_evidence(
        self, sums: MeanSums, threshold: float, upwards: bool, alpha: float, outlook: Outlook = NOW
    ) -> Floats:
        """The smaller of users' and of blocks' evidence, each a mixture of bets.

        What was lost took at worst the bound, or nothing, and counts as a user each.
        """
        at, lost, most = sums.of.at, sums.of.lost, self._most
        share, limit = sums.value / most, threshold / most
        moved = 0.0
        if outlook.shift:
            error = np.where(np.isfinite(sums.error), sums.error, 0.0) / most
            moved = outlook.shift * float(error[0, 0])
            share = np.clip(share + moved, 0.0, 1.0)
        gain = (share - limit) / limit if upwards else (limit - share) / (1.0 - limit)
        wealth = np.stack([at.summed(sums.weight * np.log1p(bet * gain)) for bet in BETS], axis=-1)
        weight = at.summed(sums.weight)
        voices = np.divide(at.users_seen, weight, out=np.zeros_like(weight), where=weight > 0)
        wealth = wealth * voices[..., None] + lost * np.log1p(-BETS)
        found = mix(wealth * np.asarray(outlook.growth)[..., None], LOG_PRIOR)
        p0, worse = (limit, -moved) if self._good_is_large else (1.0 - limit, moved)
        return sums.blocks.smaller(found, upwards == self._good_is_large, p0, outlook.growth, worse)

    def bound(self, sums: MeanSums, upwards: bool, alpha: float) -> Floats:
        """Where the evidence is 1/alpha."""

        def surplus(share: float) -> float:
            threshold = share if upwards else 1.0 - share
            return float(self.log_evidence(sums, threshold * self._most, upwards, alpha).max()) + math.log(alpha)

        found = last(surplus, _HALVINGS)
        return np.array([[self._most * (found if upwards else 1.0 - found)]])

    @property
    def _most(self) -> float:
        assert self.criterion.bound is not None  # noqa: S101  the config's rules ask for it
        return self.criterion.bound


def user_means(of: Measured, rho0: float) -> tuple[Floats, Floats]:
    """Weight and mean of each row's user so far."""
    m = of.at.seen
    value = np.divide(of.at.so_far(of.total), m, out=np.zeros_like(m), where=m > 0)
    return user_weights(np.maximum(m, 0.0), rho0), value


def cluster_mean(at: Visits, weights: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Weighted mean at each look of users' newest values, per row, and its cluster-robust standard error.

    sqrt(n / (n - 1) sum (w (x - mean))^2) / sum w over n users; infinite with fewer than two.
    """
    # Centred at the end's mean, so that sums of squares keep their digits.
    end, heavy = weights[at.last], np.bincount(at.owner, weights[at.last], at.simulations)
    centre = np.bincount(at.owner, end * values[at.last], at.simulations) / np.maximum(heavy, 1e-300)
    x = values - centre[at.owner[at.user]]
    n, w0, w1 = at.users_seen, at.summed(weights), at.summed(weights * x)
    q0, q1, q2 = (at.summed(weights**2 * x**k) for k in (0, 1, 2))
    gap = np.divide(w1, w0, out=np.zeros_like(w0), where=w0 > 0)
    squares = np.maximum(q2 - 2 * gap * q1 + gap**2 * q0, 0.0)
    squares[squares < 1e-24 * q0 * centre[:, None] ** 2] = 0.0  # values that differ by rounding are alike
    error = np.sqrt(n / np.maximum(n - 1.0, 1.0) * squares) / np.maximum(w0, 1e-300)
    return centre[:, None] + gap, np.where(n < 2, np.inf, error)


def errors_off(gap: Floats, error: Floats) -> Floats:
    """`gap` in standard errors: infinite without any spread, none where the error cannot be told."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > 0, gap / error, np.where(gap == 0, 0.0, np.copysign(np.inf, gap)))
    return np.where(np.isinf(error), 0.0, z)
