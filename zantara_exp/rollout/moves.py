"""Writes moves to the store, for stage and controller."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from zantara_exp.rollout import ramp
from zantara_exp.rollout.state import DONE, PAUSED, RUNNING, State, StateChangedError, UnreadableStateError
from zantara_exp.rollout.store import Store

Clock = Callable[[], datetime]
_ATTEMPTS = 100


def utc_now() -> datetime:
    """The time by this machine's clock."""
    return datetime.now(UTC)


def seen_in(store: Store) -> tuple[State | None, UnreadableStateError | None]:
    """The state now, or why it cannot be read."""
    try:
        return store.read(), None
    except UnreadableStateError as error:
        return None, error


def rolled_back(store: Store, order: ramp.Order) -> State:
    """Roll back, even if the state cannot be read or changes meanwhile. Without a rollout nothing changes."""
    for _ in range(_ATTEMPTS):
        seen, _ = seen_in(store)
        if seen is not None and seen.phase not in (RUNNING, PAUSED, DONE):
            return seen
        with suppress(StateChangedError):
            return store.swap(seen, ramp.rollback(seen, order))
    raise StateChangedError(
        f"the rollout changed {_ATTEMPTS} times while it was to be rolled back",
        ramp.to_act("rollback"),
    )
