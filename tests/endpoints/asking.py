"""One question to an endpoint, and what was sent for it."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from tests.endpoints.servers import raw_server, response
from zantara_exp.config.traffic import Endpoint
from zantara_exp.endpoints.base import Answer, Message
from zantara_exp.endpoints.build import build

CHAT: list[Message] = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "ciao"}]


@dataclass
class Sent:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: dict[str, Any]


def asked(config: Endpoint, reply: object, status: str = "200 OK", path: str = "") -> tuple[Answer, Sent]:
    """The answer to CHAT at a server that replies so; `path` follows its address."""
    sent: list[Sent] = []

    async def note(request: bytes, writer: asyncio.StreamWriter) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        line, *headers = head.decode().split("\r\n")
        named = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in headers)}
        sent.append(Sent(line, named, json.loads(body)))
        writer.write(response(json.dumps(reply).encode(), status))

    async def go(url: str) -> Answer:
        config.base_url = url.removesuffix("/v1") + path
        endpoint = build(config)
        try:
            return await endpoint.chat(CHAT)
        finally:
            await endpoint.close()

    with raw_server(note) as url:
        answer = asyncio.run(go(url))
    return answer, sent[0]
