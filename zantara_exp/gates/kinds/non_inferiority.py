"""kind=non_inferiority: the candidate's share less the baseline's, two groups of users, within a margin.

The difference itself is bet on (`zantara_exp.gates.differences`), from effective requests of each group.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zantara_exp.config.gate import Criterion, Threshold, Traffic
from zantara_exp.gates import differences
from zantara_exp.gates import users as selecting
from zantara_exp.gates.clustered import Weighted
from zantara_exp.gates.decision import View
from zantara_exp.gates.eprocess import Counts, user_weights
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds.by_user import ByUser
from zantara_exp.gates.kinds.kind import Estimate, Rule, Weighed
from zantara_exp.gates.methods import NOW, SEQUENCE_USERS, Outlook, grown
from zantara_exp.gates.population import probabilities, successes, visits
from zantara_exp.gates.user_visits import Floats, Ints, Measured, Visits, of_log


class TwoCounts(NamedTuple):
    """Effective good and bad requests of the candidate and of the baseline."""

    of: Measured
    candidate: Counts
    control: Counts
    users: Ints


class NonInferiority(ByUser):
    """Large values are good, or small ones (tickets); the margin is always what may be lost."""

    name = "non_inferiority"
    methods = {"weighted": Weighted}

    def min_users(self, criterion: Criterion, alpha: float) -> int:
        """On either side: a handful of users who failed at everything would make any candidate look no worse."""
        return max(criterion.min_users, SEQUENCE_USERS if criterion.go.given else 0)

    def gathered(self, rule: Rule, days: UserDays, until: int) -> Measured | str:
        """The candidate's rows, with the baseline's beside."""
        sides = selecting.arms(days)
        if isinstance(sides, str):
            return sides
        control = of_log(sides[1], until)
        if not control.at.users:
            return "there is no baseline to compare with"
        measured = super().gathered(rule, sides[0], until)
        return measured if isinstance(measured, str) else replace(measured, control=control)

    def sums(self, rule: Rule, measured: Measured) -> TwoCounts:
        """By user, weighed."""
        control = measured.control
        assert control is not None  # noqa: S101  both `gathered` and `draw` give one
        users = np.minimum(measured.at.users_seen, control.at.users_seen)
        return TwoCounts(measured, _counts(rule, measured), _counts(rule, control), users)

    def users(self, sums: TwoCounts) -> Ints:
        """Of the smaller side."""
        return sums.users

    def evidence(self, rule: Rule, sums: TwoCounts, outlook: Outlook = NOW) -> Weighed:
        """That the candidate's share of good requests exceeds the baseline's by more than GO asks, or falls short."""
        c = rule.criterion
        candidate = grown(sums.candidate, outlook)
        # The baseline grows, and stays as good as it is.
        control, lost = grown(sums.control, outlook._replace(shift=0.0)), sums.of.lost * outlook.growth
        go = no_go = np.zeros(np.shape(candidate.good))
        if c.go.given:
            go = differences.log_evidence(_with_bad(candidate, lost), control, self._good_gap(rule, c.go))
        if c.no_go.given:
            no_go = differences.log_evidence(control, _with_good(candidate, lost), -self._good_gap(rule, c.no_go))
        return Weighed(go, no_go)

    def _good_gap(self, rule: Rule, bound: Threshold) -> float:
        """A threshold, margin included, as the candidate's share of good requests less the baseline's."""
        limit = self.at_threshold(rule, bound)
        return max(-differences.WIDEST, min(differences.WIDEST, limit if rule.upwards else -limit))

    def estimate(self, rule: Rule, sums: TwoCounts) -> Estimate:
        """The difference, and the thresholds at which the evidence would just be enough."""
        candidate, control, lost = sums.candidate, sums.control, sums.of.lost
        lower = differences.lower_bound(_with_bad(candidate, lost), control, rule.alpha)
        upper = -differences.lower_bound(control, _with_good(candidate, lost), rule.level_upper)
        smaller, gap = _smaller(sums), self._gap(sums)
        bounds = np.full_like(gap, lower), np.full_like(gap, upper)
        return Estimate(gap, *bounds, smaller) if rule.upwards else Estimate(-gap, -bounds[1], -bounds[0], smaller)

    def point(self, rule: Rule, sums: TwoCounts) -> Floats:
        """The difference."""
        return self._gap(sums) if rule.upwards else -self._gap(sums)

    def _gap(self, sums: TwoCounts) -> Floats:
        """The candidate's share of good requests less the baseline's; none where one of them has no request."""
        shares = [side.good / np.maximum(side.good + side.bad, 1e-300) for side in (sums.candidate, sums.control)]
        return np.where(_smaller(sums) > 0, np.subtract(*shares), 0.0)

    def spread(self, view: View) -> float:
        """Binomial, of the effective sample; the difference says where between the two shares lie."""
        share = 0.5 + float(view.estimate or 0.0) / 2
        return math.sqrt(max(share * (1.0 - share), 0.0) / (view.effective + 1.0))

    def draw(self, rule: Rule, truth: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Measured:
        """A concurrent baseline arm of the same size; the truth is the metric's difference to it."""
        usual = 1.0 - traffic.baseline_bad if rule.upwards else traffic.baseline_bad
        share = min(max(usual + truth, 0.0), 1.0)
        other = visits(traffic, at.days, at.simulations, rng)
        good = successes(other, probabilities(usual, traffic, other.users, rng), rng)
        total = successes(at, probabilities(share, traffic, at.users, rng), rng)
        return Measured(at, at.trials, total, control=Measured(other, other.trials, good))

    def at_threshold(self, rule: Rule, bound: Threshold) -> float:
        """Margin included."""
        return with_margin(rule.criterion, bound)

    def beyond(self, rule: Rule, mark: float, part: float) -> float:
        """Up to two margins better."""
        return mark + (2.0 if rule.upwards else -2.0) * part * max(rule.criterion.margin, 0.01)

    def threshold(self, criterion: Criterion, bound: Threshold) -> str:
        """With its sign, margin included."""
        return f"{100 * with_margin(criterion, bound):+g} %"

    def out_of_reach(self, rule: Rule, view: View) -> bool:
        """Margin included."""
        go, lower, upper = rule.criterion.go, view.lower, view.upper
        if lower is None or upper is None:
            return False
        limit = self.at_threshold(rule, go)
        return upper < limit if go.upwards else lower > limit


