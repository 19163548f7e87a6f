"""`POST /observe`: a product whose calls do not pass through the gateway shows the mirror a request and its answer.

    {"message": "Hello", "user_id": "u-1", "history": [], "answer": {"text": "Hello!", "model": "...", "usage": {...}}}

The fields are those of `ChatRequest`, and under `answer` those of `PrimaryAnswer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from zantara_exp.endpoints.base import Reason
from zantara_exp.gateway.dialects import CUT
from zantara_exp.shadow.mirror import ChatRequest, PrimaryAnswer
from zantara_exp.traffic.answers import broken_off
from zantara_exp.traffic.movable import UNSHOWABLE

_TEXT, _NUMBER, _TURNS, _OBJECT, _COUNT, _TOKENS = (
    "text",
    "a number of milliseconds, 0 to those of a day",
    "a list of turns",
    "an object",
    "a count, 1 to 100",
    "an object of tokens",
)
_ONE_OF = "one of "
_LONGEST_MS = 86_400_000.0
_MOST_ATTEMPTS = 100
_FAILED = tuple(each.value for each in Reason)
_ASKED = {
    "message": _TEXT, "user_id": _TEXT, "history": _TURNS, "memory_context": _TEXT, "category": _TEXT,
    "language": _TEXT, "conversation_id": _TEXT, "request_id": _TEXT, "system_prompt": _TEXT, "options": _OBJECT,
    "unshowable": f"{_ONE_OF}{', '.join(UNSHOWABLE)}", "attempt": _COUNT, "traceparent": _TEXT,
}  # fmt: skip
_ANSWERED = {
    "text": _TEXT, "model": _TEXT, "provider": _TEXT, "usage": _TOKENS, "latency_ms": _NUMBER,
    "error": f"{_ONE_OF}{', '.join(_FAILED)}", "ttft_ms": _NUMBER, "finish_reason": _TEXT,
}  # fmt: skip


class UnobservableError(ValueError):
    """A wrong body of `POST /observe`; the message names the key and what is valid."""


def read_observed(body: bytes) -> tuple[ChatRequest, PrimaryAnswer]:
    """What was asked and answered. Raises UnobservableError."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UnobservableError("the body is no JSON") from None
    if not isinstance(found, dict):
        raise UnobservableError("the body is no JSON object")
    asked = dict(found)
    answer = asked.pop("answer", None)
    if not isinstance(answer, dict):
        raise UnobservableError("answer is to be an object with the text that the user got, or with an error")
    request = _fields(asked, _ASKED, "", ("message", "user_id"))
    answered = _fields(answer, _ANSWERED, "answer.", () if answer.get("error") else ("text",))
    if broken_off(answered.get("finish_reason")):  # as for answers that pass through the gateway
        answered.setdefault("error", CUT)
    return ChatRequest(**request), PrimaryAnswer(**{"text": "", **answered})


def _fields(given: Mapping[str, Any], known: Mapping[str, str], where: str, needed: tuple[str, ...]) -> dict[str, Any]:
    for name in needed:
        if not str(given.get(name) or "").strip():
            raise UnobservableError(f"{where}{name} is missing")
    for name, value in given.items():
        if name not in known:
            raise UnobservableError(f"{where}{name[:40]} is no key; valid are {', '.join(known)}")
        if value is not None and not _is(value, known[name]):
            raise UnobservableError(f"{where}{name} is to be {known[name]}")
    return {name: value for name, value in given.items() if value is not None}


def _is(value: object, kind: str) -> bool:
    if kind == _TURNS:
        return isinstance(value, list) and all(_is_turn(turn) for turn in value)
    if kind == _NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LONGEST_MS
    if kind == _COUNT:
        return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST_ATTEMPTS
    if kind.startswith(_ONE_OF):
        return value in kind.removeprefix(_ONE_OF).split(", ")
    return isinstance(value, dict) if kind in (_OBJECT, _TOKENS) else isinstance(value, str)


def _is_turn(turn: object) -> bool:
    return isinstance(turn, dict) and all(isinstance(turn.get(name), str) for name in ("role", "content"))
