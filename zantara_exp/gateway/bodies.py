"""Bodies on their way: one that is too large to be held, and one for a client that knows no chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from zantara_exp.gateway.exchange import CLIENT_GONE, Event, Receive, Refused, Send

Body = bytes | AsyncIterator[bytes]


async def next_event(receive: Receive) -> Event:
    """What comes next of a request. Raises Refused where the client went away."""
    event = await receive()
    if event["type"] == "http.disconnect":
        raise Refused(CLIENT_GONE, "the client went away")
    return event


async def rest_of(begun: bytes, more: bool, receive: Receive, read: asyncio.Event) -> AsyncIterator[bytes]:
    """A body as it comes, of which some is there already; `read` is set at its end."""
    yield begun
    while more:
        event = await next_event(receive)
        more = event.get("more_body", False)
        if event.get("body"):
            yield event["body"]
    read.set()


def at_once(send: Send) -> Send:
    """For HTTP/1.0, which knows no chunks: an answer of unknown length goes out when it is whole, with its length."""
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
