"""kind=proportion: the share of requests that the metric counts, such as success above 0.98 or time-outs below 0.05.

A quantile under a limit and the wins of paired answers are shares too, and build on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np

from zantara_exp.config.gate import Criterion, Threshold, Traffic
from zantara_exp.gates import eprocess
from zantara_exp.gates.clustered import Exact, Weighted
from zantara_exp.gates.decision import FAIL, Outages, View
from zantara_exp.gates.kinds.by_user import ByUser
from zantara_exp.gates.kinds.kind import Estimate, Rule, Weighed
from zantara_exp.gates.kinds.outages import outages
from zantara_exp.gates.methods import NOW, Method, Outlook
from zantara_exp.gates.one_per_user import Detector, Strict
from zantara_exp.gates.population import served
from zantara_exp.gates.share_methods import GO_SIDE, NO_GO_SIDE, ShareMethod
from zantara_exp.gates.user_visits import Flags, Floats, Ints, Measured, Visits, Window

SHARE_METHODS: Mapping[str, type[Method]] = {
    "weighted": Weighted,
    "strict": Strict,
    "exact": Exact,
    "detector": Detector,
}

OF = {"request": "of requests", "user": "of the average user's requests"}
OTHER = {"request": OF["user"], "user": OF["request"]}


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
    over_time = True

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
        go = method.sums_of(of, self._good(rule, of))
        no_go = go
        if measured.beyond is not None:
            other = method.chosen(measured.beyond)
            no_go = method.sums_of(other, self._good(rule, other))
        return ShareSums(of, go, no_go, method.users(of.at))

    def _good(self, rule: Rule, of: Measured) -> Floats:
        return of.counted - of.total if self.flipped(rule) else of.total

    def users(self, sums: ShareSums) -> Ints:
        """Distinct users that the method looks at."""
        return sums.users

    def evidence(self, rule: Rule, sums: ShareSums, outlook: Outlook = NOW) -> Weighed:
        """By the method, against p0."""
        c, method = rule.criterion, cast(ShareMethod, rule.method)
        go = no_go = np.zeros(sums.users.shape)
        if c.go.given:
            go = method.evidence(GO_SIDE, sums.go, self.good_share(rule, c.go), outlook)
        if c.no_go.given:
            no_go = method.evidence(NO_GO_SIDE, sums.no_go, self.good_share(rule, c.no_go), outlook)
        return Weighed(go, no_go)

    def estimate(self, rule: Rule, sums: ShareSums) -> Estimate:
        """By the method; the share that the metric counts."""
        method, (go, no_go) = cast(ShareMethod, rule.method), self._thresholds(rule)
        share, effective = method.estimate(sums.go, go)
        lower = method.bound(GO_SIDE, sums.go, go, rule.alpha)
        upper = method.bound(NO_GO_SIDE, sums.go, no_go, rule.level_upper)
        if self.flipped(rule):
            share, lower, upper = 1.0 - share, 1.0 - upper, 1.0 - lower
        return Estimate(share, lower, upper, effective)

    def _thresholds(self, rule: Rule) -> tuple[float, float]:
        """Those of GO and of NO-GO as shares of good requests; the other one, where only one is given."""
        c = rule.criterion
        go, no_go = (self.good_share(rule, bound) if bound.given else None for bound in (c.go, c.no_go))
        return cast(float, no_go if go is None else go), cast(float, go if no_go is None else no_go)

    def point(self, rule: Rule, sums: ShareSums) -> Floats:
        """The share that the metric counts."""
        share = cast(ShareMethod, rule.method).estimate(sums.no_go, self._thresholds(rule)[1])[0]
        return 1.0 - share if self.flipped(rule) else share

    def withheld(self, rule: Rule, sums: ShareSums) -> Flags | None:
        """Where the share that is not meant misses what GO asks for."""
        go, other = rule.criterion.go, cast(ShareMethod, rule.method).other_share(sums.go)
        if not go.given:
            return super().withheld(rule, sums)
        return None if other is None else other <= self.good_share(rule, go)

    def withheld_because(self, rule: Rule, view: View) -> str:
        """The other share, in words."""
        if not rule.criterion.go.given:
            return super().withheld_because(rule, view)
        of, other = OF[rule.clusters.per], OTHER[rule.clusters.per]
        return f"shown {of}, but measured {self.shown(view.other)} {other}: {self.asked(rule)} is needed"

    def asked(self, rule: Rule) -> str:
        """What GO asks for, in words: `above 98 %`."""
        return self.words_of(rule.criterion, rule.criterion.go)

    def bounds(self, rule: Rule, view: View) -> tuple[str, str]:
        """With what the share is of."""
        of = OF[rule.clusters.per]
        measured = f"measured {self.shown(view.estimate)} {of}"
        low, high = f"{measured}, at least {self.shown(view.lower)}", f"{measured}, at most {self.shown(view.upper)}"
        return (low, high) if rule.upwards else (high, low)

    def detailed(self, rule: Rule, sums: ShareSums, view: View) -> View:
        """With the correlation, the blocks of time, and the other share."""
        method, blocks = cast(ShareMethod, rule.method), sums.go.blocks.go
        other, rho = method.other_share(sums.go), None
        if isinstance(method, Weighted):
            refutes = view.decision == FAIL or not rule.criterion.go.given
            rho = rule.rho0 if refutes else float(method.rho(sums.go, self._thresholds(rule)[0])[0, 0])
        if other is not None:
            other = 1.0 - other if self.flipped(rule) else other
        return replace(
            view,
            rho=rho,
            blocks=None if blocks is None else float(blocks.effective[0, 0]),
            other=None if other is None else float(other[0, 0]),
        )

    def outages(self, rule: Rule, sums: ShareSums) -> Outages | None:
        """From the rows that the method looks at."""
        if not rule.timed or sums.of.at.slot is None:
            return None
        bad = sums.of.counted - self._good(rule, sums.of)
        go = rule.criterion.go
        return outages(sums.of, bad, rule, self.good_share(rule, go) if go.given else None)

    def recent_estimate(self, rule: Rule, recent: Window) -> Floats:
        """The share of requests, lost ones as failures."""
        share = self._good_within(rule, recent) / np.maximum(recent.counted + recent.lost, 1e-300)
        return 1.0 - share if self.flipped(rule) else share

    def recent_agrees(self, rule: Rule, recent: Window, estimate: Floats) -> Flags:
        """Whether the last days' requests, taken one by one, are evidence for GO on their own.

        Evidence of the whole epoch has inertia: after 14 days at 99.7 % a candidate that falls to 97.5 % keeps it for
        weeks. This only withholds, so it adds to no error rate, and need not reckon with users who resemble themselves.
        """
        good, p0 = self._good_within(rule, recent), self.good_share(rule, rule.criterion.go)
        return eprocess.log_evidence_go(good, recent.counted + recent.lost - good, p0) >= rule.needed_go

    def _good_within(self, rule: Rule, recent: Window) -> Floats:
        return recent.counted - recent.total if self.flipped(rule) else recent.total

    def spread(self, view: View) -> float:
        """Binomial, of the effective sample."""
        share = (float(view.estimate or 0.0) * view.effective + 0.5) / (view.effective + 1.0)
        return math.sqrt(max(share * (1.0 - share), 0.0) / (view.effective + 1.0))

    def draw(self, rule: Rule, truth: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Measured:
        """Each user is served with a probability of his own, and outages fail everybody; the mean is the truth."""
        if not self.flipped(rule):
            return Measured(at, at.trials, served(at, truth, traffic, rng))
        return Measured(at, at.trials, at.trials - served(at, 1.0 - truth, traffic, rng))


KIND = Proportion()
