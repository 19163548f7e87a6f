"""A judge behind a real HTTP server: its replies are made by a function of the material it was given."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.endpoints.servers import raw_server, response
from zantara_exp.config.schema import Config

Says = Callable[[dict[str, Any], list[dict[str, str]]], str | bytes]
"""From the material (chat, A, B) and all messages to the reply's text, or to a whole raw response."""


class Calls:
    """What the judge was asked."""

    def __init__(self) -> None:
        self.messages: list[list[dict[str, str]]] = []
        self.bodies: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def add(self, body: dict[str, Any]) -> None:
        with self._lock:
            self.bodies.append(body)
            self.messages.append(body["messages"])

    def __len__(self) -> int:
        return len(self.messages)


def material(messages: list[dict[str, str]]) -> dict[str, Any]:
    """The JSON object with the two answers, out of the question."""
    line = next(line for line in messages[1]["content"].splitlines() if line.startswith('{"chat"'))
    return json.loads(line)


def verdict(preference: str, criteria: list[str] | None = None) -> str:
    names = criteria or ["natural", "culture", "warmth", "human", "helpful"]
    return json.dumps({"reason": "because", **dict.fromkeys([*names, "overall"], preference)})


@contextmanager
def judge(config: Config, says: Says, refuses: str = "", refusal: bytes = b"") -> Iterator[Calls]:
    """Serve a judge and point `config.judge` at it; a request with the field `refuses` gets `refusal`."""
    calls = Calls()

    async def handler(request: bytes, writer: asyncio.StreamWriter) -> None:
        body = json.loads(request.partition(b"\r\n\r\n")[2])
        if refuses and refuses in body:
            writer.write(refusal)
            return
        messages = body["messages"]
        calls.add(body)
        said = says(material(messages), messages)
        if isinstance(said, str):
            answer = {"choices": [{"message": {"content": said}, "finish_reason": "stop"}]}
            said = response(json.dumps(answer | {"usage": {"prompt_tokens": 100, "completion_tokens": 20}}).encode())
        writer.write(said)

    with raw_server(handler) as url:
        config.judge.name = "endpoint"
        at = config.judge.endpoint
        at.name, at.kind, at.base_url, at.model, at.stream = "judge", "openai", url, "stub-haiku", False
        config.judge.retry_seconds, config.cost.aliases = 0.0, {"stub-haiku": "claude-haiku-4-5"}
        yield calls
