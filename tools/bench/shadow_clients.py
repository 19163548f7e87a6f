"""HTTP clients for `scripts/bench shadow`: as little work for each byte as can be, since they share the machine."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

T = TypeVar("T")
_HEAD_END = b"\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
STREAMS_START_SECONDS = 4.0
"""In which streams that are to run at once are started; each takes six seconds."""


@dataclass
class Load:
    """What came of it."""

    latency_ms: list[float] = field(default_factory=list)
    """Until the first byte of the body, of those whom the primary answered."""
    moved_ms: list[float] = field(default_factory=list)
    """The same, of those whom the candidate answered."""
    failed: int = 0


class _Protocol(asyncio.Protocol):
    """One kept connection. `answered` resolves with the moment of the body's first byte once the answer is whole."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answered: asyncio.Future[float] | None = None
        self.lost = asyncio.Event()
        self._expect()

    def _expect(self) -> None:
        self._head = b""
        self._tail = b""
        self._left = 0
        self._chunked = False
        self._first = 0.0
        self.moved = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only

    def ask(self, request: bytes) -> asyncio.Future[float]:
        assert self.transport is not None  # noqa: S101  connected
        self._expect()
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.answered

    def data_received(self, data: bytes) -> None:
        if self._first:
            self._body(data)
            return
        self._head += data
        end = self._head.find(_HEAD_END)
        if end < 0:
            return
        head, body = self._head[:end].lower(), self._head[end + 4 :]
        if not head.startswith(b"http/1.1 200"):
            self._end(OSError(head[:40].decode()))
            return
        self.moved = b"x-zantara-answered-by" in head
        self._chunked = b"transfer-encoding: chunked" in head
        if not self._chunked:
            self._left = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if body:
            self._body(body)

    def _body(self, data: bytes) -> None:
        self._first = self._first or time.perf_counter()
        if self._chunked:
            self._tail = (self._tail + data)[-5:]
            over = self._tail == _LAST_CHUNK
        else:
            self._left -= len(data)
            over = self._left <= 0
        if over:
            self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        self._end(exc or OSError("closed"))

    def _end(self, error: Exception | None) -> None:
        if self.answered is None or self.answered.done():
            return
        if error is None:
            self.answered.set_result(self._first)
        else:
            self.answered.set_exception(error)


class Connection:
    """Asks one request after the other; connects with the first."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._protocol: _Protocol | None = None

    async def ask(self, request: bytes) -> float:
        """Seconds until the first byte of the answer's body; returns when all of it is read. Raises OSError."""
        began = time.perf_counter()
        if self._protocol is None:
            loop = asyncio.get_running_loop()
            _, self._protocol = await loop.create_connection(_Protocol, "127.0.0.1", self._port)
        return await self._protocol.ask(request) - began

    @property
    def moved(self) -> bool:
        """Whether the last answer was the candidate's."""
        return self._protocol is not None and self._protocol.moved

    async def close(self) -> None:
        """Close it."""
        if self._protocol is not None and self._protocol.transport is not None:
            self._protocol.transport.close()
            await self._protocol.lost.wait()


def chat_request(user: int, stream: bool = False) -> bytes:
    """A request as a product sends it."""
    body = b'{"model":"claude-haiku-4-5","max_tokens":500,"messages":[{"role":"user","content":"Ciao, come stai?"}]'
    body += b',"stream":true}' if stream else b"}"
    head = f"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\nx-zantara-user: u{user}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def flat_out(port: int, connections: int, seconds: float) -> tuple[float, int]:
    """As fast as `connections` at once go; requests a second, and how many failed."""
    done = failed = 0
    until = time.perf_counter() + seconds

    async def work(number: int) -> None:
        nonlocal done, failed
        connection, request = Connection(port), chat_request(number)
        while time.perf_counter() < until:
            try:
                await connection.ask(request)
                done += 1
            except OSError:
                failed += 1
                await connection.close()
                connection = Connection(port)
        await connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(work(number) for number in range(connections)))
    return done / (time.perf_counter() - began), failed


async def steady(port: int, per_second: float, seconds: float) -> Load:
    """Requests that start at even times, whether those before are over or not."""
    free: list[Connection] = []
    load = Load()
    began = time.perf_counter()

    async def request(number: int) -> None:
        await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
        connection = free.pop() if free else Connection(port)
        try:
            took_ms = await connection.ask(chat_request(number)) * 1000
            (load.moved_ms if connection.moved else load.latency_ms).append(took_ms)
            free.append(connection)
        except OSError:
            load.failed += 1
            await connection.close()

    await asyncio.gather(*(request(number) for number in range(int(per_second * seconds))))
    for connection in free:
        await connection.close()
    return load


async def streams(port: int, at_once: int) -> Load:
    """Streams that run at once; latency until the first token."""
    load = Load()

    async def one(number: int) -> None:
        await asyncio.sleep(number / at_once * STREAMS_START_SECONDS)
        connection = Connection(port)
        try:
            load.latency_ms.append(await connection.ask(chat_request(number, stream=True)) * 1000)
        except OSError:
            load.failed += 1
        finally:
            await connection.close()

    await asyncio.gather(*(one(number) for number in range(at_once)))
    return load


def timed(work: Coroutine[Any, Any, T]) -> T:
    """Run a load without pauses of the garbage collector, which would be taken for latency; on uvloop, if installed."""
    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=_loops()) as runner:
            return runner.run(work)
    finally:
        gc.enable()


def _loops() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
