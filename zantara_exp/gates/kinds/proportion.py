"""kind=proportion: the share of requests that the metric counts, such as success above 0.98 or time-outs below 0.05.

A quantile under a limit and the wins of paired answers are shares too, and build on it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import numpy as np

from zantara_exp.config.gate import Criterion, Threshold, Traffic
from zantara_exp.gates.decision import View
from zantara_exp.gates.kinds.by_user import ByUser
from zantara_exp.gates.kinds.kind import Estimate, Rule, Weighed
from zantara_exp.gates.methods import NOW, Outlook
from zantara_exp.gates.population import probabilities, successes
from zantara_exp.gates.share_methods import GO_SIDE, NO_GO_SIDE, SHARE_METHODS, ShareMethod, counts_of
from zantara_exp.gates.visits import Floats, Ints, Measured, Visits


class ShareSums(NamedTuple):
    """Sums that evidence for GO rests on, and those for NO-GO, where that counts against another limit."""

    of: Measured
    go: Any
    no_go: Any
    users: Ints


class Proportion(ByUser):
    """Good requests among those that count: sums by the method, against a threshold p0."""

    name = "proportion"
    methods = SHARE_METHODS
    counts_requests = True

    def flipped(self, rule: Rule) -> bool:
        """Whether small values are good, so that requests that the metric does not count are the good ones."""
        return not rule.upwards

    def good_share(self, rule: Rule, bound: Threshold) -> float:
        """A threshold as the share of good requests."""
        return 1.0 - bound.value if self.flipped(rule) else bound.value

    def min_users(self, criterion: Criterion, alpha: float) -> int:
        """ceil(ln alpha / ln p0): with fewer, users who always fail may be 1 - p0 of all and none be among them."""
        if not criterion.go.given:
            return criterion.min_users
        return max(criterion.min_users, math.ceil(math.log(alpha) / math.log(self.least_share(criterion))))

    def least_share(self, criterion: Criterion) -> float:
        """The share of good requests that GO asks for."""
        return criterion.go.value if criterion.go.upwards else 1.0 - criterion.go.value

    def sums(self, rule: Rule, measured: Measured) -> ShareSums:
        """By the method."""
        method = cast(ShareMethod, rule.method)
        of = method.chosen(measured)
        go = method.sums_of(of.at, of.counted, self._good(rule, of))
        no_go = go
        if measured.beyond is not None:
            other = method.chosen(measured.beyond)
            no_go = method.sums_of(other.at, other.counted, self._good(rule, other))
        return ShareSums(of, go, no_go, method.users(of.at))

    def _good(self, rule: Rule, of: Measured) -> Floats:
        return of.counted - of.total if self.flipped(rule) else of.total

    def users(self, sums: ShareSums) -> Ints:
        """Distinct users that the method looks at."""
        return sums.users

    def evidence(self, rule: Rule, sums: ShareSums, outlook: Outlook = NOW) -> Weighed:
        """By the method, against p0."""
        c, method, lost = rule.criterion, cast(ShareMethod, rule.method), sums.of.lost
        go = no_go = np.zeros(sums.users.shape)
        if c.go.given:
            go = method.evidence(GO_SIDE, sums.go, self.good_share(rule, c.go), lost, outlook)
        if c.no_go.given:
            no_go = method.evidence(NO_GO_SIDE, sums.no_go, self.good_share(rule, c.no_go), lost, outlook)
        return Weighed(go, no_go)

    def estimate(self, rule: Rule, sums: ShareSums) -> Estimate:
        """By the method; the share that the metric counts."""
        method, lost = cast(ShareMethod, rule.method), sums.of.lost
        share, effective = method.estimate(sums.go)
        lower = method.bound(GO_SIDE, sums.go, rule.alpha, lost)
        upper = method.bound(NO_GO_SIDE, sums.go, rule.level_upper, lost)
        if self.flipped(rule):
            share, lower, upper = 1.0 - share, 1.0 - upper, 1.0 - lower
        return Estimate(share, lower, upper, effective)

    def recent_estimate(self, rule: Rule, recent: Measured) -> Floats:
        """The weighted share, with what was lost as failures."""
        good, bad = counts_of(recent.at, recent.counted, self._good(rule, recent), rule.rho0)
        share = good / np.maximum(good + bad + recent.lost, 1e-300)
        return 1.0 - share if self.flipped(rule) else share

    def spread(self, view: View) -> float:
        """Binomial, of the effective sample."""
        share = (float(view.estimate or 0.0) * view.effective + 0.5) / (view.effective + 1.0)
        return math.sqrt(max(share * (1.0 - share), 0.0) / (view.effective + 1.0))

    def draw(self, rule: Rule, truth: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Measured:
        """Each user is served with a probability of his own, whose mean is the truth."""
        return Measured(at, at.trials, successes(at, probabilities(truth, traffic, at.users, rng), rng))


KIND = Proportion()
