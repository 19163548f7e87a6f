"""`stage=check`: checks gate configs in CI. Is each gate consistent, does it keep its error rates and decide in time?

    python -m zantara_exp stage=check                  # every gate of conf/gate
    python -m zantara_exp stage=check gate=week1       # this one, as composed

Exit status 0 sound, 2 contradictory (thresholds, unknown keys or metrics), 3 when a gate composes but errs too often,
cannot decide within its horizon if things are as expected, or asks of a review what its size cannot show. All problems
are named at once, and in check.junit.xml and check.md under paths.reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from xml.etree import ElementTree as Xml

import numpy as np

from zantara_exp.config.candidates import names_of, shared
from zantara_exp.config.gate import Gate, slots_of
from zantara_exp.config.schema import Config
from zantara_exp.core.next_command import command
from zantara_exp.core.parallel import Spread, available, spread_over_cores
from zantara_exp.core.stage import NO_GO, OK, Context, StageResult, Table
from zantara_exp.gates.clusters.bursts import shown_minutes
from zantara_exp.gates.collect import about_candidates
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.files import gates_to_check
from zantara_exp.gates.operating import (
    Case,
    Curve,
    Plan,
    as_expected,
    at_go,
    at_no_go,
    has_alarms,
    ramp_days,
    random_rules,
    simulate,
    standard_error,
)
from zantara_exp.gates.population import users_within
from zantara_exp.gates.rules import resolve
from zantara_exp.gates.slice_rates import BAD, PLANTED, WORSE, confirmed_in
from zantara_exp.gates.slices import Terms
from zantara_exp.gates.table import markdown
from zantara_exp.gates.threshold_rates import Drawn, moved_in
from zantara_exp.io.whole_files import write_whole
from zantara_exp.rollout.worse_rates import Ramp, alarm_on, days_of, judged_per_day

_SURE = 2.326
"""By how many standard errors a simulated rate must exceed alpha: this blames one sound gate in a hundred."""
_DECIDED = 0.5
_IN_OUTAGES = 0.75
"""The part of the failures that outages cause, in the check with outages."""
_LOGS = 200
"""In which slices are searched, with and without one that is worse."""
_LATE_DAYS = 0.1
"""Until a judge has spoken of what was moved, who is asked each hour."""
_DETECTOR_SIMULATIONS = 200
"""A detector watches thousands of users one by one."""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked."""

    gate: str
    what: str
    ok: bool
    detail: str


def check(config: Config, context: Context) -> StageResult:
    """Check the composed gate, or all; raises ConfigError naming every contradiction in any of them."""
    gates = gates_to_check(config)
    findings: list[Finding] = []
    with (
        context.progress("check", len(gates)) as progress,
        spread_over_cores() as spread,
        # Threads, so that no core is idle when the rollouts of one gate come to an end.
        ThreadPoolExecutor(available()) as pool,
    ):
        checked = pool.map(lambda gate: findings_of(gate, config.review.size, config.seed, spread), gates)
        for gate, found in zip(gates, checked, strict=True):
            findings += found
            if about_candidates(gate):
                findings += family_findings(gate, names_of(config), config.review.size, config.seed, spread)
            progress.advance(note=gate.name)
        findings += _slices(config, gates, spread)
        findings += routing_findings(config, gates, spread)
        findings += judged_findings(config, gates, spread)
    bad = [finding for finding in findings if not finding.ok]
    path = context.layout.reports / "check.junit.xml"
    write_whole(path, junit(findings).encode())
    rows = [[f.gate, f.what, "ok" if f.ok else "NO", f.detail] for f in findings]
    table = Table("what was checked", ["gate", "what", "", "found"], rows)
    said = f"{len(findings)} checks, {len(bad)} failed"
    failed = replace(table, rows=[row for row in rows if row[2] == "NO"]) if bad else table
    told = path.with_name("check.md")
    write_whole(told, f"## gate configs: {said}\n\n{markdown(failed)}\n".encode())
    for finding in bad:
        context.say(f"{finding.gate}: {finding.what}: {finding.detail}")
    return StageResult(
        summary={
            "gates": ", ".join(gate.name for gate in gates),
            "checks": f"{len(findings)}, {len(bad)} failed" if bad else f"{len(findings)}, all passed",
            "simulated": f"{gates[0].traffic.simulations} rollouts per rate, seed {config.seed}" if gates else "-",
        },
        metrics={"check/checks": float(len(findings)), "check/failed": float(len(bad))},
        tags={"check": "failed" if bad else "passed"},
        tables=[table],
        artifacts=[path, told],
        next_command=command("stage=power", f"gate={bad[0].gate}") if bad else "",
        status=NO_GO if bad else OK,
    )


