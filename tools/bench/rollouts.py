"""Simulated rollouts of `scripts/bench gates`, over all cores: when each rule decides."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from tools.bench.populations import DAYS, Population
from tools.bench.rules import CLASSICAL, Seen
from tools.bench.shipped import HOUR, rule_of, shipped
from zantara_exp.core import terminal
from zantara_exp.core.parallel import Spread
from zantara_exp.gates.kinds.by_user import ByUser
from zantara_exp.gates.kinds.kind import Planned
from zantara_exp.gates.operating import Part, standard_error
from zantara_exp.gates.population import chunks
from zantara_exp.gates.user_visits import Flags, Floats, first_time

Made = TypeVar("Made")

BUSY, OF_BUSY = 300, 0.4
"""Comparisons a day from which on there are fewer rollouts, and what part of them."""


class Found(NamedTuple):
    """Day of the first GO and of the first NO_GO of each rollout; inf where there is none."""

    go: Floats
    no_go: Floats

    def go_by(self, day: int) -> float:
        """Share of rollouts with a GO up to that day."""
        return float((self.go <= day).mean())

    @property
    def false_go(self) -> float:
        """Share with a GO at all."""
        return self.go_by(DAYS)

    @property
    def false_no_go(self) -> float:
        """Share with a NO_GO at all."""
        return float((self.no_go <= DAYS).mean())

    def error(self, share: float) -> float:
        """Standard error of a share of these rollouts."""
        return standard_error(share, self.go.size)


@dataclass(frozen=True)
class Rollouts:
    """Each population with a seeded stream of its own: the same, whatever else is measured."""

    simulations: int
    """At fewer than BUSY comparisons a day."""
    seed: int
    spread: Spread

    def of(self, population: Population, variants: Sequence[str], part: float = 1.0) -> dict[str, Found]:
        """By variant of the shipped gate, all on the same rollouts; `part` of the usual number of them."""
        found = self._parts(partial(_of_gate, self.seed, population, tuple(variants)), population, part)
        return {name: Found(*map(np.concatenate, zip(*(one[name] for one in found), strict=True))) for name in variants}

    def classical(self, population: Population) -> dict[str, Floats]:
        """Day of the first GO by the other rules: `rule` planned for 60 daily looks, `rule@14` for 14."""
        found = self._parts(partial(_of_others, self.seed, population), population, 1.0)
        return {name: np.concatenate([one[name] for one in found]) for name in found[0]}

    def _parts(self, made: Callable[[Part], Made], population: Population, part: float) -> list[Made]:
        busy = OF_BUSY if population.traffic.comparisons_per_day >= BUSY else 1.0
        sizes = chunks(population.traffic, DAYS, math.ceil(self.simulations * busy * part))
        terminal.say(f"{population.label}, {population.traffic.comparisons_per_day:g} a day")
        return list(self.spread(made, [Part(*each) for each in enumerate(sizes)]))


def _stream(seed: int, population: Population, part: Part) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(population.label.encode()), part.number])


def _of_gate(seed: int, population: Population, variants: Sequence[str], part: Part) -> dict[str, Found]:
    rng, found = _stream(seed, population, part), {}
    rules = {name: rule_of(name, population.criterion, **population.changes) for name in variants}
    measured = population.measured(rules[variants[0]], part.simulations, rng)
    languages = len(shipped().segments.language)
    segments = [rng.integers(0, languages, measured.at.users)] if population.by_language else []
    for name, rule in rules.items():
        assert isinstance(rule.kind, ByUser)  # noqa: S101  for the type checker
        passes, fails = rule.kind.looks(rule, measured, Planned(DAYS, 0, segments))
        found[name] = Found(_first(passes, population.since), _first(fails, population.since))
    return found


def _first(happens: Flags, since: int) -> Floats:
    return first_time(happens[:, since - 1 :]) + (since - 1)


def _of_others(seed: int, population: Population, part: Part) -> dict[str, Floats]:
    rule = rule_of(HOUR, population.criterion)
    measured = population.measured(rule, part.simulations, _stream(seed, population, part))
    seen, days = Seen(measured.at, measured.total), {}
    for name, decides in CLASSICAL.items():
        days[name] = first_time(decides(seen, DAYS))
        days[f"{name}@14"] = first_time(decides(seen, 14))
    return days
