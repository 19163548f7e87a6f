"""Reads the history of a rollout: since when evidence counts, when steps began, which outages there were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from zantara_exp.rollout.state import PAUSED, Change, State

CONTROLLER = "controller"
"""The actor of automatic steps and of automatic resumes after an outage."""
OUTAGE = "outage"
"""The action that pauses for an outage; the rollout resumes by rule."""
_WEEK = timedelta(days=7)


def began_at(state: State) -> datetime:
    """When the rollout began, or was last resumed by a person.

    An automatic resume after an outage does not count: earlier evidence stays.
    """
    return _newest(state, [c for c in state.history if c.action == "start" or _resumed_by_hand(c)])


def served_since(state: State) -> datetime:
    """When users last got the candidate after nobody had had it."""
    return _newest(state, [c for c in state.history if c.action in ("start", "resume")])


def steps_began(state: State) -> list[datetime]:
    """When each step since `began_at` began, oldest first."""
    began = began_at(state)
    moves = [c for c in state.history if c.action in ("start", "advance") or _resumed_by_hand(c)]
    return [c.time for c in moves if c.time >= began and _serves_anew(c)] or [began]


def times_of_shares(state: State) -> list[datetime]:
    """When each share was first served in the rollout, oldest first; a resume by hand counts anew."""
    starts = [place for place, change in enumerate(state.history) if change.action == "start"]
    moves = state.history[starts[-1] :] if starts else ()
    times = [c.time for c in moves if (c.action in ("start", "advance") or _resumed_by_hand(c)) and _serves_anew(c)]
    return times or [served_since(state)]


def paused_for_outage(state: State) -> bool:
    """Whether the rollout is paused for an outage."""
    return state.phase == PAUSED and bool(state.history) and state.history[-1].action == OUTAGE


def outages_of_week(state: State, now: datetime) -> int:
    """Pauses for an outage in the last 7 days, since `began_at`."""
    since = max(began_at(state), now - _WEEK)
    return sum(c.action == OUTAGE and c.time >= since for c in state.history)


def _serves_anew(change: Change) -> bool:
    """Whether a change began a step."""
    return change.after.startswith("running")


def _resumed_by_hand(change: Change) -> bool:
    return change.action == "resume" and change.actor != CONTROLLER


def _newest(state: State, changes: list[Change]) -> datetime:
    return changes[-1].time if changes else state.since or datetime.now(UTC)
