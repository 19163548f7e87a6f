"""Operating characteristics of a gate: how often and how soon it decides, if the truth were this or that.

    plan = Plan(gate, days=60, simulations=2000, seed=7)
    curve, = simulate(plan, [Case({"success": 0.99})])
    curve.go_by(14)

Every case is decided on the same simulated traffic, by the gate's own rules. A criterion that a case names no truth for
is taken as met.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from zantara_exp.config.gate import Gate
from zantara_exp.config.kinds import METHODS
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds.kind import Planned, Rule
from zantara_exp.gates.population import MEAN_REQUESTS, STAY_DAYS, chunks, resampled, visits
from zantara_exp.gates.rules import resolve
from zantara_exp.gates.visits import Floats, Visits, first_time

LOOKS = 60
"""Days looked at for error rates, where the horizon is not longer: a gate goes on being looked at after its horizon."""
_LONGEST_RAMP = 400


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

    def rollouts(self) -> Iterator[tuple[Visits, np.random.Generator]]:
        """The traffic, in parts that fit into memory, each with its own seeded generator."""
        traffic = self.gate.traffic
        planned = replace(traffic, comparisons_per_day=traffic.comparisons_per_day * self.factor)
        if self.log is not None:
            span = int(self.log.day.max() - self.log.day.min()) + 1
            planned = replace(planned, comparisons_per_day=float(self.log.trials.sum()) / span * self.factor)
        for part, size in enumerate(chunks(planned, self.days, self.simulations)):
            rng = np.random.default_rng([self.seed, part])
            if self.log is not None:
                yield resampled(self.log, planned, self.factor, self.days, size, rng), rng
            else:
                yield visits(planned, self.days, size, rng), rng


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


def simulate(plan: Plan, cases: Sequence[Case]) -> list[Curve]:
    """Decide each case on the same rollouts."""
    rules, gate = resolve(plan.gate), plan.gate
    found: list[list[tuple[Floats, Floats]]] = [[] for _ in cases]
    for at, rng in plan.rollouts():
        codes = [rng.integers(0, len(values), at.users) for values in gate.segments.values()]
        planned = Planned(gate.horizon_days, plan.review_size, codes)
        for days, case in zip(found, cases, strict=True):
            decided = [
                rules[name].kind.simulate(rules[name], value, at, gate.traffic, planned, rng)
                for name, value in case.truths.items()
            ]
            fails = np.logical_or.reduce([outcomes.fails for outcomes in decided])
            passes = np.logical_and.reduce([outcomes.passes for outcomes in decided])
            days.append((first_time(passes & ~fails), first_time(fails)))
    return [
        Curve(case, np.concatenate([go for go, _ in days]), np.concatenate([no_go for _, no_go in days]))
        for case, days in zip(cases, found, strict=True)
    ]


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
