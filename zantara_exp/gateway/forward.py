"""Forwards one HTTP request to the primary and its answer back, byte for byte, or lets the candidate answer.

Only headers are changed: those of one connection, our own `x-zantara-*`, codings in accept-encoding that we cannot read
(gzip and deflate stay), and `traceparent` if spans are on. Nothing is retried, since that is the app's decision, with
one exception: a kept connection that the primary had closed meanwhile. A body that is too large to be held is passed on
as it comes, and is not mirrored.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from typing import TYPE_CHECKING, Any

import aiohttp

from zantara_exp.config.gateway import LIVE, Gateway
from zantara_exp.endpoints.base import Reason
from zantara_exp.endpoints.connections import Connections
from zantara_exp.gateway.access import AccessLog
from zantara_exp.gateway.bodies import Body, at_once, next_event, rest_of
from zantara_exp.gateway.dialects import DIALECTS
from zantara_exp.gateway.exchange import (
    CLIENT_GONE,
    Event,
    Exchange,
    Receive,
    Refused,
    Send,
    of_connection,
    refuse,
    request_headers,
)
from zantara_exp.gateway.metrics import Metrics
from zantara_exp.gateway.reply import Reply
from zantara_exp.gateway.routes import Route, Routes
from zantara_exp.gateway.routing import Routing
from zantara_exp.gateway.seen_exchange import Sight
from zantara_exp.gateway.target import target_of
from zantara_exp.gateway.time_to_first_text import FirstText
from zantara_exp.rollout.served import CANDIDATE
from zantara_exp.traffic.not_mirrored import TOO_LARGE

if TYPE_CHECKING:
    import ssl

    from zantara_exp.spans.sdk import Spans

_HEADER_BYTES = 64 * 1024
"""The longest header of the primary's that is passed on; a longer one fails the request."""

_WORD = re.compile(r"[A-Za-z_]{0,20}|v\d[a-z0-9]{0,8}")
_STREAMS = tuple({each.stream_type.decode() for each in DIALECTS})


