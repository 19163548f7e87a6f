"""One HTTP request on its way through the gateway: its state, and the headers that are passed on."""

from __future__ import annotations

import time
import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from multidict import CIMultiDict

from zantara_exp.gateway.dialects import NotText, Said
from zantara_exp.shadow.mirror import ChatRequest

if TYPE_CHECKING:
    from zantara_exp.gateway.dialects import Dialect
    from zantara_exp.gateway.routes import Route
    from zantara_exp.gateway.routing import Turn
    from zantara_exp.gateway.spans import RequestSpans
    from zantara_exp.gateway.time_to_first_text import FirstText

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

CLIENT_GONE = 499
"""The status in counts and logs of a request whose client left."""
_CONNECTION = {
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
}  # fmt: skip
_WHOLE_SECONDS = b"x-stainless-timeout"
_OURS = b"x-zantara-budget"
_WAITS = (_OURS, b"x-stainless-read-timeout", _WHOLE_SECONDS)
"""Headers that say how long a client waits, in seconds: our own, and those of the official clients for Python and for
TypeScript. The last one is rounded down to whole seconds."""
_LESS_THAN_A_SECOND = 0.5
_NOT_SENT = {b"host", b"content-length", b"expect", b"accept-encoding"}
_KINDS = {
    401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large",
    504: "timeout_error",
}  # fmt: skip
_READABLE = ("gzip", "deflate", "identity")


class Refused(Exception):
    """A request that the gateway itself answers, with a status and a reason."""

    def __init__(self, status: int, reason: str, why: str = "") -> None:
        """`why`: the reason in the metrics, if the request was not forwarded."""
        super().__init__(reason)
        self.status, self.reason, self.why = status, reason, why


class Outcome(NamedTuple):
    """How the primary's part of an exchange ended: exactly one is set."""

    said: Said | None = None
    error: str | None = None
    """A failure of the primary, as in the comparison log."""
    lost: str | None = None
    """Why the answer could not be parsed: too large, or unreadable."""
    refused: bool = False
    """The primary refused the request (4xx): no model could have answered it."""


@dataclass(slots=True, eq=False)
class Exchange:
    """One request on its way. Times are on the clock of time.perf_counter."""

    path: str
    headers: list[tuple[bytes, bytes]]
    began: float = field(default_factory=time.perf_counter)
    route: Route | None = None
    """The provider it belongs to; None before that is known, or if it belongs to none."""
    refused: str = ""
    """Why it was not forwarded, as the metrics name it."""
    came: float = 0.0
    """When the first attempt at this request began; 0 if this is the first."""
    attempt: int = 1
    last: bool = False
    """Whether the primary told the client not to try again (x-should-retry)."""
    retried_as: bytes | None = None
    """The key that all attempts at this request share; None if the client does not mark its attempts."""
    asked: float = 0.0
    """When the primary was asked; 0 if it was not."""
    listening_since: float = 0.0
    """Since when we wait for the primary; 0 while we do not."""
    unreached: str = ""
    """Why the primary could not be reached: one of the comparison log's reasons."""
    stopped: bool = False
    """Whether the gateway shut down before the exchange was over."""
    silent: bool = False
    """Whether we gave the primary up because it sent nothing for too long."""
    first_byte_at: float | None = None
    """When the first byte of the answer's body was passed on."""
    first_text: FirstText | None = None
    """Finds the first text in the primary's stream; None if the answer is no stream."""
    first_token_ms: float | None = None
    """From asking the primary to the first text in its stream."""
    status: int = 0
    bytes_out: int = 0
    streamed: bool = False
    coding: str = ""
    held: bool = False
    """Whether the answer is held back until it is whole, for an HTTP/1.0 client."""
    finished: bool = False
    """Whether the client has got the end of the answer."""
    ended: float = 0.0
    """When the answer, or the failed attempt, was over."""
    chat: ChatRequest | None = None
    """The chat, if the request is in the mirror's sample."""
    turn: Turn | None = None
    """Its arm in the rollout, if it is in one."""
    answer: bytearray | None = None
    """The primary's answer so far, if we need to parse it."""
    outcome: Outcome | None = None
    """How the primary's part ended; None until it was worked out."""
    spans: RequestSpans | None = None
    """Its OpenTelemetry spans, if they are on."""

    def header(self, name: bytes) -> str | None:
        """A header's value."""
        return next((header_text(value) for found, value in self.headers if found == name), None)

    @property
    def traceparent(self) -> str | None:
        """The W3C `traceparent` it belongs to: our span's, or the client's."""
        return self.header(b"traceparent") if self.spans is None else self.spans.traceparent

    @property
    def dialect(self) -> Dialect | None:
        """The API it speaks; None if it is no chat."""
        return None if self.route is None else self.route.dialect

    @property
    def broken(self) -> bool:
        """Whether the candidate broke off after the user had seen a part of its answer."""
        return self.turn is not None and self.turn.broken

    @property
    def waited_since(self) -> float:
        """When the user began to wait."""
        return self.came or self.began

    def patience(self) -> float | None:
        """Seconds that the candidate may take: half of what the client says it waits; None if it does not say."""
        for name in _WAITS:
            try:
                seconds = float(self.header(name) or "nan")
            except ValueError:
                continue
            if name == _WHOLE_SECONDS and seconds == 0:
                seconds = _LESS_THAN_A_SECOND
            if seconds > 0 or (seconds == 0 and name == _OURS):
                return seconds / 2
        return None


def header_text(value: bytes) -> str:
    """A header's value, read as UTF-8 (users' names are UTF-8 in bodies and databases) or else as Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


async def refuse(exchange: Exchange, refused: Refused, send: Send) -> None:
    """Answer with an error, in a shape that the clients of both APIs understand."""
    exchange.status, exchange.finished, exchange.refused = refused.status, True, refused.why
    if refused.status == CLIENT_GONE:
        return
    kind = _KINDS.get(refused.status, "api_error" if refused.status >= 500 else "invalid_request_error")
    body = orjson.dumps({"type": "error", "error": {"type": kind, "message": f"zantara gateway: {refused.reason}"}})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def of_connection(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """Headers of one connection, not passed on: HTTP's own, and those that `Connection` names (RFC 9110, 7.6.1)."""
    named = {
        each.strip().lower() for name, value in headers if name.lower() == b"connection" for each in value.split(b",")
    }
    return _CONNECTION | named


def request_headers(headers: list[tuple[bytes, bytes]]) -> CIMultiDict[str]:
    """The headers that go to the primary; they are sent as UTF-8."""
    passed: CIMultiDict[str] = CIMultiDict()
    ending = of_connection(headers)
    for name, value in headers:
        if name == b"accept-encoding":
            codings = [each.strip() for each in value.decode("latin-1").split(",")]
            readable = [each for each in codings if each.partition(";")[0].strip() in _READABLE]
            passed.add("accept-encoding", ", ".join(readable) or "identity")
        elif name not in _NOT_SENT and name not in ending and not name.startswith(b"x-zantara-"):
            passed.add(name.decode("latin-1"), header_text(value))
    return passed


def decoded(exchange: Exchange, limit: int) -> bytes:
    """The answer without its content coding, its first `limit` bytes. Raises NotText."""
    body = bytes(exchange.answer or b"")
    if exchange.coding == "identity":
        return body
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, limit)
    except zlib.error as error:
        raise NotText("unreadable") from error
