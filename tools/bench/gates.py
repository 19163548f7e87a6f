"""`scripts/bench gates`: how often each rule says GO by mistake, and how soon it says so rightly.

100 comparisons a day, looked at on each of 60 days, p0 = 0.98, alpha 0.05; users as `gates.population` describes them.
Whoever changes the gate's statistics runs this.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tools.bench import guardrails
from tools.bench.report import Goal, Report
from tools.bench.rules import CLASSICAL, OURS, P0, STRICT, WEIGHTED, Decides, Seen
from zantara_exp import terminal
from zantara_exp.config import CONF
from zantara_exp.config.gate import Traffic
from zantara_exp.gates.files import load_gate
from zantara_exp.gates.operating import Plan, at_no_go, simulate, standard_error
from zantara_exp.gates.population import chunks, probabilities, successes, visits
from zantara_exp.gates.visits import Floats, first_time
from zantara_exp.stage import Table

DAYS = 60
SIMULATIONS = 4000
ICCS = (0.0, 0.2, 0.3, 0.5)
STRICT_ICCS = (0.05, 0.2, 0.5, 0.9)
USERS = {
    "beta": Traffic(),
    "two-point": Traffic(shape="two_point"),
    "fixed pool": Traffic(population="pool"),
}


@dataclass(frozen=True)
class _Bench:
    """Simulates scenarios, each with its own seeded stream."""

    simulations: int
    seed: int
    scenarios: list[str] = field(default_factory=list)

    def first_go(self, truth: float, icc: float, users: str, rules: Mapping[str, Decides]) -> dict[str, Floats]:
        """Day of the first GO per rollout: `rule` with a horizon of 60 days, `rule@14` with one of 14."""
        self.scenarios.append(f"truth {truth:g}, ICC {icc:g}, {users}")
        terminal.say(self.scenarios[-1])
        traffic = replace(USERS[users], icc=icc)
        found: dict[str, list[Floats]] = {}
        for part, size in enumerate(chunks(traffic, DAYS, self.simulations)):
            rng = np.random.default_rng([self.seed, len(self.scenarios), part])
            at = visits(traffic, DAYS, size, rng)
            seen = Seen(at, successes(at, probabilities(truth, traffic, at.users, rng), rng))
            for name, decides in rules.items():
                found.setdefault(name, []).append(first_time(decides(seen, DAYS)))
                if name in CLASSICAL:
                    found.setdefault(f"{name}@14", []).append(first_time(decides(seen, 14)))
        return {name: np.concatenate(days) for name, days in found.items()}


def run(simulations: int | None = None, seed: int = 7) -> Report:
    """Measure everything; minutes."""
    started = time.monotonic()
    bench = _Bench(simulations or SIMULATIONS, seed)
    goals: list[Goal] = []
    tables = [
        _false_go(bench, goals),
        _populations(bench, goals),
        _strict(bench, goals),
        _speed(bench, goals),
        _verdict(bench, goals),
        guardrails.table(bench.simulations, seed, goals),
    ]
    intro = (
        f"Seeded simulation (seed {seed}) of {bench.simulations} rollouts per scenario: 100 comparisons a day, "
        f"daily looks for {DAYS} days, threshold {P0:g}, alpha 0.05. In the first three tables the truth lies exactly "
        "at the threshold, so every GO is a false one. The standard error of a share of 5 % is "
        f"{100 * standard_error(0.05, bench.simulations):.1f} points. Again by:"
    )
    command = f"scripts/bench gates --simulations {bench.simulations} --seed {seed}"
    return Report("gates", command, intro, tables, goals, time.monotonic() - started)


def _share(days: Floats, until: int) -> float:
    return float((days <= until).mean())


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _goal(goals: list[Goal], what: str, days: Floats, limit: float) -> None:
    share = _share(days, DAYS)
    goals.append(Goal(what, share, standard_error(share, days.size), limit, "%"))


def _false_go(bench: _Bench, goals: list[Goal]) -> Table:
    """Every rule, at growing correlation."""
    rows: dict[str, list[str]] = {name: [name.strip()] for name in [*CLASSICAL, *OURS]}
    for icc in ICCS:
        found = bench.first_go(P0, icc, "beta", {**CLASSICAL, **OURS})
        for name, cells in rows.items():
            short = found.get(f"{name}@14", found[name])
            cells.append(f"{_percent(_share(short, 14))} / {_percent(_share(found[name], DAYS))}")
        if icc in (0.2, 0.3):
            limit = 0.035 if icc == 0.2 else 0.05
            _goal(goals, f"weighted: false GO at ICC {icc:g}, beta", found[WEIGHTED], limit)
    return Table("false GO in 14 / 60 days", ["rule", *(f"ICC {icc:g}" for icc in ICCS)], list(rows.values()))


def _populations(bench: _Bench, goals: list[Goal]) -> Table:
    """The weighted rule on other users."""
    rows = []
    for users in ("two-point", "fixed pool"):
        cells = [users]
        for icc, limit in ((0.2, 0.035), (0.3, 0.05)):
            found = bench.first_go(P0, icc, users, {WEIGHTED: OURS[WEIGHTED]})[WEIGHTED]
            _goal(goals, f"weighted: false GO at ICC {icc:g}, {users}", found, limit)
            cells.append(f"{_percent(_share(found, 14))} / {_percent(_share(found, DAYS))}")
        rows.append(cells)
    return Table("weighted, other users: false GO in 14 / 60 days", ["users", "ICC 0.2", "ICC 0.3"], rows)


def _strict(bench: _Bench, goals: list[Goal]) -> Table:
    """The proven rule at any correlation."""
    rows = []
    for users in ("beta", "two-point"):
        cells = [users]
        for icc in STRICT_ICCS:
            found = bench.first_go(P0, icc, users, {STRICT: OURS[STRICT]})[STRICT]
            _goal(goals, f"strict: false GO at ICC {icc:g}, {users}", found, 0.05)
            cells.append(f"{_percent(_share(found, 14))} / {_percent(_share(found, DAYS))}")
        rows.append(cells)
    return Table("strict: false GO in 14 / 60 days", ["users", *(f"ICC {icc:g}" for icc in STRICT_ICCS)], rows)


def _speed(bench: _Bench, goals: list[Goal]) -> Table:
    """Days to a GO that is deserved."""
    rows: dict[str, list[str]] = {name: [name] for name in OURS}
    for truth, limit in ((0.99, 31), (0.995, 10)):
        found = bench.first_go(truth, 0.2, "beta", OURS)
        for name, days in found.items():
            median = np.median(days)
            shown = f"{median:.0f}" if np.isfinite(median) else f"> {DAYS}"
            rows[name] += [_percent(_share(days, 14)), shown]
        goals.append(Goal(f"weighted: median day of GO at {truth:g}", float(np.median(found[WEIGHTED])), None, limit))
    columns = ["rule", "0.99: GO by day 14", "median day", "0.995: GO by day 14", "median day"]
    return Table("a deserved GO, ICC 0.2", columns, list(rows.values()))


def _verdict(bench: _Bench, goals: list[Goal]) -> Table:
    """All criteria of go_no_go at their no_go thresholds together."""
    gate = load_gate(CONF / "gate" / "go_no_go.yaml")
    case = at_no_go(gate)
    assert case is not None  # noqa: S101  the shipped gate has no_go thresholds
    terminal.say("go_no_go, every criterion at its no_go threshold")
    days = simulate(Plan(gate, DAYS, bench.simulations, bench.seed), [case])[0].no_go_day
    _goal(goals, "go_no_go: false NO_GO over all criteria and segments", days, 0.05)
    truths = ", ".join(f"{name} {value:g}" for name, value in case.truths.items())
    row = [truths, f"{_percent(_share(days, 14))} / {_percent(_share(days, DAYS))}"]
    return Table("go_no_go: false NO_GO", ["every criterion at its no_go threshold", "in 14 / 60 days"], [row])
