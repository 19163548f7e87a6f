"""`stage=power`: what a gate can and cannot decide, before any traffic or from what the log has seen so far.

    python -m zantara_exp stage=power gate=go_no_go
    python -m zantara_exp stage=power gate.traffic.comparisons_per_day=300 gate.traffic.icc=0.3

Seeded simulation by the gate's own rules: error rates at the thresholds, probability and day of GO over a grid of
truths, and how much traffic a decision within the horizon takes. Writes power.json and power.png under paths.reports.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from zantara_exp.config.schema import Config
from zantara_exp.core.next_command import command
from zantara_exp.core.parallel import Spread, spread_over_cores
from zantara_exp.core.stage import Context, StageResult, Table
from zantara_exp.gates.collect import would_move
from zantara_exp.gates.evidence import Moving
from zantara_exp.gates.identity import gate_hash
from zantara_exp.gates.kinds.kind import Rule
from zantara_exp.gates.operating import (
    Case,
    Curve,
    Plan,
    as_expected,
    at_no_go,
    ramp_days,
    random_rules,
    simulate,
    standard_error,
)
from zantara_exp.gates.rules import resolve
from zantara_exp.gates.traffic import (
    Needed,
    counts_of_log,
    has_log,
    intra_class_correlation,
    needed_traffic,
)
from zantara_exp.io.whole_files import write_whole

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Power:
    """What was found."""

    plan: Plan
    criteria: Mapping[str, Sequence[Curve]]
    """Per criterion, one curve per truth, from bad to good."""
    at_no_go: Curve | None
    expected: Curve | None
    needed: Needed | None
    notes: Sequence[str]


def power(config: Config, context: Context) -> StageResult:
    """What `config.gate` can decide. Needs no traffic; takes users and days from the log where there is one."""
    log, source = counts_of_log(config, context.layout)
    share = would_move(config, context.layout) if has_log(context.layout) else None
    plan = Plan(
        config.gate, ramp_days(config.gate), config.gate.traffic.simulations, config.seed, config.review.size, log
    )
    with spread_over_cores() as spread:
        found = operating(plan, context, spread)
    file, picture = context.layout.reports / "power.json", context.layout.reports / "power.png"
    write_whole(file, (json.dumps(as_json(found, source, share), indent=2, allow_nan=False) + "\n").encode())
    from zantara_exp.gates.plot import draw_power

    draw_power(found.criteria, found.expected, plan.gate, plan.days, picture)
    for note in found.notes:
        context.say(note)
    return StageResult(
        summary=_summary(found, source, config, share),
        metrics=_metrics(found, share),
        tags={"gate": plan.gate.name, "gate_hash": gate_hash(plan.gate)},
        tables=[_table(found)],
        artifacts=[file, picture],
        next_command=command("stage=check", f"gate={plan.gate.name}"),
    )


def operating(plan: Plan, context: Context | None = None, spread: Spread = map) -> Power:
    """Simulate a gate over its grid of truths, at its thresholds, and as expected."""
    rules = random_rules(plan.gate)
    cases = [Case({name: value}, name) for name, rule in rules.items() for value in rule.kind.truths(rule)]
    no_go, expected = at_no_go(plan.gate), as_expected(plan.gate)
    if context is not None:
        context.say(f"simulating {plan.simulations} rollouts of {plan.days} days, {len(cases)} truths")
    curves = simulate(plan, [*cases, *([no_go] if no_go else []), *([expected] if expected else [])], spread)
    by_name: dict[str, list[Curve]] = {name: [] for name in rules}
    for curve in curves[: len(cases)]:
        by_name[curve.case.label].append(curve)
    together = curves[-1] if expected else None
    needed = needed_traffic(plan, expected, spread) if expected else None
    return Power(plan, by_name, curves[len(cases)] if no_go else None, together, needed, _notes(plan, rules))


def _notes(plan: Plan, rules: Mapping[str, Rule]) -> list[str]:
    gate, log = plan.gate, plan.log
    unknown = [name for name, rule in rules.items() if rule.criterion.go.given and rule.criterion.expected is None]
    counts = [name for name in gate.criteria if name not in rules]
    notes = []
    if unknown:
        notes.append(f"taken as met, because they declare no `expected` truth: {', '.join(unknown)}")
    if counts:
        notes.append(f"counted exactly, so nothing is simulated: {', '.join(counts)}")
    users = 0 if log is None else int(np.unique(log.user).size)
    few = [f"{name} {rule.min_users}" for name, rule in rules.items() if 0 < users * plan.factor < rule.min_users]
    if few:
        notes.append(f"the log's {users} users are fewer than a GO needs ({', '.join(few)}), and no others are assumed")
    return notes


def _side(curve: Curve, rule: Rule) -> str:
    """Which threshold a truth lies on."""
    value = next(iter(curve.case.truths.values()))
    for name, bound in (("go", rule.criterion.go), ("no_go", rule.criterion.no_go)):
        if bound.given and abs(value - rule.kind.at_threshold(rule, bound)) < 1e-9:
            return name
    return "expected" if rule.criterion.expected == value else ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _day(day: float | None) -> str:
    return "-" if day is None else f"{day:.0f}"


def _table(found: Power) -> Table:
    gate, days = found.plan.gate, found.plan.days
    looks = sorted({14, gate.horizon_days, days})
    rules, rows = resolve(gate), []
    for name, curves in found.criteria.items():
        for curve in curves:
            value, c = next(iter(curve.case.truths.values())), rules[name].criterion
            side = _side(curve, rules[name])
            passes = [_percent(curve.go_by(day)) for day in looks] if c.go.given else ["-"] * len(looks)
            median = _day(curve.median_go) if c.go.given else "-"
            fails = [_percent(curve.no_go_by(day)) if c.no_go.given else "-" for day in (gate.horizon_days, days)]
            text = rules[name].kind.shown_truth(value)
            rows.append([name, text, f"at {side}" if side in ("go", "no_go") else side, *passes, median, *fails])
    passing = [f"pass by day {day}" for day in looks]
    failing = [f"NO_GO by day {day}" for day in (gate.horizon_days, days)]
    return Table("if the truth were", ["criterion", "truth", "", *passing, "median day", *failing], rows)


def _summary(found: Power, source: str, config: Config, share: Moving | None) -> dict[str, str]:
    gate, plan = found.plan.gate, found.plan
    summary = {"gate": f"{gate.name} ({gate_hash(gate)})", "traffic": source}
    summary["would move"] = "not known: there is no log yet" if share is None else str(share)
    if plan.log is not None:
        icc = intra_class_correlation(plan.log)
        measured = "too few failures to tell" if icc is None else f"{icc:.2f}"
        summary["correlation"] = f"{measured} measured in the log, {gate.traffic.icc:g} simulated, rho0 {gate.rho0:g}"
    if found.at_no_go is not None:
        summary["false NO_GO"] = f"{_percent(found.at_no_go.no_go_by(plan.days))} with every criterion at its no_go"
    if found.expected is not None:
        curve, days = found.expected, gate.horizon_days
        summary["as expected"] = (
            f"GO by day {days} with probability {_percent(curve.go_by(days))}, NO_GO {_percent(curve.no_go_by(days))}; "
            f"median day of GO {_day(curve.median_go)}"
        )
    if found.needed is not None:
        promises = [rule.kind.promise(rule, plan.review_size, gate.traffic) for rule in resolve(gate).values()]
        if reviews := "; ".join(filter(None, promises)):
            summary["reviews"] = reviews
        summary[f"to decide in {gate.horizon_days} days"] = found.needed.sentence(config.shadow.traffic_percent)
    summary["simulated"] = f"{plan.simulations} rollouts, seed {plan.seed}, {plan.days} daily looks"
    return summary


def _metrics(found: Power, share: Moving | None) -> dict[str, float]:
    horizon, metrics = found.plan.gate.horizon_days, {}
    if found.expected is not None:
        metrics["power/go_by_horizon"] = found.expected.go_by(horizon)
        metrics["power/decided_by_horizon"] = found.expected.decided_by(horizon)
    if found.at_no_go is not None:
        metrics["power/false_no_go"] = found.at_no_go.no_go_by(found.plan.days)
    rules = resolve(found.plan.gate)
    for name, curves in found.criteria.items():
        for curve in curves:
            if _side(curve, rules[name]) == "go":
                metrics[f"power/{name}/false_go"] = curve.go_by(found.plan.days)
    shares = {} if share is None else {"power/movable": share.share, "power/movable_cost": share.cost_share}
    return metrics | {name: value for name, value in shares.items() if value is not None}


def as_json(found: Power, source: str, share: Moving | None = None) -> dict[str, Any]:
    """The content of power.json: shares with their standard errors, and each curve day by day."""
    plan = found.plan
    rules = resolve(plan.gate)
    return {
        "schema_version": SCHEMA_VERSION,
        "gate": plan.gate.name,
        "gate_hash": gate_hash(plan.gate),
        "seed": plan.seed,
        "simulations": plan.simulations,
        "days": plan.days,
        "horizon_days": plan.gate.horizon_days,
        "traffic": {**asdict(plan.gate.traffic), "source": source},
        "would_move": None if share is None else asdict(share),
        "criteria": {
            name: [_curve_json(curve, plan, _side(curve, rules[name])) for curve in curves]
            for name, curves in found.criteria.items()
        },
        "at_no_go": _curve_json(found.at_no_go, plan, "no_go") if found.at_no_go else None,
        "expected": _curve_json(found.expected, plan, "expected") if found.expected else None,
        "needed": asdict(found.needed) if found.needed else None,
        "notes": list(found.notes),
    }


def _curve_json(curve: Curve, plan: Plan, side: str) -> dict[str, Any]:
    horizon = plan.gate.horizon_days
    return {
        "truths": dict(curve.case.truths),
        "at": side,
        "go_by_horizon": curve.go_by(horizon),
        "go_by_horizon_error": standard_error(curve.go_by(horizon), plan.simulations),
        "no_go_by_horizon": curve.no_go_by(horizon),
        "median_go_day": curve.median_go,
        "go_by_day": [round(curve.go_by(day), 4) for day in range(1, plan.days + 1)],
        "no_go_by_day": [round(curve.no_go_by(day), 4) for day in range(1, plan.days + 1)],
    }
