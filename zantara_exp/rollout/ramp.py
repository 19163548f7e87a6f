"""The moves of a rollout: from a state to the next, or a refusal that says why. Nothing is read or written here.

    idle, rolled_back --start--> running --advance--> running ... --advance--> done
    running, done --pause, outage--> paused --resume--> as it was           anything --rollback--> rolled_back
    running, paused, done --widen--> as it was, of more parts

Only start, advance, resume and widen raise what the candidate answers, and each needs the GO of an Authority. What is
moved is what that GO covers: parts, such as languages, that it does not cover stay with the primary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from zantara_exp.config.rollout import Rollout
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.rollout.history import OUTAGE
from zantara_exp.rollout.state import DONE, IDLE, PAUSED, ROLLED_BACK, RUNNING, Change, State

if TYPE_CHECKING:
    from zantara_exp.rollout.authority import Authority

GUARDRAILS = "guardrails"
"""The actor of an automatic rollback."""
_UNREADABLE = "unreadable"
"""The history's name of a state that could not be read."""


class RefusedError(ZantaraError):
    """A move that the state or the plan does not allow."""


def to_act(action: str, *overrides: str, note: str = "") -> str:
    """The command that moves the rollout, or looks at it."""
    return command("stage=rollout", f"rollout.action={action}", *overrides, note=note)


def _judge_anew() -> str:
    return f"judge the candidate on new evidence: {command('stage=shadow')} && {command('stage=gate')}"


@dataclass(frozen=True)
class Order:
    """Who asks for a move, why and when."""

    actor: str
    reason: str
    time: datetime
    """UTC."""


def _moved(state: State | None, order: Order, action: str, new: State) -> State:
    before, history = (_UNREADABLE, ()) if state is None else (state.words, state.history)
    change = Change(order.time, order.actor, action, order.reason, before, new.words)
    return replace(new, since=order.time, history=(*history, change))


def start(state: State, plan: Rollout, order: Order, granted: Authority) -> State:
    """Begin the first step. A GO is refused if the guardrails have refuted its evidence."""
    if state.phase not in (IDLE, ROLLED_BACK):
        better = "resume" if state.phase == PAUSED else "rollback" if state.phase == DONE else "advance"
        raise RefusedError(f"a rollout is {state.words} already: it cannot be started", to_act(better))
    last = state.history[-1] if state.history else None
    refuted = bool(granted.certificate) and granted.certificate == state.certificate
    if last is not None and last.actor == GUARDRAILS and (refuted or granted.as_of <= state.as_of):
        raise RefusedError(
            f"the guardrails rolled back what this GO (as of {granted.as_of}) had opened: {last.reason}",
            f"repair and {_judge_anew()}",
        )
    if last is not None and last.before == _UNREADABLE and granted.as_of < f"{last.time:%Y-%m-%d}":
        raise RefusedError(
            "the state that was rolled back could not be read, and with it went which GO the guardrails had refuted: "
            f"it needs a GO as of {last.time:%Y-%m-%d} or later, this one is as of {granted.as_of or 'no day'}",
            _judge_anew(),
        )
    of = granted.epoch, granted.gate_hash, granted.as_of
    first = State(
        RUNNING, 0, plan.steps_percent[0], *of, covers=dict(granted.covers), monthly_requests=granted.monthly_requests,
        exclude=granted.exclude, certificate=granted.certificate,
    )  # fmt: skip
    return _moved(state, order, "start", replace(first, version=state.version))


def advance(state: State, plan: Rollout, order: Order, granted: Authority) -> State:
    """Go to the next step, or complete the rollout, if this step was held long enough."""
    if state.phase != RUNNING:
        better = {PAUSED: "resume", DONE: "status"}.get(state.phase, "start")
        raise RefusedError(f"the rollout is {state.words}: there is no step to advance from", to_act(better))
    _same(state, granted)
    due = due_at(state, plan)
    if due is None or order.time < due:
        when = "" if due is None else f" until {due:%Y-%m-%d %H:%M} UTC"
        raise RefusedError(f"step {state.step + 1} ({state.percent:g} %) is held{when}", to_act("status"))
    state, order = _narrowed(state, order, granted)
    if state.step + 1 >= len(plan.steps_percent):
        return _moved(state, order, "advance", replace(state, phase=DONE))
    percent = plan.steps_percent[state.step + 1]
    return _moved(state, order, "advance", replace(state, step=state.step + 1, percent=percent))


def pause(state: State, order: Order) -> State:
    """Serve the primary only until somebody resumes; the step is remembered."""
    return _paused(state, order, "pause")


def outage(state: State, order: Order) -> State:
    """Pause until the controller finds that the outage is over."""
    return _paused(state, order, OUTAGE)


