"""Moves that may give the candidate more traffic, and the checks before them.

The checks, in order: LLAMA_ENABLED; a GO about what would serve; a reason, if something contradicts the GO or the
guardrails have paused; the plan; the guardrails of the step that ends, and a reason if its arms have wrong sizes; a
test of the candidate at the new traffic; at last the compare-and-swap. A refused move changes nothing.
"""

from __future__ import annotations

import os
from dataclasses import replace

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.stage import Context
from zantara_exp.rollout import ramp
from zantara_exp.rollout.authority import authority
from zantara_exp.rollout.guardrails import look
from zantara_exp.rollout.history import CONTROLLER
from zantara_exp.rollout.probe import probe_candidate
from zantara_exp.rollout.state import State
from zantara_exp.rollout.store import Store
from zantara_exp.rollout.switch import VARIABLE, llama_enabled

_OPENING = ("start", "widen")
"""Moves that need the newest evidence, and a reason if something contradicts the GO."""


class HeldError(ZantaraError):
    """The candidate did not pass its test before a step."""


def raised(config: Config, context: Context, store: Store, seen: State, action: str, order: ramp.Order) -> State:
    """Do `start`, `advance`, `resume` or `widen`. Raises ZantaraError when refused, and then nothing has changed."""
    if not llama_enabled():
        raise ramp.RefusedError(
            f"{VARIABLE}={os.environ.get(VARIABLE)} switches the candidate off, and a step without it shows nothing",
            ramp.to_act("status", note="shows what is switched off"),
        )
    opening = action in _OPENING
    granted = authority(config, context.layout, order.time, opening)
    if opening and granted.objections:
        about = f"the GO of gate={granted.gate} is about the newest evidence, and this stands against it"
        order = _answered(order, about, "; ".join(granted.objections), action)
    if action == "resume" and (why := _held(seen)):
        order = _answered(order, "the guardrails paused it until somebody has looked", why, action)
    new = ramp.RAISING[action](seen, config.rollout, order, granted)
    if action in ("advance", "widen"):
        mismatch = _unbreached(config, context, seen, order, enough=action == "advance")
        if mismatch:
            order = _answered(order, "no guardrail is breached, but the arms cannot be compared", mismatch, action)
            new = ramp.RAISING[action](seen, config.rollout, order, granted)
    if config.rollout.probe.enabled and (new.share > seen.share or (action == "widen" and new.share)):
        _test(config, context, new, action)
    return store.swap(seen, new)


def _held(state: State) -> str:
    """Why the guardrails paused, if only a person may end the pause; empty for other pauses."""
    last = state.history[-1] if state.history else None
    return last.reason if last is not None and (last.action, last.actor) == ("pause", ramp.GUARDRAILS) else ""


def _answered(order: ramp.Order, about: str, told: str, action: str) -> ramp.Order:
    """The order, with the objections added to its reason for the history. Refused if no person gives a reason."""
    if not order.reason.strip() or order.actor == CONTROLLER:
        raise ramp.RefusedError(
            f"{about}: {told}",
            ramp.to_act(action, "rollout.reason=why it may all the same", note="kept in the history"),
        )
    return replace(order, reason=f"{order.reason} (in spite of: {told})")


def _unbreached(config: Config, context: Context, state: State, order: ramp.Order, enough: bool) -> str:
    """Refuse to leave a step whose guardrails are breached, or, with `enough`, have not seen enough of it.

    Returns what is wrong with the sizes of the arms, which a reason may answer; empty if nothing is.
    """
    if not state.share:
        return ""
    found = look(config, context.layout, state, order.time)
    if found.breach:
        raise ramp.RefusedError(f"a guardrail is breached: {found.breach}", ramp.to_act("rollback"))
    if found.outage:
        raise ramp.RefusedError(f"an outage is going on: {found.outage}", ramp.to_act("status"))
    if enough and found.thin:
        raise ramp.RefusedError(
            f"the guardrails have seen too little of this step: {found.thin}", ramp.to_act("status")
        )
    return found.split.mismatch


def _test(config: Config, context: Context, new: State, action: str) -> None:
    context.say(f"testing the candidate at the traffic of {new.percent:g} %")
    found = probe_candidate(config, context.layout, new.percent, context.run_dir)
    context.say(f"  {found.words}")
    if found.trouble:
        raise HeldError(
            f"the candidate did not pass its test before {new.percent:g} %, so the step is held: {found.trouble}",
            f"look at endpoint={config.endpoint.name}, then: "
            + ramp.to_act(action, note="rollout.probe.enabled=false skips it"),
        )
