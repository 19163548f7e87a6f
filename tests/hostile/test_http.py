"""Requests nobody would send, byte by byte, to the gateway and the review page as uvicorn serves them."""

from __future__ import annotations

import json
import logging
import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.endpoints.servers import raw_server
from tests.gateway.support import gateway_at
from tests.shadow.primary import running
from tests.shadow.recorded import Candidate
from zantara_exp.config import compose
from zantara_exp.review.app import app
from zantara_exp.review.sample import Item, Sample

NO_HANG_SECONDS = 120
"""Far more than an answer takes on a loaded machine."""
TOKEN = "a-token-for-reviewers"
ODD = ["", "*", "null", "http://[", "http://[::1", "[::1", "http://evil.example", "127.0.0.1", "127.0.0.1:99999", "é",
       "²", "\x01", "\xff" * 9, "a" * 9000, "=1+1", "../../etc/passwd", "%00%0d%0aX: 1", "{}", "gzip, \x80", "close",
       "100-continue", "websocket", "h2c", "bytes=0-18446744073709551616", "a=b; a", "2023-06-01"]  # fmt: skip
NAMES = ["Host", "Origin", "Sec-Fetch-Site", "Referer", "Content-Type", "Content-Encoding", "Accept-Encoding", "Expect",
         "Connection", "Upgrade", "Cookie", "Range", "TE", "Trailer", "Keep-Alive", "Proxy-Authorization", "Forwarded",
         "Authorization", "anthropic-version", "X-Review", "X-Zantara-Token", "X-Zantara-User", "X-Zantara-Category",
         "X-Zantara-Request", "traceparent", "!#$%&'*+-.^_`|~"]  # fmt: skip
METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO", "get", "PRI"]
PATHS = ["/", "/v1/messages", "/v1/chat/completions", "/v1/models", "/v1/", "/metrics", "/healthz", "/readyz",
         "/complaints", "/state", "/state?reviewer=ayu", "/answer", "//v1//messages", "/v1/../../etc/passwd",
         "/v1/%2e%2e/%00", "/v1/\xff\xfe", "/v1/messages?%ff=%zz&&=#", "/v1/@evil.example:99/", "/v1/%0d%0aX:%201",
         "/v1/{a}|`\\", "/?token=%ff%00", "/v1/[::1", "*", "http://evil.example/v1/messages",
         "/v1/" + "a" * 5000]  # fmt: skip

headers = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(ODD) | st.text(st.characters(max_codepoint=255), max_size=20)),
    max_size=4,
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["model", "messages", "role", "content", "stream", "metadata", "user_id", "max_tokens",
                             "reviewer", "number", "better", "comment", "rubric", "critical"]), inner, max_size=5)
    ),
    max_leaves=12,
)  # fmt: skip
bodies = st.one_of(st.just(b""), st.binary(max_size=80), plain.map(lambda value: json.dumps(value).encode()),
                   st.just(b"[" * 100_000), st.just(b'{"a":1e999}'))  # fmt: skip


async def easy(scope: Any, receive: Any, send: Any) -> None:
    """A primary that finds nothing odd, so that an error is never its."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    body = b'{"content": [{"type": "text", "text": "Ciao"}]}'
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


class Server:
    """An address, what came back from it, and what its log said meanwhile."""

    def __init__(self, url: str, errors: list[str]) -> None:
        self.place = url.removeprefix("http://").split(":")
        self.errors = errors
        self.statuses: Counter[int] = Counter()

    def ask(self, method: str, path: str, given: list[tuple[str, str]], body: bytes) -> bytes:
        names = {name.lower() for name, _ in given}
        lines = [f"{method} {path} HTTP/1.1"]
        lines += [f"{name}: {value}".replace("\r", "").replace("\n", "") for name, value in given]
        lines += [] if "host" in names else ["Host: 127.0.0.1"]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close", "", ""])
        answer = b""
        with socket.create_connection((self.place[0], int(self.place[1])), timeout=NO_HANG_SECONDS) as connection:
            try:
                connection.sendall(head.encode("latin-1") + body)
                while piece := connection.recv(65536):  # a hang ends as a TimeoutError
                    answer += piece
            except (ConnectionResetError, BrokenPipeError):  # it closed before all was sent
                pass
        for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer):
            self.statuses[int(status)] += 1
        return answer


@contextmanager
def watched(url: str) -> Iterator[Server]:
    errors: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: errors.append(record.getMessage())
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(handler)
    try:
        yield Server(url, errors)
    finally:
        logger.removeHandler(handler)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("gateway"))
        with raw_server(Candidate()) as answers, running(easy) as primary, gateway_at(primary, answers) as (url, _):
            with watched(url) as server:
                yield server


@pytest.fixture(scope="module", params=[None, TOKEN], ids=["open", "token"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    sample = Sample("e1", "2025-10-22", 7, 1, (Item(1, "c1", "en", "casual", "q", "q", "a", "b", "A"),))
    labels = tmp_path_factory.mktemp("review") / "labels.jsonl"
    with (
        running(app(sample, labels, ["127.0.0.1", "localhost"], compose([]), request.param)) as url,
        watched(url) as server,
    ):
        yield server


fuzzed = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
requests = given(st.sampled_from(METHODS), st.sampled_from(PATHS), headers, bodies)


def check(server: Server, answer: bytes) -> None:
    assert not re.search(rb"HTTP/1\.1 5\d\d ", answer), answer[:300]
    assert b"Traceback" not in answer
    assert b"root:" not in answer
    said, server.errors[:] = list(server.errors), []
    assert said == []


@fuzzed
@requests
def test_no_request_breaks_the_gateway(
    gateway: Server, method: str, path: str, given: list[tuple[str, str]], body: bytes
) -> None:
    check(gateway, gateway.ask(method, path, given, body))


@fuzzed
@requests
def test_no_request_breaks_the_review_page(
    page: Server, method: str, path: str, given: list[tuple[str, str]], body: bytes
) -> None:
    check(page, page.ask(method, path, given, body))


@pytest.mark.parametrize("name", ["Origin", "Host", "Cookie", "Content-Type", "X-Zantara-User", "Authorization"])
def test_each_odd_value_in_each_header_that_is_read(gateway: Server, page: Server, name: str) -> None:
    for value in ODD:
        check(gateway, gateway.ask("POST", "/v1/messages", [(name, value)], b'{"messages": []}'))
        check(page, page.ask("POST", "/answer", [(name, value), ("X-Review", "1")], b"{}"))


def test_a_good_request_is_answered_all_the_same(gateway: Server, page: Server) -> None:
    assert gateway.ask("POST", "/v1/messages", [], b"{}").startswith(b"HTTP/1.1 200")
    assert page.ask("GET", f"/?token={TOKEN}", [], b"").startswith((b"HTTP/1.1 200", b"HTTP/1.1 303"))
