"""`stage=rollout`: look at the rollout, or move it.

    python -m zantara_exp stage=rollout rollout.action=status
    python -m zantara_exp stage=rollout rollout.action=start rollout.reason='GO of week 2'

A refused move changes nothing; a rollback is never refused.
"""

from __future__ import annotations

import os
from contextlib import closing

from zantara_exp.config.rollout import Notify, Rollout
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.core.webhook import Notifier
from zantara_exp.rollout import ramp
from zantara_exp.rollout.moves import Clock, rolled_back, seen_in, utc_now
from zantara_exp.rollout.notify import announce
from zantara_exp.rollout.state import State
from zantara_exp.rollout.store import Store, open_store
from zantara_exp.rollout.tables import result


def rollout(config: Config, context: Context, clock: Clock = utc_now) -> StageResult:
    """Do `rollout.action`. Raises ZantaraError when the move is refused, and then nothing has changed."""
    with (
        closing(_notifier(config.rollout, context)) as notifier,
        closing(open_store(config.rollout, context.layout)) as store,
    ):
        return _done(config, context, store, notifier, clock)


def _done(config: Config, context: Context, store: Store, notifier: Notifier, clock: Clock) -> StageResult:
    action, layout = config.rollout.action, context.layout
    if config.rollout.watch:
        from zantara_exp.rollout.controller import Controller

        Controller(config, context, store, clock, notifier).watch()
    order = ramp.Order(actor_of(config.rollout), config.rollout.reason, clock())
    if action == "rollback":
        return result(config, layout, _rolled_back(store, notifier, order), None, order.time)
    seen, trouble = seen_in(store)
    if action == "status":
        return result(config, layout, seen, trouble, order.time)
    if trouble is not None:
        raise trouble
    before = seen or State()
    if action == "pause":
        state = store.swap(before, ramp.pause(before, order))
    else:
        from zantara_exp.rollout.increases import raised

        state = raised(config, context, store, before, action, order)
    announce(notifier, state)
    return result(config, layout, state, None, order.time)


def _notifier(plan: Rollout, context: Context) -> Notifier:
    """The webhook. If it is configured wrongly, every move except a rollback is refused."""
    try:
        return Notifier(plan.notify, context.say)
    except ZantaraError as error:
        if plan.action != "rollback":
            raise
        context.say(f"nobody is told: {error.message}")
        return Notifier(Notify(), context.say)


def _rolled_back(store: Store, notifier: Notifier, order: ramp.Order) -> State:
    state = rolled_back(store, order)
    if state.since == order.time:  # by this order, not by an earlier one
        announce(notifier, state)
    return state


def actor_of(plan: Rollout) -> str:
    """Who moves the rollout."""
    return plan.actor or os.environ.get("USER") or os.environ.get("LOGNAME") or "unknown"
