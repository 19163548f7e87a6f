"""A real HTTP server on loopback whose answers a test writes byte by byte."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head + await reader.readexactly(length)


@contextmanager
def closed_port() -> Iterator[socket.socket]:
    """A port of one's own that refuses connections until something listens at it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


def address_of(bound: socket.socket) -> str:
    return f"http://127.0.0.1:{bound.getsockname()[1]}/v1"


@contextmanager
def raw_server(
    handler: Handler, at: socket.socket | None = None, encrypted: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Answer each connection's first request with `handler`, at a port of its own or `at` one; yields the base URL."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    address: list[int] = []
    stop = asyncio.Event()

    open_: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(await _request(reader), writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not a coroutine: one that is cancelled before its first step would never close its connection.
        task = asyncio.create_task(answer(reader, writer))
        open_[task] = writer
        task.add_done_callback(open_.pop)

    async def main() -> None:
        listener = at or socket.create_server(("127.0.0.1", 0))
        server = await asyncio.start_server(serve, sock=listener, ssl=encrypted)
        address.append(listener.getsockname()[1])
        started.set()
        await stop.wait()
        # A connection that was taken just now is the loop's own task, which leaves its socket open where the server
        # is closed meanwhile: no more are taken, those tasks end, and only then does the server close.
        loop.remove_reader(listener)
        while asyncio.all_tasks() - {asyncio.current_task(), *open_}:
            await asyncio.sleep(0)
        server.close()
        ending = list(open_)
        for task, writer in list(open_.items()):
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*ending, return_exceptions=True)
        await asyncio.sleep(0)  # in which an aborted transport closes its socket

    def run() -> None:
        loop.run_until_complete(main())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield f"http://127.0.0.1:{address[0]}/v1"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)


def response(body: bytes, status: str = "200 OK", headers: str = "", content_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n"
    return f"{head}{headers}connection: close\r\n\r\n".encode() + body


def answering(raw: bytes) -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return handler


def events(*data: str) -> bytes:
    """A whole stream of server-sent events; the body ends with the connection."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    return head + b"".join(f"data: {item}\n\n".encode() for item in data)
