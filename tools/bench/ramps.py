"""Simulated ramps: users of both arms who come and go, served well or badly, and the guardrails looking on.

Four weeks, 100 requests a day of the candidate and as many of the primary (or what `per_day` says, or a share of it
that grows with the plan's steps); users as `gates.population` describes them (churning, m requests with P(m) ~
m^-1.5, over 14 days, ICC 0.2); a third in each language. By every measure a user has a probability of his own of
being served badly, so the measures are independent. An outage fails every request of the candidate while it lasts.
Looks are made with the code and the plan of `rollout=default`: every hour for outages, every few hours for all else,
and a pause is answered as the controller does, with a test of 20 requests.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zantara_exp.config.gate import Traffic
from zantara_exp.config.rollout import Rollout
from zantara_exp.gates.eprocess import Floats
from zantara_exp.gates.population import probabilities, visits
from zantara_exp.rollout import alarm_levels
from zantara_exp.rollout.alarm_levels import CONTROL, OUTAGE, Cell, Seen, cells_of
from zantara_exp.rollout.restarts import Rows

DAYS, STEP_DAYS, PER_DAY = 28, 7, 100
USUAL = {"error": 0.002, "fallback": 0.01, "slow": 0.02, "complaint": 0.005, "cost": 0.05}
"""Share of bad requests of a candidate that is good, and of the primary."""
_HOURS = 24
_TEST_REQUESTS = 20


@dataclass(frozen=True)
class Ramp:
    """What happens in a ramp: shares of bad requests by measure, before and from `change` on."""

    before: Mapping[str, float] = field(default_factory=dict)
    """By measure; what is not named is usual."""
    after: Mapping[str, float] | None = None
    """None: nothing changes."""
    change: float = 0.0
    """Day of the change, from 0."""
    language: str | None = None
    """The only language that changes."""
    outage_hours: float = 0.0
    """Length of an outage of the candidate; 0: there is none."""
    every_days: float = 8.0
    """From outage to outage; the first comes at a random time."""
    per_day: float = PER_DAY
    """Requests of each arm."""
    by_step: bool = False
    """Whether `per_day` is all traffic, of which the candidate has the step's percent and the primary the rest."""
    traffic: Traffic = field(default_factory=lambda: Traffic(icc=0.2))
    """How users come, and how far each resembles himself."""


class Ending(NamedTuple):
    """How a ramp was rolled back."""

    day: float
    """Of the look that did it."""
    hurt: int
    """Users of the candidate who met something bad since the change."""
    by: str
    """The guardrail."""


class Played(NamedTuple):
    """What came of a ramp."""

    ending: Ending | None
    """None where nothing was rolled back."""
    pauses: int


class _Arm(NamedTuple):
    """Requests of one arm in order of time. All shapes (requests,)."""

    user: NDArray[np.int64]
    day: Floats
    language: NDArray[np.int64]
    bad: Mapping[str, NDArray[np.bool_]]

    def only(self, keep: NDArray[np.bool_] | slice) -> _Arm:
        bad = {name: values[keep] for name, values in self.bad.items()}
        return _Arm(self.user[keep], self.day[keep], self.language[keep], bad)

    def between(self, begin: float, end: float) -> _Arm:
        return self.only(slice(*(int(place) for place in np.searchsorted(self.day, (begin, end)))))


def play(ramp: Ramp, plan: Rollout, looks_a_day: int, rng: np.random.Generator) -> Played:
    """Play one ramp."""
    return _Play(ramp, plan, rng).whole(looks_a_day)


