"""What a criterion is decided on: numbers per user and day, never rows of a log.

An area that measures something (analysis of the comparison log, evaluation, review) turns it into one of these;
`zantara_exp.gates` decides on them without knowing where they came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

SLOTS = 144
"""Slots of ten minutes in a day: as finely as evidence knows the time."""


@dataclass(frozen=True)
class EvidenceRequest:
    """What a gate asks an area for.

    An area that measures something has a module `evidence` with `METRICS: frozenset[str]`, the names it knows, and
    `def evidence(requests: Sequence[EvidenceRequest], until: date | None, config: Config, layout: Layout) ->
    list[Evidence]`: what it has on each, up to the UTC day `until`, inclusive (None: the newest).
    """

    metric: str
    limit: float | None = None
    """For a quantile: the limit that requests are counted against, in the metric's unit."""
    bound: float | None = None
    """For a mean: what larger values count as, in the metric's unit."""


@dataclass(frozen=True)
class UserDays:
    """One row per user, day (and slot of it) and combination of segments; all arrays have the same length.

    For a proportion `total` is the number of successes among `trials`; for a quantile under a limit the number of
    requests at or under it; for a mean the sum of the values; for a ratio the candidate's sum, with the primary's
    in `baseline`.
    """

    user: NDArray[np.int64]
    """Code of the user; codes need not be contiguous."""
    day: NDArray[np.int64]
    """UTC day, as days since 1970-01-01."""
    trials: NDArray[np.float64]
    """Requests measured."""
    total: NDArray[np.float64]
    """Successes, or the sum of values."""
    baseline: NDArray[np.float64] | None = None
    """The other arm's sum over the same requests, where the criterion compares two."""
    capped: NDArray[np.float64] | None = None
    """For a mean with a bound: how many of the values lay beyond it, and are in the sum as the bound."""
    segments: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    """Column per segment dimension, such as language or category."""
    lost_per_day: Mapping[int, float] = field(default_factory=dict)
    """Requests that were sampled but could not be measured (drops, unparsable judge answers), by day."""
    epoch: str = ""
    """Hash of model, prompt and endpoint that the evidence is about; a provider returns one epoch only."""
    slot: NDArray[np.int64] | None = None
    """Slot of ten minutes within the day, from 0 to SLOTS - 1; None where only the day is known."""
    note: str = ""
    """What the decision's reason must add, such as an assumption that the evidence contradicts."""
    monthly_requests: int | None = None
    """Over how many requests a month what is paid by the month is spread; None where it is not about money."""


@dataclass(frozen=True)
class Number:
    """A quantity known exactly, such as the number of open critical bugs."""

    value: float
    sample: int = 0
    """Of how many, drawn at random, it was counted; 0 where all there are were counted."""


@dataclass(frozen=True)
class Judgements:
    """What a judge said of many pairs, those of a review's sample among them."""

    judge: str
    """Identifies it: model, prompt and how its answers are read."""
    share: float
    """Of all that it saw, the pairs that it calls equivalent or better; every user has one voice."""
    users: int
    """How many users' pairs it saw."""
    in_order: str
    """One letter per pair of the sample: GOOD, WORSE for whatever else it said, OPEN for a pair that it did not see."""
    refused: str = ""
    """Why it may not be used, where it may not."""


@dataclass(frozen=True)
class Reviews:
    """One adjudicated label per reviewed pair of a random sample, at most one pair per user."""

    equivalent_or_better: int
    worse: int
    cannot_judge: int
    missing: int
    """Pairs of the sample that nobody has labelled yet."""
    sample_hash: str = ""
    """Identifies the sample, so that a second look at it is recognised."""
    in_order: str = field(default="", repr=False, compare=False)
    """One letter per pair, in the order in which they are to be labelled: of GOOD, WORSE, CANNOT and OPEN. Looks at a
    sample that grows need it; empty where only counts are known."""
    note: str = field(default="", repr=False, compare=False)
    """What the decision's reason must add, such as reviewers whose labels do not count."""
    judged: Judgements | None = field(default=None, repr=False, compare=False)
    """What a judge said of these pairs and of others; None where none did."""

    @property
    def size(self) -> int:
        """Pairs of the sample."""
        return self.equivalent_or_better + self.worse + self.cannot_judge + self.missing

    @property
    def labelled(self) -> int:
        """How many pairs are labelled from the first on, none of them left out."""
        if not self.in_order:
            return 0 if self.missing else self.size
        return self.in_order.find(OPEN) if OPEN in self.in_order else self.size

    def first(self, pairs: int) -> Reviews:
        """The first pairs alone; all of them where their order is not known."""
        return reviews_of(self.in_order[:pairs], self.sample_hash) if self.in_order else self


