"""The gateway between real clients and a stub of the primary, all over loopback."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.endpoints.servers import answering, raw_server, response
from tests.gateway.support import gateway_at, series
from tests.shadow.primary import TOKENS, Primary, anthropic_whole, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import dropped, logged, wait_for
from zantara_exp.config.gateway import Gateway as GatewayConfig
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.dataset.user_hash import hash_user
from zantara_exp.gateway.app import Gateway
from zantara_exp.shadow.record import ONLY_PRIMARY, Scope
from zantara_exp.watch.live import gateway_now

pytestmark = pytest.mark.usefixtures("workdir")

CHAT = {"role": "user", "content": "Ciao, come stai?"}
SECRET = "sk-test-0123456789"  # no key: what must not be found anywhere afterwards


@pytest.fixture
def primary() -> Primary:
    return Primary()


@pytest.fixture
def candidate() -> Candidate:
    return Candidate()


@pytest.fixture
def served(primary: Primary, candidate: Candidate) -> Iterator[tuple[str, Gateway]]:
    with raw_server(candidate) as answers, primary_at(primary) as url, gateway_at(url, answers) as gateway:
        yield gateway


def test_names_beyond_ascii_and_long_headers_pass_and_a_user_is_the_same_in_header_and_body(
    candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "k" * 32)
    asked: list[bytes] = []
    long = "y" * 30_000

    async def primary(request: bytes, writer: asyncio.StreamWriter) -> None:
        asked.append(request)
        writer.write(response(json.dumps(anthropic_whole(False)).encode(), headers=f"x-long: {long}\r\n"))

    body = {"model": "m", "max_tokens": 9, "messages": [CHAT]}
    with (
        raw_server(primary) as url,
        raw_server(candidate) as answers,
        gateway_at(url.removesuffix("/v1"), answers) as (gate, _),
    ):
        named = {"x-zantara-user": "José".encode(), "x-name": "José".encode()}
        found = httpx.post(f"{gate}/v1/messages", json=body, headers=named, timeout=60)
        assert (found.status_code, found.headers["x-long"]) == (200, long)
        httpx.post(f"{gate}/v1/messages", json={**body, "metadata": {"user_id": "José"}}, timeout=60)
        wait_for(lambda: len(logged()) == 2)
    assert "\r\nx-name: José\r\n".encode() in asked[0]
    assert {row.user for row in logged()} == {hash_user("José", b"k" * 32)}


def test_anthropics_client_whole_and_streamed(served: tuple[str, Gateway]) -> None:
    anthropic = pytest.importorskip("anthropic", reason="the official client is not installed")
    with anthropic.Anthropic(base_url=served[0], api_key=SECRET) as client:
        asked: dict[str, Any] = {"model": "m", "max_tokens": 50, "messages": [CHAT]}
        asked |= {"system": "Be short.", "metadata": {"user_id": "user-1"}}
        whole = client.messages.create(**asked)
        with client.messages.stream(**asked) as stream:
            tokens = list(stream.text_stream)
    assert whole.content[0].text == "".join(tokens) == "".join(TOKENS)
    assert tokens == list(TOKENS)
    wait_for(lambda: len(logged()) == 2)
    for row in logged():
        assert [(turn["role"], turn["content"]) for turn in row.messages] == [
            ("system", "Be short."), ("user", "Ciao, come stai?")
        ]  # fmt: skip
        assert (row.primary.response, row.primary.model) == ("".join(TOKENS), "claude-3-5-haiku-20241022")
        assert (row.primary.usage.read, row.primary.usage.output, row.primary.finish_reason) == (21, 5, "end_turn")
        assert (row.primary.provider, row.candidate.response) == ("anthropic", "Ciao a te!")
        assert row.primary.latency_ms is not None
        assert row.user != "user-1"
    assert {row.primary.ttft_ms is None for row in logged()} == {True, False}


def test_openais_client_whole_and_streamed(served: tuple[str, Gateway]) -> None:
    import openai

    with openai.OpenAI(base_url=f"{served[0]}/v1", api_key=SECRET) as client:
        asked: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "system", "content": "Be short."}, CHAT]}
        whole = client.chat.completions.create(**asked, user="user-1")
        chunks = list(client.chat.completions.create(**asked, user="user-1", stream=True))
    assert whole.choices[0].message.content == "".join(TOKENS)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "".join(TOKENS)
    wait_for(lambda: len(logged()) == 2)
    assert {(row.primary.response, row.primary.usage.output) for row in logged()} == {("".join(TOKENS), 5)}
    assert {row.messages[0]["content"] for row in logged()} == {"Be short."}


@pytest.mark.parametrize("stream", [False, True])
def test_tools_pass_through_the_official_clients(stream: bool, served: tuple[str, Gateway], primary: Primary) -> None:
    anthropic = pytest.importorskip("anthropic", reason="the official client is not installed")
    import openai

    primary.tool = True
    tool = {"name": "visa", "description": "about a visa", "input_schema": {"type": "object"}}
    asked = {"model": "m", "max_tokens": 9, "messages": [CHAT], "tools": [tool], "metadata": {"user_id": "u"}}
    with anthropic.Anthropic(base_url=served[0], api_key=SECRET) as client:
        if stream:
            with client.messages.stream(**asked) as events:
                message = events.get_final_message()
        else:
            message = client.messages.create(**asked)
    assert (message.stop_reason, message.content[0].input) == ("tool_use", {"country": "it"})
    with openai.OpenAI(base_url=f"{served[0]}/v1", api_key=SECRET) as other:
        found = other.chat.completions.create(model="m", messages=[CHAT], user="u", stream=stream)  # type: ignore[call-overload]
        first = next(iter(found)).choices[0].delta if stream else found.choices[0].message
    assert first.tool_calls[0].function.name == "visa"
    assert json.loads(primary.bodies[0])["tools"] == [tool]
    # The first offered tools; the second did not, and its answer is a fact about it: neither is a loss of ours.
    wait_for(lambda: sum(served[1].mirror.stats.set_aside.values()) == 2)
    wait_for(lambda: len(logged()) == 2)
    assert {(row.arm, row.scope) for row in logged()} == {
        (ONLY_PRIMARY, Scope(False, "tools")), (ONLY_PRIMARY, Scope(True))
    }  # fmt: skip
    became = {row.primary.error for row in logged()}  # of the other stream the client read one piece
    assert became == {"tool_use"} or (stream and became == {"tool_use", "client_gone"})
    assert served[1].mirror.stats.dropped == {}


def test_errors_pass_with_their_headers_and_the_official_clients_type_them(
    served: tuple[str, Gateway], primary: Primary
) -> None:
    anthropic = pytest.importorskip("anthropic", reason="the official client is not installed")
    import openai

    primary.status = 429
    with anthropic.Anthropic(base_url=served[0], api_key=SECRET, max_retries=0) as client, \
            pytest.raises(anthropic.RateLimitError) as caught:  # fmt: skip
        client.messages.create(model="m", max_tokens=9, messages=[CHAT], metadata={"user_id": "u"})
    assert caught.value.response.headers["retry-after"] == "3"
    with openai.OpenAI(base_url=f"{served[0]}/v1", api_key=SECRET, max_retries=0) as other, \
            pytest.raises(openai.RateLimitError):  # fmt: skip
        other.chat.completions.create(model="m", messages=[CHAT], user="u")  # type: ignore[list-item]
    primary.status = 400
    with anthropic.Anthropic(base_url=served[0], api_key=SECRET, max_retries=0) as client, \
            pytest.raises(anthropic.BadRequestError):  # fmt: skip
        client.messages.create(model="m", max_tokens=9, messages=[CHAT], metadata={"user_id": "u"})
    wait_for(lambda: len(logged()) == 2)
    assert {row.primary.error for row in logged()} == {"rate_limited"}
    assert served[1].metrics.unmirrored == {"refused": 1}


def post(url: str, path: str = "/v1/messages", user: str | None = "user-1", **fields: Any) -> httpx.Response:
    headers = {"x-api-key": SECRET, "anthropic-version": "2023-06-01"} | ({"x-zantara-user": user} if user else {})
    body = {"model": "m", "max_tokens": 9, "messages": [CHAT]} | fields
    return httpx.post(url + path, headers=headers, json=body, timeout=20)


def test_the_bytes_and_headers_are_the_primarys(served: tuple[str, Gateway], primary: Primary) -> None:
    body = b'{"model":"m",  "max_tokens":9,"messages":[{"role":"user","content":"Ci\\u00e0o"}], "unknown": 1e-7}'
    headers = {"x-api-key": SECRET, "anthropic-beta": "some-beta", "content-type": "application/json"}
    ours = {"x-zantara-user": "u", "x-zantara-category": "greeting"}
    found = httpx.post(f"{served[0]}/v1/messages?beta=true&x=%2F", headers={**headers, **ours}, content=body)
    assert primary.bodies == [body]
    assert found.content == primary.sent[0]
    sent = primary.headers[0]
    assert (sent["x-api-key"], sent["anthropic-beta"]) == (SECRET, "some-beta")
    assert not any(name.startswith("x-zantara") for name in sent)
    assert sent["user-agent"].startswith("python-httpx")
    assert set(found.headers) == {"content-type", "content-length", "request-id", "x-ratelimit-remaining"}
    wait_for(lambda: len(logged()) == 1)
    assert logged()[0].category == "greeting"


def test_a_compressed_answer_passes_compressed_and_is_read(served: tuple[str, Gateway], primary: Primary) -> None:
    primary.zipped = True
    found = post(served[0])
    assert found.headers["content-encoding"] == "gzip"
    assert found.json()["content"][0]["text"] == "".join(TOKENS)
    assert "br" not in primary.headers[0]["accept-encoding"]
    wait_for(lambda: len(logged()) == 1)
    assert logged()[0].primary.response == "".join(TOKENS)


def test_a_megabyte_passes(served: tuple[str, Gateway], primary: Primary) -> None:
    long = [{"role": "user", "content": "x" * 1_000_000}]
    assert post(served[0], messages=long).status_code == 200
    assert len(primary.bodies[0]) > 1_000_000
    wait_for(lambda: len(logged()) == 1)
    assert logged()[0].scope == Scope(False, "long")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_tokens_come_as_they_are_made(served: tuple[str, Gateway], primary: Primary, path: str) -> None:
    primary.step = threading.Semaphore(0)
    body = {"model": "m", "max_tokens": 9, "messages": [CHAT], "stream": True}
    came = b""
    with httpx.stream("POST", served[0] + path, json=body, headers={"x-zantara-user": "u"}, timeout=30) as response:
        for chunk in response.iter_raw():
            came += chunk
            if came == b"".join(primary.sent):  # the next piece is made only once all before it are here
                primary.step.release()
    assert came == b"".join(primary.sent)
    assert len(primary.sent) > 5


def test_a_client_that_goes_away_ends_the_primarys_work(served: tuple[str, Gateway], primary: Primary) -> None:
    primary.pause = 0.3
    body = {"model": "m", "max_tokens": 9, "messages": [CHAT], "stream": True}
    with httpx.stream("POST", f"{served[0]}/v1/messages", json=body, headers={"x-zantara-user": "u"}) as response:
        next(response.iter_raw())
    wait_for(lambda: primary.given_up == 1)
    wait_for(lambda: served[1].metrics.in_flight == 0)
    wait_for(lambda: served[1].mirror.stats.set_aside == {"client_gone": 1})
    (row,) = logged()
    assert (row.arm, row.scope, row.primary.error, row.query) == (ONLY_PRIMARY, Scope(True), "client_gone", "")
    assert served[1].metrics.requests["/v1/messages", 499] == 1


def test_a_slow_reader_neither_fills_the_gateways_memory_nor_counts_as_a_silent_primary() -> None:
    total = 120_000_000
    sent = [0]

    async def flood(_: bytes, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\nconnection: close\r\n\r\n")
        while sent[0] < total:
            writer.write(b"x" * 100_000)
            sent[0] += 100_000
            await writer.drain()

    with raw_server(flood) as url, \
            gateway_at(url.removesuffix("/v1"), "http://127.0.0.1:1/v1", "gateway.timeout_seconds=1") as (gate, _), \
            httpx.stream("POST", f"{gate}/v1/messages", json={}, timeout=60) as response:  # fmt: skip
        pieces = response.iter_raw()
        read = len(next(pieces))
        before = -1
        while sent[0] != before:  # until the pipe is full
            before = sent[0]
            time.sleep(2)  # longer than a primary may be silent
        assert sent[0] < total / 2  # the kernel's own buffers take some 20 MB; a gateway that does not wait takes all
        assert read + sum(map(len, pieces)) == total


def test_what_a_connection_header_names_ends_with_its_connection() -> None:
    """RFC 9110, 7.6.1, both ways."""
    asked: list[bytes] = []

    async def answer(head: bytes, writer: Any) -> None:
        asked.append(head)
        named = b"connection: close, X-Hop\r\nx-hop: 1\r\nx-end: 2\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + named + b"\r\n{}")

    said = {"connection": "keep-alive, x-mine", "x-mine": "3", "x-yours": "4"}
    with raw_server(answer) as url, gateway_at(url.removesuffix("/v1"), "http://127.0.0.1:1/v1") as (gate, _):
        response = httpx.post(f"{gate}/v1/messages", json={}, headers=said)
    assert b"x-yours" in asked[0].lower()
    assert b"x-mine" not in asked[0].lower()
    assert response.headers["x-end"] == "2"
    assert "x-hop" not in response.headers


def test_a_stream_that_falls_silent_is_broken_off(primary: Primary) -> None:
    primary.step = threading.Semaphore(1)  # its second piece is its last
    with primary_at(primary) as url, \
            gateway_at(url, "http://127.0.0.1:1/v1", "gateway.timeout_seconds=1") as (gate, gateway):  # fmt: skip
        with pytest.raises(httpx.RemoteProtocolError):
            post(gate, stream=True)
        wait_for(lambda: [row.primary.error for row in logged()] == ["cut"])  # the primary's failure, not a loss
        wait_for(lambda: primary.given_up == 1)


def test_a_primary_that_breaks_off_breaks_the_answer_off(served: tuple[str, Gateway]) -> None:
    broken = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\ncontent-type: application/json\r\n\r\n{"
    with (
        raw_server(answering(broken)) as url,
        gateway_at(url.removesuffix("/v1"), "http://127.0.0.1:1/v1") as (gate, g),
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            post(gate)
        wait_for(lambda: [row.primary.error for row in logged()] == ["cut"])
        assert g.mirror.stats.dropped == {}


def test_a_primary_that_is_away_is_a_502_and_one_that_is_silent_a_504() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with gateway_at(away, "http://127.0.0.1:1/v1") as (gate, _):
        found = post(gate)
        assert (found.status_code, found.json()["type"]) == (502, "error")
    patience = "gateway.timeout_seconds=0.2"
    with raw_server(Candidate(seconds=30)) as url, \
            gateway_at(url.removesuffix("/v1"), "http://127.0.0.1:1/v1", patience) as (gate, _):  # fmt: skip
        assert post(gate).status_code == 504
    assert {row.primary.error for row in logged()} == {"server_error", "timeout"}


def test_what_cannot_be_compared_is_counted(served: tuple[str, Gateway], primary: Primary) -> None:
    image = [{"role": "user", "content": [{"type": "image", "source": {}}]}]
    assert post(served[0], messages=image).status_code == 200
    assert post(served[0], user=None).status_code == 200
    assert post(served[0], path="/v1/messages/count_tokens").status_code == 200
    wait_for(lambda: served[1].mirror.stats.set_aside == {"not_text": 1})
    assert served[1].metrics.unmirrored == {"no_user": 1, "other_api": 1}
    assert len(primary.bodies) == 3


def test_an_app_whose_candidate_is_dead_notices_nothing(primary: Primary) -> None:
    with primary_at(primary) as url, gateway_at(url, "http://127.0.0.1:1/v1") as (gate, gateway):
        assert [post(gate).status_code for _ in range(20)] == [200] * 20
        wait_for(lambda: gateway.mirror.stats.breaker == "open")
    assert {row.candidate.error for row in logged()} == {"refused", "breaker_open"}


def test_the_switch_stops_the_mirroring_not_the_traffic(
    served: tuple[str, Gateway], candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHADOW_MODE_ENABLED", "false")
    wait_for(lambda: not served[1].mirror.enabled)
    assert post(served[0]).status_code == 200
    assert series(httpx.get(f"{served[0]}/metrics"))["zantara_mirror_enabled",] == 0
    assert (candidate.calls, served[1].mirror.stats.sampled) == (0, 0)


def test_the_switch_is_flipped_under_load_and_no_request_fails(
    served: tuple[str, Gateway], candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, gateway = served
    answered, ending = list[int](), threading.Event()

    def ask() -> None:
        with httpx.Client(headers={"x-zantara-user": "user-1"}, timeout=60) as client:
            while not ending.is_set():
                body = {"model": "m", "max_tokens": 9, "messages": [CHAT]}
                answered.append(client.post(f"{address}/v1/messages", json=body).status_code)

    def still() -> bool:
        stats = gateway.mirror.stats
        return not stats.enabled and stats.sampled == stats.over

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    try:
        for _ in range(2):
            called = candidate.calls
            wait_for(lambda before=called: candidate.calls > before)
            monkeypatch.setenv("SHADOW_MODE_ENABLED", "false")
            wait_for(still)
            called, so_far = candidate.calls, len(answered)
            wait_for(lambda before=so_far: len(answered) > before + 20)
            assert candidate.calls == called
            monkeypatch.setenv("SHADOW_MODE_ENABLED", "true")
    finally:
        ending.set()
        for thread in asking:
            thread.join()
    assert set(answered) == {200}


def test_its_own_token_is_asked_for_and_kept(primary: Primary, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingRequirementError, match="GATE_TOKEN"), \
            gateway_at("http://127.0.0.1:1", "http://127.0.0.1:1/v1", "gateway.token_env=GATE_TOKEN"):  # fmt: skip
        pass
    monkeypatch.setenv("GATE_TOKEN", "open sesame")
    with primary_at(primary) as url, \
            gateway_at(url, "http://127.0.0.1:1/v1", "gateway.token_env=GATE_TOKEN") as (gate, _):  # fmt: skip
        refused = post(gate)
        assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
        good = httpx.post(f"{gate}/v1/messages", json={"messages": []}, headers={"X-Zantara-Token": "open sesame"})
        assert good.status_code == 200
    assert len(primary.bodies) == 1
    assert "x-zantara-token" not in primary.headers[0]


def test_health_readiness_and_metrics(served: tuple[str, Gateway]) -> None:
    assert httpx.get(f"{served[0]}/healthz").text == "ok\n"
    assert "stage=watch" in httpx.get(f"{served[0]}/").text
    assert httpx.get(f"{served[0]}/readyz").status_code == 200
    assert httpx.get(f"{served[0]}/elsewhere").status_code == 404
    assert post(served[0]).status_code == 200
    wait_for(lambda: len(logged()) == 1)
    wait_for(lambda: served[1].mirror.stats.compared == 1)
    found = series(httpx.get(f"{served[0]}/metrics"))
    assert found["zantara_gateway_requests_total", "/v1/messages", "200"] == 1
    assert found["zantara_gateway_added_seconds_count",] == found["zantara_gateway_added_seconds_bucket", "+Inf"] == 1
    assert found["zantara_gateway_primary_seconds_count",] == 1
    assert found["zantara_gateway_first_token_seconds_count", "primary"] == 0  # it did not stream
    assert found["zantara_mirror_compared_total",] == 1
    assert found["zantara_mirror_breaker", "closed"] == 1
    assert found["zantara_mirror_lag_seconds",] > 0
    assert found["zantara_gateway_in_flight",] == 0
    told = dict(gateway_now(GatewayConfig(port=int(served[0].rpartition(":")[2]))))  # as the live page tells it
    assert told["wait for the candidate"] == "0"
    assert told["breaker of the mirror"] == "closed"
    assert "added latency, p95 at most" in told


def test_its_front_page_leads_who_sits_at_this_machine_to_the_live_page(served: tuple[str, Gateway]) -> None:
    address, _ = served
    browser = {"accept": "text/html,*/*"}
    page = httpx.get(address, headers=browser)
    assert '<a href="http://127.0.0.1:8767/">' in page.text
    assert page.headers["content-security-policy"] == "default-src 'none'"
    assert "http://127.0.0.1:8767/ by python -m zantara_exp stage=watch" in httpx.get(address).text
    far = httpx.get(address, headers=browser | {"x-forwarded-for": "203.0.113.7"})
    assert far.text == "zantara gateway: /healthz, /readyz, /metrics\n"  # a client is told no address and no option


def test_what_can_be_counted_is_there_before_it_happens(served: tuple[str, Gateway], primary: Primary) -> None:
    address, gateway = served
    before = series(httpx.get(f"{address}/metrics"))
    counted = {key: value for key, value in before.items() if key[0].endswith(("_total", "_count", "_bucket", "_sum"))}
    assert len(counted) > 150
    assert not any(counted.values())
    assert [key[1] for key in before if key[0] == "zantara_gateway_added_seconds_bucket"] == [
        "0.00025", "0.0005", "0.001", "0.002", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "1.0", "2.5", "5.0",
        "10.0", "60.0", "600.0", "+Inf"
    ]  # fmt: skip
    for name in ("zantara_gateway_primary_seconds_bucket", "zantara_rollout_candidate_seconds_bucket"):
        assert {"1.0", "1.25", "1.5", "2.5", "3.0", "600.0", "+Inf"} <= {key[1] for key in before if key[0] == name}
    first = {key[1] for key in before if key[0] == "zantara_gateway_first_token_seconds_count"}
    assert first == {"candidate", "primary"}
    assert post(address).status_code == 200
    assert post(address, messages="no chat").status_code == 200
    primary.status = 529
    assert post(address).status_code == 529
    wait_for(lambda: gateway.mirror.stats.compared == 2)
    after = series(httpx.get(f"{address}/metrics"))
    assert after.keys() == before.keys()
    assert after["zantara_mirror_set_aside_total", "not_text"] == 1


def test_metrics_come_in_the_format_that_the_scraper_asks_for(served: tuple[str, Gateway]) -> None:
    page = f"{served[0]}/metrics"
    for accept, kind, parse in (
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", text_string_to_metric_families),
        ("text/plain;version=nonsense", "text/plain; version=0.0.4; charset=utf-8", text_string_to_metric_families),
        ("text/plain;version=1.0.0", "text/plain; version=1.0.0; charset=utf-8; esc", text_string_to_metric_families),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text; version=1.0.0",
         openmetrics.text_string_to_metric_families),
    ):  # fmt: skip
        found = httpx.get(page, headers={"accept": accept})
        assert found.headers["content-type"].startswith(kind)
        kinds = {family.name.removesuffix("_total"): family.type for family in parse(found.text)}
        assert len(kinds) == 26
        assert kinds["zantara_gateway_requests"] == "counter"
        assert kinds["zantara_rollout_candidate_seconds"] == "histogram"
        assert kinds["zantara_mirror_breaker"] == "gauge"


def test_neither_content_nor_keys_are_written_beside_the_log(
    served: tuple[str, Gateway], workdir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    post(served[0], messages=[{"role": "user", "content": "a secret question"}])
    post(served[0], messages="a secret that is no chat")
    wait_for(lambda: len(logged()) == 2)
    wait_for(_said(capfd, '"path":"/v1/messages"'))
    text = httpx.get(f"{served[0]}/metrics").text
    assert "secret" not in text
    assert SECRET not in text
    for path in workdir.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes()
            assert "user-1" not in path.read_text(errors="replace")


def _said(capfd: pytest.CaptureFixture[str], words: str) -> Callable[[], bool]:
    heard: list[str] = []

    def found() -> bool:
        said = capfd.readouterr()
        heard.append(said.out + said.err)
        everything = "".join(heard)
        assert "secret" not in everything
        assert SECRET not in everything
        return words in everything

    return found


def test_what_the_primary_made_of_a_request_reaches_the_log_when_it_stops(primary: Primary) -> None:
    primary.tool = True
    with primary_at(primary) as url, gateway_at(url, "http://127.0.0.1:1/v1") as (gate, _):
        post(gate)
    assert [row.primary.error for row in logged()] == ["tool_use"]
    assert dropped() == {}


def test_a_connection_that_the_primary_closed_meanwhile_costs_no_request(candidate: Candidate) -> None:
    """It answers once on each connection, says that it keeps it, and closes it when the next request comes."""
    listener, asked = socket.create_server(("127.0.0.1", 0)), []
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"

    def converse(connection: socket.socket) -> None:
        with connection:
            for reply in (answer, b""):
                if not connection.recv(65536):
                    return
                asked.append(reply)
                if not reply:
                    return
                connection.sendall(reply)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=converse, args=[connection], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with raw_server(candidate) as answers, gateway_at(url, answers) as (gateway, _), httpx.Client() as client:
            found = [client.post(f"{gateway}/v1/messages", json={"model": "m"}).status_code for _ in range(4)]
    finally:
        listener.close()
    assert found == [200] * 4
    assert b"" in asked  # a kept connection was closed under a request
