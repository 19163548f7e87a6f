"""`stage=rollout`: look at the rollout, or move it.

    python -m zantara_exp stage=rollout rollout.action=status
    python -m zantara_exp stage=rollout rollout.action=start rollout.reason='GO of week 2'

A refused move changes nothing; a rollback is never refused.
"""

from __future__ import annotations

import os
from contextlib import closing

from zantara_exp.config.rollout import Rollout
from zantara_exp.config.schema import Config
from zantara_exp.rollout import ramp
from zantara_exp.rollout.authority import authority
from zantara_exp.rollout.controller import Controller
from zantara_exp.rollout.guardrails import look
from zantara_exp.rollout.moves import Clock, rolled_back, seen_in, utc_now
from zantara_exp.rollout.show import result
from zantara_exp.rollout.state import State
from zantara_exp.rollout.store import Store, open_store
from zantara_exp.rollout.switch import VARIABLE, llama_enabled
from zantara_exp.stage import Context, StageResult

_AGAIN = "python -m zantara_exp stage=rollout rollout.action="


def rollout(config: Config, context: Context, clock: Clock = utc_now) -> StageResult:
    """Do `rollout.action`. Raises ZantaraError when the move is refused, and then nothing has changed."""
    with closing(open_store(config.rollout, context.layout)) as store:
        return _done(config, context, store, clock)


def _done(config: Config, context: Context, store: Store, clock: Clock) -> StageResult:
    action, layout = config.rollout.action, context.layout
    if config.rollout.watch:
        Controller(config, context, store, clock).watch()
    order = ramp.Order(actor_of(config.rollout), config.rollout.reason, clock())
    if action == "rollback":
        return result(config, layout, rolled_back(store, order), None, order.time)
    seen, trouble = seen_in(store)
    if action == "status":
        return result(config, layout, seen, trouble, order.time)
    if trouble is not None:
        raise trouble
    return result(config, layout, _moved(config, context, store, seen or State(), order), None, order.time)


def _moved(config: Config, context: Context, store: Store, seen: State, order: ramp.Order) -> State:
    action = config.rollout.action
    if action == "pause":
        return store.swap(seen, ramp.pause(seen, order))
    if not llama_enabled():
        raise ramp.RefusedError(
            f"{VARIABLE}={os.environ.get(VARIABLE)} switches the candidate off, and a step without it shows nothing",
            f"{VARIABLE}=true {_AGAIN}{action}",
        )
    granted = authority(config, context.layout)
    new = ramp.RAISING[action](seen, config.rollout, order, granted)
    if action == "advance":
        _unbreached(config, context, seen)
    return store.swap(seen, new)


def _unbreached(config: Config, context: Context, state: State) -> None:
    """Refuse to leave a step whose guardrails are breached, or have not seen enough of it."""
    found = look(config, context.layout, state)
    if found.breach:
        raise ramp.RefusedError(f"a guardrail is breached: {found.breach}", f"{_AGAIN}rollback")
    if found.thin:
        raise ramp.RefusedError(f"the guardrails have seen too few users of this step: {found.thin}", f"{_AGAIN}status")


def actor_of(plan: Rollout) -> str:
    """Who moves the rollout."""
    return plan.actor or os.environ.get("USER") or os.environ.get("LOGNAME") or "unknown"
