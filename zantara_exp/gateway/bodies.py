"""Bodies that need care: those too large to be held, and answers to HTTP/1.0 clients, which know no chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from zantara_exp.gateway.exchange import CLIENT_GONE, Event, Receive, Refused, Send

Body = bytes | AsyncIterator[bytes]


async def next_event(receive: Receive) -> Event:
    """The next ASGI event of a request. Raises Refused if the client has left."""
    event = await receive()
    if event["type"] == "http.disconnect":
        raise Refused(CLIENT_GONE, "the client went away")
    return event


async def rest_of(begun: bytes, more: bool, receive: Receive, read: asyncio.Event) -> AsyncIterator[bytes]:
    """The body in pieces: first what was read already, then what still comes. `read` is set at the end."""
    yield begun
    while more:
        event = await next_event(receive)
        more = event.get("more_body", False)
        if event.get("body"):
            yield event["body"]
    read.set()


def at_once(send: Send) -> Send:
    """A `send` that holds an answer of unknown length back until it is whole: HTTP/1.0 needs the length first."""
    start: Event = {}
    chunks: list[bytes] = []

    async def sent(event: Event) -> None:
        if event["type"] == "http.response.start":
            start.update(event)
            return
        chunks.append(event.get("body", b""))
        if event.get("more_body", False):
            return
        body = b"".join(chunks)
        length = (b"content-length", str(len(body)).encode())
        await send({**start, "headers": [*start["headers"], length]})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return sent
