"""The web surfaces against other sites, foreign names, frames, floods, and bytes that are no HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.endpoints.servers import raw_server
from tests.gateway.support import gateway_at
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from zantara_exp.config import compose
from zantara_exp.core.errors import ConfigError
from zantara_exp.gateway.dialects import DIALECTS, Dialect, NotText
from zantara_exp.review.app import app
from zantara_exp.review.sample import Item, Sample

TOKEN = "a-token-for-reviewers"
SCRIPT = "</script><img src=x onerror=alert(1)>"


def page(tmp_path: Path, token: str | None = None) -> httpx.AsyncClient:
    item = Item(1, "c1", SCRIPT, "casual", SCRIPT, SCRIPT, SCRIPT, SCRIPT, "A")
    made = app(
        Sample("e1", "2025-10-22", 7, 1, (item,)),
        tmp_path / "labels.jsonl",
        ["127.0.0.1", "localhost"],
        compose([]),
        token,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=made), base_url="http://127.0.0.1:8765")


def asked(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        return await client.request(method, path, **more)

    return asyncio.run(ask())


GOOD = {"reviewer": "ayu", "number": 1, "better": "A"}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 200),
        ("/state?reviewer=", {}, 422),
        ("/nothing", {}, 404),
        ("/", {"Host": "evil.example"}, 421),
        ("/", {"Host": "127.0.0.1.evil.example"}, 421),
        ("/", {"Host": "[::1"}, 421),
        ("/", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("/", {"Origin": "http://evil.example"}, 403),
        ("/", {"Origin": "null"}, 403),
        ("/", {"Origin": "http://["}, 403),
        ("/", {"Content-Length": b"\xb2"}, 413),
    ],
)
def test_every_answer_of_the_review_page_is_guarded(
    tmp_path: Path, path: str, headers: dict[str, Any], status: int
) -> None:
    reply = asked(page(tmp_path), "GET", path, headers=headers)
    assert reply.status_code == status
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["x-frame-options"] == "DENY"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert SCRIPT not in reply.text


def test_a_chat_is_never_markup(tmp_path: Path) -> None:
    reply = asked(page(tmp_path), "GET", "/state?reviewer=ayu")
    assert reply.headers["content-type"] == "application/json"
    assert reply.json()["next"]["question"] == SCRIPT
    source = asked(page(tmp_path), "GET", "/").text
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", source)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),  # a form of another site can send neither this header nor JSON
        ({"X-Review": "1", "Origin": "http://127.0.0.1:9999"}, 403),
        ({"X-Review": "1", "Content-Length": "99999999"}, 413),
        ({"X-Review": "1", "Content-Length": "many"}, 413),
        ({"X-Review": "1", "Origin": "http://127.0.0.1:8765", "Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_only_the_page_itself_can_answer(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    reply = asked(page(tmp_path), "POST", "/answer", content=json.dumps(GOOD), headers=headers)
    assert reply.status_code == status
    assert (tmp_path / "labels.jsonl").exists() == (status == 200)


def test_a_body_without_end_is_cut(tmp_path: Path) -> None:
    async def flood() -> Any:
        for _ in range(100):
            yield b" " * 10_000

    reply = asked(page(tmp_path), "POST", "/answer", content=flood(), headers={"X-Review": "1"})
    assert reply.status_code == 413


@settings(max_examples=80)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
        st.fixed_dictionaries(
            {},
            optional={
                name: st.text(max_size=10) | st.integers() | st.none() | st.lists(st.integers(), max_size=2)
                for name in ("reviewer", "number", "better", "critical", "rubric", "comment")
            },
        ).map(lambda value: json.dumps(value).encode()),
        st.just(b"[" * 50_000),
    )
)
def test_whatever_is_sent_as_an_answer_is_taken_or_refused(
    tmp_path_factory: pytest.TempPathFactory, body: bytes
) -> None:
    folder = tmp_path_factory.mktemp("review")
    reply = asked(page(folder), "POST", "/answer", content=body, headers={"X-Review": "1"})
    assert reply.status_code in (200, 413, 422)


def test_other_machines_need_the_token(tmp_path: Path) -> None:
    client = page(tmp_path, TOKEN)

    async def visit() -> list[int]:
        found = [(await client.get("/state?reviewer=ayu")).status_code]
        found.append((await client.get("/?token=wrong")).status_code)
        entered = await client.get(f"/?token={TOKEN}")
        assert entered.headers["location"] == "/"
        assert "HttpOnly" in entered.headers["set-cookie"]
        assert "SameSite=Strict" in entered.headers["set-cookie"]
        assert TOKEN not in entered.headers["set-cookie"]
        return [*found, entered.status_code, (await client.get("/state?reviewer=ayu")).status_code]

    assert asyncio.run(visit()) == [401, 401, 303, 200]
    with pytest.raises(ConfigError, match=r"review\.host.*token"):
        compose(["review.host=0.0.0.0"])
    with pytest.raises(ConfigError, match=r"gateway\.host.*token"):
        compose(["gateway.host=0.0.0.0"])
    assert compose([]).review.host == compose([]).gateway.host == "127.0.0.1"


def test_a_name_that_config_gives_the_gateway_is_its_own(workdir: Path) -> None:
    named = "gateway.hosts=[host.docker.internal]"
    with primary_at(Primary()) as url, gateway_at(url, "http://127.0.0.1:1/v1", named) as (address, running):
        for host, status in (("Host.docker.internal:8800", 200), ("evil.example", 403), ("localhost", 200)):
            assert httpx.post(f"{address}/v1/messages", json={}, headers={"Host": host}).status_code == status
        assert running.metrics.refused == {"foreign_site": 1}


@pytest.fixture
def gateway(workdir: Path) -> Iterator[str]:
    with raw_server(Candidate()) as answers, primary_at(Primary()) as url, gateway_at(url, answers) as (address, _):
        yield address


def test_the_gateway_survives_what_is_no_http_and_refuses_other_sites(gateway: str) -> None:
    host, port = gateway.removeprefix("http://").split(":")
    chat = b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"Ciao"}]}'
    for sent in (
        b"\x00\xff\x16\x03\x01 garbage\r\n\r\n",
        b"GET /v1/" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Zantara-User: a\rEvil: b\r\nContent-Length: 0\r\n\r\n",
        b"GET /v1/../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET http://169.254.169.254/v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            assert b"root:" not in answer
            assert b"Traceback" not in answer
    for headers, status in (
        ({"Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": f"localhost:{port}"}, 200),
        ({}, 200),
    ):
        assert httpx.post(f"{gateway}/v1/messages", content=chat, headers=headers).status_code == status, headers
        assert httpx.get(f"{gateway}/metrics", headers=headers).status_code == status, headers
    assert httpx.get(f"{gateway}/healthz").text == "ok\n"


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "messages", "type", "text", "system", "usage", "choices", "message", "delta",
                 "error", "metadata", "user_id", "tool_calls", "content_block", "stream_options", "max_tokens", "n",
                 "input", "output", "response", "status", "incomplete_details", "instructions", "conversation"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150)
@given(st.sampled_from(DIALECTS), st.one_of(st.binary(max_size=60), json_like), st.booleans())
def test_no_body_makes_the_gateways_readers_fail(api: Dialect, sent: Any, streamed: bool) -> None:
    body = sent
    if not isinstance(sent, bytes):
        try:
            body = orjson.dumps(sent)
        except (TypeError, orjson.JSONEncodeError):
            return
    for read in (lambda: api.read_chat(body), lambda: api.read_answer(b"data: " * streamed + body, streamed)):
        with contextlib.suppress(NotText):
            read()
