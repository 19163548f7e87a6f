"""One line of the comparison log (docs/analysis.md), typed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from zantara_exp.cost.usage import Billed, Usage

SCHEMA_VERSION = 3
UNVERSIONED = "unversioned"
CANDIDATE = "candidate"
AA = "aa"
"""The arm in which the primary answers instead of the candidate."""
MOVED = "moved"
"""The arm of a rollout's requests: the candidate answered the user, and the primary was asked afterwards."""
BY_HASH = "user_hash"
"""`sampling.reason` of a request that was chosen by its user's `user_percentile`."""
REKEYED = "rekeyed"
"""The same, but `stage=rekey` has replaced the user's hash since."""
ONLY_PRIMARY = "primary"
"""The arm of sampled requests that only the primary answered: counted, without texts."""
REPLAY = "replay"
"""`sampling.reason` of a request that comes from recorded conversations, and the provider of a recorded answer."""
BUDGET = "budget"
"""Why a request was dropped: the day's money (`shadow.max_usd_per_day`) was spent."""
LONGEST_MS = 24 * 3600 * 1000.0
"""A day. A line with a longer time is not believed."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one model answered. `error` is None exactly when `response` is a usable answer."""

    response: str = ""
    model: str | None = None
    provider: str | None = None
    usage: Usage = Usage()
    latency_ms: float | None = None
    ttft_ms: float | None = None
    finish_reason: str | None = None
    error: str | None = None
    detail: str | None = None
    billed: Billed = Billed()
    waited_ms: float | None = None
    """Time before the call, waiting for a free place (`endpoint.concurrency`), as a user would wait."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What put the request into the sample."""

    percent: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Whether the rollout would send the request to the candidate (`zantara_exp.traffic.movable`); None: not known."""

    movable: bool | None = None
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One request answered by both models, or by the primary alone (`ONLY_PRIMARY`)."""

    comparison_id: str
    request_id: str
    conversation_id: str | None
    epoch: str
    arm: str
    timestamp: datetime
    """With a zone, UTC."""
    messages: Sequence[Mapping[str, str]]
    user: str
    query: str
    category: str | None
    language: str | None
    primary: Side
    candidate: Side
    attempt: int = 1
    """The number of the client's last attempt; earlier attempts are no requests of their own."""
    trace_id: str | None = None
    """The id of the request's W3C trace: 32 hexadecimal digits."""
    sampling: Sampling = Sampling()
    scope: Scope = Scope()
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Sampled requests that the writing process lost since its previous line, by reason."""
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Drops:
    """Lost sampled requests, if no comparison followed that could report them."""

    epoch: str
    timestamp: datetime
    dropped: Mapping[str, int]
    schema_version: int = SCHEMA_VERSION


def comparison_id(request_id: str, epoch: str, arm: str) -> str:
    """An id by request, epoch and arm: a rerun gives the same id, so nothing counts twice."""
    return hashlib.sha256(f"{request_id}\n{epoch}\n{arm}".encode()).hexdigest()[:32]


def to_line(item: Comparison | Drops) -> bytes:
    """The item as one line of JSON, newline included."""
    kind = "comparison" if isinstance(item, Comparison) else "drops"
    fields = {name: getattr(item, name) for name in item.__dataclass_fields__ if name != "schema_version"}
    fields = {("candidate_id" if name == "epoch" else name): value for name, value in fields.items()}
    fields["timestamp"] = item.timestamp.astimezone(UTC)
    if isinstance(item, Comparison):
        fields |= {"primary": _side(item.primary), "candidate": _side(item.candidate)}
    head = {"schema_version": item.schema_version, "record": kind}
    return orjson.dumps(head | fields, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


def _side(side: Side) -> dict[str, object]:
    """One side as JSON; it repeats tokens and cost under the names of version 2, for its readers."""
    usage, billed = side.usage, side.billed
    return {
        "response": side.response,
        "model": side.model,
        "provider": side.provider,
        "tokens_input": usage.read,
        "tokens_output": usage.output,
        "usage": usage,
        "latency_ms": side.latency_ms,
        "waited_ms": side.waited_ms,
        "ttft_ms": side.ttft_ms,
        "finish_reason": side.finish_reason,
        "error": side.error,
        "detail": side.detail,
        "cost_usd": billed.usd,
        "cost_basis": billed.basis,
        "billed": billed,
    }
