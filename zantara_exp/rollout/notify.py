"""Tells the webhook what happened to a rollout."""

from __future__ import annotations

from zantara_exp.core.webhook import Notifier
from zantara_exp.rollout.state import State

_EVENTS = {
    "start": "step", "advance": "step", "resume": "step", "pause": "pause", "outage": "pause", "rollback": "rollback",
}  # fmt: skip


def announce(notifier: Notifier, state: State) -> None:
    """Send the newest change of a state."""
    if not state.history:
        return
    last = state.history[-1]
    because = f": {last.reason}" if last.reason else ""
    text = f"{last.action} by {last.actor}, {last.before} -> {last.after}{because}"
    facts = {"actor": last.actor, "from": last.before, "to": last.after, "reason": last.reason}
    notifier.tell(_EVENTS.get(last.action, "step"), text, last.time, {**facts, "epoch": state.epoch})
