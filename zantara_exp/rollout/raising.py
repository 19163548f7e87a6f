"""Moves that may raise the candidate's share, and all that stands before them.

LLAMA_ENABLED, a GO about what would serve, the plan, the guardrails of the step that ends, a test of the candidate at
the traffic of the step that begins; last the compare-and-swap. What refuses changes nothing.
"""

from __future__ import annotations

import os

from zantara_exp.config.schema import Config
from zantara_exp.errors import ZantaraError
from zantara_exp.rollout import ramp
from zantara_exp.rollout.authority import authority
from zantara_exp.rollout.guardrails import look
from zantara_exp.rollout.probe import probe_candidate
from zantara_exp.rollout.state import State
from zantara_exp.rollout.store import Store
from zantara_exp.rollout.switch import VARIABLE, llama_enabled
from zantara_exp.stage import Context


class HeldError(ZantaraError):
    """The candidate did not pass its test before a step."""


def raised(config: Config, context: Context, store: Store, seen: State, action: str, order: ramp.Order) -> State:
    """Do `start`, `advance` or `resume`. Raises ZantaraError when it is refused, and then nothing has changed."""
    if not llama_enabled():
        raise ramp.RefusedError(
            f"{VARIABLE}={os.environ.get(VARIABLE)} switches the candidate off, and a step without it shows nothing",
            ramp.to_act("status", note="shows what is switched off"),
        )
    granted = authority(config, context.layout)
    new = ramp.RAISING[action](seen, config.rollout, order, granted)
    if action == "advance":
        _unbreached(config, context, seen, order)
    if config.rollout.probe.enabled and new.share > seen.share:
        _test(config, context, new, action)
    return store.swap(seen, new)


def _unbreached(config: Config, context: Context, state: State, order: ramp.Order) -> None:
    """Refuse to leave a step whose guardrails are breached, or have not seen enough of it."""
    found = look(config, context.layout, state, order.time)
    if found.breach:
        raise ramp.RefusedError(f"a guardrail is breached: {found.breach}", ramp.to_act("rollback"))
    if found.outage:
        raise ramp.RefusedError(f"an outage is going on: {found.outage}", ramp.to_act("status"))
    if found.thin:
        raise ramp.RefusedError(
            f"the guardrails have seen too little of this step: {found.thin}", ramp.to_act("status")
        )


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
