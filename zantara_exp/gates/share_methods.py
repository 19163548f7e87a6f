"""The methods for a share of good requests: users weighed, at one look, once each, or one by one.

Sources and formulas: `zantara_exp.gates.eprocess`, `intervals`, `detector`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from zantara_exp.gates import eprocess, intervals
from zantara_exp.gates.decision import FAIL, PASS
from zantara_exp.gates.detector import detector_path
from zantara_exp.gates.eprocess import Counts, Floats
from zantara_exp.gates.methods import FEW_USERS, NOW, Method, OneLook, Outlook
from zantara_exp.gates.visits import Ints, Measured, Visits


class ShareMethod(Method, ABC):
    """Evidence about the share of good requests; `sums` are what `sums_of` gives, of whatever type."""

    @abstractmethod
    def sums_of(self, at: Visits, counted: Floats, good: Floats) -> Any:
        """What the answers below are computed from; `counted` and `good` requests per row."""

    def users(self, at: Visits) -> Ints:
        """Distinct users at each look."""
        return at.users_seen

    @abstractmethod
    def log_go(self, sums: Any, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """Log evidence that the share lies above `p0`; what was `lost` counts as bad."""

    @abstractmethod
    def log_no_go(self, sums: Any, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """Log evidence that it lies below; what was `lost` counts as good."""

    @abstractmethod
    def lower(self, sums: Any, alpha: float, lost: float) -> Floats:
        """The bound at which the evidence above is 1/alpha."""

    @abstractmethod
    def upper(self, sums: Any, alpha: float, lost: float) -> Floats:
        """The bound at which the evidence below is 1/alpha."""

    @abstractmethod
    def estimate(self, sums: Any) -> tuple[Floats, Floats]:
        """The share, and the effective sample that it rests on."""


def grown(counts: Counts, outlook: Outlook) -> Counts:
    """Effective counts as they may become."""
    good, bad = counts
    total = good + bad
    bad = np.minimum(np.maximum(bad + outlook.shift * total, 0.0), total)
    return Counts((total - bad) * outlook.growth, bad * outlook.growth)


def counts_of(at: Visits, counted: Floats, good: Floats, rho0: float) -> Counts:
    """Effective good and bad requests at each look: user u with m requests weighs m / (1 + rho0 (m - 1))."""
    m, s = at.seen if counted is at.trials else at.so_far(counted), at.so_far(good)
    weights = eprocess.user_weights(m, rho0)
    total = at.summed(weights)
    kept = at.summed(weights * np.divide(s, m, out=np.zeros_like(m), where=m > 0))
    bad = total - kept
    # Rounding must not look like a failure where there was none.
    return Counts(kept, np.where(bad < 1e-9, 0.0, bad))


class Weighted(ShareMethod):
    """Daily looks, users weighed by `rho0`: control over all looks is measured for ICC <= rho0, not proven."""

    fewest = FEW_USERS
    weighs = True
    evidence_above: Callable[..., Floats] = staticmethod(eprocess.log_evidence_go)
    evidence_below: Callable[..., Floats] = staticmethod(eprocess.log_evidence_no_go)
    lower_bound: Callable[..., Floats] = staticmethod(eprocess.lower_bound)
    upper_bound: Callable[..., Floats] = staticmethod(eprocess.upper_bound)

    def sums_of(self, at: Visits, counted: Floats, good: Floats) -> Counts:
        """Effective good and bad requests."""
        return counts_of(at, counted, good, self.rho0)

    def log_go(self, sums: Counts, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """`eprocess.log_evidence_go` of the effective counts."""
        good, bad = grown(sums, outlook)
        return self.evidence_above(good, bad + lost * outlook.growth, p0)

    def log_no_go(self, sums: Counts, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """`eprocess.log_evidence_no_go` of the effective counts."""
        good, bad = grown(sums, outlook)
        return self.evidence_below(good + lost * outlook.growth, bad, p0)

    def lower(self, sums: Counts, alpha: float, lost: float) -> Floats:
        """Lower bound, by root."""
        return self.lower_bound(sums.good, sums.bad + lost, alpha)

    def upper(self, sums: Counts, alpha: float, lost: float) -> Floats:
        """Upper bound, by root."""
        return self.upper_bound(sums.good + lost, sums.bad, alpha)

    def estimate(self, sums: Counts) -> tuple[Floats, Floats]:
        """The weighted share, and effective requests; one half of none."""
        effective = sums.good + sums.bad
        return np.where(effective > 0, sums.good / np.maximum(effective, 1e-300), 0.5), effective


class Exact(OneLook, Weighted):
    """One look: the exact binomial test on effective counts (Korn & Graubard 1998)."""

    weighs = False
    evidence_above = staticmethod(intervals.exact_log_evidence_go)
    evidence_below = staticmethod(intervals.exact_log_evidence_no_go)
    lower_bound = staticmethod(intervals.exact_lower)
    upper_bound = staticmethod(intervals.exact_upper)


class Voices(NamedTuple):
    """One share per user, and the look at which it is complete."""

    at: Visits
    cells: Ints
    shares: Floats


class Once(ShareMethod):
    """Each user once, with the share of good requests among the rows that are chosen."""

    def sums_of(self, at: Visits, counted: Floats, good: Floats) -> Voices:
        """Users' shares."""
        return Voices(at, self._complete(at), at.so_far(good)[at.last] / at.so_far(counted)[at.last])

    def users(self, at: Visits) -> Ints:
        """Users whose share is complete."""
        return at.added(self._complete(at)).astype(np.int64)

    def estimate(self, sums: Voices) -> tuple[Floats, Floats]:
        """The mean of the users' shares, and how many users."""
        users = sums.at.added(sums.cells)
        return sums.at.added(sums.cells, sums.shares) / np.maximum(users, 1.0), users.astype(np.float64)

    def _complete(self, at: Visits) -> Ints:
        """The look at which each user's share is complete."""
        return at.cell_of(at.owner, at.started)


