"""kind=mean: the mean per request of a value, such as milliseconds: one mean per user, weighed by rho0.

Looked at daily, values lie between 0 and the criterion's `bound`, and what lies beyond counts as the bound: the mean
that is judged is that of the values so counted. At one look they may have any size.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from zantara_exp.config.gate import Criterion, Threshold, Traffic
from zantara_exp.gates import users as selecting
from zantara_exp.gates.decision import MISSING, CriterionDecision, Outages, View, missing
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds.by_user import ByUser
from zantara_exp.gates.kinds.kind import Estimate, Rule, Seen, Weighed
from zantara_exp.gates.mean_methods import Bounded, MeanMethod, MeanSums, StudentMean
from zantara_exp.gates.methods import NOW, Outlook
from zantara_exp.gates.simulated_values import amounts
from zantara_exp.gates.user_visits import Flags, Floats, Measured, Visits, Window


class Mean(ByUser):
    """A user's value is his mean over requests."""

    name = "mean"
    methods = {"weighted": Bounded, "exact": StudentMean}
    counts = False
    over_time = True

    def decide(self, rule: Rule, seen: Seen, last: int | None) -> CriterionDecision:
        """As every kind, of values between 0 and the bound; and how many lay beyond it."""
        most, days = rule.criterion.bound, seen.go
        assert isinstance(days, UserDays)  # noqa: S101  `criteria.decide` asks `takes`
        if most is None and rule.criterion.one_look:
            return super().decide(rule, seen, last)
        if most is None:
            return missing(rule.name, rule.criterion, f"{rule.criterion.metric}: looked at daily, a mean needs a bound")
        if (days.total < 0).any() or (days.total > days.trials * most * (1 + 1e-9)).any():
            wrong = f"the evidence holds values outside 0 to bound={most:g}"
            return missing(rule.name, rule.criterion, f"{rule.criterion.metric}: {wrong}")
        decided = super().decide(rule, seen, last)
        beyond = _beyond(rule, days, last)
        if not beyond or decided.decision == MISSING:
            return decided
        values = f"{beyond:,.0f} value{'s' if beyond > 1 else ''} beyond {most:g} counted as {most:g}"
        return replace(decided, reason=f"{decided.reason}; {values}")

    def sums(self, rule: Rule, measured: Measured) -> MeanSums:
        """Of users' means, weighed by rho0."""
        return cast(MeanMethod, rule.method).sums_of(measured)

    def evidence(self, rule: Rule, sums: MeanSums, outlook: Outlook = NOW) -> Weighed:
        """By the method."""
        c, method = rule.criterion, cast(MeanMethod, rule.method)

        def of(bound: Threshold, alpha: float) -> Floats:
            if not bound.given:
                return np.zeros(self.users(sums).shape)
            return method.log_evidence(sums, bound.value, bound.upwards, alpha, outlook)

        return Weighed(of(c.go, rule.alpha), of(c.no_go, rule.alpha_no_go))

    def estimate(self, rule: Rule, sums: MeanSums) -> Estimate:
        """The mean, and what the method shows it to lie above and below."""
        below, above = (rule.alpha, rule.level_upper) if rule.upwards else (rule.level_upper, rule.alpha)
        method = cast(MeanMethod, rule.method)
        users = self.users(sums).astype(np.float64)
        return Estimate(sums.mean, method.bound(sums, True, below), method.bound(sums, False, above), users)

    def withheld(self, rule: Rule, sums: MeanSums) -> Flags | None:
        """Where the mean over requests misses what GO asks for, whatever users weighed say."""
        go, mean = rule.criterion.go, _over_requests(sums)
        if not go.given:
            return super().withheld(rule, sums)
        return np.asarray(mean <= go.value if go.upwards else mean >= go.value)

    def point(self, rule: Rule, sums: MeanSums) -> Floats:
        """The mean."""
        return sums.mean

    def withheld_because(self, rule: Rule, view: View) -> str:
        """The mean over requests, in words."""
        if not rule.criterion.go.given:
            return super().withheld_because(rule, view)
        asked = self.words_of(rule.criterion, rule.criterion.go)
        return f"shown of users weighed, but the mean over requests is {self.shown(view.other)}: {asked} is needed"

    def per(self, rule: Rule) -> str:
        """Between the mean over requests and the mean over users."""
        return "weighed"

    def detailed(self, rule: Rule, sums: MeanSums, view: View) -> View:
        """With the mean over requests, and the blocks of time."""
        blocks = None if sums.blocks.go is None else float(sums.blocks.go.effective[0, 0])
        return replace(view, rho=rule.rho0, blocks=blocks, other=float(_over_requests(sums)[0, 0]))

    def outages(self, rule: Rule, sums: MeanSums) -> Outages | None:
        """Congestion as long as a block; bursts are stretches of failures, which a mean has none of."""
        if sums.blocks.go is None and sums.blocks.no_go is None:
            return None
        c, of = rule.criterion, rule.clusters
        blocks = (10 * of.time_block if c.go.given else 0), (10 * of.time_block_no_go if c.no_go.given else 0)
        return Outages(*blocks, sums.of.at.days - int(sums.of.at.day.min()), None, 0, None)

    def recent_estimate(self, rule: Rule, recent: Window) -> Floats:
        """The mean over requests."""
        return recent.total / np.maximum(recent.counted, 1e-300)

    def draw(self, rule: Rule, truth: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Measured:
        """Values with that mean, none beyond the bound."""
        return Measured(at, at.trials, amounts(at, truth, traffic, rng, rule.criterion.bound))

    def beyond(self, rule: Rule, mark: float, part: float) -> float:
        """Up to 40 % better; a mean below 1 where more is better, such as accuracy, is a share."""
        if rule.upwards and 0.0 < mark < 1.0:
            return super().beyond(rule, mark, part)
        better = mark * (1.0 + (0.4 if rule.upwards else -0.4) * part)
        return better if rule.criterion.bound is None else min(better, rule.criterion.bound)

    def figure(self, value: float) -> str:
        """In the metric's unit."""
        return f"{value:.4g}"

    def shown_truth(self, value: float) -> str:
        """In the metric's unit."""
        return f"{value:g}"

    def threshold(self, criterion: Criterion, bound: Threshold) -> str:
        """In the metric's unit."""
        return f"{bound.value:g}"

    def bounds(self, rule: Rule, view: View) -> tuple[str, str]:
        """With what the method takes for granted."""
        low, high = super().bounds(rule, view)
        note = cast(MeanMethod, rule.method).note()
        return (f"{low}, {note}", f"{high}, {note}") if note else (low, high)


def _over_requests(sums: MeanSums) -> Floats:
    at = sums.of.at
    counted = at.added(at.cell, sums.of.counted)
    return np.asarray(at.added(at.cell, sums.of.total) / np.maximum(counted, 1e-300))


def _beyond(rule: Rule, days: UserDays, last: int | None) -> float:
    """Values that were counted as the bound, among those looked at."""
    chosen = selecting.where(selecting.between(days, None, last), rule.criterion.where)
    return 0.0 if isinstance(chosen, str) or chosen.capped is None else float(chosen.capped.sum())


KIND = Mean()
