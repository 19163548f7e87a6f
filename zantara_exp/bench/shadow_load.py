"""Loads for `scripts/bench shadow`: an app's requests in this process, and HTTP requests to a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

PRIMARY_SECONDS = 0.005


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed (nearest rank); nan where there are none."""
    if not values:
        return float("nan")
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]


def _numbers() -> array[float]:
    """Eight bytes each, so that what the bench keeps is not taken for what the mirror does."""
    return array("d")


@dataclass
class AppLoad:
    """What an app measured: each request takes as long as its primary, 5 ms, and the mirror's `observe`."""

    latency_ms: array[float] = field(default_factory=_numbers)
    observe_us: array[float] = field(default_factory=_numbers)
    failed: int = 0


async def at_rate(per_second: float, seconds: float, request: Callable[[int], Awaitable[None]]) -> None:
    """Start requests at their times, whether the ones before are over or not."""
    started, number = time.perf_counter(), 0
    tasks: set[asyncio.Task[None]] = set()
    while (now := time.perf_counter() - started) < seconds:
        while number < now * per_second:
            task: asyncio.Task[None] = asyncio.ensure_future(request(number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.sleep(0.001)
    await asyncio.gather(*tasks)


async def app(per_second: float, seconds: float, observe: Callable[[int], None] | None) -> AppLoad:
    """An app's requests, observed after each answer where `observe` is given."""
    load = AppLoad()

    async def request(number: int) -> None:
        began = time.perf_counter()
        try:
            await asyncio.sleep(PRIMARY_SECONDS)
            answered = time.perf_counter()
            if observe is not None:
                observe(number)
            ended = time.perf_counter()
            load.latency_ms.append((ended - began) * 1000)
            if observe is not None:
                load.observe_us.append((ended - answered) * 1e6)
        except Exception:
            load.failed += 1

    await at_rate(per_second, seconds, request)
    return load


class Connection:
    """One kept connection to a server; asks one request after the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> float:
        """Seconds until the first byte of the answer's body; returns when all of it is read. Raises OSError."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        began = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise OSError(head[:40].decode())
        if b"transfer-encoding: chunked" not in head:
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            return time.perf_counter() - began
        first = 0.0
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
            first = first or time.perf_counter() - began
        await reader.readexactly(2)
        return first

    async def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            self._streams[1].close()
            with contextlib.suppress(OSError):
                await self._streams[1].wait_closed()


def chat_request(user: int, stream: bool = False) -> bytes:
    """A request as a product sends it."""
    body = b'{"model":"claude-3-5-haiku","max_tokens":100,"messages":[{"role":"user","content":"Ciao, come stai?"}]'
    body += b',"stream":true}' if stream else b"}"
    head = f"POST /v1/messages HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nx-zantara-user: u{user}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def flat_out(port: int, connections: int, seconds: float) -> tuple[float, int]:
    """As fast as `connections` at once go; requests a second, and how many failed."""
    done = failed = 0
    until = time.perf_counter() + seconds

    async def work(number: int) -> None:
        nonlocal done, failed
        connection = Connection(port)
        while time.perf_counter() < until:
            try:
                await connection.ask(chat_request(number))
                done += 1
            except (OSError, asyncio.IncompleteReadError):
                failed += 1
                await connection.close()
                connection = Connection(port)
        await connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(work(number) for number in range(connections)))
    return done / (time.perf_counter() - began), failed


async def steady(port: int, per_second: float, seconds: float) -> tuple[list[float], int]:
    """Milliseconds of requests at a steady rate, and how many failed."""
    free: list[Connection] = []
    latency_ms: list[float] = []
    failed = 0

    async def request(number: int) -> None:
        nonlocal failed
        connection = free.pop() if free else Connection(port)
        try:
            latency_ms.append(await connection.ask(chat_request(number)) * 1000)
            free.append(connection)
        except (OSError, asyncio.IncompleteReadError):
            failed += 1
            await connection.close()

    await at_rate(per_second, seconds, request)
    for connection in free:
        await connection.close()
    return latency_ms, failed


async def streams(port: int, at_once: int) -> tuple[list[float], int]:
    """Milliseconds to the first token of streams that run at once, started over four seconds; how many failed."""

    async def one(number: int) -> float:
        await asyncio.sleep(number / at_once * 4.0)  # a stream takes six, so that all run at once
        connection = Connection(port)
        try:
            return await connection.ask(chat_request(number, stream=True)) * 1000
        finally:
            await connection.close()

    found = await asyncio.gather(*(one(number) for number in range(at_once)), return_exceptions=True)
    good = [each for each in found if isinstance(each, float)]
    return good, at_once - len(good)
