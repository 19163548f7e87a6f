"""What a kind of criterion answers, and how one criterion of it is decided: the rule.

A kind is written for arrays of (rollouts, looks). A verdict is one rollout and one look; `stage=check` and
`stage=power` decide many rollouts at many looks with the same code.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from zantara_exp.config.gate import Criterion, Threshold, Traffic
from zantara_exp.config.kinds import KINDS, METHODS, KindRow
from zantara_exp.gates.decision import FAIL, PASS, UNDECIDED, CriterionDecision, View
from zantara_exp.gates.evidence import Evidence
from zantara_exp.gates.methods import Clusters, Method
from zantara_exp.gates.user_visits import Flags, Floats, Ints, Visits

_SIGNS = {"above": ">", "below": "<", "at_least": ">=", "at_most": "<="}
_WORDS = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}


@dataclass(frozen=True)
class Seen:
    """The evidence for a criterion, with what a gate must know about it."""

    go: Evidence
    no_go: Evidence | None = None
    """Where no_go counts against another limit than go: the count against that limit."""
    source: str = ""
    """Who measured it; evidence of one source must be of one epoch."""
    refused: str = ""
    """Why it may not be looked at (again), where it may not."""


@dataclass(frozen=True)
class Rule:
    """How one criterion is decided."""

    name: str
    criterion: Criterion
    kind: Kind
    alpha: float
    """Level of a pass."""
    alpha_no_go: float
    """Level of a NO-GO: alpha over everything that could end in one."""
    clusters: Clusters
    """What is taken to be alike."""
    min_days: int
    """Days with evidence that a pass needs, where time is a cluster."""
    min_users: int
    """Distinct users that a pass needs."""
    min_users_no_go: int
    """Distinct users that a NO-GO needs."""
    segments: Mapping[str, tuple[str, ...]]
    """Declared segments this criterion is judged in as well."""
    max_lost: float
    """Share of requests lost above which there is no pass."""
    planned_users: int

    @property
    def method(self) -> Method:
        """How evidence is made of users and looks; asked of a kind that has methods."""
        return self.kind.methods[self.criterion.method](self.criterion, self.clusters)

    @property
    def rho0(self) -> float:
        """Correlation of one user's requests: the most that is reckoned with."""
        return self.clusters.rho0

    @property
    def timed(self) -> bool:
        """Whether it is about traffic over time, in which blocks are clusters."""
        of_kind = self.kind.over_time and self.kind.methods[self.criterion.method].over_time
        return of_kind and self.clusters.time_block > 0

    @property
    def needed_go(self) -> float:
        """Log evidence at which the criterion passes."""
        return -math.log(self.alpha)

    @property
    def needed_no_go(self) -> float:
        """Log evidence at which it is NO-GO."""
        planned = self.planned_users if METHODS[self.criterion.method].alarms else 1
        return math.log(planned / self.alpha_no_go)

    @property
    def level_upper(self) -> float:
        """Level of the bound on the NO-GO side; that of a pass where nothing is NO-GO."""
        return self.alpha_no_go if self.criterion.no_go.given else self.alpha

    @property
    def upwards(self) -> bool:
        """Whether large values of the metric are good."""
        c = self.criterion
        return c.go.upwards if c.go.given else not c.no_go.upwards


class Estimate(NamedTuple):
    """What was measured, in the metric's own direction and unit; arrays of (rollouts, looks)."""

    estimate: Floats
    lower: Floats
    """Lower bound, at the level of the decision it serves; -inf where there is none."""
    upper: Floats
    effective: Floats
    """Effective sample: requests after weighing users, or users."""


class Weighed(NamedTuple):
    """Log evidence for GO and for NO-GO; arrays of (rollouts, looks)."""

    log_go: Floats
    log_no_go: Floats


class Outcomes(NamedTuple):
    """For each rollout and look: whether it passes the criterion, and whether it ends in NO-GO."""

    passes: Flags
    fails: Flags

    def word(self) -> str:
        """Of one look at one rollout: PASS, FAIL or UNDECIDED."""
        return FAIL if self.fails.all() else PASS if self.passes.all() else UNDECIDED


def outcomes(rule: Rule, weighed: Weighed, users: Ints | Floats | int, enough: Flags | bool) -> Outcomes:
    """What evidence of `users` distinct users shows. Without go a criterion passes unless refuted.

    What is no number never passes; `enough` says where nothing but evidence can stand in the way of a pass.
    """
    c = rule.criterion
    fails = (np.asarray(users) >= rule.min_users_no_go) & (weighed.log_no_go >= rule.needed_no_go) & bool(c.no_go.given)
    passes = ~fails & enough
    if c.go.given:
        passes &= weighed.log_go >= rule.needed_go
    if c.no_go.given:
        passes &= ~np.isnan(weighed.log_no_go)
    return Outcomes(passes, fails)


