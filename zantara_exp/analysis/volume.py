"""How many requests a month would move: measured from the sampled log, beside what `cost.monthly_requests` declares.

Each sampled request stands for 1 / share of them (Horvitz & Thompson 1952), share being `sampling.percent` of its line.
Users are drawn, not requests: a user is in with probability `share`, whatever the others are, so that the variance of
the drawing is the sum over users of (1 - share) (requests / share)^2 (Poisson sampling: Sarndal, Swensson & Wretman
1992, Model Assisted Survey Sampling, chapter 3). Days differ as well: a month is the mean day, every weekday counted
alike, and its variance is that of the days about their mean, from two weeks on of days about their weekday's mean.
Both are added, which reckons a little too much: the chance of single requests is in both. The interval is on the scale
of logarithms, as the total is skewed, with Satterthwaite's (1946) degrees of freedom (Buckland et al. 2001,
Introduction to Distance Sampling, section 3.6.1, does both for abundances).

A slow growth within the days is no chance, and in no interval. Nothing is resampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.log import ComparisonLog
from zantara_exp.config.schema import Config
from zantara_exp.cost.billing import DAYS_A_MONTH
from zantara_exp.text.wording import counted

if TYPE_CHECKING:
    import ibis.expr.types as ir

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CONFIDENCE = 0.95
_WEEK = 7
_FEWEST_USERS = 10
"""Of fewer users nobody can tell how different users are."""
_CHANCE = 10
"""A day without any line is no chance where so many are usual: the mirror was off."""
ANSWERED = "answered"
"""Why the mirror has no comparison of a request that a running rollout gave to the candidate: it did move."""
_COLUMNS = ("epoch", "day", "user", "category", "movable", "sampling_percent", "replayed")


@dataclass(frozen=True)
class Interval:
    """Requests a month: the estimate, and the ends of its 95 % interval."""

    estimate: float
    low: float
    high: float

    def __contains__(self, requests: float) -> bool:
        return self.low <= requests <= self.high


@dataclass(frozen=True)
class Volume:
    """Requests a month of what a rollout would move: declared and measured."""

    declared: int
    """`cost.monthly_requests`."""
    measured: Interval | None = None
    days: int = 0
    """Complete days that it was measured on."""
    users: int = 0
    lacks: str = ""
    """Why it is not measured; empty where it is."""

    @property
    def contradicted(self) -> bool:
        """Whether the log says that the declared number is wrong."""
        return self.measured is not None and self.declared not in self.measured

    @property
    def judged(self) -> int:
        """What is judged by: as declared, unless the log contradicts it.

        Then the low end of what was measured: a fee by the month is dearest per request where requests are fewest.
        """
        return max(1, round(self.measured.low)) if self.measured and self.contradicted else self.declared

    def config(self, config: Config) -> Config:
        """The config by which money is judged: report and gate ask for no other."""
        return replace(config, cost=replace(config.cost, monthly_requests=self.judged))

    @property
    def contradiction(self) -> str:
        """In words; empty where there is none."""
        if self.measured is None or not self.contradicted:
            return ""
        return (
            f"by {self.judged:,} requests a month: the declared {self.declared:,} (cost.monthly_requests) contradict "
            f"the log, which measured {self.measured.low:,.0f} to {self.measured.high:,.0f}"
        )


def volume(log: ComparisonLog, config: Config) -> Volume:
    """What the newest candidate's days say, whichever of them a report is about, so that report and gate agree.

    Raises MissingInputError where the log holds no evidence.
    """
    declared = config.cost.monthly_requests
    mirrored = config.shadow.categories
    if mirrored and (missing := sorted(set(config.rollout.categories) - set(mirrored))):
        return Volume(declared, lacks=f"shadow.categories leaves out {', '.join(missing)}, which would move")
    epoch, first = log.newest()
    rows = _rows(log, epoch, first, config)
    found = _days(rows, log, epoch, first)
    if why := _lacks(rows, found):
        return Volume(declared, lacks=why)
    inside = rows.moved & np.isin(rows.day, found.days)
    share = rows.percent[inside] / 100
    weight = np.array([found.scale[int(day)] for day in rows.day[inside]]) * rows.requests[inside] / share
    extra = {day: count / (found.percent.get(day, 100.0) / 100) for day, count in found.answered.items()}
    users = np.unique(rows.user[inside], return_inverse=True)[1]
    if (many := int(users.max(initial=-1)) + 1) < _FEWEST_USERS:
        sent = counted(many, "user")
        return Volume(declared, lacks=f"{sent} sent what would move, at least {_FEWEST_USERS} are needed")
    interval = monthly(users, rows.day[inside], weight, float(share.min()), found.days, extra)
    return Volume(declared, interval, len(found.days), many)


def monthly(
    user: Ints, day: Ints, weight: Floats, share: float, days: Ints, extra: Mapping[int, float] | None = None
) -> Interval:
    """Requests a month, with their interval.

    `user`, `day`, `weight`: per row the user's code from 0 on, the day (since 1970-01-01), and how many requests the
    row stands for, which is its count over the share of users that was drawn; `share`: the smallest of those, in
    (0, 1]; `days`: the complete days, each weekday among them; `extra`: requests of no known user, by day.
    """
    from scipy.stats import t

    place = {int(each): index for index, each in enumerate(days)}
    rows = np.array([place[int(each)] for each in day], dtype=np.int64)
    totals = np.bincount(rows, weight, days.size) + np.array([(extra or {}).get(int(each), 0.0) for each in days])
    weekday = days % _WEEK
    often = np.bincount(weekday, minlength=_WEEK)
    weights = 1.0 / (_WEEK * often[weekday])
    mean = float(weights @ totals)
    strata = often.min() > 1
    centre = (np.bincount(weekday, totals, _WEEK) / often)[weekday] if strata else np.full(days.size, mean)
    free = days.size - (_WEEK if strata else 1)
    of_days = float(weights**2 @ (totals - centre) ** 2) * days.size / free
    of_user = np.bincount(user, weights[rows] * weight)
    of_users = (1.0 - share) * float(of_user @ of_user)
    free_users = float(of_user @ of_user) ** 2 / float(np.sum(of_user**4))
    variance = of_days + of_users
    if variance <= 0:
        return Interval(*(3 * [mean * DAYS_A_MONTH]))
    freedom = variance**2 / (of_days**2 / free + of_users**2 / max(1.0, free_users - 1))
    factor = np.exp(t.ppf((1 + CONFIDENCE) / 2, freedom) * np.sqrt(np.log1p(variance / mean**2)))
    estimate = mean * DAYS_A_MONTH
    return Interval(estimate, estimate / float(factor), estimate * float(factor))


@dataclass(frozen=True)
class _Rows:
    """The sampled requests by user and day; all arrays of shape (rows,)."""

    user: Any
    day: Ints
    requests: Floats
    percent: Floats
    """NaN where a line does not note it."""
    moved: NDArray[np.bool_]
    replayed: NDArray[np.bool_]


@dataclass(frozen=True)
class _Days:
    """The complete days: those between the first and the last, which may have begun late or not be over."""

    days: Ints
    scale: Mapping[int, float]
    """By day, what stands for requests that were sampled and lost."""
    answered: Mapping[int, float]
    """By day, sampled requests that a running rollout gave to the candidate."""
    percent: Mapping[int, float]


def _rows(log: ComparisonLog, epoch: str, first: date, config: Config) -> _Rows:
    rows = log.facts.select(*_COLUMNS).union(log.aside.select(*_COLUMNS))
    rows = rows.filter((rows.epoch == epoch) & (rows.day >= first))
    moved = (rows.movable & rows.category.isin(config.rollout.categories)).name("moved")
    found = fetched(_grouped(rows, moved))
    return _Rows(
        user=np.array(found["user"].to_pylist(), dtype=np.str_),
        day=np.array([_number(day) for day in found["day"].to_pylist()], dtype=np.int64),
        requests=np.array(found["requests"].to_pylist(), dtype=np.float64),
        percent=np.array([np.nan if each is None else each for each in found["sampling_percent"].to_pylist()], float),
        moved=np.array(found["moved"].to_pylist(), dtype=np.bool_),
        replayed=np.array(found["replayed"].to_pylist(), dtype=np.bool_),
    )


def _grouped(rows: ir.Table, moved: ir.Value) -> ir.Table:
    keys = ("user", "day", "sampling_percent", "replayed", moved)
    return rows.group_by(*keys).agg(requests=rows.count()).order_by("user", "day", "sampling_percent", "moved")


def _days(rows: _Rows, log: ComparisonLog, epoch: str, first: date) -> _Days:
    lost = {_number(day): float(count) for day, count in log.lost(epoch, first).items()}
    answered: dict[int, float] = {}
    for (day, of, reason), count in log.drops.items():
        if of == epoch and reason == ANSWERED:
            answered[_number(day)] = answered.get(_number(day), 0.0) + count
    seen: dict[int, float] = {}
    percent: dict[int, float] = {}
    for day, count, share in zip(rows.day.tolist(), rows.requests.tolist(), rows.percent.tolist(), strict=True):
        seen[day], percent[day] = seen.get(day, 0.0) + count, share
    present = seen.keys() | lost.keys()
    usual = sum(seen.values()) / len(present)
    begin, end = min(present), max(present)
    days = [day for day in range(begin + 1, end) if day in present or usual < _CHANCE]
    scale = {
        day: 1.0 + max(0.0, lost.get(day, 0.0) - answered.get(day, 0.0)) / seen[day] if seen.get(day) else 1.0
        for day in days
    }
    return _Days(np.array(days, dtype=np.int64), scale, answered, percent)


def _lacks(rows: _Rows, found: _Days) -> str:
    """Why the rows do not tell; empty where they do."""
    if rows.replayed.any():
        return "recorded conversations were replayed, which are not all of the traffic; a mirror or gateway measures it"
    if without := int(rows.requests[np.isnan(rows.percent)].sum()):
        return (
            f"{without:,} requests do not note what share of the users was sampled (sampling.percent), as version 1 "
            "of the log does not"
        )
    if not (rows.percent > 0).all():
        return "a sampled share of 0 is noted (sampling.percent)"
    weekdays = len(set((found.days % _WEEK).tolist()))
    if weekdays < _WEEK:
        return f"{weekdays} of the 7 days of the week have a complete day in the log (its first and last are not)"
    return ""


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)) // timedelta(days=1)
