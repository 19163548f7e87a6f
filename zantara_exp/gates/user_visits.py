"""Requests per user and time, of one log or of many simulated rollouts at once, and what was measured on them.

Everything that a gate decides comes from sums over users of each one's newest value, at each look: arrays of
(rollouts, looks). A verdict is the case of one rollout and one look, its last day; a simulation has many rollouts, and
looks every day. So the code that decides is the code that is simulated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates.evidence import SLOTS, UserDays

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

FIRST_MONDAY = 4
"""1970-01-05, as days since 1970-01-01: simulated rollouts begin on a Monday."""


@dataclass(frozen=True)
class Visits:
    """Requests per user and time of `simulations` rollouts of `days` days; rows are sorted by user, then by time.

    A user may have several rows of one day.
    """

    simulations: int
    days: int
    owner: Ints
    """Rollout of each user."""
    first: Ints
    """First row of each user; each has at least one."""
    user: Ints
    """User of each row."""
    day: Ints
    """Day of each row, from 0."""
    trials: Floats
    """Requests of each row."""
    daily: bool = True
    """Whether every day is a look; otherwise only the last day of a single rollout is."""
    slot: Ints | None = None
    """Slot of ten minutes of each row, from the first of day 0 on; None where only the day is known."""
    start: int = FIRST_MONDAY
    """UTC day of day 0, as days since 1970-01-01."""

    @property
    def users(self) -> int:
        """Users of all rollouts together."""
        return int(self.owner.size)

    @property
    def shape(self) -> tuple[int, int]:
        """Rollouts and looks."""
        return self.simulations, self.days if self.daily else 1

    @cached_property
    def cell(self) -> Ints:
        """Look of each row, as a place in a flattened (rollouts, looks) array."""
        return self.cell_of(self.owner[self.user], self.day)

    def cell_of(self, owner: Ints, day: Ints) -> Ints:
        """The look at which a day of a rollout is first seen."""
        return np.asarray(owner * self.days + day if self.daily else owner)

    def so_far(self, values: Floats) -> Floats:
        """Each user's running sum of `values`, which are one per row."""
        total = np.cumsum(values)
        before = total[self.first] - values[self.first]
        return np.asarray(total - before[self.user])

    @cached_property
    def seen(self) -> Floats:
        """Each user's requests so far, per row."""
        return self.so_far(self.trials)

    @cached_property
    def last(self) -> Ints:
        """Last row of each user."""
        return np.append(self.first[1:], self.user.size)[: self.users] - 1

    @cached_property
    def started(self) -> Ints:
        """First day of each user."""
        return self.day[self.first]

    def added(self, cells: Ints, values: Floats | None = None) -> Floats:
        """Running sum over looks of `values` (or of ones) that come in at `cells`."""
        size = math.prod(self.shape)
        return np.bincount(cells, values, size).reshape(self.shape).cumsum(axis=1)

    def summed(self, values: Floats) -> Floats:
        """Sum over users of each one's newest value at each look; `values` per row."""
        if not self.daily:
            return np.array([[values[self.last].sum()]])
        change = np.empty_like(values)
        np.subtract(values[1:], values[:-1], out=change[1:])
        change[self.first] = values[self.first]
        return self.added(self.cell, change)

    def by_user(self, values: Floats) -> Floats:
        """Sum of each user's rows."""
        return np.bincount(self.user, values, self.users).astype(np.float64, copy=False)

    def by_day(self, values: Floats) -> Floats:
        """Running sum over looks of what each row adds."""
        return self.added(self.cell, values)

    @cached_property
    def users_seen(self) -> Ints:
        """Distinct users at each look."""
        return self.added(self.cell_of(self.owner, self.started)).astype(np.int64)

    def per_day(self, values: Floats | None = None) -> Floats:
        """Sums of rows by day, or how many rows there are: (rollouts, days)."""
        place = self.owner[self.user] * self.days + self.day
        return np.bincount(place, values, self.simulations * self.days).reshape(self.simulations, -1).astype(np.float64)

    def present(self, width: int) -> Ints:
        """Distinct users with a request in the last `width` days, at each look."""
        # A request keeps its user present until the window has passed it, or the user's next request does so.
        following = np.append(self.day[1:], 0)
        following[self.last] = self.days
        until = np.minimum(np.minimum(self.day + width, following), self.days)
        whose, size = self.owner[self.user] * (self.days + 1), self.simulations * (self.days + 1)
        change = np.bincount(whose + self.day, minlength=size) - np.bincount(whose + until, minlength=size)
        found = change.reshape(self.simulations, -1).cumsum(axis=1)[:, : self.days]
        return np.asarray(found if self.daily else found[:, -1:])

    def days_at_least(self, width: int) -> Flags:
        """At which looks that many days are over since the first with a request."""
        looks = np.arange(self.days) if self.daily else np.array([self.days - 1])
        return np.asarray(looks[None, :] - int(self.day.min(initial=0)) + 1 >= width)

    def split(self, part: Ints, parts: int) -> Visits:
        """The same users in `parts` rollouts for each one: a user of rollout r goes to r * parts + `part`, which is
        below `parts`."""
        made = replace(self, simulations=self.simulations * parts, owner=self.owner * parts + part)
        vars(made)["seen"] = self.seen  # whose rollout a row is of does not change it
        return made

    def rows(self, keep: Flags) -> Visits:
        """Only these rows; users without one are gone, and the others are numbered anew."""
        made = grouped(self.simulations, self.days, self.owner, self.user[keep], self.day[keep], self.trials[keep])
        slot = None if self.slot is None else self.slot[keep]
        return replace(made, daily=self.daily, slot=slot, start=self.start)

    def one(self, simulation: int, total: Floats, baseline: Floats | None = None) -> UserDays:
        """One rollout as the evidence that a gate decides on; `total` per row."""
        rows = self.owner[self.user] == simulation
        other = None if baseline is None else baseline[rows]
        slot = None if self.slot is None else self.slot[rows] % SLOTS
        return UserDays(self.user[rows], self.day[rows] + self.start, self.trials[rows], total[rows], other, slot=slot)


