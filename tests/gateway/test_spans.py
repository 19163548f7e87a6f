"""The gateway's spans, as a collector gets them: over loopback, by OTLP's own protocol."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.endpoints.servers import closed_port, raw_server
from tests.endpoints.streaming import Streaming
from tests.gateway.support import gateway_at, series
from tests.gateway.test_app import CHAT, SECRET
from tests.gateway.test_live import PATIENT
from tests.gateway.test_routing import ANSWERED, QUICK, set_share
from tests.gateway.test_stage import ROOT, serving
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import logged, wait_for
from tests.spans import collector as otlp
from tests.spans.collector import Collector, Seen, ask_for_spans, collecting
from zantara_exp.gateway.app import Gateway

pytestmark = pytest.mark.usefixtures("workdir")

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
USER = "anna.rossi@example.org"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    found = Collector()
    with collecting(found) as address:
        ask_for_spans(monkeypatch, address)
        yield found
    for private in (USER, SECRET, CHAT["content"], "Ciao", otlp.SECRET, "sk-"):
        assert not any(private.encode() in each for each in found.raw)


@pytest.fixture
def unmirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHADOW_MODE_ENABLED", "false")


@contextmanager
def watched(primary: Primary, candidate: Any, *overrides: str) -> Iterator[tuple[str, Gateway]]:
    with raw_server(candidate) as answers, primary_at(primary) as url, gateway_at(url, answers, *overrides) as gate:
        yield gate


def ask(gate: str, path: str = "/v1/messages", trace: str | None = None, **fields: Any) -> httpx.Response:
    headers = {"x-zantara-user": USER, "x-api-key": SECRET, **({"traceparent": trace} if trace else {})}
    body = {"model": "claude-haiku-4-5", "max_tokens": 500, "messages": [CHAT], **fields}
    return httpx.post(f"{gate}{path}", headers=headers, json=body, timeout=30)


def header_of(span: Seen) -> str:
    return f"00-{span.trace_id}-{span.span_id}-01"


def test_a_mirrored_request_is_one_trace_with_the_candidate_beside_the_primary(collector: Collector) -> None:
    primary, heard = Primary(), []

    async def candidate(request: bytes, writer: Any) -> None:
        heard.append(request)
        await Candidate("Ciao a te, dal candidato!")(request, writer)

    with watched(primary, candidate) as (gate, gateway):
        for stream in (False, True):
            assert ask(gate, trace=f"00-{TRACE}-{PARENT}-01", stream=stream).status_code == 200
        own = collector.named("POST /v1/messages", 2)
        asked, mirrored = collector.in_role("primary", 2), collector.in_role("mirrored", 2)
        wait_for(lambda: gateway.mirror.stats.compared == 2)
        assert {row.trace_id for row in logged()} == {TRACE}
    assert {span.trace_id for span in (*own, *asked, *mirrored)} == {TRACE}
    assert [span.parent for span in own] == [PARENT] * 2
    for role in (asked, mirrored):
        assert sorted(span.parent for span in role) == sorted(span.span_id for span in own)
    assert [each["traceparent"] for each in primary.headers] == [header_of(span) for span in asked]
    for request, span in zip(heard, mirrored, strict=True):
        assert f"traceparent: {header_of(span)}\r\n".encode() in request
    for span in own:
        assert (span.service, span.kind, span.failed) == ("zantara-gateway", "server", False)
        assert span.attributes == {
            "http.request.method": "POST", "http.route": "/v1/messages", "http.response.status_code": 200,
            "url.scheme": "http", "zantara.sampled": True,
        }  # fmt: skip
    port = int(gateway._forwarder._config.anthropic_url.rpartition(":")[2])
    common = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "zantara.role": "primary",
        "gen_ai.request.model": "claude-haiku-4-5", "gen_ai.response.model": "claude-3-5-haiku-20241022",
        "gen_ai.usage.input_tokens": 21, "gen_ai.usage.output_tokens": 5, "server.address": "127.0.0.1",
        "server.port": port, "http.response.status_code": 200,
    }  # fmt: skip
    whole, streamed = asked
    assert (whole.name, whole.kind, whole.failed) == ("chat claude-haiku-4-5", "client", False)
    assert whole.attributes == {**common, "gen_ai.response.finish_reasons": ["end_turn"]}
    first = streamed.attributes.pop("gen_ai.response.time_to_first_chunk")
    assert 0 < first < streamed.seconds + 0.1  # told by another clock than the span
    assert streamed.attributes == {**whole.attributes, "gen_ai.request.stream": True}
    for span in mirrored:
        assert (span.service, span.name, span.kind) == ("zantara-mirror", "chat m", "client")
        assert span.attributes["gen_ai.provider.name"] == "openai"
        assert span.attributes["zantara.candidate_id"] == gateway.routing.epoch
        assert span.attributes["gen_ai.usage.input_tokens"] == 9
        assert "gen_ai.usage.output_tokens" not in span.attributes  # it counted none, and an estimate is no usage
    assert all(headers["authorization"] == otlp.SECRET for headers in collector.headers)


@pytest.mark.parametrize("stream", ["whole", "live"])
def test_a_moved_users_candidate_is_a_span_of_the_gateway(collector: Collector, unmirrored: None, stream: str) -> None:
    candidate, primary = Streaming("Ciao", " dal candidato!"), Primary()
    candidate.go.set()
    settings = (QUICK, f"gateway.stream={stream}", "endpoint.stream=true", *PATIENT)
    with watched(primary, candidate, *settings) as (gate, gateway):
        set_share(gateway, 100.0)
        for streamed in (False, True):
            assert ask(gate, stream=streamed).headers[ANSWERED] == "candidate"
        own, asked = collector.named("POST /v1/messages", 2), collector.in_role("candidate", 2)
    assert {span.parent for span in own} == {""}  # the client has none: a trace begins
    assert [(span.trace_id, span.parent) for span in asked] == [(span.trace_id, span.span_id) for span in own]
    assert own[0].trace_id != own[1].trace_id
    for span in own:
        moved = {name: span.attributes[f"zantara.{name}"] for name in ("arm", "answered_by", "sampled")}
        assert moved == {"arm": "candidate", "answered_by": "candidate", "sampled": False}
    for span in asked:
        assert (span.service, span.name, span.failed) == ("zantara-gateway", "chat m", False)
        assert span.attributes["gen_ai.usage.input_tokens"] == 9
        assert span.attributes["gen_ai.usage.output_tokens"] == 4
        assert span.attributes["gen_ai.response.finish_reasons"] == ["stop"]
        assert span.attributes["gen_ai.request.stream"] is True
        assert 0 < span.attributes["gen_ai.response.time_to_first_chunk"] <= span.seconds
        assert span.attributes["zantara.candidate_id"] == gateway.routing.epoch
    assert not [span for span in collector.spans if span.attributes.get("zantara.role") == "primary"]


def test_a_fallback_shows_both_calls(collector: Collector, unmirrored: None) -> None:
    primary = Primary()
    with watched(primary, Candidate(status="503 Busy"), QUICK) as (gate, gateway):
        set_share(gateway, 100.0)
        assert ANSWERED not in ask(gate).headers
        (own,), (failed,), (asked,) = (
            collector.named("POST /v1"), collector.in_role("candidate"), collector.in_role("primary"),
        )  # fmt: skip
    assert failed.parent == asked.parent == own.span_id
    assert failed.failed
    assert not own.failed
    assert not asked.failed
    assert (failed.attributes["error.type"], failed.attributes["http.response.status_code"]) == ("overloaded", 503)
    assert own.attributes["zantara.answered_by"] == "primary"
    assert own.attributes["zantara.candidate_error"] == "overloaded"
    assert asked.attributes["gen_ai.usage.output_tokens"] == 5


def test_a_primary_that_fails(collector: Collector, unmirrored: None) -> None:
    primary = Primary(status=529)
    with watched(primary, Candidate()) as (gate, _):
        assert ask(gate).status_code == 529
        (busy,), (own,) = collector.in_role("primary"), collector.named("POST")
    assert (busy.attributes["error.type"], busy.attributes["http.response.status_code"]) == ("overloaded", 529)
    assert (own.attributes["error.type"], own.attributes["http.response.status_code"]) == ("529", 529)
    assert busy.failed
    assert own.failed
    collector.spans.clear()
    with closed_port() as nobody, raw_server(Candidate()) as answers:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with gateway_at(url, answers) as (gate, _):
            assert ask(gate).status_code == 502
            (unreached,) = collector.in_role("primary")
    assert unreached.attributes["error.type"] == "refused"
    assert "http.response.status_code" not in unreached.attributes


def test_a_stream_that_breaks_off_and_a_client_that_leaves(collector: Collector, unmirrored: None) -> None:
    async def cut(_: bytes, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\ndata: {}\n\n")

    with raw_server(cut) as url, raw_server(Candidate()) as answers:
        with gateway_at(url.removesuffix("/v1"), answers) as (gate, _):
            with pytest.raises(httpx.RemoteProtocolError):
                ask(gate, stream=True)
            (broken,), (own,) = collector.in_role("primary"), collector.named("POST")
    assert (broken.attributes["error.type"], own.attributes["error.type"]) == ("cut", "cut")
    collector.spans.clear()
    primary = Primary(pause=30)
    with watched(primary, Candidate()) as (gate, _):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{gate}/v1/messages", json={"messages": [CHAT]}, timeout=0.5)
        (left,), (own,) = collector.in_role("primary"), collector.named("POST")
    assert (left.name, left.attributes["error.type"], left.failed) == ("chat", "client_gone", True)
    assert (own.attributes["http.response.status_code"], own.failed) == (499, False)


def test_each_providers_own_path_names_the_model(collector: Collector, unmirrored: None) -> None:
    primary = Primary()
    azure = "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21"
    vertex = "/v1/projects/secret-project/locations/eu/publishers/anthropic/models/claude-haiku-4-5@2:rawPredict"
    with raw_server(Candidate()) as answers, primary_at(primary) as url:
        elsewhere = [f"gateway.{name}_url={url}" for name in ("azure", "bedrock", "vertex")]
        with gateway_at(url, answers, *elsewhere) as (gate, _):
            for path in ("/v1/responses", azure, vertex, "/model/arn%3Aaws%3Aeu.claude-v2/invoke"):
                body = {"input": "Ciao"} if path == "/v1/responses" else {"messages": [CHAT]}
                body |= {"model": "gpt-5"} if path == "/v1/responses" else {}
                assert httpx.post(f"{gate}{path}", json=body, timeout=30).status_code == 200
            found = [
                (span.name, span.attributes["gen_ai.provider.name"], span.attributes["gen_ai.usage.output_tokens"])
                for span in collector.in_role("primary", 4)
            ]
            routes = [span.name for span in collector.named("POST", 4)]
    assert found == [
        ("chat gpt-5", "openai", 69),
        ("chat gpt-4o-mini", "azure.ai.openai", 5),
        ("chat claude-haiku-4-5@2", "gcp.vertex_ai", 5),
        ("chat arn:aws:eu.claude-v2", "aws.bedrock", 5),
    ]
    paths = ("/v1/responses", "/v1/chat/completions", "/v1/messages", "/model/invoke")
    assert routes == [f"POST {path}" for path in paths]
    assert not any(b"secret-project" in each for each in collector.raw)


def test_what_asks_no_chat_names_no_path_and_what_is_refused_says_why(collector: Collector, unmirrored: None) -> None:
    with watched(Primary(), Candidate()) as (gate, _):
        assert httpx.get(f"{gate}/v1/files/of-anna").status_code == 200
        assert httpx.post(f"{gate}/anna/rossi", json={}).status_code == 404
        (asked,) = collector.in_role("primary")
        (refused,), (passed, _) = collector.named("POST"), collector.named("GET", 2)
    assert (asked.name, asked.kind, asked.attributes["server.address"]) == ("GET", "client", "127.0.0.1")
    assert not any(name.startswith("gen_ai") for name in asked.attributes)
    assert refused.attributes["zantara.refused"] == "unknown_path"
    assert "http.route" not in passed.attributes
    assert not any(b"anna" in each for each in collector.raw)


def test_a_client_that_is_not_traced_is_not_and_propagation_can_be_left_out(
    collector: Collector, unmirrored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, theirs = Primary(), f"00-{TRACE}-{PARENT}-00"
    with watched(primary, Candidate()) as (gate, _):
        assert ask(gate, trace=theirs).status_code == 200
    assert primary.headers[-1]["traceparent"].startswith(f"00-{TRACE}-")
    assert primary.headers[-1]["traceparent"].endswith("-00")
    assert collector.spans == []
    monkeypatch.setenv("OTEL_PROPAGATORS", "none")
    with watched(primary, Candidate()) as (gate, _):
        assert ask(gate, trace=theirs).status_code == 200
        assert ask(gate).status_code == 200
        assert TRACE not in {span.trace_id for span in collector.named("POST", 2)}
    assert [each.get("traceparent") for each in primary.headers[1:]] == [theirs, None]


def test_what_waits_is_sent_at_the_end(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    with watched(Primary(), Candidate()) as (gate, gateway):
        assert ask(gate).status_code == 200
        wait_for(lambda: gateway.mirror.stats.compared == 1)
        assert collector.spans == []
    assert sorted(span.name for span in collector.spans) == ["POST /v1/messages", "chat claude-haiku-4-5", "chat m"]
    assert {span.service for span in collector.spans} == {"shop"}
    assert gateway.spans is not None
    assert (gateway.spans.sent, gateway.spans.lost) == (2, 0)


@pytest.mark.parametrize(
    "kind", ["dead", pytest.param("silent", marks=pytest.mark.slow), pytest.param("refusing", marks=pytest.mark.slow)]
)
def test_a_collector_that_takes_nothing_delays_nobody_and_is_said_once(
    kind: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    collector = Collector(status=401, silent=threading.Event() if kind == "silent" else None)
    with closed_port() as nobody, collecting(collector) as address, primary_at(Primary()) as url:
        dead = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        ask_for_spans(monkeypatch, dead if kind == "dead" else address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        at_once = "gateway.lame_duck_seconds=0"
        with raw_server(Candidate()) as answers, serving(url, answers, at_once) as (gateway, gate):
            for number in range(40):
                assert ask(gate).status_code == 200
                time.sleep(0.05 if number % 10 else 0.2)
            wait_for(lambda: series(httpx.get(f"{gate}/metrics"))["zantara_gateway_spans_total", "lost"] > 0)
            assert series(httpx.get(f"{gate}/metrics"))["zantara_gateway_spans_total", "sent"] == 0
            quick = httpx.get(f"{gate}/metrics").text
            gateway.terminate()
            assert gateway.stdout is not None
            said = gateway.stdout.read()
            assert gateway.wait(60) == 0
    assert 'zantara_gateway_added_seconds_bucket{le="0.25"} 40.0' in quick
    assert len(logged()) == 40
    err = capfd.readouterr().err
    (kept,) = Path("outputs").rglob("*.log")
    for told in (kept.read_text(encoding="utf-8"), err):  # the gateway's, and the mirror's worker's
        assert told.count("takes no spans") == 1, told
        assert "Traceback" not in told
    assert len(err.splitlines()) == 1, err
    assert "0 sent, 80 lost" in said
    assert otlp.SECRET not in said + err


_GATEWAY = """
import sys, time
from tests.gateway.support import gateway_at
from tests.gateway.test_app import post
with gateway_at(sys.argv[1], sys.argv[2]) as (gate, gateway):
    assert post(gate).status_code == 200
    while not gateway.mirror.stats.compared:
        time.sleep(0.05)
