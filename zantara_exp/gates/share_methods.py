"""The methods for a share of good requests: users weighed, at one look, once each, or one by one.

Sources and formulas: `zantara_exp.gates.eprocess`, `intervals`, `detector`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from zantara_exp.gates import eprocess, intervals
from zantara_exp.gates.decision import FAIL, PASS
from zantara_exp.gates.detector import detector_path
from zantara_exp.gates.eprocess import Counts, Floats
from zantara_exp.gates.methods import FEW_USERS, NOW, Method, OneLook, Outlook
from zantara_exp.gates.visits import Ints, Measured, Visits


@dataclass(frozen=True)
class Side:
    """What evidence for one of two sides is made of: that the share lies above p0 (GO), or below it (NO-GO)."""

    log_evidence: Callable[..., Floats]
    bound: Callable[..., Floats]
    exact_log_evidence: Callable[..., Floats]
    exact_bound: Callable[..., Floats]
    factors: Callable[..., Floats]
    log_prior: Floats
    strict_bound: Callable[..., float]
    lost_as: float
    """Share of good requests among those that were lost, at worst for this side."""


GO_SIDE = Side(
    eprocess.log_evidence_go,
    eprocess.lower_bound,
    intervals.exact_log_evidence_go,
    intervals.exact_lower,
    eprocess.strict_factors_go,
    eprocess.GO_LOG_PRIOR,
    eprocess.strict_lower_bound,
    0.0,
)
NO_GO_SIDE = Side(
    eprocess.log_evidence_no_go,
    eprocess.upper_bound,
    intervals.exact_log_evidence_no_go,
    intervals.exact_upper,
    eprocess.strict_factors_no_go,
    eprocess.NO_GO_LOG_PRIOR,
    eprocess.strict_upper_bound,
    1.0,
)


class ShareMethod(Method, ABC):
    """Evidence about the share of good requests; `sums` are what `sums_of` gives, of whatever type."""

    @abstractmethod
    def sums_of(self, at: Visits, counted: Floats, good: Floats) -> Any:
        """What the answers below are computed from; `counted` and `good` requests per row."""

    def users(self, at: Visits) -> Ints:
        """Distinct users at each look."""
        return at.users_seen

    @abstractmethod
    def evidence(self, side: Side, sums: Any, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """Log evidence that the share lies on `side` of `p0`; what was `lost` counts against it."""

    @abstractmethod
    def bound(self, side: Side, sums: Any, alpha: float, lost: float) -> Floats:
        """The p0 at which that evidence is 1/alpha: a lower bound for GO, an upper one for NO-GO."""

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

    def sums_of(self, at: Visits, counted: Floats, good: Floats) -> Counts:
        """Effective good and bad requests."""
        return counts_of(at, counted, good, self.rho0)

    def evidence(self, side: Side, sums: Counts, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """A mixture of bets on the effective counts."""
        return side.log_evidence(*_with_lost(side, grown(sums, outlook), lost * outlook.growth), p0)

    def bound(self, side: Side, sums: Counts, alpha: float, lost: float) -> Floats:
        """By root."""
        return side.bound(*_with_lost(side, sums, lost), alpha)

    def estimate(self, sums: Counts) -> tuple[Floats, Floats]:
        """The weighted share, and effective requests; one half of none."""
        effective = sums.good + sums.bad
        return np.where(effective > 0, sums.good / np.maximum(effective, 1e-300), 0.5), effective


def _with_lost(side: Side, counts: Counts, lost: Floats | float) -> Counts:
    return Counts(counts.good + side.lost_as * lost, counts.bad + (1.0 - side.lost_as) * lost)


class Exact(OneLook, Weighted):
    """One look: the exact binomial test on effective counts (Korn & Graubard 1998)."""

    weighs = False

    def evidence(self, side: Side, sums: Counts, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """A binomial tail."""
        return side.exact_log_evidence(*_with_lost(side, grown(sums, outlook), lost * outlook.growth), p0)

    def bound(self, side: Side, sums: Counts, alpha: float, lost: float) -> Floats:
        """Clopper-Pearson."""
        return side.exact_bound(*_with_lost(side, sums, lost), alpha)


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

    def evidence(self, side: Side, sums: Voices, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """Sum over bets of the product over users; at worst each lost request was a user's whole experience."""
        values, code = np.unique(np.clip(sums.shares - outlook.shift, 0.0, 1.0), return_inverse=True)
        factors = side.factors(values, p0)
        wealth = np.stack([sums.at.added(sums.cells, factor[code]) for factor in factors.T], axis=-1)
        wealth = wealth + lost * side.factors(side.lost_as, p0)
        return eprocess.mix(wealth * np.asarray(outlook.growth)[..., None], side.log_prior)

    def bound(self, side: Side, sums: Voices, alpha: float, lost: float) -> Floats:
        """By halving, at one look at one rollout."""
        values, counts = np.unique(sums.shares, return_counts=True)
        return np.array([[side.strict_bound(np.append(values, side.lost_as), alpha, np.append(counts, lost))]])


class Detector(Once):
    """A guardrail that reacts: users observed by their first day, in its order (`zantara_exp.gates.detector`)."""

    forecasts = False

    def chosen(self, measured: Measured) -> Measured:
        """Users' first days with a request."""
        at = measured.at
        return measured.rows(at.day == at.started[at.user])

    def evidence(self, side: Side, sums: Voices, p0: float, lost: float, outlook: Outlook = NOW) -> Floats:
        """The highest value of the detector so far; it only ever alarms, so there is none for GO."""
        if side is GO_SIDE:
            return np.zeros(sums.at.shape)
        at = sums.at
        order = np.lexsort((at.started, at.owner))  # users of one day come in the order of their codes
        seen = np.bincount(at.owner, minlength=at.simulations)
        place = np.arange(order.size) - np.repeat(np.cumsum(seen) - seen, seen)
        shares = np.ones((at.simulations, int(seen.max(initial=1))))
        shares[at.owner[order], place] = sums.shares[order]
        highest = np.maximum.accumulate(detector_path(shares, p0), axis=1)
        users = at.users_seen
        return np.where(users > 0, np.take_along_axis(highest, np.maximum(users - 1, 0), axis=1), 0.0)

    def bound(self, side: Side, sums: Voices, alpha: float, lost: float) -> Floats:
        """None."""
        return np.full(sums.at.shape, -math.inf if side is GO_SIDE else math.inf)

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
