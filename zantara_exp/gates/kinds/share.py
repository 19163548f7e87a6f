"""What kinds share whose criterion is a share of good requests: sums by the method, against a threshold p0."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import numpy as np

from zantara_exp.config.gate import Criterion, Threshold
from zantara_exp.gates.decision import View
from zantara_exp.gates.kinds.by_user import ByUser
from zantara_exp.gates.kinds.kind import Estimate, Rule, Weighed
from zantara_exp.gates.methods import NOW, Outlook
from zantara_exp.gates.share_methods import ShareMethod, counts_of
from zantara_exp.gates.visits import Floats, Ints, Measured


class ShareSums(NamedTuple):
    """Sums that evidence for GO rests on, and those for NO-GO, where that counts against another limit."""

    of: Measured
    go: Any
    no_go: Any
    users: Ints


class Share(ByUser):
    """Good requests among those that count."""

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
        none = np.zeros(sums.users.shape)
        go = method.log_go(sums.go, self.good_share(rule, c.go), lost, outlook) if c.go.given else none
        no_go = method.log_no_go(sums.no_go, self.good_share(rule, c.no_go), lost, outlook) if c.no_go.given else none
        return Weighed(go, no_go)

    def estimate(self, rule: Rule, sums: ShareSums) -> Estimate:
        """By the method; the share that the metric counts."""
        method, lost = cast(ShareMethod, rule.method), sums.of.lost
        share, effective = method.estimate(sums.go)
        lower, upper = method.lower(sums.go, rule.alpha, lost), method.upper(sums.go, rule.level_upper, lost)
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