def findings_of(gate: Gate, review_size: int, seed: int, spread: Spread = map) -> list[Finding]:
    """All findings about one gate."""
    days, simulations = ramp_days(gate), gate.traffic.simulations
    if has_alarms(gate):
        simulations = min(simulations, _DETECTOR_SIMULATIONS)
    plan = Plan(gate, days, simulations, seed, review_size)
    rules = resolve(gate).values()
    findings = [Finding(gate.name, *found) for rule in rules for found in rule.kind.planned(rule, review_size)]
    findings += _too_few(plan)
    findings += _error_rates(plan, spread)
    return findings + _decides(plan, spread)


def _slices(config: Config, gates: Sequence[Gate], spread: Spread) -> Iterator[Finding]:
    """How often stage=slices confirms a slice that is no worse, with the traffic of the authorising gate."""
    for gate in [gate for gate in gates if gate.authorises][:1]:
        of = config.slices
        terms = Terms(of.alpha, of.carried, of.min_users, gate.rho0)
        drawn = [(0.0, log) for log in range(_LOGS)] + [(WORSE, log) for log in range(_LOGS // 4)]
        plans = [(gate.traffic, gate.horizon_days, terms, worse, (config.seed, log)) for worse, log in drawn]
        said = list(spread(confirmed_in, plans))
        share, found = float(np.mean([bool(each) for each in said[:_LOGS]])), [PLANTED in each for each in said[_LOGS:]]
        ok = share - _SURE * standard_error(share, _LOGS) <= of.alpha
        detail = f"{share:.3f} of {_LOGS} logs of {gate.horizon_days} days, alpha {of.alpha:g}"
        yield Finding(gate.name, "slices: any confirmed where none is worse", ok, detail)
        what = f"slices: a tenth of the traffic that fails {100 * WORSE:g} points more"
        detail = f"confirmed in {np.mean(found):.2f} of {len(found)} logs, where the rest fails in {100 * BAD:g} %"
        yield Finding(gate.name, what, True, detail)


def routing_findings(config: Config, gates: Sequence[Gate], spread: Spread) -> Iterator[Finding]:
    """How often stage=certify vouches for what is not as good as declared, and how often it finds what is."""
    for gate in [gate for gate in gates if gate.authorises][:1]:
        of = config.rollout.certify
        drawn = [Drawn(of.quality, of.alpha, log < _LOGS, (config.seed, log)) for log in range(_LOGS + _LOGS // 4)]
        moved = np.array(list(spread(moved_in, drawn)))
        wrong, found = float((moved[:_LOGS] > 0).mean()), moved[_LOGS:]
        what = f"certify: any certificate where all lies exactly at {100 * of.quality:g} %"
        detail = f"{wrong:.3f} of {_LOGS} logs at the first look, alpha {of.alpha:g}"
        yield Finding(gate.name, what, wrong - _SURE * standard_error(wrong, _LOGS) <= of.alpha, detail)
        detail = f"certified in {(found > 0).mean():.2f} of {found.size} logs; {found.mean():.2f} of the requests move"
        yield Finding(gate.name, "certify: two thirds of the requests are better", True, detail)


def judged_findings(config: Config, gates: Sequence[Gate], spread: Spread) -> Iterator[Finding]:
    """How often a guardrail that a judge decides alarms at its limit, and at twice that."""
    plan = config.rollout
    for gate in [gate for gate in gates if gate.authorises][:1] if plan.judged else []:
        days, per_day = days_of(plan), judged_per_day(plan, config.cost.monthly_requests)
        traffic = replace(gate.traffic, comparisons_per_day=per_day)
        for name in plan.judged:
            limit = plan.guardrails[name].limit or 0.0
            ramps = [
                Ramp(plan, name, traffic, worse, _LATE_DAYS, (config.seed, number))
                for worse, count in ((limit, _LOGS // 2), (min(2 * limit, 1.0), _LOGS // 8))
                for number in range(count)
            ]
            on = np.array(list(spread(alarm_on, ramps)))
            at_limit, beyond = on[: _LOGS // 2], on[_LOGS // 2 :]
            false, seen = float(np.isfinite(at_limit).mean()), float(np.isfinite(beyond).mean())
            about = f"ramps of {days} days, {per_day:.0f} judged a day"
            ok = false - _SURE * standard_error(false, at_limit.size) <= plan.alpha
            detail = f"{false:.3f} of {at_limit.size} {about}, alpha {plan.alpha:g}"
            yield Finding(gate.name, f"guardrail {name}: an alarm at its limit, {100 * limit:g} %", ok, detail)
            median = float(np.median(beyond))
            soon = f", on day {median:.0f} in the median" if np.isfinite(median) else ""
            detail = f"in {seen:.2f} of {beyond.size} {about}{soon}"
            yield Finding(gate.name, f"guardrail {name}: an alarm at twice its limit", True, detail)


def _too_few(plan: Plan) -> Iterator[Finding]:
    """Criteria that need more users than the planned traffic brings by the horizon."""
    gate = plan.gate
    users = users_within(gate.traffic, gate.horizon_days)
    for rule in random_rules(gate).values():
        there, unit, of = users, "users", f" in {gate.horizon_days} days"
        if rule.kind.counted != unit:
            there, unit, of = plan.review_size, "reviews", ""
        if rule.criterion.go.given and rule.min_users > there:
            what = f"{rule.name}: there are enough {unit}"
            detail = f"it waits for {rule.min_users}, and about {there:.0f} {unit}{of} are planned: it would never pass"
            yield Finding(gate.name, what, False, detail)


def _error_rates(plan: Plan, spread: Spread) -> list[Finding]:
    """False GOs with each criterion exactly at its go threshold, false NO_GOs with all at their no_go threshold."""
    gate, rules = plan.gate, random_rules(plan.gate)
    cases = [case for case in at_go(gate) if rules[case.label].kind.takes is UserDays]
    no_go = at_no_go(gate)
    curves = simulate(plan, [*cases, *([no_go] if no_go else [])], spread) if cases or no_go else []
    findings = [
        _rate(gate, f"{curve.case.label}: false GO", curve.go_by(plan.days), plan) for curve in curves[: len(cases)]
    ]
    if no_go:
        findings.append(_rate(gate, "false NO_GO", curves[-1].no_go_by(plan.days), plan))
    timed = [case for case in cases if (rule := rules[case.label]).timed and rule.kind.counts_requests]
    return findings + _with_outages(plan, timed, spread)


def _with_outages(plan: Plan, cases: Sequence[Case], spread: Spread) -> list[Finding]:
    """False GOs if most failures come in outages as long as a block of time."""
    if not cases:
        return []
    block = 10 * slots_of(plan.gate.time_block)
    traffic = replace(plan.gate.traffic, outage_share=_IN_OUTAGES, outage_minutes=block)
    planned = replace(plan, gate=replace(plan.gate, traffic=traffic))
    what = f"false GO, {100 * _IN_OUTAGES:.0f} % of failures in outages of {shown_minutes(block)}"
    return [
        _rate(plan.gate, f"{curve.case.label}: {what}", curve.go_by(plan.days), planned)
        for curve in simulate(planned, cases, spread)
    ]


def family_findings(
    gate: Gate, names: Sequence[str], review_size: int, seed: int, spread: Spread = map
) -> list[Finding]:
    """Several candidates, each exactly at a go threshold: how often some of them has a GO at its part of alpha.

    Each has traffic of its own, which is the worst case: on one shared sample false GOs come together, so that the
    chance of at least one is smaller.
    """
    if len(names) == 1:
        return []
    days = ramp_days(gate)
    plans = [
        Plan(shared(gate, name, len(names)), days, gate.traffic.simulations, seed + number, review_size)
        for number, name in enumerate(names)
    ]
    rules = random_rules(gate)
    cases = [case for case in at_go(gate) if rules[case.label].kind.takes is UserDays]
    if not cases:
        return []
    curves = zip(cases, *(simulate(plan, cases, spread) for plan in plans), strict=True)
    return [_some(case.label, of, plans[0], gate) for case, *of in curves]


def _some(label: str, curves: Sequence[Curve], plan: Plan, gate: Gate) -> Finding:
    """How often at least one GO comes within the days."""
    first = np.minimum.reduce([curve.go_day for curve in curves])
    share = float((first <= plan.days).mean())
    return _rate(gate, f"{label}: false GO of any of {len(curves)} candidates", share, plan)


def _rate(gate: Gate, what: str, share: float, plan: Plan) -> Finding:
    error = standard_error(share, plan.simulations)
    ok = share - _SURE * error <= gate.alpha
    detail = f"{share:.3f} +- {error:.3f} in {plan.days} days, alpha {gate.alpha:g}"
    if not ok:
        rho0s = sorted({rule.rho0 for rule in resolve(gate).values()})
        detail += f": rho0 {', '.join(f'{rho0:g}' for rho0 in rho0s)} for an ICC of {gate.traffic.icc:g}?"
    return Finding(gate.name, what, ok, detail)


def _decides(plan: Plan, spread: Spread) -> list[Finding]:
    """Whether a decision within the horizon is more likely than not, if things are as declared."""
    gate, expected = plan.gate, as_expected(plan.gate)
    what = f"decides within {gate.horizon_days} days"
    if expected is None:
        return [Finding(gate.name, what, True, "no criterion declares an expected truth: not checked")]
    within = replace(plan, days=gate.horizon_days)
    single = [Case({name: value}, name) for name, value in expected.truths.items()] if len(expected.truths) > 1 else []
    together, *alone = simulate(within, [expected, *single], spread)
    share = together.decided_by(gate.horizon_days)
    truths = ", ".join(f"{name} {value:g}" for name, value in expected.truths.items())
    detail = f"with probability {share:.2f} if {truths}"
    if share < _DECIDED:
        parts = [f"{curve.case.label} {curve.decided_by(gate.horizon_days):.2f}" for curve in alone]
        detail += f" ({'; '.join(parts)} alone)" if parts else ""
        detail += ": plan more days, traffic or reviews (stage=power says how much)"
    return [Finding(gate.name, what, share >= _DECIDED, detail)]


def junit(findings: Sequence[Finding]) -> str:
    """One suite per gate, one case per check."""
    root = Xml.Element("testsuites")
    for name in dict.fromkeys(finding.gate for finding in findings):
        own = [finding for finding in findings if finding.gate == name]
        failed = sum(not finding.ok for finding in own)
        counts = {"tests": str(len(own)), "failures": str(failed), "errors": "0"}
        suite = Xml.SubElement(root, "testsuite", {"name": f"check.{name}", **counts})
        for finding in own:
            case = Xml.SubElement(suite, "testcase", classname=f"check.{name}", name=finding.what)
            if finding.ok:
                Xml.SubElement(case, "system-out").text = finding.detail
            else:
                Xml.SubElement(case, "failure", message=finding.detail)
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
