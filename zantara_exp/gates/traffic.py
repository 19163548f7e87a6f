"""The traffic a gate is planned for: what a log says about it, and how much of it a decision takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from zantara_exp.config.gate import Gate
from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.core.parallel import Spread
from zantara_exp.gates import users as selecting
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds import kind_named
from zantara_exp.gates.operating import Case, Plan, simulate
from zantara_exp.gates.user_visits import of_log

_SIMULATIONS = 400
_MOST = 16.0
"""Times today's traffic at most: more is no longer shadow mode."""
_LEAST_USERS = 20
_STEPS = 5


@dataclass(frozen=True)
class Needed:
    """Comparisons a day at which a decision comes within the horizon; None where 16 times today's would not do."""

    comparisons_per_day: float
    """Today's."""
    half: float | None
    """With probability 0.5."""
    four_fifths: float | None
    """With probability 0.8."""
    most: float
    """Probability of a decision at 16 times today's traffic, where that was tried; 1 otherwise."""

    def sentence(self, percent: float) -> str:
        """As a person reads it; `percent` is the share of requests shadowed today."""
        parts = []
        for probability, amount in ((50, self.half), (80, self.four_fifths)):
            if amount is None:
                parts.append(
                    f"with {probability} %: not by traffic alone, {_MOST:g} times today's "
                    f"{self.comparisons_per_day:.4g} a day decide with {100 * self.most:.0f} %"
                )
                break
            times = amount / self.comparisons_per_day
            shadowed = (
                f"{percent * times:.3g} % of requests" if percent * times <= 100 else f"{times:.3g} times today's"
            )
            parts.append(f"with {probability} %: {amount:.3g} comparisons a day ({shadowed})")
        return "; ".join(parts)


def needed_traffic(plan: Plan, expected: Case, spread: Spread = map) -> Needed:
    """Search, on a logarithmic scale, the traffic that decides within the horizon if things are as expected."""
    tried: dict[float, float] = {}

    def decided(factor: float) -> float:
        if factor not in tried:
            horizon = plan.gate.horizon_days
            scaled = replace(plan, days=horizon, simulations=_SIMULATIONS, factor=factor)
            tried[factor] = simulate(scaled, [expected], spread)[0].decided_by(horizon)
        return tried[factor]

    def smallest(probability: float) -> float | None:
        low, high = 1.0, 1.0
        while decided(high) < probability:
            low, high = high, 2 * high
            if high > _MOST:
                return None
        while high == low and decided(low / 2) >= probability and low > 1 / _MOST:
            low, high = low / 2, low / 2
        low = low / 2 if low == high else low
        for _ in range(_STEPS):
            middle = float(np.sqrt(low * high))
            low, high = (low, middle) if decided(middle) >= probability else (middle, high)
        return high * today

    today = per_day(plan)
    half = smallest(0.5)
    four_fifths = None if half is None else smallest(0.8)
    return Needed(today, half, four_fifths, tried.get(_MOST, 1.0))


def per_day(plan: Plan) -> float:
    """Comparisons a day today: declared, or as in the log."""
    if plan.log is None:
        return plan.gate.traffic.comparisons_per_day
    span = int(plan.log.day.max() - plan.log.day.min()) + 1
    return float(plan.log.trials.sum()) / span


def counts_of_log(config: Config, layout: Layout) -> tuple[UserDays | None, str]:
    """Users and days of the log, of the first criterion that counts requests; and a phrase for what was taken.

    None where there is no log, or one with too few users to draw from.
    """
    traffic = config.gate.traffic
    declared = (
        f"{traffic.comparisons_per_day:g} comparisons a day of "
        + (f"{traffic.users} steady users" if traffic.population == "pool" else "users who come and go")
        + f", ICC {traffic.icc:g} (declared)"
    )
    if not has_log(layout):
        return None, declared
    found = _first_counts(config.gate, config, layout)
    if found is None:
        return None, declared
    users = int(np.unique(found.user[found.trials > 0]).size)
    if users < _LEAST_USERS:
        return None, f"{declared}; the log's {users} users are too few to draw from"
    days = int(found.day.max() - found.day.min()) + 1
    counted = f"{found.trials.sum() / days:.4g} comparisons a day of {users} users in {days} days"
    return found, f"{counted} (the log), ICC {traffic.icc:g} (declared)"


def has_log(layout: Layout) -> bool:
    """Whether there is any file of a log."""
    return layout.logs.is_dir() and any(layout.logs.iterdir())


def _first_counts(gate: Gate, config: Config, layout: Layout) -> UserDays | None:
    from zantara_exp.gates.collect import collect

    seen = collect(config, layout, None).seen
    for name, criterion in gate.criteria.items():
        evidence = seen[name].go
        if kind_named(criterion.kind).counts_requests and isinstance(evidence, UserDays):
            chosen = selecting.where(evidence, criterion.where)
            if isinstance(chosen, UserDays) and chosen.trials.sum() > 0:
                return chosen
    return None


def intra_class_correlation(days: UserDays) -> float | None:
    """Analysis-of-variance estimate (Fleiss 1981, 13.6) from users' counts; None with fewer than 10 good or bad."""
    of = of_log(days, int(days.day.max(initial=0)))
    m, s = of.at.by_user(of.at.trials), of.at.by_user(of.total)
    total, k = float(m.sum()), of.at.users
    if k < 2 or total <= k or min(float(s.sum()), total - float(s.sum())) < 10:
        return None
    mean = float(s.sum()) / total
    between = float((m * (s / m - mean) ** 2).sum()) / (k - 1)
    within = float((s - s * s / m).sum()) / (total - k)
    size = (total - float((m * m).sum()) / total) / (k - 1)
    spread = between + (size - 1.0) * within
    return max(0.0, (between - within) / spread) if spread > 0 else 0.0
