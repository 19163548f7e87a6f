"""A server of chat completions that streams, and that a test can hold in the middle of an answer."""

import asyncio
import json
import threading
from typing import Any

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


class Streaming:
    """Writes `pieces`, the first of them at once and the others when `go` is set, and then ends as `ending` says.

    whole, or another finish reason than `stop`: that, usage, [DONE]; cut: the connection ends; error: an error's event;
    hang: nothing more comes.
    """

    def __init__(self, *pieces: str, ending: str = "whole") -> None:
        self.pieces, self.ending = pieces, ending
        self.go = threading.Event()
        self.calls = 0
        self.given_up = 0

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        assert json.loads(request.partition(b"\r\n\r\n")[2])["stream"] is True
        writer.write(HEAD)
        try:
            for number, piece in enumerate(self.pieces):
                while number and not self.go.is_set():
                    await self._wait(writer)
                writer.write(_event({"choices": [{"index": 0, "delta": {"content": piece}}]}))
                await writer.drain()
            while self.ending == "hang":
                await self._wait(writer)
        except ConnectionError:
            self.given_up += 1
            return
        if self.ending == "error":
            writer.write(_event({"error": {"message": "out of memory"}}))
        elif self.ending != "cut":
            finish = "stop" if self.ending == "whole" else self.ending
            writer.write(_event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}))
            writer.write(_event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}))
            writer.write(b"data: [DONE]\n\n")

    async def _wait(self, writer: asyncio.StreamWriter) -> None:
        """For a moment; raises ConnectionError where the client has gone."""
        await asyncio.sleep(0.01)
        writer.write(b": still here\n\n")
        await writer.drain()


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()
