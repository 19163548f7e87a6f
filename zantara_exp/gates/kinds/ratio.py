"""kind=ratio: the part of the other arm's sum that is saved, 1 - sum(total) / sum(baseline) over the same requests.

Judged on each user's gain over what a threshold t allows, (1 - t) baseline - total. A few dear users may carry the sum,
and the dearest of the future was perhaps not seen yet, so that neither the mean nor its spread is told from the others:
where token counts are log-normal, a mean is too low more often than its standard error says. Therefore the user who
was ever farthest on the other side counts four times more. Bounds are the thresholds at which the evidence just
reaches. Measured, not proven: nothing is, of sums without a bound (Bahadur & Savage 1956).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np

from zantara_exp.config.gate import Threshold, Traffic
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds.by_user import ByUser
from zantara_exp.gates.kinds.kind import Estimate, Rule, Weighed
from zantara_exp.gates.mean_methods import errors_off
from zantara_exp.gates.methods import NOW, AmountMethod, Outlook, Sequence, Student
from zantara_exp.gates.simulated_values import amounts
from zantara_exp.gates.user_visits import Flags, Floats, Measured, Visits, Window

UNSEEN = 4
"""How many users more are taken to be like the one who is farthest on the other side."""
_HALVINGS = 50
_ROUNDING = 1e-13


class PairSums(NamedTuple):
    """Users' means of the two sums, their variances and covariance (n - 1), at each look; and sums so far, per row."""

    of: Measured
    total: Floats
    baseline: Floats
    var_total: Floats
    var_baseline: Floats
    covariance: Floats
    totals: Floats
    baselines: Floats
    whole: Flags
    """Rows with which a user's day is over, so that its order within the day does not matter."""


class Unweighed(Sequence):
    """Every user's sums count as they are, so no correlation is assumed."""

    weighs = False