GOOD, WORSE, CANNOT, OPEN = "gwc."
"""What a pair is labelled as: equivalent or better, worse, cannot judge, not yet."""


def reviews_of(in_order: str, sample_hash: str = "") -> Reviews:
    """The review whose pairs are labelled like that, in their order."""
    good, worse, cannot, missing = (in_order.count(letter) for letter in (GOOD, WORSE, CANNOT, OPEN))
    return Reviews(good, worse, cannot, missing, sample_hash, in_order)


@dataclass(frozen=True)
class Missing:
    """Evidence that is not there, with the reason and what would produce it. It never passes."""

    reason: str


@dataclass(frozen=True)
class Drawn:
    """The users of a sample at one declared share."""

    percent: float
    """The declared share of all users; above 0, at most 100."""
    places: NDArray[np.float64]
    """Where each user stands in [0, 100), by the hash that samples, in the order of their first requests."""


@dataclass(frozen=True)
class Sampled:
    """The users that evidence from a log is about: what a gate asks for beside its criteria; none can name it."""

    drawn: Sequence[Drawn]
    """In the order in which the shares were first used."""
    untested: int
    """Users of whom no line says that a hash put them into the sample."""


@dataclass(frozen=True)
class Logged:
    """Which UTC days a log holds of one candidate: what a look could have seen, and what came after it."""

    comparisons: Mapping[date, int]
    """By day, at least one; a day of which everything was lost has 0."""

    @property
    def first(self) -> date:
        """The first day."""
        return min(self.comparisons)

    @property
    def last(self) -> date:
        """The last day, be it over or not."""
        return max(self.comparisons)

    def complete(self, today: date) -> date | None:
        """The last day that is over; None where none is."""
        return max((day for day in self.comparisons if day < today), default=None)

    def until(self, day: date) -> int:
        """Comparisons up to a day, inclusive."""
        return sum(count for of, count in self.comparisons.items() if of <= day)

    def gaps(self, until: date) -> list[date]:
        """Days of which it holds nothing, between its first day and `until`."""
        days = (self.first + timedelta(days=number) for number in range((until - self.first).days))
        return [day for day in days if day not in self.comparisons]


@dataclass(frozen=True)
class Composition:
    """What the comparisons of a log are about, for a gate to say which of them it does not ask about."""

    comparisons: int
    parts: Mapping[str, Mapping[str, int]]
    """Comparisons by dimension, such as language, and its value."""


Evidence = UserDays | Number | Reviews | Sampled | Logged | Composition | Missing


@dataclass(frozen=True)
class Moving:
    """What of the sampled traffic a rollout would move at all, by what is noted with each request."""

    requests: int
    """Those of which it is noted: a log of version 1 or 2 says nothing."""
    movable: int
    usd: float | None
    """What the primary took for all of them whose cost is known; None where none is."""
    movable_usd: float
    why_not: Mapping[str, int]
    """What keeps the others with the primary, the most frequent first."""

    @property
    def share(self) -> float | None:
        """Of the requests, 0 to 1."""
        return self.movable / self.requests if self.requests else None

    @property
    def cost_share(self) -> float | None:
        """Of the cost, 0 to 1."""
        return self.movable_usd / self.usd if self.usd else None

    def __str__(self) -> str:
        """As a person reads it."""
        if self.share is None:
            return "not known: the log does not note it"
        said = f"{100 * self.share:.1f} % of {self.requests:,} requests"
        if self.cost_share is not None:
            said += f", {100 * self.cost_share:.1f} % of their cost"
        whys = ", ".join(f"{why}: {count:,}" for why, count in self.why_not.items())
        return said + (f" (not {whys})" if whys else "")


@dataclass(frozen=True)
class Beside:
    """What a log says of one of several candidates."""

    name: str
    epoch: str
    """Empty where it holds nothing of it."""
    requests: int
    success: float | None = None
    p95_ms: float | None = None
    similar: float | None = None
    monthly_usd: float | None = None
    """What the moved segment takes a month with it."""
    primary_monthly_usd: float | None = None
    saved: float | None = None

    @property
    def numbers(self) -> dict[str, float]:
        """What of it is known, by name."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


@dataclass(frozen=True)
class Against:
    """Two candidates on the requests that both were asked, by one measure."""

    first: str
    second: str
    metric: str
    days: UserDays | None
    """Where the first alone did well as total, where the second did as baseline; None without such a request."""
