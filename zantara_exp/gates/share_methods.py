"""What every method for a share of good requests answers; and the two sides that evidence can be for.

`clustered.py` takes users and blocks of time as clusters, `one_per_user.py` each user once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zantara_exp.gates import eprocess, intervals
from zantara_exp.gates.eprocess import Floats
from zantara_exp.gates.methods import NOW, Method, Outlook
from zantara_exp.gates.user_visits import Ints, Measured, Visits


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
    def sums_of(self, measured: Measured, good: Floats) -> Any:
        """What the answers below are computed from; `good` requests per row, of those that count."""

    def users(self, at: Visits) -> Ints:
        """Distinct users at each look."""
        return at.users_seen

    @abstractmethod
    def evidence(self, side: Side, sums: Any, p0: float, outlook: Outlook = NOW) -> Floats:
        """Log evidence that the share lies on `side` of `p0`; what was lost counts against it."""

    @abstractmethod
    def bound(self, side: Side, sums: Any, p0: float, alpha: float) -> Floats:
        """Where that evidence is 1/alpha: a lower bound for GO, an upper one for NO-GO; `p0` is the threshold."""

    @abstractmethod
    def estimate(self, sums: Any, p0: float) -> tuple[Floats, Floats]:
        """The share, and the effective sample that it rests on."""

    def other_share(self, sums: Any) -> Floats | None:
        """The share that is not meant: of users where requests are, of requests where users are."""
        return None
