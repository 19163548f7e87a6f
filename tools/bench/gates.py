"""`scripts/bench gates`: how often the shipped gate says GO or NO_GO by mistake, and how soon it says GO rightly.

Its success criterion (p95 where said), looked at on each of 60 days, beside what it would say without blocks of time
and least days, and beside rules that count requests. Whoever changes the gate's statistics runs this.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from tools.bench import guardrails
from tools.bench.populations import (
    DAYS,
    FALLS,
    FALSE_GO,
    FIRST_REQUESTS,
    FIRST_REQUESTS_BY_REQUEST,
    HOLDS_WITH_HOURS,
    LONGER,
    Population,
    outages,
    traffic,
)
from tools.bench.report import Goal, Report
from tools.bench.rollouts import BUSY, OF_BUSY, Found, Rollouts
from tools.bench.rules import CLASSICAL
from tools.bench.shipped import ALONE, ALPHA, FOUR_HOURS, HOUR, P0, shipped
from zantara_exp.core import terminal
from zantara_exp.core.parallel import Spread, spread_over_cores
from zantara_exp.core.stage import Table
from zantara_exp.gates.operating import Plan, at_no_go, simulate, standard_error
from zantara_exp.gates.user_visits import Floats

SIMULATIONS = 1000
PER_DAY = (100.0, 300.0)
ICCS = (0.0, 0.2, 0.3, 0.5)
STRICT_ICCS = (0.05, 0.2, 0.5, 0.9)
DESERVED = (0.995, 0.99)
DESERVED_ICCS = (0.05, 0.1, 0.2)
DAYS_SHOWN = (14, 28, 60)
A_FEW = 0.25
"""Part of the rollouts where users are weighed alike at every look, which takes ten times as long."""
_GOAL_MEDIAN = {(0.995, 0.1, HOUR): 16, (0.995, 0.1, FOUR_HOURS): 45, (0.99, 0.05, HOUR): 22}
_MAY_FALL = 0.10
OUTSIDE = 0.995
"""Good requests outside of outages."""


@dataclass(frozen=True)
class _Bench:
    rollouts: Rollouts
    goals: list[Goal]

    def share(self, what: str, share: float, error: float, limit: float = ALPHA) -> None:
        """A goal for a share of rollouts."""
        self.goals.append(Goal(what, share, error, limit, "%"))


def run(simulations: int | None = None, seed: int = 7) -> Report:
    """Measure everything; minutes."""
    started, size = time.monotonic(), simulations or SIMULATIONS
    goals: list[Goal] = []
    with spread_over_cores() as spread:
        bench = _Bench(Rollouts(size, seed, spread), goals)
        tables = [
            _classical(bench),
            _false_go(bench),
            _first_requests(bench),
            _deserved(bench),
            _no_go(bench),
            _all_at_no_go(bench, spread),
            _falling(bench),
            _strict(bench),
            guardrails.table(size, seed, goals),
        ]
    command = f"scripts/bench gates --simulations {size} --seed {seed}"
    return Report("gates", command, _intro(size, seed), tables, goals, time.monotonic() - started)


def _intro(size: int, seed: int) -> str:
    busy = round(size * OF_BUSY)
    errors = [f"{100 * standard_error(0.05, count):.1f}" for count in (size, busy, round(size * A_FEW))]
    half = [f"{100 * standard_error(0.5, count):.1f}" for count in (size, busy)]
    return (
        f"Seeded simulation (seed {seed}) of {size} rollouts with 100 comparisons a day and {busy} with {BUSY}: daily "
        f"looks for {DAYS} days, threshold {P0:g}, alpha {ALPHA:g}, ICC 0.1 unless said, traffic as declared in "
        "conf/gate/go_no_go.yaml. The criteria are those of that file, by the gate's own code; `users alone` is "
        "without blocks of time, least days and window, at a correlation of 0.2. In an outage everybody fails. Two "
        f"figures with a / between are those of 100 and {BUSY} a day. The standard error of a share of 5 % is "
        f"{errors[0]} and {errors[1]} points ({errors[2]} with a quarter of {size} rollouts: strict, and per: user), "
        f"of 50 % {half[0]} and {half[1]}. Again by:"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _both(shares: list[float]) -> str:
    return " / ".join(f"{100 * share:.1f}" for share in shares) + " %"


def _classical(bench: _Bench) -> Table:
    """Rules that count requests, at growing correlation."""
    rows: dict[str, list[str]] = {name: [name] for name in (*CLASSICAL, HOUR)}
    for icc in ICCS:
        population = Population(f"other rules, ICC {icc:g}", traffic(icc=icc))
        days = bench.rollouts.classical(population)
        ours = bench.rollouts.of(population, [HOUR])[HOUR].go
        for name, cells in rows.items():
            short, long = (ours, ours) if name == HOUR else (days[f"{name}@14"], days[name])
            cells.append(f"{_percent(float((short <= 14).mean()))} / {_percent(float((long <= DAYS).mean()))}")
    rows[HOUR][0] = "**the shipped gate**"
    columns = ["rule, 100 a day", *(f"ICC {icc:g}" for icc in ICCS)]
    return Table("a truth of 98 %: false GO in 14 / 60 days", columns, list(rows.values()))


def _at(bench: _Bench, population: Population, variants: tuple[str, ...], part: float = 1.0) -> list[dict[str, Found]]:
    """At each of the two loads."""
    return [bench.rollouts.of(population.per_day(per_day), variants, part) for per_day in PER_DAY]


def _false_go(bench: _Bench) -> Table:
    variants, rows = (ALONE, HOUR, FOUR_HOURS), []
    for population in FALSE_GO:
        found = _at(bench, population, variants)
        rows.append([population.label, *(_both([one[name].false_go for one in found]) for name in variants)])
        for name, holds in ((HOUR, HOLDS_WITH_HOURS), (FOUR_HOURS, LONGER)):
            if population in holds:
                worst = max((one[name] for one in found), key=lambda one: one.false_go)
                bench.share(f"false GO, {name}: {population.label}", worst.false_go, worst.error(worst.false_go))
    columns = ["population, exactly at the threshold", ALONE, f"**{HOUR}** (shipped)", FOUR_HOURS]
    return Table("false GO in 60 days, 100 / 300 a day", columns, rows)


def _first_requests(bench: _Bench) -> Table:
    """Where requests and users differ."""
    variants, rows = (ALONE, HOUR, FOUR_HOURS), []
    for population, part in ((FIRST_REQUESTS, A_FEW), (FIRST_REQUESTS_BY_REQUEST, 1.0)):
        found = _at(bench, population, variants, part)
        rows.append([population.label, *(_both([one[name].false_go for one in found]) for name in variants)])
    return Table("first requests: GO in 60 days, 100 / 300 a day", ["population", *variants], rows)


def _median(days: Floats) -> str:
    median = float(np.median(days))
    return f"{median:.0f}" if np.isfinite(median) else f"> {DAYS}"


def _deserved(bench: _Bench) -> Table:
    """Days to a GO that is deserved."""
    variants, rows = (HOUR, FOUR_HOURS), []
    for truth in DESERVED:
        for icc in DESERVED_ICCS:
            population = Population(f"{100 * truth:g} %, ICC {icc:g}", traffic(icc=icc), truth)
            found = _at(bench, population, variants)
            for name in variants:
                if (truth, icc, name) in _GOAL_MEDIAN:
                    what = f"median day of GO, {name}: {population.label}, 100 a day"
                    median = float(np.median(found[0][name].go))
                    bench.goals.append(Goal(what, median, None, _GOAL_MEDIAN[truth, icc, name]))
            rows.append([population.label, *(_waited(one[name]) for name in variants for one in found)])
    columns = [f"{name}, {per_day:g} a day" for name in variants for per_day in PER_DAY]
    return Table("a deserved GO: median day (GO by day 14, 28, 60)", ["truth", *columns], rows)


def _waited(found: Found) -> str:
    return f"{_median(found.go)} ({', '.join(f'{100 * found.go_by(day):.0f}' for day in DAYS_SHOWN)} %)"


def _no_go(bench: _Bench) -> Table:
    """By mistake in outages, and rightly; success overall and in three languages."""
    variants, rows = (ALONE, HOUR), []
    for truth in (0.97, 0.98):
        for hours in (12, 24):
            in_outages = outages(60 * hours, 1.0 - (1.0 - OUTSIDE) / (1.0 - truth))
            label = f"{100 * truth:g} %, outages of {hours} h: false NO_GO"
            found = _at(bench, Population(label, in_outages, truth, by_language=True), variants)
            rows.append([label, *(_both([one[name].false_no_go for one in found]) for name in variants)])
            worst = max((one[HOUR] for one in found), key=lambda one: one.false_no_go)
            bench.share(label, worst.false_no_go, worst.error(worst.false_no_go))
    for truth in (0.85, 0.9):
        population = Population(f"{100 * truth:g} %: median day of NO_GO", traffic(), truth, by_language=True)
        found = _at(bench, population, variants)
        rows.append([population.label, *(" / ".join(_median(one[name].no_go) for one in found) for name in variants)])
    columns = ["truth", ALONE, f"**blocks of {shipped().time_block_no_go.replace('h', ' h')}** (shipped)"]
    return Table(
        "NO_GO of success, overall or in a language of three; 99.5 % outside outages; 100 / 300 a day", columns, rows
    )


def _all_at_no_go(bench: _Bench, spread: Spread) -> Table:
    """All criteria at their no_go thresholds together."""
    case, size = at_no_go(shipped()), bench.rollouts.simulations
    assert case is not None  # noqa: S101  the shipped gate has no_go thresholds
    terminal.say("every criterion at its no_go threshold")
    curve = simulate(Plan(shipped(), DAYS, size, bench.rollouts.seed), [case], spread)[0]
    share = curve.no_go_by(DAYS)
    bench.share("false NO_GO over all criteria and segments", share, standard_error(share, size))
    truths = ", ".join(f"{name} {value:g}" for name, value in case.truths.items())
    row = [truths, f"{_percent(curve.no_go_by(14))} / {_percent(share)}"]
    return Table(
        "false NO_GO, 100 a day", ["every criterion at its no_go threshold, ICC 0.2", "in 14 / 60 days"], [row]
    )


def _falling(bench: _Bench) -> Table:
    """A candidate that turns bad after two weeks."""
    variants, rows = (ALONE, HOUR, FOUR_HOURS), []
    for population in FALLS:
        found = _at(bench, population, variants)
        for per_day, one in zip(PER_DAY, found, strict=True):
            share, what = one[HOUR].false_go, f"GO from day 22 on, {population.label}, {per_day:g} a day"
            bench.share(what, share, one[HOUR].error(share), _MAY_FALL)
        rows.append([population.label, *(_both([one[name].false_go for one in found]) for name in variants)])
    return Table("drift: GO on some day from 22 to 60, 100 / 300 a day", ["truth", *variants], rows)


def _strict(bench: _Bench) -> Table:
    """Users by their first days, at any correlation."""
    rows = []
    for shape in ("beta", "two_point"):
        cells = [shape.replace("_", "-")]
        for icc in STRICT_ICCS:
            label = f"strict at ICC {icc:g}, {cells[0]}"
            population = Population(label, traffic(icc=icc, shape=shape), changes={"method": "strict"})
            found = bench.rollouts.of(population, [HOUR], A_FEW)[HOUR]
            bench.share(f"false GO, {label}", found.false_go, found.error(found.false_go))
            cells.append(f"{_percent(found.go_by(14))} / {_percent(found.false_go)}")
        rows.append(cells)
    columns = ["users, 100 a day", *(f"ICC {icc:g}" for icc in STRICT_ICCS)]
    return Table("method: strict, and blocks of 1 h: false GO in 14 / 60 days", columns, rows)
