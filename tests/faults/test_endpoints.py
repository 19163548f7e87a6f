"""Candidate and primary at fault, behind the gateway: what a user gets, what is noted, and that the next one is well.

`tests/endpoints`, `tests/gateway` and `tests/shadow` know the faults one by one; here each of a table meets each place.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import Any

import httpx
import pytest

from tests.endpoints.servers import Handler, answering, raw_server, response
from tests.gateway.support import gateway_at
from tests.gateway.test_app import post
from tests.gateway.test_routing import ANSWERED, Changing, ask, lines, rolled_out
from tests.shadow.primary import Primary, anthropic_whole, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import logged, wait_for
from zantara_exp.rollout.served import CANDIDATE, PRIMARY

pytestmark = pytest.mark.usefixtures("workdir")

FORGED = response(b'{"content": "of somebody else"}')


def table(good: bytes) -> dict[str, Handler]:
    """Every fault, of a server whose right answer is `good`."""
    head, body = good.split(b"\r\n\r\n", 1)
    kept = head.replace(b"connection: close", b"connection: keep-alive")

    def length(claimed: int) -> bytes:
        return kept.replace(f"content-length: {len(body)}".encode(), f"content-length: {claimed}".encode())

    async def hung(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)

    async def reset(_: bytes, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def drips(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(length(10**6) + b"\r\n\r\n")
        for _ in range(200):  # four seconds
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    def and_stays(raw: bytes) -> Handler:
        async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(raw)
            await writer.drain()
            await asyncio.sleep(3600)

        return handler

    return {
        "hung": hung,
        "reset": reset,
        "drips": drips,
        "no answer": answering(b""),
        "no HTTP": answering(b"\x16\x03\x01 hello\r\n\r\n"),
        "claims more": answering(length(len(body) + 100) + b"\r\n\r\n" + body),
        "claims more and stays": and_stays(length(len(body) + 100) + b"\r\n\r\n" + body),
        "claims less": and_stays(length(len(body) - 10) + b"\r\n\r\n" + body),
        "two lengths": answering(length(5) + f"\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body),
        "no length": answering(length(0).replace(b"content-length: 0", b"content-length: many") + b"\r\n\r\n" + body),
        "an answer nobody asked for": and_stays(kept + b"\r\n\r\n" + body + FORGED),
    }


def test_no_fault_of_the_candidate_reaches_a_user_who_is_mirrored() -> None:
    good, changing, primary = Candidate(), Changing(), Primary()
    faults = table(good.raw)
    patience = ("endpoint.timeout_seconds=2", "endpoint.breaker.failures=1000", "endpoint.concurrency=16")
    with raw_server(changing) as url, primary_at(primary) as at, gateway_at(at, url, *patience) as (gate, gateway):
        for number, handler in enumerate(faults.values(), 1):
            changing.now = handler
            assert post(gate).content == primary.sent[-1]
            wait_for(lambda count=number: gateway.mirror.stats.compared == count)
        changing.now = good
        assert post(gate).content == primary.sent[-1]
        wait_for(lambda: gateway.mirror.stats.compared == len(faults) + 1)
        assert not gateway.mirror.stats.dropped
    said = dict(zip([*faults, "good"], logged(), strict=True))
    assert said.pop("good").candidate.response == "Ciao a te!"
    # Whole as far as its claim goes: what came behind it was read by nobody.
    assert said.pop("an answer nobody asked for").candidate.response == "Ciao a te!"
    assert all(row.candidate.error and not row.candidate.response for row in said.values())


@pytest.mark.slow
def test_a_user_who_was_moved_gets_the_primarys_answer_whatever_the_candidates_fault_is() -> None:
    good, changing, primary = Candidate(), Changing(), Primary()
    faults = table(good.raw)
    whole = faults.pop("an answer nobody asked for")
    patience = ("gateway.candidate_seconds=2", "endpoint.breaker.failures=1000")
    with rolled_out(primary, changing, *patience) as (gate, _):
        for handler in faults.values():
            changing.now = handler
            found = ask(gate)
            assert found.content == primary.sent[-1]
            assert ANSWERED not in found.headers
        asked = len(primary.sent)
        for handler in (whole, good):  # the second on the connection on which the first said too much
            changing.now = handler
            assert ask(gate).json()["content"][0]["text"] == "Ciao a te!"
        assert len(primary.sent) == asked
        noted = lines(len(faults) + 2)
    assert [line.answered_by for line in noted] == [PRIMARY] * len(faults) + [CANDIDATE] * 2


@pytest.mark.slow
def test_what_a_primary_at_fault_sends_is_what_one_gets_without_the_gateway() -> None:
    right = (200, json.dumps(anthropic_whole(False)).encode())
    whole, changing = response(right[1]), Changing()
    with (
        raw_server(changing) as url,
        raw_server(Candidate()) as candidate,
        gateway_at(url.removesuffix("/v1"), candidate, "gateway.timeout_seconds=2") as (gate, gateway),
    ):
        compared = 0
        for name, handler in table(whole).items():
            changing.now = handler
            through = got(gate)
            # Without the gateway these would be as long as a client's own patience.
            without = "broken" if name in ("hung", "claims more and stays") else got(url.removesuffix("/v1"))
            if name == "hung":
                assert through == 504
            else:  # never something else: what a client would take for whole, the gateway may refuse
                assert through in (without, 502), name
            compared += through == right
            changing.now = answering(whole)
            assert got(gate) == right, f"the request after {name}"
            compared += 1
        wait_for(lambda: gateway.mirror.stats.compared >= compared)
    ours = [row for row in logged() if row.primary.error is None]
    assert len(ours) == compared
    assert {row.primary.response for row in ours} == {"Ciao! Come va?"}


def got(url: str) -> Any:
    """Status and body as a client gets them; the status alone of a gateway's own word; `broken` for half an answer."""
    try:
        found = post(url)
    except (httpx.TransportError, TimeoutError):
        return "broken"
    ours = found.status_code in (502, 504)
    return found.status_code if ours else (found.status_code, found.content)
