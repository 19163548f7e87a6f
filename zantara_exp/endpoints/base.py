"""What every endpoint is: something that answers a chat, and says so in one typed answer or one typed failure.

EndpointError   raised inside an endpoint only; `chat` turns it into Answer.error
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypedDict

from zantara_exp.cost.usage import Billed, Usage
from zantara_exp.endpoints.streaming import Hearer


class Message(TypedDict):
    """One turn of a chat."""

    role: str
    content: str


class Reason(StrEnum):
    """Why a call failed; the values stand in the comparison log."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    OVERLOADED = "overloaded"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    BAD_REQUEST = "bad_request"
    SERVER_ERROR = "server_error"
    BAD_ANSWER = "bad_answer"
    CUT = "cut"
    """The server broke the answer off."""
    EMPTY_ANSWER = "empty_answer"
    TOO_LARGE = "too_large"
    BREAKER_OPEN = "breaker_open"
    OTHER = "other"


class EndpointError(Exception):
    """A call failed for `reason`; `detail` is short and holds neither chat content nor keys."""

    def __init__(
        self, reason: Reason, detail: str = "", retry_after_s: float | None = None, seconds: float | None = None
    ) -> None:
        """`seconds`: of a worker that the failure took, where the server says so."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.seconds = seconds


@dataclass(frozen=True)
class Answer:
    """What came back from one call. `error` is None exactly when `text` is a usable answer."""

    text: str
    model: str
    provider: str
    latency_ms: float
    """Until the answer was whole, or until the failure."""
    usage: Usage = Usage()
    """Of a failure only where somebody heard the answer begin: an estimate of what it took by then."""
    ttft_ms: float | None = None
    """Until the first token, where the answer was streamed."""
    finish_reason: str | None = None
    """Why the model stopped: `stop` or `length`, as the server says."""
    billed: Billed = Billed()
    error: Reason | None = None
    detail: str | None = None
    retry_after_s: float | None = None
    """Seconds the server asks to be left alone for, with a rate limit or overload."""


@dataclass(frozen=True)
class Reply:
    """The content of a good answer, before it is timed and named."""

    text: str
    usage: Usage = Usage()
    finish_reason: str | None = None
    first_token_at: float | None = None
    """On the clock of time.perf_counter, in seconds."""
    model: str | None = None
    """The model as the server names it, where that differs from the one asked for."""
    seconds: float | None = None
    """Of a worker, where the server says what is billed."""


class Endpoint(Protocol):
    """A chat client. `chat` never raises for what the other side does."""

    provider: str
    model: str

    async def chat(self, messages: Sequence[Message], hearer: Hearer | None = None) -> Answer:
        """Answer the chat, or say why not, within the endpoint's timeout; a stream is handed out as it comes."""

    async def close(self) -> None:
        """Close the connections."""