"""


@pytest.mark.interpreter
def test_nothing_of_opentelemetry_is_imported_where_nobody_asks() -> None:
    primary = Primary()
    with primary_at(primary) as url, raw_server(Candidate()) as answers:
        told = subprocess.run(
            [sys.executable, "-c", _GATEWAY, url, answers], capture_output=True, text=True, timeout=300, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPROFILEIMPORTTIME": "1"},
        )  # fmt: skip
    assert told.returncode == 0, told.stderr[-2000:]
    assert len(logged()) == 1
    for imported in ("zantara_exp.gateway.app", "zantara_exp.shadow.compare"):  # by it, and by the mirror's worker
        assert imported in told.stderr
    assert not re.search(r"\| +opentelemetry", told.stderr)


def test_headers_pass_as_they_are_where_nobody_asks(unmirrored: None) -> None:
    primary, theirs = Primary(), f"00-{TRACE}-{PARENT}-01"
    with watched(primary, Candidate()) as (gate, gateway):
        assert ask(gate, trace=theirs).status_code == 200
        assert ask(gate).status_code == 200
        counted = series(httpx.get(f"{gate}/metrics"))
    assert gateway.spans is None
    assert [each.get("traceparent") for each in primary.headers] == [theirs, None]
    assert counted["zantara_gateway_spans_total", "sent"] == counted["zantara_gateway_spans_total", "lost"] == 0
