"""The methods: how independent evidence is made of users who ask more than once, and of looks that repeat.

A method makes sums of what was measured, and answers from sums alone: evidence, bounds and estimate, as arrays of
(rollouts, looks). Every kind of criterion names the methods that fit it (`Kind.methods`).

  share of good requests   Weighted, Exact (one look): `clustered`; Strict (each user once), Detector (alarms): `once`
  savings                  Sequence (looks that repeat), Student (one look)
  means per user           Bounded (looks that repeat), StudentMean (one look): `mean_methods`
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from zantara_exp.config.gate import Criterion
from zantara_exp.gates import intervals
from zantara_exp.gates.eprocess import Counts
from zantara_exp.gates.user_visits import Flags, Floats, Measured

SEQUENCE_USERS = 100
"""Users from which on an asymptotic confidence sequence is trusted; with 30 the false GO was 0.057 for 0.05."""
STUDENT_USERS = 20
"""Users from which on a one-look interval of a mean is trusted."""
FEW_USERS = 10
"""Users from which on weighed requests can refute: one who always fails weighs up to 1/rho0, and proves nothing."""


class Outlook(NamedTuple):
    """The same users multiplied, and a little worse or better than they looked."""

    growth: Floats | float = 1.0
    """How many times as many users; an array is further looks."""
    shift: float = 0.0
    """Added to the share of bad requests; for means and ratios, standard errors added to the estimate."""


NOW = Outlook()


def grown(counts: Counts, outlook: Outlook) -> Counts:
    """Effective counts as they may become."""
    good, bad = counts
    total = good + bad
    bad = np.clip(bad + outlook.shift * total, 0.0, total)
    return Counts((total - bad) * outlook.growth, bad * outlook.growth)


@dataclass(frozen=True)
class Clusters:
    """What is taken to be alike: the requests of one user, and those of one block of time."""

    rho0: float = 0.2
    """Correlation of one user's requests; where it is estimated, the most that is reckoned with."""
    estimated: bool = False
    per: str = "request"
    """Which share is meant: `request`, or the mean over users, `user`."""
    time_block: int = 0
    """Slots of ten minutes that are one observation for GO; 0: time is no cluster."""
    time_block_no_go: int = 0
    """The same for NO-GO."""

    @property
    def blocks(self) -> tuple[int, int]:
        """Sizes of blocks of time, for GO and for NO-GO."""
        return self.time_block, self.time_block_no_go


@dataclass(frozen=True)
class Method:
    """What all methods have in common; the defaults are those of looks that repeat."""

    criterion: Criterion
    clusters: Clusters

    fewest: ClassVar[int] = 1
    """Distinct users that a NO-GO needs."""
    weighs: ClassVar[bool] = False
    """Whether it rests on the assumed correlation rho0."""
    over_time: ClassVar[bool] = True
    """Whether it takes blocks of time as clusters, where the kind and the gate do."""
    forecasts: ClassVar[bool] = True
    """Whether further days of the same traffic lead to a decision."""

    def chosen(self, measured: Measured) -> Measured:
        """The rows it looks at."""
        return measured

    def nobody(self) -> str:
        """Why there are requests, and nobody to decide on."""
        return "no request was measured"

    def held(self, flags: Flags, horizon: int, looks: int) -> Flags:
        """What the looks of simulated rollouts show, where not every day is one; `horizon` is the last planned day."""
        return flags

    def sentence(self, decision: str, no_go: str) -> str:
        """Its own words for a decision; empty where the kind's will do. `no_go` is the threshold in words."""
        return ""


class OneLook(Method):
    """Looked at as often as declared, evenly spaced up to the horizon."""

    forecasts = False

    def held(self, flags: Flags, horizon: int, looks: int) -> Flags:
        """What was seen at a planned look stands until the next."""
        seen = np.zeros_like(flags)
        for look in range(1, looks + 1):
            day = min(max(1, round(horizon * look / looks)), flags.shape[1]) - 1
            seen[:, day:] = flags[:, day, None]
        return seen


class AmountMethod(Method, ABC):
    """Evidence about a mean over users, from the estimate and its standard error by user."""

    @abstractmethod
    def radius(self, users: Floats, alpha: float) -> Floats:
        """How many standard errors a bound lies off the estimate."""

    @abstractmethod
    def of_errors(self, z: Floats, users: Floats, alpha: float) -> Floats:
        """Log evidence of an estimate `z` standard errors beyond a threshold."""


class Sequence(AmountMethod):
    """Looks that repeat: an asymptotic confidence sequence."""

    fewest = SEQUENCE_USERS
    weighs = True

    def radius(self, users: Floats, alpha: float) -> Floats:
        """Of the sequence, which holds at all looks together."""
        return intervals.sequence_radius(users, alpha)

    def of_errors(self, z: Floats, users: Floats, alpha: float) -> Floats:
        """Of the sequence that just reaches."""
        return intervals.sequence_log_evidence(z, users, alpha)


class Student(OneLook, AmountMethod):
    """One look: Student's interval with a standard error by user."""

    fewest = STUDENT_USERS

    def radius(self, users: Floats, alpha: float) -> Floats:
        """Of Student's interval."""
        return intervals.student_radius(users, alpha)

    def of_errors(self, z: Floats, users: Floats, alpha: float) -> Floats:
        """Of Student's test."""
        return intervals.student_log_evidence(z, users)
