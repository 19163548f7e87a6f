"""The state of a rollout as a value: what is served now, since when, and by which GO.

A router goes by `share` alone. A text that is no whole state raises UnreadableStateError; the reader then serves only
the primary, since an unreadable state allows nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command

IDLE, RUNNING, PAUSED, ROLLED_BACK, DONE = "idle", "running", "paused", "rolled_back", "done"
PHASES = (IDLE, RUNNING, PAUSED, ROLLED_BACK, DONE)


class UnreadableStateError(ZantaraError):
    """There is a state, but it is damaged: the primary answers everyone."""


class UnreachableStateError(ZantaraError):
    """The state cannot be reached now."""


class StateChangedError(ZantaraError):
    """Somebody else changed the state in between; nothing was written."""


def changed_meanwhile() -> StateChangedError:
    """What a controller is told that comes too late."""
    return StateChangedError(
        "the rollout was changed by somebody else in between; nothing was written",
        command("stage=rollout", "rollout.action=status"),
    )


@dataclass(frozen=True)
class Change:
    """One line of the history."""

    time: datetime
    """UTC."""
    actor: str
    action: str
    reason: str
    before: str
    """Such as `running 10 %`; `from` in the file."""
    after: str
    """`to` in the file."""


@dataclass(frozen=True)
class State:
    """A rollout between two changes."""

    phase: str = IDLE
    step: int = -1
    """Index into the steps; -1 outside of a rollout."""
    percent: float = 0.0
    """Percent of users that the step allows; kept while paused."""
    epoch: str = ""
    """The candidate that was authorised: hash of model, prompt and endpoint."""
    gate_hash: str = ""
    as_of: str = ""
    """The last day of the evidence behind the GO that started it."""
    since: datetime | None = None
    """When this phase and step began, UTC."""
    history: tuple[Change, ...] = ()
    """Every change, oldest first."""
    version: int = 0
    covers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The parts that are moved, by dimension such as language. A missing dimension is moved whole."""

    exclude: tuple[Mapping[str, str], ...] = ()
    """The parts that the GO leaves out, which stay with the primary."""
    monthly_requests: int = 0
    """The volume of the GO's savings, for the cost guardrail; 0: `cost.monthly_requests`."""
    certificate: str = ""
    """Hash of the certificate whose score a request needs; empty: all that the GO covers is moved."""

    @property
    def share(self) -> float:
        """Percent of users whom the candidate answers now."""
        return self.percent if self.phase in (RUNNING, DONE) else 0.0

    @property
    def words(self) -> str:
        """`running 10 %`."""
        return f"{self.phase} {self.percent:g} %" if self.phase in (RUNNING, PAUSED, DONE) else self.phase


def dump(state: State) -> bytes:
    """The state as JSON, with a checksum over it."""
    plain = {name: getattr(state, name) for name in State.__dataclass_fields__}
    plain["history"] = [
        {
            "time": change.time,
            "actor": change.actor,
            "action": change.action,
            "reason": change.reason,
            "from": change.before,
            "to": change.after,
        }
        for change in state.history
    ]
    body = orjson.loads(orjson.dumps(plain, option=orjson.OPT_UTC_Z))
    return orjson.dumps({"checksum": _checksum(body), "state": body}, option=orjson.OPT_INDENT_2) + b"\n"


def load(text: bytes) -> State:
    """The state from its JSON. Raises UnreadableStateError if it is cut, changed by hand or contradictory."""
    try:
        whole = orjson.loads(text)
        body = whole["state"]
        if whole["checksum"] != _checksum(body):
            raise ValueError("its checksum is wrong: it was cut short or changed by hand")
        return _checked(_state(body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error) if type(error) is ValueError else "it is no state of a rollout"
        raise unreadable(why) from None


def unreadable(why: str) -> UnreadableStateError:
    """The error for a damaged state."""
    return UnreadableStateError(
        f"the state of the rollout cannot be read ({why}): percent 0, the primary answers everyone",
        command("stage=rollout", "rollout.action=rollback"),
    )


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _state(body: Mapping[str, Any]) -> State:
    history = [
        Change(_time(row["time"]), row["actor"], row["action"], row["reason"], row["from"], row["to"])
        for row in body["history"]
    ]
    since = None if body["since"] is None else _time(body["since"])
    covers = {dimension: tuple(values) for dimension, values in body.get("covers", {}).items()}
    exclude = tuple(dict(part) for part in body.get("exclude", ()))
    return State(**{**body, "since": since, "history": tuple(history), "covers": covers, "exclude": exclude})


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _checked(state: State) -> State:
    """Refuse a state that contradicts itself: something else has written it."""
    active = state.phase in (RUNNING, PAUSED, DONE)
    sound = (
        state.phase in PHASES
        and isinstance(state.step, int)
        and isinstance(state.version, int)
        and isinstance(state.monthly_requests, int)
        and state.monthly_requests >= 0
        and isinstance(state.certificate, str)
        and math.isfinite(state.percent)
        and (0 < state.percent <= 100 and state.step >= 0 if active else state.percent == 0)
        and (not active or bool(state.epoch and state.since))
        and all(isinstance(value, str) for values in state.covers.values() for value in values)
        and all(isinstance(value, str) for part in state.exclude for value in part.values())
    )
    if not sound:
        raise ValueError(f"{state.phase} at {state.percent} % in step {state.step} contradicts itself")
    return state
