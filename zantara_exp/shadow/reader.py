"""Reads the comparison log, versions 1 to 3 (docs/analysis.md), line by line into typed records."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from zantara_exp.cost.usage import Billed, Usage
from zantara_exp.io.event_log import EventLog, lines_of
from zantara_exp.shadow.record import LONGEST_MS, UNVERSIONED, Comparison, Drops, Sampling, Scope, Side

_TEXT_KEPT = 200

HashUser = Callable[[str], str]


class BadLine(ValueError):
    """A line of the log that cannot be read; the message says why."""


@dataclass(frozen=True)
class Quarantined:
    """A line that could not be read."""

    file: str
    line: int
    """Counted from 1."""
    reason: str
    text: str
    """The line's beginning."""


def read_lines(
    lines: Iterable[bytes], name: str, first: int, hash_user: HashUser
) -> Iterator[Comparison | Drops | Quarantined]:
    """Lines of the part called `name` as records, or as quarantined with the reason; the first has the number `first`.

    Blank lines are none.
    """
    for number, line in enumerate(lines, start=first):
        if not line.strip():
            continue
        try:
            yield parse_line(line, hash_user)
        except BadLine as error:
            beginning = line[:_TEXT_KEPT].decode(errors="replace").rstrip("\n")
            yield Quarantined(name, number, str(error), beginning)


def read_log(log: EventLog, hash_user: HashUser) -> Iterator[Comparison | Drops]:
    """Every readable record of the log, oldest day first. `analysis.derive` counts the unreadable ones.

    Raises ZantaraError if the log cannot be read.
    """
    for part in log.parts():
        for item in read_lines(lines_of(part), part.name, 1, hash_user):
            if not isinstance(item, Quarantined):
                yield item


def parse_line(line: bytes, hash_user: HashUser) -> Comparison | Drops:
    """One record. Raises BadLine for any bytes that are none."""
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadLine("not JSON" if line.endswith(b"\n") else "not JSON: cut off") from error
    if not isinstance(body, dict):
        raise BadLine(f"a JSON {type(body).__name__}, not an object")
    version = body.get("schema_version", 1)
    if version == 1:
        return _version_1(body, line, hash_user)
    if version not in (2, 3):
        raise BadLine(f"schema_version {str(version)[:20]} is not known (1 to 3 are)")
    return _drops(body, int(version)) if body.get("record") == "drops" else _comparison(body, int(version))


def _comparison(body: Mapping[str, Any], version: int) -> Comparison:
    """A comparison of version 2 or 3; version 3 also has scope, usage and bill."""
    side = _side if version == 3 else _older_side
    sampling = _object(body, "sampling", optional=True)
    return Comparison(
        comparison_id=_needed(body, "comparison_id"),
        request_id=_needed(body, "request_id"),
        conversation_id=_text(body, "conversation_id"),
        epoch=_candidate_id(body),
        arm=_needed(body, "arm"),
        timestamp=_moment(body),
        messages=_messages(body),
        user=_needed(body, "user"),
        query=_text(body, "query") or "",
        category=_text(body, "category"),
        language=_text(body, "language"),
        primary=side(_object(body, "primary")),
        candidate=side(_object(body, "candidate")),
        attempt=_attempt(body),
        trace_id=_text(body, "trace_id"),
        sampling=Sampling(_number(sampling, "percent"), _text(sampling, "reason")),
        scope=_scope(_object(body, "scope", optional=True)),
        dropped=_counts(body),
        schema_version=version,
    )


def _drops(body: Mapping[str, Any], version: int) -> Drops:
    return Drops(_candidate_id(body), _moment(body), _counts(body), version)


def _candidate_id(body: Mapping[str, Any]) -> str:
    """The candidate's id; version 2 and early lines of version 3 call it `epoch`."""
    return _needed(body, "candidate_id" if "candidate_id" in body else "epoch")


def _attempt(body: Mapping[str, Any]) -> int:
    found = _whole(body, "attempt")
    return 1 if found is None else found


def _scope(body: Mapping[str, Any]) -> Scope:
    movable = body.get("movable")
    if movable is not None and not isinstance(movable, bool):
        raise BadLine("movable is neither true nor false")
    return Scope(movable, _text(body, "why_not"))


def _side(body: Mapping[str, Any]) -> Side:
    usage, billed = _object(body, "usage"), _object(body, "billed")
    counted = Usage(
        _whole(usage, "input"),
        _whole(usage, "cache_read"),
        _whole(usage, "cache_write_5m"),
        _whole(usage, "cache_write_1h"),
        _whole(usage, "output"),
        _flag(usage, "estimated"),
    )
    cost = Billed(
        _number(billed, "usd"), _text(billed, "basis"), _text(billed, "price_date"), _number(billed, "seconds")
    )
    return _answered(body, counted, cost)


def _older_side(body: Mapping[str, Any]) -> Side:
    """One model's answer in version 1 and 2, which do not tell tokens of caches."""
    usage = Usage(_whole(body, "tokens_input"), output=_whole(body, "tokens_output"))
    return _answered(body, usage, Billed(_number(body, "cost_usd"), _text(body, "cost_basis")))


def _answered(body: Mapping[str, Any], usage: Usage, billed: Billed) -> Side:
    return Side(
        response=_text(body, "response") or "",
        model=_text(body, "model"),
        provider=_text(body, "provider"),
        usage=usage,
        latency_ms=_milliseconds(body, "latency_ms"),
        ttft_ms=_milliseconds(body, "ttft_ms"),
        waited_ms=_milliseconds(body, "waited_ms"),
        finish_reason=_text(body, "finish_reason"),
        error=_text(body, "error"),
        detail=_text(body, "detail"),
        billed=billed,
    )


