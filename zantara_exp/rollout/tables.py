"""Shows a rollout to a person: who is served, the step, its guardrails, the history."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from zantara_exp.config.rollout import Rollout, part_name
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import StageResult, Table
from zantara_exp.gates.decision import MISSING, PASS
from zantara_exp.rollout import ramp
from zantara_exp.rollout.history import began_at, paused_for_outage
from zantara_exp.rollout.state import DONE, IDLE, PAUSED, ROLLED_BACK, State, UnreadableStateError
from zantara_exp.rollout.switch import VARIABLE, llama_enabled

if TYPE_CHECKING:
    from zantara_exp.rollout.guardrails import Look
    from zantara_exp.rollout.split import Split

_SHOWN_CHANGES = 12
MISMATCH = "MISMATCH"


def result(
    config: Config, layout: Layout, state: State | None, trouble: UnreadableStateError | None, now: datetime
) -> StageResult:
    """The summary and tables of a state. `None`: it cannot be read, for the reason in `trouble`."""
    share = state.share if state is not None and llama_enabled() else 0.0
    summary = {"candidate": _served(config.rollout, state, share)}
    if state is None:
        summary["state"] = "cannot be read" if trouble is None else trouble.message
    else:
        summary |= _described(config, state, now)
    found = _look(config, layout, state, now)
    mismatch = "" if found is None or isinstance(found, Exception) else found.split.mismatch
    if mismatch:
        summary["arms"] = mismatch
    refused, objections = _start(config, layout, state, now)
    if refused is not None:
        summary["a start is refused"] = refused
    if objections:
        summary["a start asks for a reason"] = "; ".join(objections)
    return StageResult(
        summary=summary,
        metrics={"rollout/percent": share},
        tags={} if state is None else {"epoch": state.epoch, "rollout": state.phase},
        tables=[] if state is None else [*_guardrails(state, found), *_history(state)],
        next_command=command("stage=gate", "gate=go_no_go")
        if refused is not None
        else _next(config.rollout, state, now, mismatch),
    )


def _start(config: Config, layout: Layout, state: State | None, now: datetime) -> tuple[str | None, Sequence[str]]:
    """Why the rollout cannot start (for example no GO for what would serve), and what contradicts the GO."""
    if state is None or state.phase != IDLE or config.rollout.action != "status":
        return None, ()
    from zantara_exp.rollout.authority import authority

    try:
        return None, authority(config, layout, now).objections
    except ZantaraError as refused:
        return refused.message, ()


def _served(plan: Rollout, state: State | None, share: float) -> str:
    whom = f"{share:g} % of users, {' and '.join(plan.categories)}" if share else "nobody: the primary answers everyone"
    if not llama_enabled() and state is not None and state.share:
        return f"{whom} ({VARIABLE}={os.environ.get(VARIABLE)} overrides {state.share:g} %)"
    return whom


def _described(config: Config, state: State, now: datetime) -> dict[str, str]:
    plan, rows = config.rollout, {"phase": state.words}
    if state.step >= 0:
        rows["step"] = f"{state.step + 1} of {len(plan.steps_percent)}: {state.percent:g} %"
    if state.since is not None:
        rows["since"] = f"{state.since:%Y-%m-%d %H:%M} UTC"
    due = ramp.due_at(state, plan)
    if due is not None:
        left = max(due - now, timedelta())
        rows["held until"] = f"{due:%Y-%m-%d %H:%M} UTC" + (f", {left / timedelta(days=1):.1f} days" if left else "")
    if paused_for_outage(state):
        rows["resumes"] = _resumes(plan, state)
    if state.history:
        last = state.history[-1]
        rows["last change"] = f"{last.action} by {last.actor}" + (f": {last.reason}" if last.reason else "")
    if state.epoch:
        rows["candidate id"] = state.epoch
    if state.covers and state.step >= 0:
        rows["moves"] = f"{ramp.shown_parts(state.covers)}; what is not named stays with the primary"
    if state.exclude and state.step >= 0:
        rows["leaves out"] = f"{'; '.join(map(part_name, state.exclude))} (rollout.exclude)"
    if plan.judged and state.share:
        from zantara_exp.rollout.found_worse import to_judge

        rows["to be judged"] = f"{plan.reverse_percent:g} % of what is moved, each hour, as by cron: {to_judge(config)}"
    return rows


def _resumes(plan: Rollout, state: State) -> str:
    """How a pause for an outage ends."""
    since, rule = state.since, plan.outage
    if since is None or rule.wait_minutes is None:
        return "by hand, once the outage is over"
    tested = f"{since + timedelta(minutes=rule.wait_minutes):%Y-%m-%d %H:%M}"
    ends = "" if rule.give_up_hours is None else f"{since + timedelta(hours=rule.give_up_hours):%Y-%m-%d %H:%M}"
    how = "by the watching controller, once the candidate passes its test"
    return f"{how}; tested from {tested} UTC on" + (f", rolled back at {ends}" if ends else "")


def _look(config: Config, layout: Layout, state: State | None, now: datetime) -> Look | Exception | None:
    """One look at the guardrails, or the error that prevented it; None if the action needs no look."""
    if state is None or not state.share or config.rollout.action != "status":
        return None
    from zantara_exp.rollout.guardrails import look

    try:
        return look(config, layout, state, now)
    except Exception as error:  # the status is needed most when something is broken
        return error


def _guardrails(state: State, found: Look | Exception | None) -> list[Table]:
    """The guardrails' tables."""
    if found is None:
        return []
    if isinstance(found, Exception):
        return [Table("Guardrails", [], [["not looked at", getattr(found, "message", type(found).__name__)]])]
    rows = [[d.name, d.decision, d.bound, d.measured, d.control, str(d.users), d.reason] for d in found.decisions]
    rows.append(_sizes(found.split))
    head = ["guardrail", "decision", "breached", "candidate", "primary", "users", "why"]
    tables = [Table(f"Guardrails since {began_at(state):%Y-%m-%d %H:%M}", head, rows)]
    held = [why for why in (found.split.mismatch, found.thin) if why]
    return [*tables, Table("Next step", [], [["held", why] for why in held])] if held else tables


def _sizes(split: Split) -> list[str]:
    """The row of the arms' sizes."""
    if split.found is None:
        return ["sample ratio", MISSING, "-", "-", "-", "0", split.why_not]
    ours, theirs = split.found.counts
    decision = MISMATCH if split.found.mismatch else PASS
    bound = f"p of {split.found.alpha:.2g} or less"
    return ["sample ratio", decision, bound, f"{ours:,}", f"{theirs:,}", str(split.found.users), split.words]


def _history(state: State) -> list[Table]:
    changes = state.history[-_SHOWN_CHANGES:]
    rows = [[f"{c.time:%Y-%m-%d %H:%M:%S}", c.actor, c.action, c.before, c.after, c.reason] for c in changes]
    return [Table("History", ["time (UTC)", "actor", "action", "from", "to", "reason"], rows)] if rows else []


def _next(plan: Rollout, state: State | None, now: datetime, mismatch: str) -> str:
    if state is None:
        return ramp.to_act("rollback")
    if mismatch:
        return ramp.to_act("pause", note="until it is known why the arms have other sizes")
    due = ramp.due_at(state, plan)
    if due is not None:
        return ramp.to_act("advance" if now >= due else "status")
    if state.phase == IDLE and plan.action != "status":
        return ramp.to_act("status")
    action = {PAUSED: "resume", ROLLED_BACK: "", DONE: ""}.get(state.phase, "start")
    return ramp.to_act(action) if action else ""
