"""A stub of three APIs as they are today: Anthropic's Messages, OpenAI's chat completions and Responses.

What it answers is the `scene` that a test chose; what came is kept byte for byte.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.clients.answers import (
    PIECES,
    completion,
    completion_frames,
    message,
    message_frames,
    response,
    response_frames,
)

TEXT, TOOL, THINKING, CACHED, BREAKS, SLOW = "text", "tool", "thinking", "cached", "breaks", "slow"
STATUSES = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
"""What an API refuses with; a scene as well, as `429`."""
_PATIENCE_SECONDS = 60.0


def is_messages(path: str) -> bool:
    """Whether a path is Anthropic's: its own, Vertex's or Bedrock's."""
    return "/messages" in path or path.endswith(("awPredict", "/invoke"))


class Came(NamedTuple):
    """One request."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Stub:
    """The ASGI application."""

    scene: str = TEXT
    came: list[Came] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                event = await receive()
                await send({"type": f"{event['type']}.complete"})
                if event["type"] == "lifespan.shutdown":
                    return
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        query = scope["query_string"].decode()
        target = scope["raw_path"].decode() + (f"?{query}" if query else "")
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        self.came.append(Came(scope["method"], target, headers, body))
        if self.scene == SLOW:
            await asyncio.wait_for(receive(), _PATIENCE_SECONDS)  # until the client goes
            return
        path, asked = scope["path"], json.loads(body or b"{}")
        if self.scene.isdecimal():
            await self._refuse(send, path, int(self.scene))
        elif asked.get("stream"):
            await self._stream(send, path, asked)
        else:
            await self._whole(send, path, asked)

    async def _whole(self, send: Any, path: str, asked: dict[str, Any]) -> None:
        await self._head(send, path, 200, "application/json")
        await send({"type": "http.response.body", "body": _json(self._answer(path, asked))})

    def _answer(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("/count_tokens"):
            return {"input_tokens": 14}
        if path.endswith("/embeddings"):
            vector = [1.0, 2.0] if asked.get("encoding_format") != "base64" else "AACAPwAAAEA="
            found = {"object": "embedding", "index": 0, "embedding": vector}
            return {"object": "list", "data": [found], "model": asked["model"], "usage": _EMBEDDED}
        if path.endswith("/responses"):
            return response(self.scene, asked)
        return message(self.scene, asked) if is_messages(path) else completion(self.scene, asked)

    async def _stream(self, send: Any, path: str, asked: dict[str, Any]) -> None:
        await self._head(send, path, 200, "text/event-stream; charset=utf-8")
        frames = self._frames(path, asked)
        for number, frame in enumerate(frames):
            await send({"type": "http.response.body", "body": frame, "more_body": True})
            if self.scene == BREAKS and _FIRST_PIECE in frame:
                await send({"type": "http.response.body", "body": _broken(path, number + 1), "more_body": True})
                break
        await send({"type": "http.response.body", "body": b""})

    def _frames(self, path: str, asked: dict[str, Any]) -> Iterator[bytes]:
        if path.endswith("/responses"):
            return response_frames(response(self.scene, asked))
        if is_messages(path):
            return message_frames(message(self.scene, asked))
        return completion_frames(completion(self.scene, asked), asked)

    async def _refuse(self, send: Any, path: str, status: int) -> None:
        await self._head(send, path, status, "application/json", ("x-should-retry", "false"), ("retry-after", "1"))
        error = {"type": STATUSES[status], "message": f"no: {STATUSES[status]} à"}
        said = {"type": "error", "error": error, "request_id": "req_1"}
        if not is_messages(path):
            said = {"error": {**error, "param": None, "code": STATUSES[status]}}
        await send({"type": "http.response.body", "body": _json(said)})

    async def _head(self, send: Any, path: str, status: int, kind: str, *more: tuple[str, str]) -> None:
        numbered = "request-id" if is_messages(path) else "x-request-id"
        headers = [("content-type", kind), (numbered, "req_1"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), *more]
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})


_FIRST_PIECE = PIECES[0].encode()
_EMBEDDED = {"prompt_tokens": 3, "total_tokens": 3}


def _json(said: object) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode()


def _broken(path: str, number: int) -> bytes:
    """An error in the middle of a stream."""
    if is_messages(path):
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        return b"event: error\ndata: %b\n\n" % _json(error)
    if path.endswith("/responses"):
        error = {"type": "error", "code": "server_error", "message": "Overloaded", "param": None}
        return b"event: error\ndata: %b\n\n" % _json({**error, "sequence_number": number})
    return b"data: %b\n\n" % _json({"error": {"message": "Overloaded", "type": "server_error", "code": None}})
