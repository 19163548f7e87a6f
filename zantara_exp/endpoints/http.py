"""What endpoints over HTTP share: a deadline, a size limit, and typed failures for all that can go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import os
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
from yarl import URL

from zantara_exp import spans
from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.cost.usage import Billed, Usage, so_far, usage_of
from zantara_exp.endpoints.base import Answer, EndpointError, Message, Reason, Reply
from zantara_exp.endpoints.connections import Connections, certificates, proxy_of
from zantara_exp.endpoints.streaming import Hearer, Pieces
from zantara_exp.traffic.answers import broken_off

_BY_STATUS = {
    400: Reason.BAD_REQUEST,
    401: Reason.UNAUTHORIZED,
    403: Reason.UNAUTHORIZED,
    404: Reason.BAD_REQUEST,
    408: Reason.TIMEOUT,
    413: Reason.BAD_REQUEST,
    422: Reason.BAD_REQUEST,
    429: Reason.RATE_LIMITED,
    503: Reason.OVERLOADED,
    504: Reason.TIMEOUT,
    529: Reason.OVERLOADED,  # Anthropic's overloaded_error
}

_PROVIDERS = {"azure": "azure.ai.openai", "bedrock": "aws.bedrock"}
"""What OpenTelemetry calls those kinds that it calls otherwise."""
_TOOLS = ("tool_calls", "function_call", "tool_use")
"""How an answer ends that goes on with a call of a tool."""
_END_SECONDS = 0.25
"""How long the end of a stream is waited for after its last event."""


def key_from_environment(variable: str | None) -> str | None:
    """The key that `variable` holds. Raises MissingRequirementError when it is named but not set."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise MissingRequirementError(
            f"endpoint.api_key_env={variable}: this environment variable is not set", hint=f"export {variable}=..."
        )
    return key


def reason_of(status: int) -> Reason:
    """What a status other than 200 says."""
    return _BY_STATUS.get(status, Reason.SERVER_ERROR if status >= 500 else Reason.BAD_ANSWER)


def retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date; None when there is none or it is garbled."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def parsed(body: bytes) -> dict[str, Any]:
    """A JSON object. Raises EndpointError for an empty, cut or foreign body."""
    if not body.strip():
        raise EndpointError(Reason.EMPTY_ANSWER, "the body is empty")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise EndpointError(Reason.BAD_ANSWER, "the body is not JSON, or was cut") from error
    if not isinstance(found, dict):
        raise EndpointError(Reason.BAD_ANSWER, f"the body is a JSON {type(found).__name__}, not an object")
    return found