class Ratio(ByUser):
    """Users are not weighed: money is summed."""

    name = "ratio"
    methods = {"weighted": Unweighed, "exact": Student}
    two_arms = True
    counts = False

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
        return PairSums(measured, *means, *variances, (xy - mx * my) * more, c, b, _whole_days(at))

    def evidence(self, rule: Rule, sums: PairSums, outlook: Outlook = NOW) -> Weighed:
        """By the method, of the users' mean gain."""
        c = rule.criterion

        def of(bound: Threshold, alpha: float) -> Floats:
            if not bound.given:
                return np.zeros(self.users(sums).shape)
            return _log_evidence(rule, sums, 1.0 - bound.value, bound.upwards, alpha, outlook)

        return Weighed(of(c.go, rule.alpha), of(c.no_go, rule.alpha_no_go))

    def estimate(self, rule: Rule, sums: PairSums) -> Estimate:
        """The part saved, and the thresholds at which the evidence would just be enough; infinite where none is."""
        with np.errstate(divide="ignore", invalid="ignore"):
            spent = np.where(sums.baseline > 0, sums.total / sums.baseline, np.nan)
        below, above = (rule.alpha, rule.level_upper) if rule.upwards else (rule.level_upper, rule.alpha)
        kept = float(spent[0, 0])
        most = _first_shown(lambda kept: _shown(rule, sums, kept, True, below), kept, _ROOM * max(kept, 1.0))
        least = _first_shown(lambda kept: _shown(rule, sums, kept, False, above), kept, 0.0)
        lower = np.full_like(spent, -np.inf if most is None else 1.0 - most)
        upper = np.full_like(spent, np.inf if least is None else 1.0 - least)
        return Estimate(1.0 - spent, lower, upper, self.users(sums).astype(np.float64))

    def point(self, rule: Rule, sums: PairSums) -> Floats:
        """The part saved."""
        return np.asarray(1.0 - sums.total / np.maximum(sums.baseline, 1e-300))

    def recent_estimate(self, rule: Rule, recent: Window) -> Floats:
        """The part saved."""
        return 1.0 - recent.total / np.maximum(recent.baseline, 1e-300)

    def draw(self, rule: Rule, truth: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Measured:
        """The candidate's cost is a flat fee spread over requests; the primary's depends on the request."""
        return Measured(at, at.trials, (1.0 - truth) * at.trials, baseline=amounts(at, 1.0, traffic, rng))


_ROOM = 1e6
"""A candidate that costs more times the other arm than this is not told from one that costs any."""


def _log_evidence(
    rule: Rule, sums: PairSums, kept: float, upwards: bool, alpha: float, outlook: Outlook = NOW
) -> Floats:
    """That users gain on average if `kept` of the other arm's sum may be spent, or lose where not `upwards`."""
    z, users = _errors_off(sums, kept, 1.0 if upwards else -1.0)
    z = (z + outlook.shift) * np.sqrt(outlook.growth)
    found = cast(AmountMethod, rule.method).of_errors(z, np.asarray(users * outlook.growth), alpha)
    return np.where(sums.of.at.users_seen > 1, found, 0.0)


def _errors_off(sums: PairSums, kept: float, side: float) -> tuple[Floats, Floats]:
    """How many standard errors the users' mean gain lies on `side` of none, and the users counted, unseen ones too."""
    at = sums.of.at
    n = np.maximum(at.users_seen, 1).astype(np.float64)
    gap = side * (kept * sums.baseline - sums.total)
    gap[np.abs(gap) < _ROUNDING * (np.abs(kept * sums.baseline) + np.abs(sums.total))] = 0.0
    parts = kept**2 * sums.var_baseline, sums.var_total
    variance = parts[0] - 2 * kept * sums.covariance + parts[1]
    variance[variance < _ROUNDING * (parts[0] + parts[1])] = 0.0
    unseen = _farthest_user(sums, kept, side)
    users = n + UNSEEN
    squares = variance * (n - 1.0) + UNSEEN * n / users * (gap + unseen) ** 2
    mean = (n * gap - UNSEEN * unseen) / users
    return errors_off(mean, np.sqrt(squares / (users - 1.0) / users)), users


def _farthest_user(sums: PairSums, kept: float, side: float) -> Floats:
    """The most that a user was ever on the other side, at each look; what rounding alone leaves is none."""
    at, whole = sums.of.at, sums.whole
    spent, allowed = sums.totals[whole], kept * sums.baselines[whole]
    loss = side * (spent - allowed)
    loss[np.abs(loss) < _ROUNDING * (np.abs(spent) + np.abs(allowed))] = 0.0
    most = np.zeros(at.shape).ravel()
    np.maximum.at(most, at.cell[whole], loss)
    return np.asarray(np.maximum.accumulate(most.reshape(at.shape), axis=1))


def _whole_days(at: Visits) -> Flags:
    """The last row of each user and day."""
    last = np.ones(at.user.size, dtype=np.bool_)
    last[:-1] = (at.user[1:] != at.user[:-1]) | (at.day[1:] != at.day[:-1])
    return last


def _shown(rule: Rule, sums: PairSums, kept: float, upwards: bool, alpha: float) -> bool:
    return float(_log_evidence(rule, sums, kept, upwards, alpha).max()) >= -math.log(alpha)


def _first_shown(shown: Callable[[float], bool], near: float, far: float) -> float | None:
    """The first place on the way from `near` to `far` where something is shown; None where not even `far` is one."""
    if not shown(far):
        return None
    for _ in range(_HALVINGS):
        # By ratios where both ends have one: `far` may be a million times as far.
        middle = np.sqrt(near * far) if min(near, far) > 0 else (near + far) / 2.0
        near, far = (near, middle) if shown(middle) else (middle, far)
    return float(far)


def _baseline(measured: Measured) -> Floats:
    return np.zeros_like(measured.total) if measured.baseline is None else measured.baseline


KIND = Ratio()