class Kind(ABC):
    """One kind of criterion. A file of `gates/kinds` ends with its only instance, `KIND`."""

    name: ClassVar[str]
    takes: ClassVar[type]
    """The type of evidence that it is decided on."""
    methods: ClassVar[Mapping[str, type[Method]]] = {}
    random: ClassVar[bool] = True
    """Whether chance plays a part; otherwise nothing is simulated."""
    counts_requests: ClassVar[bool] = False
    """Whether its evidence counts requests, so that it shows a log's traffic."""
    over_time: ClassVar[bool] = False
    """Whether blocks of time are clusters of what it judges."""
    counted: ClassVar[str] = "users"
    """What minimum numbers are numbers of."""

    @property
    def row(self) -> KindRow:
        """What a config may say about it."""
        return KINDS[self.name]

    # What a decision needs.

    def min_users(self, criterion: Criterion, alpha: float) -> int:
        """Distinct users that a pass needs."""
        return criterion.min_users

    def min_users_no_go(self, criterion: Criterion) -> int:
        """Distinct users that a NO-GO needs."""
        return self.methods[criterion.method].fewest if self.methods else 1

    def limits(self, criterion: Criterion) -> tuple[float | None, float | None]:
        """The limits that requests are counted against, for GO and for NO-GO; None where they are not."""
        return None, None

    def looked(self, criterion: Criterion, evidence: Evidence) -> Evidence:
        """What a look now sees of the evidence: all of it, but for a review that is looked at as it grows."""
        return evidence

    # Verdict and simulation.

    @abstractmethod
    def decide(self, rule: Rule, seen: Seen, last: int | None) -> CriterionDecision:
        """One look at what was seen, which is well-formed and not refused, up to the day `last`."""

    def simulate(
        self, rule: Rule, truth: float, at: Visits, traffic: Traffic, plan: Planned, rng: np.random.Generator
    ) -> Outcomes:
        """Decide every look of many rollouts whose truth is `truth`, in the metric's unit."""
        raise NotImplementedError(f"kind={self.name} is known exactly")

    def planned(self, rule: Rule, size: int) -> Iterator[tuple[str, bool, str]]:
        """What `stage=check` finds about a plan of `size` reviewed pairs: what, whether it is sound, and in words."""
        return iter(())

    def promise(self, rule: Rule, size: int, traffic: Traffic) -> str:
        """What the planned review can show, for `stage=power`; empty where none is needed."""
        return ""

    # Truths that are simulated.

    def at_threshold(self, rule: Rule, bound: Threshold) -> float:
        """The truth exactly at a threshold, margin included."""
        return bound.value

    def truths(self, rule: Rule) -> list[float]:
        """A grid of truths from bad to good, in the metric's unit: at the thresholds, beyond them, and as expected."""
        c, marks = rule.criterion, [] if rule.criterion.expected is None else [rule.criterion.expected]
        for bound, parts in ((c.no_go, (0.0, -1.0) if c.go.given else (0.5, 0.0, -1.0, -2.0)), (c.go, _BEYOND)):
            if bound.given:
                marks += [self.beyond(rule, self.at_threshold(rule, bound), part) for part in parts]
        unique = sorted({float(f"{mark:.6g}") for mark in marks})
        return unique if rule.upwards else unique[::-1]

    def beyond(self, rule: Rule, mark: float, part: float) -> float:
        """The truth a `part` of the way from a threshold to perfection, or that much beyond it on the bad side."""
        return min(max(mark + ((1.0 if rule.upwards else 0.0) - mark) * part, 0.01), 0.999)

    # Words.

    def shown(self, value: float | None) -> str:
        """A value of the metric as a person reads it."""
        if value is None or not math.isfinite(value):
            return "-"
        return self.figure(value)

    def figure(self, value: float) -> str:
        """A finite value: a share in percent."""
        percent = 100 * value
        digits = 2 if abs(percent) > 99 or (0 < abs(percent) < 1) else 1
        return f"{percent:.{digits}f} %"

    def shown_truth(self, value: float) -> str:
        """A truth that is simulated, as it was declared."""
        return f"{100 * value:g} %"

    def threshold(self, criterion: Criterion, bound: Threshold) -> str:
        """`> 98 %`, without its sign: the value of a threshold."""
        return f"{100 * bound.value:g} %"

    def shown_threshold(self, criterion: Criterion, bound: Threshold) -> str:
        """`> 98 %`; empty where none is given."""
        return f"{_SIGNS[bound.side]} {self.threshold(criterion, bound)}" if bound.given else ""

    to_be: ClassVar[str] = "to be"
    it: ClassVar[str] = "it"
    """`shown to be above 98 %`, `nothing shows it below 95 %`."""

    def bounds(self, rule: Rule, view: View) -> tuple[str, str]:
        """The bound that GO needs and the one that NO-GO needs, in words."""
        measured = f"measured {self.shown(view.estimate)}"
        low, high = f"{measured}, at least {self.shown(view.lower)}", f"{measured}, at most {self.shown(view.upper)}"
        return (low, high) if rule.upwards else (high, low)

    def out_of_reach(self, rule: Rule, view: View) -> bool:
        """Whether the bound on the other side excludes what GO asks for."""
        go, lower, upper = rule.criterion.go, view.lower, view.upper
        return upper is not None and lower is not None and (upper < go.value if go.upwards else lower > go.value)

    def falls_short(self, criterion: Criterion, measured: float) -> str:
        """Why a measured value is not what GO asks for; empty where it is, or where nothing is asked."""
        go = criterion.go
        if not go.given or (measured > go.value if go.upwards else measured < go.value):
            return ""
        return f"measured {self.shown(measured)}, needs {self.words_of(criterion, go)}"

    def words_of(self, criterion: Criterion, bound: Threshold) -> str:
        """`above 98 %`: the threshold as part of a sentence."""
        return worded(self.shown_threshold(criterion, bound))


def worded(threshold: str) -> str:
    """A threshold with its sign as a word."""
    sign = next((sign for sign in _WORDS if sign in threshold), "")
    return threshold.replace(sign, _WORDS[sign]) if sign else threshold


_BEYOND = (0.0, 0.25, 0.5, 0.75, 0.9)


class Planned(NamedTuple):
    """What a simulation plans beside traffic."""

    horizon: int
    """Day (from 1) of the last planned look of a method that may look only so often."""
    review_size: int
    """Pairs in the human review, which is taken to be done from the first day on."""
    segments: Sequence[Ints] = ()
    """Each user's segment, one array per declared dimension."""
