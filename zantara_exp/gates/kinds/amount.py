"""What kinds share whose criterion is an amount per user: how many standard errors a threshold is off."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, cast

import numpy as np

from zantara_exp.config.gate import Criterion, Threshold
from zantara_exp.gates.kinds.by_user import ByUser
from zantara_exp.gates.kinds.kind import Rule, Weighed
from zantara_exp.gates.methods import NOW, AmountMethod, Outlook
from zantara_exp.gates.visits import Floats, Ints


class Amount(ByUser):
    """Decided by how many standard errors a threshold is off: free of the unit."""

    counts = False

    def min_users(self, criterion: Criterion, alpha: float) -> int:
        """From as many on the method's intervals are trusted."""
        return max(criterion.min_users, self.min_users_no_go(criterion) if criterion.go.given else 0)

    def users(self, sums: Any) -> Ints:
        """Distinct users."""
        return np.asarray(sums.of.at.users_seen)

    @abstractmethod
    def distance(self, sums: Any, threshold: float) -> Floats:
        """How many cluster-robust standard errors the metric lies above the threshold."""

    def evidence(self, rule: Rule, sums: Any, outlook: Outlook = NOW) -> Weighed:
        """By the method, of the distance."""
        c, method = rule.criterion, cast(AmountMethod, rule.method)

        def of(bound: Threshold, level: float) -> Floats:
            if not bound.given:
                return np.zeros(self.users(sums).shape)
            z = (self.distance(sums, bound.value) + outlook.shift) * np.sqrt(outlook.growth)
            return method.log_evidence(z if bound.upwards else -z, np.asarray(self.users(sums) * outlook.growth), level)

        return Weighed(of(c.go, rule.alpha), of(c.no_go, rule.alpha_no_go))

    def radii(self, rule: Rule, sums: Any) -> tuple[Floats, Floats]:
        """Standard errors from the estimate down to the lower and up to the upper bound."""
        below, above = (rule.alpha, rule.level_upper) if rule.upwards else (rule.level_upper, rule.alpha)
        method, users = cast(AmountMethod, rule.method), self.users(sums).astype(np.float64)
        return method.radius(users, below), method.radius(users, above)


def errors_off(gap: Floats, error: Floats) -> Floats:
    """`gap` in standard errors: infinite without any spread, none where the error cannot be told."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > 0, gap / error, np.where(gap == 0, 0.0, np.copysign(np.inf, gap)))
    return np.where(np.isinf(error), 0.0, z)
