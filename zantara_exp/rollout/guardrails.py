"""The guardrails of a running step: detectors on what the comparison log says about its users, since it began.

Every number is `zantara_exp.analysis.evidence`'s, and every decision `zantara_exp.gates`'s, on the requests of the
categories that are rolled out, from the UTC day on which the step began: a detector that starts with each step has no
good old days to outweigh what is bad now. One observation per user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date
from difflib import get_close_matches

from zantara_exp.config.gate import Gate
from zantara_exp.config.rollout import Rollout
from zantara_exp.config.schema import Config
from zantara_exp.errors import ConfigError
from zantara_exp.gates.collect import collect
from zantara_exp.gates.criteria import Seen, decide
from zantara_exp.gates.decision import FAIL, MISSING, CriterionDecision
from zantara_exp.gates.evidence import Evidence, Missing, UserDays
from zantara_exp.gates.files import gate_files, load_gate
from zantara_exp.gates.rules import resolve
from zantara_exp.gates.users import between
from zantara_exp.layout import Layout
from zantara_exp.rollout.state import State

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Look:
    """One look at the guardrails."""

    decisions: Sequence[CriterionDecision]
    breach: str
    """Which guardrails were breached and why; empty where none was."""
    thin: str
    """Which required guardrails have seen too few users to go on; empty where none has."""


def look(config: Config, layout: Layout, state: State) -> Look:
    """Look at the guardrails of the step that `state` is in.

    Evidence of another candidate, and none at all, breaches nothing and lets nothing go on. Raises ConfigError where
    `rollout.guardrails` names no gate.
    """
    plan = config.rollout
    gate = _gate(plan)
    seen = collect(replace(config, gate=gate), layout, None)
    rules = resolve(gate)
    decisions = [decide(rule, _of_step(seen[name], state)) for name, rule in rules.items()]
    thin = [
        f"{d.name} ({d.reason if d.decision == MISSING else f'{d.view.users} of {plan.min_users} users'})"
        for d in decisions
        if d.criterion.required and d.criterion.kind not in ("count", "review") and d.view.users < plan.min_users
    ]
    breach = [f"{d.name}: {d.reason} ({d.view.users} users)" for d in decisions if d.decision == FAIL]
    return Look(decisions, "; ".join(breach), ", ".join(thin))


def _gate(plan: Rollout) -> Gate:
    """The configured gate, on the categories that are rolled out."""
    files = {path.stem: path for path in gate_files()}
    if plan.guardrails not in files:
        near = get_close_matches(plan.guardrails, files, n=1)
        did = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(f"rollout.guardrails={plan.guardrails}: {did}(valid: {', '.join(sorted(files))})")
    gate = load_gate(files[plan.guardrails])
    of_users = {name: c for name, c in gate.criteria.items() if c.kind not in ("count", "review")}
    narrowed = {name: replace(c, where={**c.where, "category": plan.categories}) for name, c in of_users.items()}
    return replace(gate, criteria=gate.criteria | narrowed)


def _of_step(seen: Seen, state: State) -> Seen:
    other = None if seen.no_go is None else _since(seen.no_go, state)
    return replace(seen, go=_since(seen.go, state), no_go=other)


def _since(evidence: Evidence, state: State) -> Evidence:
    """What belongs to this candidate and this step."""
    if not isinstance(evidence, UserDays) or state.since is None:
        return evidence
    if evidence.epoch != state.epoch:
        return Missing(f"the log is about epoch {evidence.epoch}, the rollout about {state.epoch}")
    first = state.since.astimezone(UTC).date()
    chosen = between(evidence, first.toordinal() - _EPOCH, None)
    return chosen if chosen.user.size else Missing(f"the log holds nothing since {first}, when this step began")
