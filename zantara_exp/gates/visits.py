"""Requests per user and day, of one log or of many simulated rollouts at once, and what was measured on them.

Everything that a gate decides comes from sums over users of each one's newest value, at each look: arrays of
(rollouts, looks). A verdict is the case of one rollout and one look, its last day; a simulation has many rollouts, and
looks every day. So the code that decides is the code that is simulated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates.evidence import UserDays

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Visits:
    """Requests per user and day of `simulations` rollouts of `days` days; rows are sorted by user, then by day."""

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

    def split(self, part: Ints, parts: int) -> Visits:
        """The same users in `parts` rollouts for each one: a user of rollout r goes to r * parts + `part`, which is
        below `parts`."""
        made = replace(self, simulations=self.simulations * parts, owner=self.owner * parts + part)
        vars(made)["seen"] = self.seen  # whose rollout a row is of does not change it
        return made

    def rows(self, keep: Flags) -> Visits:
        """Only these rows; users without one are gone, and the others are numbered anew."""
        return grouped(self.simulations, self.days, self.owner, self.user[keep], self.day[keep], self.trials[keep],
                       self.daily)  # fmt: skip

    def one(self, simulation: int, total: Floats, baseline: Floats | None = None) -> UserDays:
        """One rollout as the evidence that a gate decides on; `total` per row."""
        rows = self.owner[self.user] == simulation
        other = None if baseline is None else baseline[rows]
        return UserDays(self.user[rows], self.day[rows], self.trials[rows], total[rows], other)


def grouped(
    simulations: int, days: int, owner: Ints, user: Ints, day: Ints, trials: NDArray[np.number], daily: bool = True
) -> Visits:
    """Visits of rows that are sorted by user and day; `owner` by the codes in `user`, of which some may have no row."""
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    codes = np.repeat(np.arange(starts.size), np.diff(starts, append=user.size))
    return Visits(simulations, days, owner[user[starts]], starts, codes, day, trials.astype(np.float64), daily)


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

    def recent(self, width: int) -> Measured:
        """Seen through a window of `width` days at each look: what is older is not there, or taken away again.

        Where every day is a look, rows hold changes; running sums over a user's rows are the sums over the window.
        """
        at, edge = self.at, self.at.days - width
        lost = {day: count for day, count in self.lost_by_day.items() if day >= edge}
        if not at.daily:
            return replace(self.rows(at.day >= edge), lost_by_day=lost, beyond=None)
        gone = at.day < edge
        user, day = np.concatenate([at.user, at.user[gone]]), np.concatenate([at.day, at.day[gone] + width])
        # Both parts are sorted already, which a stable sort makes use of.
        order = np.argsort(user * (at.days + 1) + day, kind="stable")

        def changed(values: Floats) -> Floats:
            return np.asarray(np.concatenate([values, -values[gone]])[order])

        seen = grouped(at.simulations, at.days, at.owner, user[order], day[order], changed(at.trials))
        baseline = None if self.baseline is None else changed(self.baseline)
        return Measured(seen, seen.trials, changed(self.total), baseline, lost_by_day=lost)

    @property
    def present(self) -> Ints:
        """Distinct users at each look, of those who have a request in a window."""
        return np.rint(self.at.summed((self.at.seen > 0).astype(np.float64))).astype(np.int64)


def of_log(days: UserDays, until: int) -> Measured:
    """What was measured up to the day `until`, as one rollout that is looked at once; it may hold no row."""
    asked = days.trials > 0
    user, day = days.user[asked], days.day[asked]
    start = min([int(day.min(initial=until)), *map(int, days.lost_per_day)])
    order = np.lexsort((day, user))
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
    )
    baseline = None if days.baseline is None else days.baseline[asked][order]
    lost = {int(lost_on) - start: float(count) for lost_on, count in days.lost_per_day.items()}
    return Measured(at, at.trials, days.total[asked][order], baseline, lost_by_day=lost)


def first_time(happens: Flags) -> Floats:
    """Day (from 1) on which something first happens in each rollout; inf where it never does."""
    return np.where(happens.any(axis=1), happens.argmax(axis=1) + 1.0, math.inf)