def record(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The JSON object under `name`; an empty one where there is none."""
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def parts(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The JSON objects in the list under `name`."""
    found = body.get(name)
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []


def text_of(part: Mapping[str, Any]) -> str:
    """The text of a content block, where it has one."""
    found = part.get("text")
    return found if isinstance(found, str) else ""


def set_fields(**fields: Any) -> dict[str, Any]:
    """Those that are set: a model that does not know a setting refuses the whole request."""
    return {name: value for name, value in fields.items() if value is not None}


class HttpEndpoint(ABC):
    """One chat endpoint over HTTP; a subclass says what to send and how to read the answer."""

    answer_schema: Mapping[str, Any] | None = None
    """A JSON Schema that answers are to keep to, where the API has that; what has not, leaves it out."""

    def __init__(self, config: EndpointConfig, base_url: str, model: str, headers: Mapping[str, str]) -> None:
        self.provider = config.name
        self.model = model
        self._config = config
        self._base = str(URL(base_url.rstrip("/")))
        self._elsewhere = not self._base.startswith("http://127.0.0.1")  # no proxy between us and our own server
        self._headers = {"accept-encoding": "identity", "user-agent": "zantara-exp", **headers}
        self._connections: Connections | None = None
        if self._elsewhere:
            proxy_of(self._base)  # at the start, and not when the first user waits
        at = URL(self._base)
        provider = _PROVIDERS.get(config.kind, config.kind)
        self._called = spans.Called(provider, model, at.host or "", at.port or 0, config.stream)

    @abstractmethod
    async def _ask(self, messages: Sequence[Message], pieces: Pieces) -> Reply:
        """Call the server; `pieces` takes what comes piece by piece. Raises EndpointError or aiohttp's errors."""

    async def chat(self, messages: Sequence[Message], hearer: Hearer | None = None) -> Answer:
        """Answer the chat, or say why not, within the endpoint's timeout; a stream is handed out as it comes."""
        with spans.call(self._called) as call:
            answer = await self._answer(messages, hearer)
            if call is not None:
                call.end(_as_seen(answer))
            return answer

    async def _answer(self, messages: Sequence[Message], hearer: Hearer | None) -> Answer:
        started = time.perf_counter()
        pieces: Pieces | None = None
        reply: Reply | None = None
        try:
            async with asyncio.timeout(self._config.timeout_seconds) as deadline:
                pieces = Pieces(self.model, hearer, deadline)
                reply = await self._ask(messages, pieces)
            if broken_off(reply.finish_reason) or reply.finish_reason in _TOOLS:  # nobody offered it any
                raise EndpointError(Reason.CUT, f"finish_reason {reply.finish_reason}", seconds=reply.seconds)
            if not reply.text.strip():
                raise EndpointError(Reason.EMPTY_ANSWER, "the answer has no text", seconds=reply.seconds)
        except (EndpointError, aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            return replace(self._failure(error, started), usage=_taken(messages, pieces, reply))
        first = reply.first_token_at
        return Answer(
            text=reply.text,
            model=reply.model or self.model,
            provider=self.provider,
            latency_ms=_milliseconds(started),
            usage=reply.usage,
            billed=Billed(seconds=reply.seconds),
            ttft_ms=None if first is None else (first - started) * 1000,
            finish_reason=reply.finish_reason,
        )

    def _failure(self, error: Exception, started: float) -> Answer:
        failed = error if isinstance(error, EndpointError) else self._typed(error)
        return Answer(
            text="",
            model=self.model,
            provider=self.provider,
            latency_ms=_milliseconds(started),
            error=failed.reason,
            detail=failed.detail[:200],
            retry_after_s=failed.retry_after_s,
            billed=Billed(seconds=failed.seconds),
        )

    def _typed(self, error: Exception) -> EndpointError:
        if isinstance(error, TimeoutError):
            return EndpointError(Reason.TIMEOUT, f"no whole answer within {self._config.timeout_seconds:g} s")
        if isinstance(error, aiohttp.ClientConnectorError):
            return EndpointError(Reason.REFUSED, "no connection")
        return EndpointError(Reason.BAD_ANSWER, f"the connection broke: {type(error).__name__}")

    @asynccontextmanager
    async def _sent(self, path: str, body: Mapping[str, Any] | None) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response whose status is good and whose body is still to be read; GET where there is no body to send."""
        response = await self._request("GET" if body is None else "POST", path, body)
        try:
            spans.note_status(response.status)
            if response.status != 200:
                raise await self._bad_status(response)
            coding = response.headers.get("content-encoding", "")
            if coding.lower() not in ("", "identity"):  # a thousand bytes of it may hold more than memory does
                raise EndpointError(Reason.BAD_ANSWER, f"content-encoding {coding[:40]}, which nobody asked for")
            yield response
        finally:
            response.release()  # keeps the connection where the body was read to its end, and closes it otherwise

    async def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None, seconds: float | None = None
    ) -> aiohttp.ClientResponse:
        """The head of the answer, within `seconds` where they are given; `release` it. Raises aiohttp's errors."""
        if self._connections is None:  # they belong to the event loop that runs now
            self._connections = self._connect()
        url, data = URL(f"{self._base}/{path}", encoded=True), None if body is None else orjson.dumps(body)
        headers = {**self._headers, **spans.call_headers()}
        if data is not None:
            headers["content-type"] = "application/json"
        headers |= self._signature(method, url, headers, data or b"")
        limit = aiohttp.ClientTimeout(total=seconds, sock_connect=self._config.timeout_seconds)
        try:
            return await self._connections.ask(method, url, headers=headers, data=data, timeout=limit)
        except ValueError as error:  # a header or an address that cannot be sent
            raise EndpointError(Reason.OTHER, type(error).__name__) from error

    def _connect(self) -> Connections:
        return Connections(
            self._config.concurrency,
            certificates(None) if self._base.startswith("https:") else True,
            proxies=self._elsewhere,
        )

    def _signature(self, method: str, url: URL, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """Headers that depend on the whole of a request."""
        return {}

    async def _bad_status(self, response: aiohttp.ClientResponse) -> EndpointError:
        status = response.status
        return EndpointError(reason_of(status), f"HTTP {status}", retry_after(response.headers.get("retry-after")))

    async def _limited(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """The body's chunks. Raises EndpointError past the size limit."""
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > self._config.max_answer_bytes:
                raise EndpointError(Reason.TOO_LARGE, f"more than {self._config.max_answer_bytes} bytes")
            yield chunk

    async def _json(self, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        """The JSON object that the server answers to `body`."""
        async with self._sent(path, body) as response:
            return parsed(b"".join([chunk async for chunk in self._limited(response)]))

    async def _events(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """The JSON objects of a stream of server-sent events, up to `[DONE]` or the end of the stream."""
        async with self._sent(path, body) as response:
            chunks = self._limited(response)
            async for data in _server_sent(chunks):
                if data.strip() == b"[DONE]":
                    await _end(chunks)
                    return
                yield parsed(data)

    async def close(self) -> None:
        """Close the connections."""
        if self._connections is not None:
            await self._connections.close()


def _taken(messages: Sequence[Message], pieces: Pieces | None, reply: Reply | None) -> Usage:
    """What a failure took, where somebody heard its answer begin; of any other nothing is known."""
    if pieces is None or not pieces.heard:
        return Usage()
    if reply is not None:
        return reply.usage
    return so_far(usage_of(pieces.counted), (message["content"] for message in messages), pieces.text)


def _as_seen(answer: Answer) -> spans.Ended:
    first = None if answer.ttft_ms is None else answer.ttft_ms / 1000
    return spans.Ended(answer.error and answer.error.value, answer.model, answer.usage, answer.finish_reason, first)


def _milliseconds(started: float) -> float:
    return (time.perf_counter() - started) * 1000


async def _end(chunks: AsyncIterator[bytes]) -> None:
    """Read to the end, which follows at once: a connection that is left before it serves no other call."""
    with contextlib.suppress(EndpointError, aiohttp.ClientError, OSError):  # the answer is whole, whatever comes now
        async with asyncio.timeout(_END_SECONDS):
            async for _ in chunks:
                pass


async def _server_sent(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of each event of https://html.spec.whatwg.org/multipage/server-sent-events.html ."""
    rest, data = b"", []
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            line = line.rstrip(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line:
                if any(data):  # an event without data is none, such as one that keeps the connection alive
                    yield b"\n".join(data)
                data = []
    if rest.startswith(b"data:"):
        data.append(rest[5:].strip())
    if data:
        yield b"\n".join(data)