def with_margin(criterion: Criterion, bound: Threshold) -> float:
    """A threshold on the difference, and what may be lost beyond it: less where large values are good, else more."""
    go, no_go = criterion.go, criterion.no_go
    large_is_good = go.upwards if go.given else not no_go.upwards
    return bound.value + (-criterion.margin if large_is_good else criterion.margin)


def _smaller(sums: TwoCounts) -> Floats:
    return np.minimum(*(side.good + side.bad for side in (sums.candidate, sums.control)))


def _counts(rule: Rule, side: Measured) -> Counts:
    """Effective good and bad requests at each look: user u with m requests weighs m / (1 + rho0 (m - 1))."""
    at, good = side.at, side.total if rule.upwards else side.counted - side.total
    m, s = at.so_far(side.counted), at.so_far(good)
    weights = user_weights(m, rule.rho0)
    total = at.summed(weights)
    kept = at.summed(weights * np.divide(s, m, out=np.zeros_like(m), where=m > 0))
    bad = total - kept
    # Rounding must not look like a failure where there was none.
    return Counts(kept, np.where(bad < 1e-9, 0.0, bad))


def _with_bad(counts: Counts, lost: Floats | float) -> Counts:
    return Counts(counts.good, counts.bad + lost)


def _with_good(counts: Counts, lost: Floats | float) -> Counts:
    return Counts(counts.good + lost, counts.bad)


KIND = NonInferiority()