class _Play:
    """One ramp, in the order of time."""

    def __init__(self, ramp: Ramp, plan: Rollout, rng: np.random.Generator) -> None:
        self._ramp, self._plan, self._rng = ramp, plan, rng
        self._first_outage = float(rng.uniform(0.0, ramp.every_days))
        self._candidate = _arm(ramp, plan, rng, self._is_out, of_candidate=True)
        self._control = _arm(replace(ramp, before={}, after=None), plan, rng, None, of_candidate=False)
        self._cells = cells_of(plan)
        self._pauses: list[float] = []
        self._served_since, self._paused = 0.0, False
        self._parts: dict[tuple[float, float, bool, int], _Arm] = {}
        self._looked: dict[tuple[str, str, str | None], float] = {}
        self._bad_days = _bad_days(self._candidate, plan)

    def whole(self, looks_a_day: int) -> Played:
        every = _HOURS // looks_a_day
        for hour in range(1, DAYS * _HOURS + 1):
            now = hour / _HOURS
            by = self._test_again(now) if self._paused else self._look(now, hour % every == 0)
            if by:
                return Played(self._ended(now, by), len(self._pauses))
        return Played(None, len(self._pauses))

    def _is_out(self, day: Floats | float) -> NDArray[np.bool_]:
        since = np.asarray(day) - self._first_outage
        if not self._ramp.outage_hours:
            return np.zeros(since.shape, dtype=bool)
        return np.asarray((since >= 0) & (since % self._ramp.every_days < self._ramp.outage_hours / _HOURS))

    def _look(self, now: float, at_all: bool) -> str:
        """What rolls back now; empty where nothing does."""
        self._parts.clear()
        for cell in self._cells:
            if (at_all or cell.kind == OUTAGE) and self._alarms(cell, now):
                name = cell.name + (f" ({cell.language})" if cell.language else "")
                if cell.kind != OUTAGE:
                    return name
                if self._plan.outage.answer == "rollback" or self._too_many(now):
                    return f"{name} outage"
                self._pauses.append(now)
                self._paused = True
                return ""
        return ""

    def _too_many(self, now: float) -> bool:
        return sum(now - pause <= 7 for pause in self._pauses) >= self._plan.outage.most_per_week

    def _test_again(self, now: float) -> str:
        """A test an hour; meanwhile the primary answers."""
        began, limit = self._pauses[-1], self._plan.outage.give_up_hours
        if limit is not None and now - began >= limit / _HOURS:
            return "outage that does not end"
        shares = _shares(self._ramp, now)
        failing = 1.0 if self._is_out(now) else max(shares["fallback"], shares["error"])
        if self._rng.binomial(_TEST_REQUESTS, failing) <= self._plan.probe.max_failed * _TEST_REQUESTS:
            self._paused, self._served_since = False, now
            day = self._candidate.day
            self._candidate = self._candidate.only((day < began) | (day >= now))
        return ""

    def _alarms(self, cell: Cell, now: float) -> bool:
        if not self._met_bad(cell, now):
            return False
        if cell.kind == OUTAGE:
            recent = self._part(now, max(self._served_since, now - 2.0))
            return alarm_levels.outage(cell, _rows(recent, cell, _HOURS), only_alarms=True).alarm
        begun = [step * STEP_DAYS for step in range(DAYS // STEP_DAYS)]
        if cell.kind == CONTROL:
            step = float(np.floor((now - 1e-9) / STEP_DAYS) * STEP_DAYS)
            ours, theirs = self._part(now, step), self._part(now, step, of_candidate=False)
            both = self._seen(ours, cell, now), self._seen(theirs, cell, now)
            return alarm_levels.beyond_control(cell, *both, begun, only_alarms=True).alarm
        language = -1 if cell.language is None else self._plan.languages.index(cell.language)
        arm = self._part(now, now - alarm_levels.DAY_STARTS - 1, language=language)
        return alarm_levels.beyond_limit(cell, self._seen(arm, cell, now), begun, only_alarms=True).alarm

    def _met_bad(self, cell: Cell, now: float) -> bool:
        """Whether a cell has to be looked at: what is good only lowers the evidence, but for a control's."""
        key = cell.name, cell.kind, cell.language
        waits = 0 if cell.kind == OUTAGE else cell.block_hours  # a block counts once it is over
        before = self._looked.get(key, 0.0) - waits / _HOURS
        self._looked[key] = now
        bad = self._bad_days[cell.guardrail.measure, cell.language]
        return cell.kind == CONTROL or bisect_left(bad, before) < bisect_left(bad, now)

    def _part(self, now: float, begin: float, of_candidate: bool = True, language: int = -1) -> _Arm:
        """The requests of an arm until now, cut out once for all cells of a look; language -1: all."""
        key = now, begin, of_candidate, language
        if key not in self._parts:
            if language >= 0:
                whole = self._part(now, begin)
                self._parts[key] = whole.only(whole.language == language)
            else:
                self._parts[key] = (self._candidate if of_candidate else self._control).between(begin, now)
        return self._parts[key]

    def _seen(self, arm: _Arm, cell: Cell, now: float) -> Seen:
        blocks_a_day = _HOURS // cell.block_hours
        over = arm.between(0.0, np.floor(now * blocks_a_day + 1e-9) / blocks_a_day)
        return Seen(_rows(arm, cell, 1), _rows(over, cell, blocks_a_day))

    def _ended(self, now: float, by: str) -> Ending:
        ramp = self._ramp
        seen = self._candidate.between(ramp.change, self._pauses[-1] if self._paused else now)
        worse = [name for name, share in (ramp.after or ramp.before).items() if share > USUAL[name]]
        met = np.logical_or.reduce([seen.bad[name] for name in worse or USUAL])
        return Ending(now, int(np.unique(seen.user[met]).size), by)


def _bad_days(arm: _Arm, plan: Rollout) -> Mapping[tuple[str, str | None], list[float]]:
    """When something bad happened, by measure and language; None: all languages."""
    wanted = [
        (None, np.ones(arm.day.size, dtype=bool)),
        *((n, arm.language == at) for at, n in enumerate(plan.languages)),
    ]
    return {(measure, name): arm.day[bad & of].tolist() for measure, bad in arm.bad.items() for name, of in wanted}


def _shares(ramp: Ramp, day: float) -> Mapping[str, float]:
    """Shares of bad requests on a day."""
    changed = ramp.after if ramp.after is not None and day >= ramp.change and ramp.language is None else {}
    return {**USUAL, **ramp.before, **changed}


def _arm(
    ramp: Ramp, plan: Rollout, rng: np.random.Generator, is_out: Callable[[Floats], NDArray[np.bool_]] | None,
    of_candidate: bool,
) -> _Arm:  # fmt: skip
    traffic = replace(ramp.traffic, comparisons_per_day=ramp.per_day)
    at = visits(traffic, DAYS, 1, rng)
    user = np.repeat(at.user, at.trials.astype(np.int64))
    day = np.repeat(at.day, at.trials.astype(np.int64)) + rng.random(user.size)
    order = np.argsort(day, kind="stable")
    if ramp.by_step:
        moved = np.asarray(plan.steps_percent)[(day[order] // STEP_DAYS).astype(np.int64)] / 100
        order = order[(rng.random(at.users)[user[order]] < moved) == of_candidate]
    user, day = user[order], day[order]
    language = rng.integers(len(plan.languages), size=at.users)[user]
    changed = day >= ramp.change
    if ramp.language is not None:
        changed &= language == plan.languages.index(ramp.language)
    bad = {}
    for measure, usual in USUAL.items():
        share = ramp.before.get(measure, usual)
        chance = 1.0 - probabilities(1.0 - share, traffic, at.users, rng)[user]
        if ramp.after is not None and ramp.after.get(measure, share) != share:
            later = 1.0 - probabilities(1.0 - ramp.after[measure], traffic, at.users, rng)[user]
            chance = np.where(changed, later, chance)
        bad[measure] = rng.random(user.size) < chance
    if is_out is not None:
        bad["fallback"] |= is_out(day)
    return _Arm(user, day, language, bad)


def _rows(arm: _Arm, cell: Cell, blocks_a_day: int) -> Rows:
    block = (arm.day * blocks_a_day).astype(np.int64)
    return Rows(arm.user, block, np.ones(arm.user.size), arm.bad[cell.guardrail.measure].astype(np.float64))


def plan_of_default() -> Rollout:
    """`rollout=default`."""
    from zantara_exp.config import compose

    return replace(compose([]).rollout)