def grouped(
    simulations: int,
    days: int,
    owner: Ints,
    user: Ints,
    day: Ints,
    trials: NDArray[np.number],
    slot: Ints | None = None,
) -> Visits:
    """Visits of rows sorted by user and time; `owner` by the codes in `user`, some of which may have no row."""
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    codes = np.repeat(np.arange(starts.size), np.diff(starts, append=user.size))
    return Visits(simulations, days, owner[user[starts]], starts, codes, day, trials.astype(np.float64), slot=slot)


@dataclass(frozen=True)
class Measured:
    """One criterion's measurements, per row of `at`."""

    at: Visits
    counted: Floats
    """Requests that count: all, or the discordant ones of a paired comparison."""
    total: Floats
    """How many of them the metric counts; for means and ratios the sum of the values."""
    baseline: Floats | None = None
    """For ratios: the other arm's sum over the same requests."""
    beyond: Measured | None = None
    """For NO-GO, where that counts against another limit: the same requests, counted so."""
    control: Measured | None = None
    """Other users, of the arm or period compared with."""
    lost_by_day: Mapping[int, float] = field(default_factory=dict)
    """Requests that were sampled but could not be measured: at worst failures for GO, and successes for NO-GO."""

    @property
    def lost(self) -> float:
        """All requests that could not be measured."""
        return float(sum(self.lost_by_day.values()))

    def split(self, part: Ints, parts: int) -> Measured:
        """The same measurements of users in `parts` rollouts for each one."""
        at, beyond = self.at.split(part, parts), self.beyond
        return replace(self, at=at, beyond=None if beyond is None else replace(beyond, at=at))

    def rows(self, keep: Flags) -> Measured:
        """Only these rows; what was lost has no row and stays."""
        if keep.all():
            return self
        at = self.at.rows(keep)
        counted = at.trials if self.counted is self.at.trials else self.counted[keep]
        baseline = None if self.baseline is None else self.baseline[keep]
        return replace(self, at=at, counted=counted, total=self.total[keep], baseline=baseline)

    def window(self, width: int) -> Window:
        """Sums over the last `width` days at each look."""
        at = self.at

        def summed(per_day: Floats) -> Floats:
            sums = per_day.cumsum(axis=1)
            sums[:, width:] -= sums[:, :-width].copy()
            return sums if at.daily else sums[:, -1:]

        lost = np.zeros((1, at.days))
        for day, count in self.lost_by_day.items():
            lost[0, max(int(day), 0)] += count
        baseline = np.zeros_like(self.total) if self.baseline is None else self.baseline
        counted, total, other = (summed(at.per_day(values)) for values in (self.counted, self.total, baseline))
        return Window(counted, total, other, summed(lost), at.present(width))


class Window(NamedTuple):
    """Sums over the last days, at each look: arrays of (rollouts, looks)."""

    counted: Floats
    total: Floats
    baseline: Floats
    lost: Floats
    users: Ints
    """Distinct users with a request in it."""


def of_log(days: UserDays, until: int) -> Measured:
    """What was measured up to the day `until`, as one rollout that is looked at once; it may hold no row."""
    asked = days.trials > 0
    user, day = days.user[asked], days.day[asked]
    start = min([int(day.min(initial=until)), *map(int, days.lost_per_day)])
    time = day * SLOTS if days.slot is None else day * SLOTS + days.slot[asked]
    order = np.lexsort((time, user))
    changes = np.append(True, user[order][1:] != user[order][:-1])[: user.size]
    first = np.flatnonzero(changes)
    at = Visits(
        simulations=1,
        days=until - start + 1,
        owner=np.zeros(first.size, dtype=np.int64),
        first=first,
        user=np.cumsum(changes) - 1,
        day=day[order] - start,
        trials=days.trials[asked][order],
        daily=False,
        slot=None if days.slot is None else time[order] - start * SLOTS,
        start=start,
    )
    baseline = None if days.baseline is None else days.baseline[asked][order]
    lost = {int(lost_on) - start: float(count) for lost_on, count in days.lost_per_day.items()}
    return Measured(at, at.trials, days.total[asked][order], baseline, lost_by_day=lost)


def first_time(happens: Flags) -> Floats:
    """Day (from 1) on which something first happens in each rollout; inf where it never does."""
    return np.where(happens.any(axis=1), happens.argmax(axis=1) + 1.0, math.inf)
