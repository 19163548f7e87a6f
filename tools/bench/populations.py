"""Whom `scripts/bench gates` simulates: what `gate.traffic` can declare, and some kinds of users that it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tools.bench.shipped import P0, shipped
from zantara_exp.config.gate import Traffic
from zantara_exp.gates.evidence import SLOTS
from zantara_exp.gates.kinds.by_user import ByUser
from zantara_exp.gates.kinds.kind import Rule
from zantara_exp.gates.population import MOST_REQUESTS, STAY_DAYS, probabilities, successes, visits
from zantara_exp.gates.user_visits import Flags, Floats, Measured, Visits

DAYS = 60
FIRST_FAILS = 0.036
"""Of the churning users' first requests: their mean share of bad requests is then 2 %."""
HEAVY = 50
"""Requests from which on a user is heavy; they make 31 % of the requests."""
GOOD_DAYS, BEFORE, AFTER = 14, 0.997, 0.975


@dataclass(frozen=True)
class Population:
    """Who asks, and how well they are served: exactly at the threshold, unless a truth is given."""

    label: str
    traffic: Traffic
    truth: float = P0
    criterion: str = "success"
    changes: Mapping[str, str] = field(default_factory=dict)
    """Keys of the criterion that differ from the shipped gate's."""
    drawn: Callable[[Population, Rule, int, np.random.Generator], Measured] | None = None
    """What is measured on so many rollouts; None: as the traffic declares it."""
    since: int = 1
    """The first day whose looks count."""
    by_language: bool = False
    """Whether NO_GO looks at the declared languages as well; users are spread over them evenly."""

    def per_day(self, comparisons: float) -> Population:
        """The same with so many comparisons a day."""
        return replace(self, traffic=replace(self.traffic, comparisons_per_day=comparisons))

    def measured(self, rule: Rule, size: int, rng: np.random.Generator) -> Measured:
        """Draw `size` rollouts."""
        if self.drawn is not None:
            return self.drawn(self, rule, size, rng)
        assert isinstance(rule.kind, ByUser)  # noqa: S101  for the type checker
        at = visits(self.traffic, DAYS, size, rng)
        return rule.kind.draw(rule, self.truth, at, self.traffic, rng)


def traffic(**how: Any) -> Traffic:
    """The shipped gate's, changed; an ICC of 0.1 unless said."""
    return replace(shipped().traffic, **{"icc": 0.1, **how})


def outages(minutes: int, share: float = 0.75) -> Traffic:
    """A `share` of what fails comes in outages of so many minutes."""
    return traffic(outage_minutes=minutes, outage_share=share)


def _first_requests(population: Population, rule: Rule, size: int, rng: np.random.Generator) -> Measured:
    """A user's first request fails sometimes, and later ones never."""
    at, first, _ = _under_way(population.traffic, size, rng)
    return Measured(at, at.trials, at.trials - (rng.random(first.size) < FIRST_FAILS) * first)


def _heavy_alike(population: Population, rule: Rule, size: int, rng: np.random.Generator) -> Measured:
    """All failures are those of heavy users, and each of these fails as often as the others."""
    at, _, asked = _under_way(population.traffic, size, rng)
    requests = np.arange(1, MOST_REQUESTS + 1) ** -0.5  # m P(m): requests by users of m
    heavy_share = requests[HEAVY - 1 :].sum() / requests.sum()
    fails = np.where(asked >= HEAVY, (1.0 - population.truth) / heavy_share, 0.0)
    return Measured(at, at.trials, at.trials - rng.binomial(at.trials.astype(np.int64), fails))


def _falls(population: Population, rule: Rule, size: int, rng: np.random.Generator) -> Measured:
    """Well at first; then all that would have failed before, and more."""
    at = visits(population.traffic, DAYS, size, rng)
    bad = at.trials - successes(at, probabilities(AFTER, population.traffic, at.users, rng), rng)
    few = rng.binomial(bad.astype(np.int64), (1.0 - BEFORE) / (1.0 - AFTER))
    return Measured(at, at.trials, at.trials - np.where(at.day < GOOD_DAYS, few, bad))


def _under_way(traffic: Traffic, size: int, rng: np.random.Generator) -> tuple[Visits, Flags, Floats]:
    """Visits; per row, whether it holds its user's first request of all; and how many the user makes in all.

    Users who came before the first day are known from when they came, and those at the end until they go.
    """
    long = visits(traffic, DAYS + 2 * STAY_DAYS, size, rng)
    first = np.zeros(long.day.size, dtype=bool)
    first[long.first] = True
    asked = long.by_user(long.trials)[long.user]
    kept = (long.day >= STAY_DAYS) & (long.day < STAY_DAYS + DAYS)
    at = long.rows(kept)
    assert at.slot is not None  # noqa: S101  for the type checker
    # Two whole weeks later each day of the week is where it was.
    at = replace(at, days=DAYS, day=at.day - STAY_DAYS, slot=at.slot - STAY_DAYS * SLOTS)
    return at, first[kept], asked[kept]


_USERS = (
    Population("no outages, ICC 0.05", traffic(icc=0.05)),
    Population("no outages, ICC 0.2", traffic(icc=0.2)),
    Population("no outages, ICC 0.3", traffic(icc=0.3)),
    Population("no outages, two-point, ICC 0.3", traffic(icc=0.3, shape="two_point")),
    Population("a fixed pool of 300 users, ICC 0.2", traffic(icc=0.2, population="pool")),
    Population("users of 50 requests and more carry all failures, alike", traffic(), drawn=_heavy_alike),
)
_WEEKENDS = (Population("weekdays 99.2 %, weekends 95 %", traffic(weekend_failures=6.25)),)
_SHORT = (
    Population("outages of 10 min, 99.5 % outside", outages(10)),
    Population("outages of 1 h, 99.5 % outside", outages(60)),
    Population("outages of 1 h, 99.9 % outside", outages(60, 0.95)),
    Population("p95 at its limit, congestion of 1 h", outages(60), 1500, "latency_p95"),
)
LONGER = (
    Population("outages of 4 h, 99.5 % outside", outages(240)),
    Population("p95 at its limit, congestion of 3 h", outages(180), 1500, "latency_p95"),
)
_LONGEST = (Population("outages of 24 h, 99.5 % outside", outages(1440)),)
FALSE_GO = (*_USERS, *_WEEKENDS, *_SHORT, *LONGER, *_LONGEST)
"""Every GO is a false one."""
HOLDS_WITH_HOURS = (*_USERS, *_WEEKENDS, *_SHORT)
"""Where blocks of an hour are to keep the error."""

FIRST_REQUESTS = Population(
    "first requests fail in 3.6 %, later ones never; per: user",
    traffic(),
    changes={"per": "user"},
    drawn=_first_requests,
)
"""Users' mean is 98 %, and 99.5 % of requests are good."""
FIRST_REQUESTS_BY_REQUEST = replace(
    FIRST_REQUESTS, label="the same; per: request, where 99.5 % are good and users' mean withholds", changes={}
)
FALLS = tuple(
    Population(f"99.7 % for 14 days, then 97.5 %, ICC {icc:g}", traffic(icc=icc), drawn=_falls, since=GOOD_DAYS + 8)
    for icc in (0.1, 0.2)
)
