"""Simulated ramps: users of both arms who come and go, served well or badly, and the guardrails looking on.

Four weeks, 100 requests a day of the candidate and as many of the primary; users as `gates.population` describes them
(churning, m requests with P(m) ~ m^-1.5, over 14 days, ICC 0.2); a third in each language. By every measure a user has
a probability of his own of being served badly, so the measures are independent. Looks are made every few hours with
the code and the plan of `rollout=default`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zantara_exp.config.gate import Traffic
from zantara_exp.config.rollout import Rollout
from zantara_exp.gates.eprocess import Floats
from zantara_exp.gates.population import probabilities, visits
from zantara_exp.gates.restarts import Rows
from zantara_exp.rollout.cells import Cell, beyond_control, beyond_limit, cells_of

DAYS, STEP_DAYS, PER_DAY = 28, 7, 100
TRAFFIC = Traffic(comparisons_per_day=PER_DAY, icc=0.2)
USUAL = {"error": 0.002, "fallback": 0.01, "slow": 0.02, "complaint": 0.005, "cost": 0.05}
"""Share of bad requests of a candidate that is good, and of the primary."""


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


class Ending(NamedTuple):
    """How a ramp was rolled back."""

    day: float
    """Of the look that did it."""
    hurt: int
    """Users of the candidate who met something bad since the change."""
    by: str
    """The guardrail."""


class _Arm(NamedTuple):
    """Requests of one arm in order of time. All shapes (requests,)."""

    user: NDArray[np.int64]
    day: Floats
    language: NDArray[np.int64]
    bad: Mapping[str, NDArray[np.bool_]]


def play(ramp: Ramp, plan: Rollout, looks_a_day: float, rng: np.random.Generator) -> Ending | None:
    """Play one ramp; None where nothing was rolled back."""
    cells = cells_of(plan)
    candidate, control = _arm(ramp, plan, rng), _arm(Ramp(), plan, rng)
    for look in np.arange(1, DAYS * looks_a_day + 1) / looks_a_day:
        breached = _breached(cells, plan, candidate, control, float(look))
        if breached:
            seen = (candidate.day < look) & (candidate.day >= ramp.change)
            worse = [name for name, share in (ramp.after or ramp.before).items() if share > USUAL[name]]
            met = np.logical_or.reduce([candidate.bad[name] for name in worse or USUAL])
            return Ending(float(look), int(np.unique(candidate.user[seen & met]).size), breached)
    return None


def _arm(ramp: Ramp, plan: Rollout, rng: np.random.Generator) -> _Arm:
    at = visits(TRAFFIC, DAYS, 1, rng)
    user = np.repeat(at.user, at.trials.astype(np.int64))
    day = np.repeat(at.day, at.trials.astype(np.int64)) + rng.random(user.size)
    order = np.argsort(day, kind="stable")
    user, day = user[order], day[order]
    language = rng.integers(len(plan.languages), size=at.users)[user]
    changed = day >= ramp.change
    if ramp.language is not None:
        changed &= language == plan.languages.index(ramp.language)
    bad = {}
    for measure, usual in USUAL.items():
        share = ramp.before.get(measure, usual)
        chance = 1.0 - probabilities(1.0 - share, TRAFFIC, at.users, rng)[user]
        if ramp.after is not None and ramp.after.get(measure, share) != share:
            later = 1.0 - probabilities(1.0 - ramp.after[measure], TRAFFIC, at.users, rng)[user]
            chance = np.where(changed, later, chance)
        bad[measure] = rng.random(user.size) < chance
    return _Arm(user, day, language, bad)


def _breached(cells: list[Cell], plan: Rollout, candidate: _Arm, control: _Arm, now: float) -> str:
    """The first guardrail that is breached at a look; empty where none is."""
    until = int(np.searchsorted(candidate.day, now))
    step = np.floor((now - 1e-9) / STEP_DAYS) * STEP_DAYS
    begin = int(np.searchsorted(candidate.day, step))
    of_control = slice(int(np.searchsorted(control.day, step)), int(np.searchsorted(control.day, now)))
    for cell in cells:
        measure = cell.guardrail.measure
        if cell.compared:
            ours = _rows(candidate, measure, slice(begin, until), 1)
            found = beyond_control(cell, ours, _rows(control, measure, of_control, 1), only_alarms=True)
        else:
            arm = candidate
            part: slice | NDArray[np.int64] = slice(0, until)
            if cell.language is not None:
                part = np.flatnonzero(candidate.language[:until] == plan.languages.index(cell.language))
            by_day, by_hour = _rows(arm, measure, part, 1), _rows(arm, measure, part, 24)
            found = beyond_limit(cell, by_day, by_hour, only_alarms=True)
        if found.alarm:
            return cell.name + (f" ({cell.language})" if cell.language else "")
    return ""


def _rows(arm: _Arm, measure: str, part: slice | NDArray[np.int64], blocks_a_day: int) -> Rows:
    user, block = arm.user[part], (arm.day[part] * blocks_a_day).astype(np.int64)
    return Rows(user, block, np.ones(user.size), arm.bad[measure][part].astype(np.float64))


def plan_of_default() -> Rollout:
    """`rollout=default`."""
    from zantara_exp.config import compose

    return replace(compose([]).rollout)
