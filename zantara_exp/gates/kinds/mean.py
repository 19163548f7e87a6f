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
from zantara_exp.gates.amounts import amounts
from zantara_exp.gates.decision import MISSING, CriterionDecision, View, missing
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds.by_user import ByUser
from zantara_exp.gates.kinds.kind import Estimate, Rule, Seen, Weighed
from zantara_exp.gates.mean_methods import Bounded, MeanMethod, MeanSums, StudentMean, user_means
from zantara_exp.gates.methods import NOW, Outlook
from zantara_exp.gates.visits import Floats, Ints, Measured, Visits


class Mean(ByUser):
    """A user's value is his mean over requests."""

    name = "mean"
    methods = {"weighted": Bounded, "exact": StudentMean}
    counts = False

    def min_users(self, criterion: Criterion, alpha: float) -> int:
        """From as many on the method is trusted."""
        return max(criterion.min_users, self.min_users_no_go(criterion) if criterion.go.given else 0)

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

    def users(self, sums: MeanSums) -> Ints:
        """Distinct users."""
        return np.asarray(sums.of.at.users_seen)

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

    def recent_estimate(self, rule: Rule, recent: Measured) -> Floats:
        """The window's mean."""
        weights, values = user_means(recent, rule.rho0)
        return recent.at.summed(weights * values) / np.maximum(recent.at.summed(weights), 1e-300)

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


def _beyond(rule: Rule, days: UserDays, last: int | None) -> float:
    """Values that were counted as the bound, among those looked at."""
    chosen = selecting.where(selecting.between(days, None, last), rule.criterion.where)
    return 0.0 if isinstance(chosen, str) or chosen.capped is None else float(chosen.capped.sum())


KIND = Mean()
