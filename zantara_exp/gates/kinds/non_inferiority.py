"""kind=non_inferiority: the candidate's share less the baseline's, two groups of users, within a margin.

The baseline's bound at half of alpha, shifted by the margin, is what the candidate's share must beat or fall short of
at the other half.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zantara_exp.config.gate import Criterion, Threshold, Traffic
from zantara_exp.gates import eprocess
from zantara_exp.gates import users as selecting
from zantara_exp.gates.clustered import Weighted
from zantara_exp.gates.counts import counts_of, grown
from zantara_exp.gates.decision import View
from zantara_exp.gates.eprocess import Counts
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds.by_user import ByUser
from zantara_exp.gates.kinds.kind import Estimate, Rule, Weighed
from zantara_exp.gates.methods import NOW, SEQUENCE_USERS, Outlook
from zantara_exp.gates.population import probabilities, successes, visits
from zantara_exp.gates.visits import Floats, Ints, Measured, Visits, of_log


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
    parts_of_alpha = 2

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
        """Against the baseline's bound, shifted."""
        c, sign = rule.criterion, 1.0 if rule.upwards else -1.0
        good, bad = grown(sums.candidate, outlook)
        # The baseline grows, and stays as good as it is.
        control, lost = grown(sums.control, outlook._replace(shift=0.0)), sums.of.lost * outlook.growth
        go = no_go = np.zeros(np.shape(good))
        if c.go.given:
            p0 = eprocess.upper_bound(*control, rule.alpha) + sign * c.go.value - c.margin
            go = _within(eprocess.log_evidence_go(good, bad + lost, _clipped(p0)), p0)
        if c.no_go.given:
            p0 = eprocess.lower_bound(*control, rule.alpha_no_go) + sign * c.no_go.value - c.margin
            no_go = _within(eprocess.log_evidence_no_go(good + lost, bad, _clipped(p0)), p0)
        return Weighed(go, no_go)

    def estimate(self, rule: Rule, sums: TwoCounts) -> Estimate:
        """Each bound is one side's less the other's."""
        (good, bad), (base_good, base_bad), lost = sums.candidate, sums.control, sums.of.lost
        ceiling = eprocess.upper_bound(base_good, base_bad, rule.alpha)
        floor = eprocess.lower_bound(base_good, base_bad, rule.alpha_no_go)
        lower = eprocess.lower_bound(good, bad + lost, rule.alpha) - ceiling
        upper = eprocess.upper_bound(good + lost, bad, rule.alpha_no_go) - floor
        sizes = good + bad, base_good + base_bad
        smaller = np.minimum(*sizes)
        some = [np.maximum(size, 1e-300) for size in sizes]
        gap = np.where(smaller > 0, good / some[0] - base_good / some[1], 0.0)
        return Estimate(gap, lower, upper, smaller) if rule.upwards else Estimate(-gap, -upper, -lower, smaller)

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
        return bound.value + (-rule.criterion.margin if rule.upwards else rule.criterion.margin)

    def beyond(self, rule: Rule, mark: float, part: float) -> float:
        """Up to two margins better."""
        return mark + (2.0 if rule.upwards else -2.0) * part * max(rule.criterion.margin, 0.01)

    def threshold(self, criterion: Criterion, bound: Threshold) -> str:
        """With its sign, margin included."""
        worse = -criterion.margin if bound.upwards == bool(criterion.go.given) else criterion.margin
        return f"{100 * (bound.value + worse):+g} %"

    def out_of_reach(self, rule: Rule, view: View) -> bool:
        """Margin included."""
        go, margin, lower, upper = rule.criterion.go, rule.criterion.margin, view.lower, view.upper
        if lower is None or upper is None:
            return False
        return upper < go.value - margin if go.upwards else lower > go.value + margin


def _counts(rule: Rule, side: Measured) -> Counts:
    good = side.total if rule.upwards else side.counted - side.total
    return counts_of(side.at, side.counted, good, rule.rho0)


def _clipped(p0: Floats) -> Floats:
    return np.clip(p0, 1e-9, 1 - 1e-9)


def _within(evidence: Floats, p0: Floats) -> Floats:
    return np.where((p0 > 0) & (p0 < 1), evidence, 0.0)


KIND = NonInferiority()
