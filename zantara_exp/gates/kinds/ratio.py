"""kind=ratio: the part of the other arm's sum that is saved, 1 - sum(total) / sum(baseline) over the same requests.

One pair of sums per user. Bounds by Fieller (1954), evidence from the users' mean of (1 - t) baseline - total.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zantara_exp.config.gate import Traffic
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds.amount import Amount, errors_off
from zantara_exp.gates.kinds.kind import Estimate, Rule
from zantara_exp.gates.methods import Sequence, Student
from zantara_exp.gates.population import amounts
from zantara_exp.gates.visits import Floats, Measured, Visits, Window


class PairSums(NamedTuple):
    """Users' means of the two sums, their variances and covariance (n - 1), at each look."""

    of: Measured
    total: Floats
    baseline: Floats
    var_total: Floats
    var_baseline: Floats
    covariance: Floats


class Unweighed(Sequence):
    """Every user's sums count as they are, so no correlation is assumed."""

    weighs = False


class Ratio(Amount):
    """Users are not weighed: money is summed."""

    name = "ratio"
    methods = {"weighted": Unweighed, "exact": Student}
    two_arms = True

    def gathered(self, rule: Rule, days: UserDays, until: int) -> Measured | str:
        """Nothing where there is nothing to save."""
        measured = super().gathered(rule, days, until)
        if isinstance(measured, str) or measured.baseline is None or measured.baseline.sum() > 0:
            return measured
        return "what it is compared with sums to nothing"

    def sums(self, rule: Rule, measured: Measured) -> PairSums:
        """Moments of users' sums."""
        at, n = measured.at, np.maximum(measured.at.users_seen, 1.0)
        c, b = at.so_far(measured.total), at.so_far(_baseline(measured))
        # Centred at the end's means, so that sums of squares keep their digits.
        seen = np.maximum(np.bincount(at.owner, minlength=at.simulations), 1.0)
        centres = [np.bincount(at.owner, x[at.last], at.simulations) / seen for x in (c, b)]
        x, y = (values - centre[at.owner[at.user]] for values, centre in zip((c, b), centres, strict=True))
        mx, my, xx, yy, xy = (at.summed(product) / n for product in (x, y, x * x, y * y, x * y))
        more = n / np.maximum(n - 1.0, 1.0)
        means = centres[0][:, None] + mx, centres[1][:, None] + my
        variances = np.maximum(xx - mx * mx, 0.0) * more, np.maximum(yy - my * my, 0.0) * more
        return PairSums(measured, *means, *variances, (xy - mx * my) * more)

    def distance(self, sums: PairSums, threshold: float) -> Floats:
        """Of the users' mean gain over what the threshold allows; what rounding alone leaves is none."""
        kept, n = 1.0 - threshold, self.users(sums)
        gap = kept * sums.baseline - sums.total
        gap[np.abs(gap) < 1e-13 * (np.abs(kept * sums.baseline) + np.abs(sums.total))] = 0.0
        parts = kept**2 * sums.var_baseline, sums.var_total
        variance = parts[0] - 2 * kept * sums.covariance + parts[1]
        variance[variance < 1e-13 * (parts[0] + parts[1])] = 0.0
        return errors_off(gap, np.where(n < 2, np.inf, np.sqrt(variance / np.maximum(n, 1))))

    def estimate(self, rule: Rule, sums: PairSums) -> Estimate:
        """The part saved, and Fieller's bounds: infinite where the baseline's mean is not told from zero."""
        n, (below, above) = self.users(sums).astype(np.float64), self.radii(rule, sums)
        with np.errstate(divide="ignore", invalid="ignore"):
            saved = np.where(sums.baseline > 0, 1.0 - sums.total / sums.baseline, np.nan)
        return Estimate(saved, _fieller(sums, n, below)[0], _fieller(sums, n, above)[1], n)

    def recent_estimate(self, rule: Rule, recent: Window) -> Floats:
        """The part saved."""
        return 1.0 - recent.total / np.maximum(recent.baseline, 1e-300)

    def draw(self, rule: Rule, truth: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Measured:
        """The candidate's cost is a flat fee spread over requests; the primary's depends on the request."""
        return Measured(at, at.trials, (1.0 - truth) * at.trials, baseline=amounts(at, 1.0, traffic, rng))


def _baseline(measured: Measured) -> Floats:
    return np.zeros_like(measured.total) if measured.baseline is None else measured.baseline


def _fieller(sums: PairSums, n: Floats, radius: Floats) -> tuple[Floats, Floats]:
    """Bounds of 1 - total / baseline where the mean of (1 - t) baseline - total is `radius` standard errors off."""
    b, c = sums.baseline, sums.total
    q2 = radius * radius / np.maximum(n, 1.0)
    a2, a1, a0 = b * b - q2 * sums.var_baseline, b * c - q2 * sums.covariance, c * c - q2 * sums.var_total
    inside = a1 * a1 - a2 * a0
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(inside)
        lower, upper = 1.0 - (a1 + root) / a2, 1.0 - (a1 - root) / a2
    told = (n >= 2) & (a2 > 0) & (inside >= 0)
    return np.where(told, lower, -np.inf), np.where(told, upper, np.inf)


KIND = Ratio()