class Forwarder:
    """The ASGI application for every path that is no page of the gateway itself."""

    def __init__(
        self,
        config: Gateway,
        routes: Routes,
        trusted: ssl.SSLContext,
        sight: Sight,
        routing: Routing,
        metrics: Metrics,
        access: AccessLog,
        token: str | None = None,
        spans: Spans | None = None,
    ) -> None:
        self._config, self._sight, self._routing = config, sight, routing
        self._metrics, self._access = metrics, access
        self._routes, self._certificates = routes, trusted
        self._token = None if token is None else token.encode()
        self._spans = spans
        self._connections: Connections | None = None
        self._under_way: dict[Exchange, asyncio.Task[Any]] = {}
        self._patience: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the pool of connections; call it in the event loop."""
        self._patience = asyncio.create_task(self._end_silences())
        self._connections = Connections(
            0,
            self._certificates,
            proxies=True,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._config.connect_seconds),
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
            skip_auto_headers=["User-Agent", "Content-Type", "Accept", "Accept-Encoding"],
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._patience is not None:
            self._patience.cancel()
        if self._connections is not None:
            await self._connections.close()

    async def _end_silences(self) -> None:
        """Give up primaries that have been silent for too long, by looking at all exchanges now and then.

        A timer of aiohttp for each piece of a stream would take an eighth of the time that a piece takes in all.
        """
        limit = self._config.timeout_seconds
        while True:
            await asyncio.sleep(min(1.0, limit / 10))
            now = time.perf_counter()
            for exchange, task in list(self._under_way.items()):
                if exchange.listening_since and now - exchange.listening_since > limit:
                    exchange.silent = True
                    task.cancel()

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope["path"], scope["headers"])
        if self._spans is not None:
            from zantara_exp.gateway.spans import RequestSpans

            exchange.spans = RequestSpans(self._spans, exchange, scope)
        self._metrics.in_flight += 1
        watching: asyncio.Task[None] | None = None
        try:
            self._check_token(exchange)
            exchange.route = self._routes.find(exchange.path, exchange.headers, scope["query_string"])
            body, more = await self._body(receive)
            read = asyncio.Event()
            watching = asyncio.create_task(_watch(exchange, receive, asyncio.current_task(), read))
            if len(body) > self._config.max_body_bytes:
                self._metrics.unmirrored[TOO_LARGE] += 1
                await self._forward(exchange, exchange.route, scope, rest_of(body, more, receive, read), send)
                return
            read.set()
            self._sight.request(exchange, scope["method"], body)
            if exchange.spans is not None:
                exchange.spans.read(exchange, body)
            if not await self._answered_by_candidate(exchange, scope, send):
                await self._forward(exchange, exchange.route, scope, body, send)
        except Refused as refused:
            await refuse(exchange, refused, send)
        except (aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error.__cause__, Refused):  # the client left while its body was being passed on
                await refuse(exchange, error.__cause__, send)
            else:
                await self._failed(exchange, error, send)
        except asyncio.CancelledError:
            await self._given_up(exchange, send)
        finally:
            self._under_way.pop(exchange, None)
            if watching is not None:
                watching.cancel()
            self._done(exchange, scope["method"])

    def _check_token(self, exchange: Exchange) -> None:
        if self._token is None:
            return
        given = (exchange.header(b"x-zantara-token") or "").encode()
        if not hmac.compare_digest(given, self._token):
            raise Refused(401, "the gateway's own token is missing or wrong: send it as X-Zantara-Token")

    async def _body(self, receive: Receive) -> tuple[bytes, bool]:
        """The request's body, and whether there is more of it than we may hold."""
        chunks, size, more = [], 0, True
        while more and size <= self._config.max_body_bytes:
            event = await next_event(receive)
            chunks.append(event.get("body", b""))
            size += len(chunks[-1])
            more = event.get("more_body", False)
        return b"".join(chunks), more

    async def _answered_by_candidate(self, exchange: Exchange, scope: Event, send: Send) -> bool:
        """Let the candidate answer, if the user is moved to it; False: the primary has to answer now."""
        turn, dialect = exchange.turn, exchange.dialect
        if turn is None or dialect is None or turn.arm != CANDIDATE:
            return False
        reply = Reply(exchange, turn, dialect, send)
        live = self._config.stream == LIVE and turn.chat.stream and scope["http_version"] != "1.0"
        return await reply.end(await self._routing.ask(exchange, turn, reply.take if live else None))

    async def _forward(self, exchange: Exchange, route: Route, scope: Event, body: Body, send: Send) -> None:
        assert self._connections is not None  # noqa: S101  opened at start-up
        exchange.asked = exchange.listening_since = time.perf_counter()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  uvicorn runs each request in one
        self._under_way[exchange] = task
        whole = isinstance(body, bytes)
        headers = request_headers(exchange.headers)
        if not whole and (length := exchange.header(b"content-length")):
            headers["content-length"] = length
        address = self._routes.address(route, target_of(scope))
        if exchange.spans is not None:
            exchange.spans.ask(exchange, route, address, headers)
        response = await self._connections.ask(
            scope["method"], address, again=whole, headers=headers, data=body or None
        )
        if scope["http_version"] == "1.0" and "content-length" not in response.headers and scope["method"] != "HEAD":
            send, exchange.held = at_once(send), True
        async with response:
            answered, exchange.listening_since = time.perf_counter(), 0.0
            exchange.status = response.status
            if exchange.spans is not None:
                exchange.spans.answered(response.status)
            exchange.streamed = response.headers.get("content-type", "").startswith(_STREAMS)
            exchange.last = response.headers.get("x-should-retry", "").lower() == "false"
            exchange.coding = response.headers.get("content-encoding", "identity")
            if exchange.streamed and exchange.dialect is not None:
                exchange.first_text = FirstText(exchange.dialect, exchange.coding)
            ending = of_connection(response.raw_headers)
            passed = [(name.lower(), value) for name, value in response.raw_headers if name.lower() not in ending]
            await send({"type": "http.response.start", "status": response.status, "headers": passed})
            head_seconds = time.perf_counter() - answered
            exchange.listening_since = time.perf_counter()
            while chunk := await response.content.readany():
                came, exchange.listening_since = time.perf_counter(), 0.0  # a slow reader is not the primary's silence
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if exchange.first_byte_at is None:
                    exchange.first_byte_at = time.perf_counter()
                    self._count_added(exchange, head_seconds + exchange.first_byte_at - came)
                exchange.bytes_out += len(chunk)
                self._sight.chunk(exchange, chunk, came)
                exchange.listening_since = time.perf_counter()
            exchange.finished, exchange.held = True, False
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _count_added(self, exchange: Exchange, after_seconds: float) -> None:
        """Count the gateway's own share of the time to the first byte; the candidate's time is counted apart."""
        tried = exchange.turn.answer if exchange.turn is not None else None
        candidate_ms = 0.0 if tried is None else tried.latency_ms
        self._metrics.added.observe(exchange.asked - exchange.began + after_seconds - candidate_ms / 1000)

    async def _given_up(self, exchange: Exchange, send: Send) -> None:
        """End an exchange because the primary was silent, the client left, or the gateway shuts down."""
        if exchange.silent:
            await self._failed(exchange, TimeoutError(), send)
        elif exchange.status != CLIENT_GONE:
            exchange.stopped = True
            if exchange.status == 0:  # a stream that has begun just breaks off
                await refuse(exchange, Refused(503, "the gateway is stopping"), send)

    async def _failed(self, exchange: Exchange, error: Exception, send: Send) -> None:
        """Answer 502 if the primary was not reached; if it broke off, break the client's connection off as well."""
        if exchange.status == 0 or exchange.held:
            slow = isinstance(error, TimeoutError)
            exchange.unreached = _reason(error)
            status, reason = (504, "answered too late") if slow else (502, f"was not reached ({type(error).__name__})")
            await refuse(exchange, Refused(status, f"the primary {reason}"), send)

    def _done(self, exchange: Exchange, method: str) -> None:
        exchange.ended = time.perf_counter()
        took_ms = (exchange.ended - exchange.began) * 1000
        self._metrics.in_flight -= 1
        if exchange.asked and exchange.status != CLIENT_GONE:
            self._metrics.primary.observe(exchange.ended - exchange.asked)
        known = "other" if exchange.dialect is None else exchange.dialect.path
        self._metrics.requests[known, exchange.status] += 1
        if exchange.refused:
            self._metrics.refused[exchange.refused] += 1
        self._sight.over(exchange)
        if exchange.spans is not None:
            exchange.spans.end(exchange, self._sight.outcome(exchange))
        self._access.note(
            {
                "method": method, "path": known, "to": exchange.route and exchange.route.upstream,
                "status": exchange.status, "ms": round(took_ms, 2),
                "bytes_out": exchange.bytes_out, "streamed": exchange.streamed,
                "sampled": exchange.chat is not None, "arm": exchange.turn and exchange.turn.arm,
                "primary_asked": exchange.asked > 0, "whole": exchange.finished and not exchange.broken,
                **({"refused": exchange.refused, "at": _begins(exchange.path)} if exchange.refused else {}),
            }
        )  # fmt: skip


def _reason(error: Exception) -> str:
    """Why the primary gave no answer: one of the reasons that the log has for candidates."""
    if isinstance(error, TimeoutError):
        return Reason.TIMEOUT.value
    refused = isinstance(error, aiohttp.ClientConnectorError)
    return (Reason.REFUSED if refused else Reason.BAD_ANSWER).value


def _begins(path: str) -> str:
    """The first word of an unknown path, for the log. The rest may hold a name or a key, so it is left out."""
    first = path.split("/")[1] if "/" in path else ""
    return f"/{first}" if _WORD.fullmatch(first) else "..."


async def _watch(exchange: Exchange, receive: Receive, serving: asyncio.Task[Any] | None, read: asyncio.Event) -> None:
    """Cancel the primary's answer when the client has left; begins once the request is read."""
    await read.wait()
    while (await receive())["type"] != "http.disconnect":
        pass
    if not exchange.finished and serving is not None:
        exchange.status = CLIENT_GONE
        serving.cancel()
