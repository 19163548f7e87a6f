"""kind=mean: the mean per request of a value, such as milliseconds: users weighed, with a standard error by user."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zantara_exp.config.gate import Criterion, Threshold, Traffic
from zantara_exp.gates.eprocess import user_weights
from zantara_exp.gates.kinds.amount import Amount, errors_off
from zantara_exp.gates.kinds.kind import Estimate, Rule
from zantara_exp.gates.methods import Sequence, Student
from zantara_exp.gates.population import amounts
from zantara_exp.gates.visits import Floats, Measured, Visits, Window


class MeanSums(NamedTuple):
    """Weighted mean of one value per user, and its cluster-robust standard error (inf with one user)."""

    of: Measured
    mean: Floats
    error: Floats


class Mean(Amount):
    """A user's value is his mean over requests."""

    name = "mean"
    methods = {"weighted": Sequence, "exact": Student}

    def sums(self, rule: Rule, measured: Measured) -> MeanSums:
        """Of users' means, weighed by rho0."""
        return MeanSums(measured, *cluster_mean(measured.at, *_users(rule, measured)))

    def distance(self, sums: MeanSums, threshold: float) -> Floats:
        """Of the mean."""
        return errors_off(sums.mean - threshold, sums.error)

    def estimate(self, rule: Rule, sums: MeanSums) -> Estimate:
        """The mean, and bounds."""
        below, above = self.radii(rule, sums)
        users = self.users(sums).astype(np.float64)
        return Estimate(sums.mean, sums.mean - below * sums.error, sums.mean + above * sums.error, users)

    def recent_estimate(self, rule: Rule, recent: Window) -> Floats:
        """The mean over requests."""
        return recent.total / np.maximum(recent.counted, 1e-300)

    def draw(self, rule: Rule, truth: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Measured:
        """Values with that mean."""
        return Measured(at, at.trials, amounts(at, truth, traffic, rng))

    def beyond(self, rule: Rule, mark: float, part: float) -> float:
        """Up to 40 % better; a mean below 1 where more is better, such as accuracy, is a share."""
        if rule.upwards and 0.0 < mark < 1.0:
            return super().beyond(rule, mark, part)
        return mark * (1.0 + (0.4 if rule.upwards else -0.4) * part)

    def figure(self, value: float) -> str:
        """In the metric's unit."""
        return f"{value:.4g}"

    def shown_truth(self, value: float) -> str:
        """In the metric's unit."""
        return f"{value:g}"

    def threshold(self, criterion: Criterion, bound: Threshold) -> str:
        """In the metric's unit."""
        return f"{bound.value:g}"


def _users(rule: Rule, of: Measured) -> tuple[Floats, Floats]:
    """Weight and value of each row's user so far."""
    m = of.at.seen
    value = np.divide(of.at.so_far(of.total), m, out=np.zeros_like(m), where=m > 0)
    return user_weights(np.maximum(m, 0.0), rule.rho0), value


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


KIND = Mean()