class Strict(Once):
    """The first days, once they are over: proven at any correlation."""

    def chosen(self, measured: Measured) -> Measured:
        """Users' first days, of those whose first days are over by the end."""
        at = measured.at
        over = (at.started + self.criterion.first_days)[at.user]
        return measured.rows((over <= at.days) & (at.day < over))

    def nobody(self) -> str:
        """All are too new."""
        return f"no user's first {self.criterion.first_days} days are over yet"

    def _complete(self, at: Visits) -> Ints:
        return at.cell_of(at.owner, at.started + self.criterion.first_days - 1)

    def log_go(self, sums: Voices, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """Sum over bets of the product over users; at worst each lost request was a user's whole experience."""
        factors = eprocess.strict_factors_go
        return self._evidence(sums, factors, eprocess.GO_LOG_PRIOR, p0, 0.0, lost, outlook)

    def log_no_go(self, sums: Voices, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """The same for the bets that the users' mean lies below."""
        factors = eprocess.strict_factors_no_go
        return self._evidence(sums, factors, eprocess.NO_GO_LOG_PRIOR, p0, 1.0, lost, outlook)

    def _evidence(
        self, sums: Voices, factors_of: Callable[..., Floats], prior: Floats, p0: float, lost_as: float, lost: float,
        outlook: Outlook,
    ) -> Floats:  # fmt: skip
        values, code = np.unique(np.clip(sums.shares - outlook.shift, 0.0, 1.0), return_inverse=True)
        wealth = np.stack([sums.at.added(sums.cells, factor[code]) for factor in factors_of(values, p0).T], axis=-1)
        wealth = wealth + lost * factors_of(lost_as, p0)
        return eprocess.mix(wealth * np.asarray(outlook.growth)[..., None], prior)

    def lower(self, sums: Voices, alpha: float, lost: float) -> Floats:
        """Lower bound at one look at one rollout, by halving."""
        values, counts = np.unique(sums.shares, return_counts=True)
        return np.array([[eprocess.strict_lower_bound(np.append(values, 0.0), alpha, np.append(counts, lost))]])

    def upper(self, sums: Voices, alpha: float, lost: float) -> Floats:
        """Upper bound at one look at one rollout, by halving."""
        values, counts = np.unique(sums.shares, return_counts=True)
        return np.array([[eprocess.strict_upper_bound(np.append(values, 1.0), alpha, np.append(counts, lost))]])


class Detector(Once):
    """A guardrail that reacts: users observed by their first day, in its order (`zantara_exp.gates.detector`)."""

    forecasts = False

    def chosen(self, measured: Measured) -> Measured:
        """Users' first days with a request."""
        at = measured.at
        return measured.rows(at.day == at.started[at.user])

    def log_go(self, sums: Voices, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """None: it only ever alarms."""
        return np.zeros(sums.at.shape)

    def log_no_go(self, sums: Voices, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """The highest value of the detector so far."""
        at = sums.at
        order = np.lexsort((at.started, at.owner))  # users of one day come in the order of their codes
        seen = np.bincount(at.owner, minlength=at.simulations)
        place = np.arange(order.size) - np.repeat(np.cumsum(seen) - seen, seen)
        shares = np.ones((at.simulations, int(seen.max(initial=1))))
        shares[at.owner[order], place] = sums.shares[order]
        highest = np.maximum.accumulate(detector_path(shares, p0), axis=1)
        users = at.users_seen
        return np.where(users > 0, np.take_along_axis(highest, np.maximum(users - 1, 0), axis=1), 0.0)

    def lower(self, sums: Voices, alpha: float, lost: float) -> Floats:
        """No bound."""
        return np.full(sums.at.shape, -math.inf)

    def upper(self, sums: Voices, alpha: float, lost: float) -> Floats:
        """No bound."""
        return np.full(sums.at.shape, math.inf)

    def sentence(self, decision: str, no_go: str) -> str:
        """An alarm, or none."""
        if decision == FAIL:
            return f"alarm: users' experience turned {no_go}"
        return f"no alarm: nothing turned {no_go}" if decision == PASS else ""


SHARE_METHODS: Mapping[str, type[Method]] = {
    "weighted": Weighted,
    "strict": Strict,
    "exact": Exact,
    "detector": Detector,
}