def _paused(state: State, order: Order, action: str) -> State:
    if state.phase not in (RUNNING, DONE):
        raise RefusedError(f"the rollout is {state.words}: there is nothing to pause", to_act("status"))
    return _moved(state, order, action, replace(state, phase=PAUSED))


def resume(state: State, plan: Rollout, order: Order, granted: Authority) -> State:
    """Serve the paused share again, or less if the plan now allows less. The step's time begins anew."""
    if state.phase != PAUSED:
        raise RefusedError(f"the rollout is {state.words}: only a paused one resumes", to_act("status"))
    _same(state, granted)
    state, order = _narrowed(state, order, granted)
    step = min(state.step, len(plan.steps_percent) - 1)
    percent = min(state.percent, plan.steps_percent[step])
    return _moved(state, order, "resume", replace(state, phase=RUNNING, step=step, percent=percent))


def widen(state: State, plan: Rollout, order: Order, granted: Authority) -> State:
    """Move further parts that a later GO covers. They get the step's share at once, and its time begins anew."""
    if state.phase not in (RUNNING, PAUSED, DONE):
        raise RefusedError(f"the rollout is {state.words}: there is nothing to widen", to_act("start"))
    _same(state, granted)
    more = {
        dimension: [value for value in granted.covers.get(dimension, ()) if value not in values]
        for dimension, values in state.covers.items()
    }
    told = shown_parts({dimension: values for dimension, values in more.items() if values})
    if not told:
        raise RefusedError(
            f"the GO (as of {granted.as_of}) covers nothing that is not moved already: {shown_parts(state.covers)}",
            f"gather evidence on the other parts: {command('stage=shadow')} && {command('stage=gate')}",
        )
    covers = {dimension: (*values, *more.get(dimension, ())) for dimension, values in state.covers.items()}
    wider = replace(state, covers=covers, as_of=granted.as_of, monthly_requests=granted.monthly_requests)
    return _moved(state, _noting(order, f"moves {told} from here on"), "widen", wider)


def _narrowed(state: State, order: Order, granted: Authority) -> tuple[State, Order]:
    """The state without the parts that today's GO no longer covers. Refused if none would be left."""
    covers = {
        dimension: tuple(value for value in state.covers.get(dimension, values) if value in values)
        for dimension, values in granted.covers.items()
    }
    covers = {**state.covers, **covers}
    gone = {
        dimension: [value for value in state.covers.get(dimension, ()) if value not in values]
        for dimension, values in covers.items()
    }
    told = shown_parts({dimension: values for dimension, values in gone.items() if values})
    if empty := [dimension for dimension, values in covers.items() if not values]:
        raise RefusedError(
            f"the GO (as of {granted.as_of}) covers no {' and no '.join(empty)} that is moved: {told} would stay with "
            "the primary",
            to_act("rollback"),
        )
    noted = _noting(order, f"{told} stays with the primary from here on") if told else order
    return replace(state, covers=covers), noted


def _noting(order: Order, what: str) -> Order:
    return replace(order, reason=f"{order.reason}; {what}" if order.reason else what)


def shown_parts(covers: Mapping[str, Sequence[str]]) -> str:
    """`language it, en and category chat`; empty for none."""
    return " and ".join(f"{dimension} {', '.join(values)}" for dimension, values in covers.items())


def rollback(state: State | None, order: Order) -> State:
    """Give everything to the primary for good. `None`: the state could not be read. Never refused."""
    return _moved(state, order, "rollback", replace(state or State(), phase=ROLLED_BACK, step=-1, percent=0.0))


def due_at(state: State, plan: Rollout) -> datetime | None:
    """When the running step will have been held long enough; None if it is no step of the plan."""
    if state.phase != RUNNING or state.since is None or not 0 <= state.step < len(plan.hold_days):
        return None
    return state.since + timedelta(days=plan.hold_days[state.step])


def _same(state: State, granted: Authority) -> None:
    """Refuse to go on with another candidate or by another gate than the rollout began with."""
    for what, ours, theirs in (
        ("candidate", state.epoch, granted.epoch),
        ("gate", state.gate_hash, granted.gate_hash),
        ("certificate", state.certificate or "none", granted.certificate or "none"),
    ):
        if ours != theirs:
            raise RefusedError(
                f"the rollout began with {what} {ours}, and the GO is now of {theirs}: that is another rollout",
                to_act("rollback", note="then start"),
            )


Move = Callable[[State, Rollout, Order, "Authority"], State]
RAISING: dict[str, Move] = {"start": start, "advance": advance, "resume": resume, "widen": widen}
"""Moves that may give the candidate more traffic."""
