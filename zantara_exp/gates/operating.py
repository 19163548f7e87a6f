"""Operating characteristics of a gate: how often and how soon it decides, if the truth were this or that.

    plan = Plan(gate, days=60, simulations=2000, seed=7)
    curve, = simulate(plan, [Case({"success": 0.99})])
    curve.go_by(14)

Every case is decided on the same simulated traffic, by the gate's own rules. A criterion that a case names no truth for
is taken as met.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from zantara_exp.config.gate import Gate, Traffic
from zantara_exp.config.kinds import METHODS
from zantara_exp.core.parallel import Spread
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds.kind import Planned, Rule
from zantara_exp.gates.population import MEAN_REQUESTS, STAY_DAYS, chunks, resampled, visits
from zantara_exp.gates.rules import resolve
from zantara_exp.gates.user_visits import Floats, Visits, first_time

LOOKS = 60
"""Days looked at for error rates, where the horizon is not longer: a gate goes on being looked at after its horizon."""
_LONGEST_RAMP = 400
_WORTH_SPREADING = 2e7
"""Requests, times cases: some seconds on one core. What is less takes no longer than to start processes."""


class Part(NamedTuple):
    """Some of the rollouts, as many as fit into bounded memory, with a seeded generator of their own."""

    number: int
    simulations: int


@dataclass(frozen=True)
class Plan:
    """A gate under the traffic it is planned for."""

    gate: Gate
    days: int
    simulations: int
    seed: int
    review_size: int = 50
    """Pairs in the human review, which is taken to be done from the first day on."""
    log: UserDays | None = None
    """Real users and days to draw from, instead of the declared population."""
    factor: float = 1.0
    """Times the planned traffic."""

    @property
    def traffic(self) -> Traffic:
        """What is planned, or is in the log, times the factor."""
        traffic, log = self.gate.traffic, self.log
        per_day = traffic.comparisons_per_day
        if log is not None:
            per_day = float(log.trials.sum()) / (int(log.day.max() - log.day.min()) + 1)
        return replace(traffic, comparisons_per_day=per_day * self.factor)

    def parts(self) -> list[Part]:
        """The rollouts, divided."""
        return [Part(*each) for each in enumerate(chunks(self.traffic, self.days, self.simulations))]

    def rollouts(self, part: Part) -> tuple[Visits, np.random.Generator]:
        """The traffic of a part, and the generator that it was drawn by."""
        rng = np.random.default_rng([self.seed, part.number])
        if self.log is not None:
            return resampled(self.log, self.traffic, self.factor, self.days, part.simulations, rng), rng
        return visits(self.traffic, self.days, part.simulations, rng), rng


@dataclass(frozen=True)
class Case:
    """What is taken to be true: a value per criterion, in the metric's unit."""

    truths: Mapping[str, float]
    label: str = ""


@dataclass(frozen=True)
class Curve:
    """When each simulated rollout first had GO and first had NO_GO; inf where it never had."""

    case: Case
    go_day: Floats = field(repr=False)
    no_go_day: Floats = field(repr=False)

    def go_by(self, day: int) -> float:
        """Share of rollouts with a GO on some look up to `day`."""
        return float((self.go_day <= day).mean())

    def no_go_by(self, day: int) -> float:
        """Share of rollouts with a NO_GO on some look up to `day`."""
        return float((self.no_go_day <= day).mean())

    def decided_by(self, day: int) -> float:
        """Share of rollouts with either."""
        return float((np.minimum(self.go_day, self.no_go_day) <= day).mean())

    @property
    def median_go(self) -> float | None:
        """Median day of the first GO; None where fewer than half of the rollouts have one."""
        found = float(np.median(self.go_day))
        return found if math.isfinite(found) else None


def standard_error(share: float, simulations: int) -> float:
    """Of a simulated share; that of one in `simulations` where none or all were seen."""
    inner = min(max(share, 1.0 / simulations), 1.0 - 1.0 / simulations)
    return math.sqrt(inner * (1.0 - inner) / simulations)


def simulate(plan: Plan, cases: Sequence[Case], spread: Spread = map) -> list[Curve]:
    """Decide each case on the same rollouts; `spread` (`core/parallel.py`) is used where it is worth its start."""
    requests = plan.traffic.comparisons_per_day * (plan.days + STAY_DAYS) * plan.simulations
    over = spread if requests * len(cases) > _WORTH_SPREADING else map
    found = list(over(partial(_first_days, plan, cases), plan.parts()))
    return [
        Curve(case, np.concatenate([go for go, _ in days]), np.concatenate([no_go for _, no_go in days]))
        for case, days in zip(cases, zip(*found, strict=True), strict=True)
    ]


def _first_days(plan: Plan, cases: Sequence[Case], part: Part) -> list[tuple[Floats, Floats]]:
    """For each case the first days of GO and of NO_GO of the rollouts of a part."""
    rules, gate = resolve(plan.gate), plan.gate
    at, rng = plan.rollouts(part)
    codes = [rng.integers(0, len(values), at.users) for values in gate.segments.values()]
    planned, found = Planned(gate.horizon_days, plan.review_size, codes), []
    for case in cases:
        decided = [
            rules[name].kind.simulate(rules[name], value, at, gate.traffic, planned, rng)
            for name, value in case.truths.items()
        ]
        fails = np.logical_or.reduce([outcomes.fails for outcomes in decided])
        passes = np.logical_and.reduce([outcomes.passes for outcomes in decided])
        found.append((first_time(passes & ~fails), first_time(fails)))
    return found


def random_rules(gate: Gate) -> dict[str, Rule]:
    """The criteria in which chance plays a part; a count is known exactly."""
    return {name: rule for name, rule in resolve(gate).items() if rule.kind.random}


def at_go(gate: Gate) -> list[Case]:
    """One case per criterion with a go threshold: exactly there, and all others met. Every GO is a false one."""
    rules = {name: rule for name, rule in random_rules(gate).items() if rule.criterion.go.given}
    return [Case({name: rule.kind.at_threshold(rule, rule.criterion.go)}, name) for name, rule in rules.items()]


def at_no_go(gate: Gate) -> Case | None:
    """All criteria exactly at their no_go thresholds: every NO_GO is a false one, and none is more likely."""
    rules = {name: rule for name, rule in random_rules(gate).items() if rule.criterion.no_go.given}
    truths = {name: rule.kind.at_threshold(rule, rule.criterion.no_go) for name, rule in rules.items()}
    return Case(truths, "no_go thresholds") if truths else None


def as_expected(gate: Gate) -> Case | None:
    """The declared expected truths together."""
    expected = {name: rule.criterion.expected for name, rule in random_rules(gate).items()}
    declared = {name: truth for name, truth in expected.items() if truth is not None}
    return Case(declared, "expected") if declared else None


def has_alarms(gate: Gate) -> bool:
    """Whether a criterion watches users one by one over a ramp."""
    return any(METHODS[criterion.method].alarms for criterion in gate.criteria.values())


def ramp_days(gate: Gate) -> int:
    """Days that error rates are simulated over: 60, the horizon, or as many as a detector's planned users take."""
    days = max(LOOKS, gate.horizon_days)
    if has_alarms(gate):
        users_per_day = gate.traffic.comparisons_per_day / MEAN_REQUESTS
        days = max(days, min(math.ceil(gate.planned_users / users_per_day) - STAY_DAYS, _LONGEST_RAMP))
    return days