def _version_1(body: Mapping[str, Any], line: bytes, hash_user: HashUser) -> Comparison:
    claude, llama = _object(body, "claude"), _object(body, "llama")
    succeeded = _object(body, "comparison", optional=True).get("llama_success")
    query, error = _text(body, "query") or "", _version_1_error(llama, succeeded)
    identity = hashlib.sha256(line.strip()).hexdigest()[:32]
    return Comparison(
        comparison_id=identity,
        request_id=identity,
        conversation_id=None,
        epoch=UNVERSIONED,
        arm="candidate",
        timestamp=_moment(body),
        messages=[{"role": "user", "content": query}],
        user=hash_user(_identifier(body, "user_id")),
        query=query,
        category=_text(body, "category"),
        language=None,
        primary=_older_side({**claude, "provider": claude.get("ai_used"), "error": _if_empty(claude)}),
        candidate=_older_side({**llama, "error": error, "detail": (_text(llama, "error") or "")[:200] or None}),
        schema_version=1,
    )


_VERSION_1_ERRORS = (
    ("timeout", re.compile(r"time[d ]*out", re.IGNORECASE)),
    ("rate_limited", re.compile(r"429|rate.?limit|too many", re.IGNORECASE)),
    ("overloaded", re.compile(r"503|529|overload|throttl|queue", re.IGNORECASE)),
    ("unauthorized", re.compile(r"401|403|unauthori|forbidden", re.IGNORECASE)),
    ("refused", re.compile(r"refused|unreachable|cannot connect|connect(ion)? ?error|dns", re.IGNORECASE)),
    ("server_error", re.compile(r"50[02]|internal server|bad gateway", re.IGNORECASE)),
    ("empty_answer", re.compile(r"empty|no (response|answer|output)", re.IGNORECASE)),
    ("bad_answer", re.compile(r"json|decode|parse|format", re.IGNORECASE)),
)


def _version_1_error(llama: Mapping[str, Any], succeeded: object) -> str | None:
    """The typed reason. A failure without a reason is one, and so is an empty answer called a success."""
    said = _text(llama, "error")
    if said:
        return next((reason for reason, pattern in _VERSION_1_ERRORS if pattern.search(said)), "other")
    return _if_empty(llama) or ("other" if succeeded is False else None)


def _if_empty(side: Mapping[str, Any]) -> str | None:
    return None if (_text(side, "response") or "").strip() else "empty_answer"


def _moment(body: Mapping[str, Any]) -> datetime:
    raw = body.get("timestamp")
    if not isinstance(raw, str):
        raise BadLine("timestamp is missing" if raw is None else "timestamp is not text")
    try:
        found = datetime.fromisoformat(raw)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadLine("timestamp is not a date and time") from error


def _messages(body: Mapping[str, Any]) -> list[dict[str, str]]:
    raw = body.get("messages")
    if not isinstance(raw, list):
        raise BadLine("messages is not a list")
    for message in raw:
        parts = [message.get("role"), message.get("content")] if isinstance(message, dict) else [None]
        if not all(isinstance(part, str) for part in parts):
            raise BadLine("a message lacks its role or content")
    return [{"role": message["role"], "content": message["content"]} for message in raw]


def _object(body: Mapping[str, Any], key: str, optional: bool = False) -> Mapping[str, Any]:
    found = body.get(key)
    if isinstance(found, dict):
        return found
    if found is None and optional:
        return {}
    raise BadLine(f"{key} is missing" if found is None else f"{key} is not an object")


def _text(body: Mapping[str, Any], key: str) -> str | None:
    found = body.get(key)
    if found is None or isinstance(found, str):
        return found
    raise BadLine(f"{key} is not text")


def _needed(body: Mapping[str, Any], key: str) -> str:
    found = _text(body, key)
    if not found:
        raise BadLine(f"{key} is missing")
    return found


def _identifier(body: Mapping[str, Any], key: str) -> str:
    """An id that may be a number; requests without one share the user `anonymous`."""
    found = body.get(key)
    if found is None or found == "":
        return "anonymous"
    if isinstance(found, str | int) and not isinstance(found, bool):
        return str(found)
    raise BadLine(f"{key} is neither text nor a number")


def _number(body: Mapping[str, Any], key: str) -> float | None:
    found = body.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise BadLine(f"{key} is not a number")
    return float(found)


def _flag(body: Mapping[str, Any], key: str) -> bool:
    found = body.get(key)
    if isinstance(found, bool):
        return found
    raise BadLine(f"{key} is neither true nor false")


def _milliseconds(body: Mapping[str, Any], key: str) -> float | None:
    found = _number(body, key)
    if found is not None and found > LONGEST_MS:
        raise BadLine(f"{key} is more than a day")
    return found


def _whole(body: Mapping[str, Any], key: str) -> int | None:
    found = _number(body, key)
    if found is None:
        return None
    if found < 0 or found != int(found) or found >= 2**63:
        raise BadLine(f"{key} is not a count")
    return int(found)


def _counts(body: Mapping[str, Any]) -> dict[str, int]:
    found = _object(body, "dropped", optional=True)
    return {str(reason): _whole(found, reason) or 0 for reason in found}
