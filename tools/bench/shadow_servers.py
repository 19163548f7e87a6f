"""Stubs of a primary and of a candidate for `scripts/bench shadow`, each a process of its own.

Run by the bench as: python -m tools.bench.shadow_servers MODE. Prints its port, then answers every request alike;
for each line on stdin it prints the requests so far, and takes the line as its new mode.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from tools.bench.checkout import environment
from tools.bench.shadow_clients import timed
from zantara_exp.core import terminal

TOKENS = 60
TOKEN_SECONDS = 0.1
_USAGE = {"prompt_tokens": 20, "completion_tokens": 9}
_CHAT = {"choices": [{"message": {"content": "Ciao! Come va?"}, "finish_reason": "stop"}], "usage": _USAGE}
_MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "Ciao! Come va?"}], "usage": {"input_tokens": 20, "output_tokens": 9},
}  # fmt: skip


def _whole(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


_ANSWERS = {
    "primary": _whole(json.dumps(_MESSAGE).encode()),
    "healthy": _whole(json.dumps(_CHAT).encode()),
    "overloaded": _whole(b"{}", "503 Service Unavailable"),
    "garbage": _whole(b"\x00\xff<html>" * 100),
    "10 MB": _whole(b'{"choices": "' + b"x" * 10_000_000 + b'"}'),
}
_EVENT = b'event: content_block_delta\ndata: {"type": "content_block_delta", "delta": {"text": "Ciao "}}\n\n'
_CHUNK = f"{len(_EVENT):x}\r\n".encode() + _EVENT + b"\r\n"
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class _Server(asyncio.Protocol):
    """Counts requests by the end of their body, which the bench's clients announce."""

    mode = "healthy"
    requests = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        self._heard = b""

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while (head := self._heard.find(b"\r\n\r\n")) >= 0:
            length = 0
            for line in self._heard[:head].lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line[15:])
            if len(self._heard) < head + 4 + length:
                return
            streamed = b'"stream":true' in self._heard[: head + 4 + length].replace(b" ", b"")
            self._heard = self._heard[head + 4 + length :]
            self._answer(streamed)

    def _answer(self, streamed: bool) -> None:
        _Server.requests += 1
        mode = _Server.mode
        if mode == "hanging":
            return
        if mode == "primary" and streamed:
            asyncio.get_running_loop().create_task(self._stream())
        elif mode == "healthy":
            asyncio.get_running_loop().call_later(0.02, self._write, _ANSWERS[mode])
        else:
            self._write(_ANSWERS[mode])

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)

    async def _stream(self) -> None:
        self._write(_STREAM_HEAD)
        for _ in range(TOKENS):
            self._write(_CHUNK)
            await asyncio.sleep(TOKEN_SECONDS)
        self._write(b"0\r\n\r\n")


def _on_line() -> None:
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    terminal.say(str(_Server.requests))
    _Server.mode = line.strip()


async def _main(mode: str) -> None:
    loop = asyncio.get_running_loop()
    _Server.mode = mode
    server = await loop.create_server(_Server, "127.0.0.1", 0, backlog=2048)
    loop.add_reader(sys.stdin, _on_line)
    terminal.say(str(server.sockets[0].getsockname()[1]))
    sys.stdout.flush()
    await server.serve_forever()


Turn = Callable[[str], int]
"""Gives the stub a new mode; the requests it has had."""


@contextmanager
def stub(mode: str) -> Iterator[tuple[str, Turn]]:
    """A stub while the block runs: its address without /v1, and what turns it."""
    command = [sys.executable, "-m", "tools.bench.shadow_servers", mode]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment(), stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603
        assert process.stdin is not None  # noqa: S101  asked for
        assert process.stdout is not None  # noqa: S101
        stdin, stdout = process.stdin, process.stdout

        def turn(new: str) -> int:
            stdin.write(new + "\n")
            stdin.flush()
            return int(stdout.readline())

        try:
            yield f"http://127.0.0.1:{int(stdout.readline())}", turn
        finally:
            process.kill()


if __name__ == "__main__":
    timed(_main(sys.argv[1]))
