"""Forwards one HTTP request to the primary and its answer back, byte for byte, and shows the pair to the mirror.

What is changed on the way: headers that belong to one connection, our own `x-zantara-*`, and codings in
accept-encoding that could not be read along (gzip and deflate stay). Nothing is retried: that is the app's to decide.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from typing import Any

import aiohttp
from yarl import URL

from zantara_exp.config.gateway import Gateway
from zantara_exp.shadow.gateway_dialects import COMPLETIONS, MESSAGES, NotText, read_answer, read_chat
from zantara_exp.shadow.gateway_exchange import (
    CLIENT_GONE,
    CONNECTION,
    Event,
    Exchange,
    Receive,
    Refused,
    Send,
    decoded,
    refuse,
    request_headers,
)
from zantara_exp.shadow.gateway_metrics import AccessLog, Metrics
from zantara_exp.shadow.mirror import ChatRequest, PrimaryAnswer, ShadowMirror

_PRIMARY_FAILED = {429: "rate_limited", 503: "overloaded", 529: "overloaded", 408: "timeout", 504: "timeout"}


class Forwarder:
    """The ASGI application below /v1/."""

    def __init__(
        self, config: Gateway, mirror: ShadowMirror, metrics: Metrics, access: AccessLog, token: str | None = None
    ) -> None:
        self._config, self._mirror, self._metrics, self._access = config, mirror, metrics, access
        self._token = None if token is None else token.encode()
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the connections' pool, inside the event loop."""
        seconds = aiohttp.ClientTimeout(
            total=None, sock_connect=self._config.connect_seconds, sock_read=self._config.timeout_seconds
        )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=seconds,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=["User-Agent", "Content-Type", "Accept", "Accept-Encoding"],
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope["path"], scope["headers"])
        self._metrics.in_flight += 1
        watching: asyncio.Task[None] | None = None
        try:
            self._check_token(exchange)
            body = await self._body(receive)
            self._sample(exchange, scope["method"], body)
            watching = asyncio.create_task(_watch(exchange, receive, asyncio.current_task()))
            await self._forward(exchange, scope, body, send)
        except Refused as refused:
            await refuse(exchange, refused, send)
        except (aiohttp.ClientError, TimeoutError) as error:
            await self._failed(exchange, error, send)
        except asyncio.CancelledError:
            if exchange.status != CLIENT_GONE:
                raise
        finally:
            if watching is not None:
                watching.cancel()
            self._done(exchange, scope["method"])

    def _check_token(self, exchange: Exchange) -> None:
        if self._token is None:
            return
        given = (exchange.header(b"x-zantara-token") or "").encode("latin-1")
        if not hmac.compare_digest(given, self._token):
            raise Refused(401, "the gateway's own token is missing or wrong: send it as X-Zantara-Token")

    async def _body(self, receive: Receive) -> bytes:
        chunks, size, more = [], 0, True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise Refused(CLIENT_GONE, "the client went away")
            chunks.append(event.get("body", b""))
            size += len(chunks[-1])
            if size > self._config.max_body_bytes:
                raise Refused(413, f"the request is larger than gateway.max_body_bytes={self._config.max_body_bytes}")
            more = event.get("more_body", False)
        return b"".join(chunks)

    def _sample(self, exchange: Exchange, method: str, body: bytes) -> None:
        """Keep the chat of a request that is in the sample. Raises nothing that the request's content causes."""
        if method != "POST" or exchange.path not in (MESSAGES, COMPLETIONS) or not self._mirror.enabled:
            return
        user, category = exchange.header(b"x-zantara-user"), exchange.header(b"x-zantara-category")
        if user is not None and not self._mirror.chooses(user, category):
            self._mirror.pass_by()
            return
        try:
            chat = read_chat(exchange.path, body)
        except NotText as why:
            if user is not None:
                self._mirror.lose(str(why))
            else:
                self._metrics.unmirrored[str(why)] += 1
            return
        user = user or chat.user
        if user is None:  # the sample is one of users, and evidence is counted by user
            self._metrics.unmirrored["no_user"] += 1
        elif not self._mirror.chooses(user, category):
            self._mirror.pass_by()
        else:
            exchange.answer = bytearray()
            exchange.chat = ChatRequest(
                chat.message, user, chat.history, None, category, exchange.header(b"x-zantara-language"),
                exchange.header(b"x-zantara-conversation"), exchange.header(b"x-zantara-request"), chat.system,
            )  # fmt: skip

    async def _forward(self, exchange: Exchange, scope: Event, body: bytes, send: Send) -> None:
        assert self._session is not None  # noqa: S101  opened at start-up
        url, headers = self._address(exchange, scope), request_headers(exchange.headers)
        exchange.asked = time.perf_counter()
        async with self._session.request(
            scope["method"], url, headers=headers, data=body or None, allow_redirects=False
        ) as response:
            answered = time.perf_counter()
            exchange.status = response.status
            exchange.streamed = response.headers.get("content-type", "").startswith("text/event-stream")
            exchange.coding = response.headers.get("content-encoding", "identity")
            passed = [(name.lower(), value) for name, value in response.raw_headers if name.lower() not in CONNECTION]
            await send({"type": "http.response.start", "status": response.status, "headers": passed})
            async for chunk in response.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if exchange.first_byte_ms is None:
                    self._first_byte(exchange, answered)
                self._read_along(exchange, chunk)
            exchange.finished = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _address(self, exchange: Exchange, scope: Event) -> URL:
        anthropic = exchange.path.startswith(MESSAGES) or exchange.header(b"anthropic-version") is not None
        base = self._config.anthropic_url if anthropic else self._config.openai_url
        query = scope["query_string"].decode("latin-1")
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.partition(b"?")[0].decode("latin-1")
        return URL(base.rstrip("/") + path + (f"?{query}" if query else ""), encoded=True)

    def _first_byte(self, exchange: Exchange, answered: float) -> None:
        exchange.first_byte_ms = (answered - exchange.asked) * 1000
        self._metrics.added.add((exchange.asked - exchange.began + time.perf_counter() - answered) * 1000)

    def _read_along(self, exchange: Exchange, chunk: bytes) -> None:
        exchange.bytes_out += len(chunk)
        if exchange.answer is None:
            return
        exchange.answer += chunk
        if len(exchange.answer) > self._config.mirrored_bytes:
            exchange.answer = exchange.chat = None
            self._mirror.lose("too_large")

    async def _failed(self, exchange: Exchange, error: Exception, send: Send) -> None:
        """The primary was not reached, or broke off: then the client's connection breaks off as well."""
        if exchange.status == 0:
            slow = isinstance(error, TimeoutError)
            status, reason = (504, "answered too late") if slow else (502, f"was not reached ({type(error).__name__})")
            await refuse(exchange, Refused(status, f"the primary {reason}"), send)

    def _done(self, exchange: Exchange, method: str) -> None:
        took_ms = (time.perf_counter() - exchange.began) * 1000
        self._metrics.in_flight -= 1
        known = exchange.path if exchange.path in (MESSAGES, COMPLETIONS) else "other"
        self._metrics.requests[known, exchange.status] += 1
        sampled = exchange.chat is not None
        if exchange.chat is not None:
            self._show(exchange, exchange.chat)
        self._access.note(
            {
                "method": method, "path": known, "status": exchange.status, "ms": round(took_ms, 2),
                "bytes_out": exchange.bytes_out, "streamed": exchange.streamed, "sampled": sampled,
                "whole": exchange.finished,
            }
        )  # fmt: skip

    def _show(self, exchange: Exchange, chat: ChatRequest) -> None:
        """Give the mirror what it was sampled for, or count why not."""
        latency_ms = (time.perf_counter() - (exchange.asked or exchange.began)) * 1000
        if exchange.status >= 500 or exchange.status in _PRIMARY_FAILED:
            error = _PRIMARY_FAILED.get(exchange.status, "server_error")
            self._mirror.observe(chat, PrimaryAnswer("", None, "gateway", latency_ms=latency_ms, error=error))
        elif exchange.status == CLIENT_GONE or not exchange.finished:
            self._mirror.lose("cut")
        elif exchange.status == 200:
            try:
                said = read_answer(exchange.path, decoded(exchange, self._config.mirrored_bytes), exchange.streamed)
            except NotText as why:
                self._mirror.lose(str(why))
                return
            first = exchange.first_byte_ms if exchange.streamed else None
            provider = "anthropic" if exchange.path == MESSAGES else "openai"
            counts = said.tokens_input, said.tokens_output
            answer = PrimaryAnswer(
                said.text, said.model, provider, *counts, latency_ms, None, first, said.finish_reason
            )
            self._mirror.observe(chat, answer)
        else:  # the primary refused what the app asked: nobody could answer it
            self._metrics.unmirrored["refused"] += 1


async def _watch(exchange: Exchange, receive: Receive, serving: asyncio.Task[Any] | None) -> None:
    """Give the primary's answer up when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    if not exchange.finished and serving is not None:
        exchange.status = CLIENT_GONE
        serving.cancel()
