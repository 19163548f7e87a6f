"""kind=quantile: p95 below 1500 ms is P(latency <= 1500) above 0.95, a share of requests that keep the limit."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, ndtri

from zantara_exp.config.gate import Criterion, Threshold, Traffic
from zantara_exp.config.kinds import METHODS
from zantara_exp.gates.decision import View
from zantara_exp.gates.kinds.kind import Rule, worded
from zantara_exp.gates.kinds.proportion import OF, Proportion, ShareSums
from zantara_exp.gates.population import served
from zantara_exp.gates.user_visits import Flags, Measured, Visits


class Quantile(Proportion):
    """Judged against the declared quantile, whatever the limit; NO-GO may count against another, looser limit."""

    name = "quantile"
    to_be, it = "to have", "a"

    def flipped(self, rule: Rule) -> bool:
        """Never: evidence counts the requests that keep the limit."""
        return False

    def good_share(self, rule: Rule, bound: Threshold) -> float:
        """The declared quantile."""
        return rule.criterion.quantile

    def least_share(self, criterion: Criterion) -> float:
        """The declared quantile."""
        return criterion.quantile

    def limits(self, criterion: Criterion) -> tuple[float | None, float | None]:
        """The thresholds; for GO that of NO-GO, where it is alone."""
        no_go = criterion.no_go.value if criterion.no_go.given else None
        return (criterion.go.value if criterion.go.given else no_go), no_go

    def withheld(self, rule: Rule, sums: ShareSums) -> Flags | None:
        """Without go: where too few requests keep the limit of NO-GO."""
        if rule.criterion.go.given or METHODS[rule.criterion.method].alarms:
            return super().withheld(rule, sums)
        return self.point(rule, sums) < rule.criterion.quantile

    def draw(self, rule: Rule, truth: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Measured:
        """Requests under the limit, and under the looser one of NO-GO: the good ones, and some of the others."""
        c, limit = rule.criterion, self.limits(rule.criterion)[0] or math.nan
        share = _share_under(limit, truth, c.quantile, traffic)
        good = served(at, share, traffic, rng)
        if not c.no_go.given or c.no_go.value == limit:
            return Measured(at, at.trials, good)
        looser = _share_under(c.no_go.value, truth, c.quantile, traffic)
        slow = (at.trials - good).astype(np.int64)
        more = rng.binomial(slow, (looser - share) / (1.0 - share) if share < 1 else 1.0)
        return Measured(at, at.trials, good, beyond=Measured(at, at.trials, good + more))

    def beyond(self, rule: Rule, mark: float, part: float) -> float:
        """Up to 40 % faster."""
        return mark * (1.0 + (0.4 if rule.upwards else -0.4) * part)

    def shown_truth(self, value: float) -> str:
        """In the metric's unit."""
        return f"{value:g}"

    def threshold(self, criterion: Criterion, bound: Threshold) -> str:
        """The limit, in the metric's unit."""
        return f"{bound.value:g}"

    def shown_threshold(self, criterion: Criterion, bound: Threshold) -> str:
        """`> 95 % within 1500 ms`: a share, as the estimate and its bounds are that stand beside it."""
        if not bound.given:
            return ""
        sign, unit = "<" if bound.upwards else ">", " ms" if criterion.metric.endswith("_ms") else ""
        return f"{sign} {100 * criterion.quantile:g} % within {self.threshold(criterion, bound)}{unit}"

    def words_of(self, criterion: Criterion, bound: Threshold) -> str:
        """`p95 below 1500`."""
        return worded(f"p{100 * criterion.quantile:g} {super().shown_threshold(criterion, bound)}")

    def falls_short(self, criterion: Criterion, measured: float) -> str:
        """It is judged as the share of requests that keep its limit."""
        if not criterion.go.given or measured > criterion.quantile:
            return ""
        return f"measured {self.shown(measured)}, needs more than {self.shown(criterion.quantile)}"

    def bounds(self, rule: Rule, view: View) -> tuple[str, str]:
        """Of the share that keeps the limit."""
        of, low, high = OF[rule.clusters.per], self.shown(view.lower), self.shown(view.upper)
        return f"at least {low} {of} keep the limit", f"at most {high} {of} keep the limit"

    def asked(self, rule: Rule) -> str:
        """The share that has to keep the limit."""
        return f"more than {self.shown(rule.criterion.quantile)}"

    def out_of_reach(self, rule: Rule, view: View) -> bool:
        """Whether too many exceed the limit for sure."""
        return view.upper is not None and view.upper < rule.criterion.quantile


def _share_under(limit: float, quantile_value: float, quantile: float, traffic: Traffic) -> float:
    """Share of requests at or under `limit` where the quantile lies at `quantile_value`: values are log-normal."""
    sigma = math.sqrt(math.log1p(traffic.variation**2))
    return float(ndtr(ndtri(quantile) + math.log(limit / quantile_value) / sigma))


KIND = Quantile()
