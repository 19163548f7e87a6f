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
from zantara_exp.gates import paths
from zantara_exp.gates.draw import at_threshold, draw
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.population import MEAN_REQUESTS, STAY_DAYS, Floats, Visits, chunks, resampled, visits
from zantara_exp.gates.rules import Rule, resolve
from zantara_exp.gates.simulate import Outcomes, decide_paths, decide_reviews

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
                yield resampled(self.log, self.factor, self.days, size, rng), rng
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
    rules = resolve(plan.gate)
    found: list[list[tuple[Floats, Floats]]] = [[] for _ in cases]
    for at, rng in plan.rollouts():
        codes = [rng.integers(0, len(values), at.users) for values in plan.gate.segments.values()]
        for days, case in zip(found, cases, strict=True):
            decided = [_decided(rules[name], value, plan, at, codes, rng) for name, value in case.truths.items()]
            fails = np.logical_or.reduce([outcomes.fails for outcomes in decided])
            passes = np.logical_and.reduce([outcomes.passes for outcomes in decided])
            days.append((paths.first_time(passes & ~fails), paths.first_time(fails)))
    return [
        Curve(case, np.concatenate([go for go, _ in days]), np.concatenate([no_go for _, no_go in days]))
        for case, days in zip(cases, found, strict=True)
    ]


def _decided(
    rule: Rule, value: float, plan: Plan, at: Visits, codes: Sequence[paths.Ints], rng: np.random.Generator
) -> Outcomes:
    if rule.criterion.kind == "review":
        return decide_reviews(rule, value, plan.review_size, at.simulations, at.days, rng)
    drawn = draw(rule, value, at, plan.gate.traffic, rng)
    return decide_paths(rule, drawn, plan.gate.horizon_days, codes)


def is_random(rule: Rule) -> bool:
    """Whether chance plays a part in a criterion; a count is known exactly."""
    return rule.criterion.kind != "count"


def at_go(gate: Gate) -> list[Case]:
    """One case per criterion with a go threshold: exactly there, and all others met. Every GO is a false one."""
    rules = resolve(gate)
    bounds = {name: rule.criterion.go for name, rule in rules.items() if is_random(rule)}
    return [Case({name: at_threshold(rules[name], bound)}, name) for name, bound in bounds.items() if bound.given]


def at_no_go(gate: Gate) -> Case | None:
    """All criteria exactly at their no_go thresholds: every NO_GO is a false one, and none is more likely."""
    rules = resolve(gate)
    bounds = {name: rule.criterion.no_go for name, rule in rules.items() if is_random(rule)}
    truths = {name: at_threshold(rules[name], bound) for name, bound in bounds.items() if bound.given}
    return Case(truths, "no_go thresholds") if truths else None


def as_expected(gate: Gate) -> Case | None:
    """The declared expected truths together."""
    random = {name for name, rule in resolve(gate).items() if is_random(rule)}
    declared = {name: c.expected for name, c in gate.criteria.items() if name in random and c.expected is not None}
    return Case(declared, "expected") if declared else None


def ramp_days(gate: Gate) -> int:
    """Days that error rates are simulated over: 60, the horizon, or as many as a detector's planned users take."""
    days = max(LOOKS, gate.horizon_days)
    if any(criterion.method == "detector" for criterion in gate.criteria.values()):
        users_per_day = gate.traffic.comparisons_per_day / MEAN_REQUESTS
        days = max(days, min(math.ceil(gate.planned_users / users_per_day) - STAY_DAYS, _LONGEST_RAMP))
    return days
