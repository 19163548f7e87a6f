"""`gateway.stream=live`: a moved user's stream goes out as it comes; what happens where the candidate breaks off."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.endpoints.servers import Handler, answering, raw_server, response
from tests.endpoints.streaming import Streaming
from tests.gateway.support import gateway_at, series
from tests.gateway.test_app import CHAT, SECRET
from tests.gateway.test_routing import ANSWERED, FALLBACK, QUICK, ask, lines, set_share
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import wait_for
from zantara_exp.gateway.app import Gateway
from zantara_exp.gateway.dialects import BEDROCK_STREAM, COMPLETIONS, CUT, MESSAGES, RESPONSES, Dialect, NotText
from zantara_exp.rollout.served import CANDIDATE, PRIMARY

pytestmark = pytest.mark.usefixtures("workdir", "unmirrored")

PATIENT = ("gateway.candidate_seconds=30", "endpoint.timeout_seconds=60", "gateway.late_seconds=60")
CALLS: list[tuple[Dialect, str, dict[str, Any]]] = [
    (MESSAGES, "/v1/messages", {"messages": [CHAT], "max_tokens": 500, "stream": True}),
    (
        COMPLETIONS,
        "/v1/chat/completions",
        {"messages": [CHAT], "stream": True, "stream_options": {"include_usage": True}},
    ),
    (RESPONSES, "/v1/responses", {"input": CHAT["content"], "stream": True}),
    (
        BEDROCK_STREAM,
        "/model/anthropic.claude/invoke-with-response-stream",
        {"messages": [CHAT], "max_tokens": 500, "anthropic_version": "bedrock-2023-05-31"},
    ),
]


@pytest.fixture
def unmirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a rollout serves is not mirrored anyway; a gateway without its mirror starts and ends faster."""
    monkeypatch.setenv("SHADOW_MODE_ENABLED", "false")


@contextmanager
def live(candidate: Handler, primary: Primary, *overrides: str) -> Iterator[tuple[str, Gateway]]:
    with (
        raw_server(candidate) as answers,
        primary_at(primary) as url,
        gateway_at(
            url, answers, QUICK, "gateway.stream=live", "endpoint.stream=true", "gateway.move_stored=true",
            f"gateway.bedrock_url={url}", *PATIENT, *overrides,
        ) as gate,
    ):  # fmt: skip
        set_share(gate[1], 100.0)
        yield gate


@contextmanager
def sent(gate: str, path: str, body: dict[str, Any]) -> Iterator[httpx.Response]:
    asked = {"model": "m", **body}
    headers = {"x-zantara-user": "user-1"}
    with httpx.stream("POST", f"{gate}{path}", json=asked, headers=headers, timeout=30) as found:
        yield found


def until_text(dialect: Dialect, chunks: Iterator[bytes]) -> bytes:
    """What comes up to the first text."""
    got = b""
    while not dialect.begins_text(got):
        got += next(chunks)
    return got


def test_a_stream_goes_out_as_it_comes_in_each_api() -> None:
    candidate, primary = Streaming("Ciao", " dal", " candidato!"), Primary()
    with live(candidate, primary, "gateway.candidate_seconds=20") as (gate, gateway):
        for number, (dialect, path, body) in enumerate(CALLS):
            candidate.go.clear()
            with sent(gate, path, body) as found:
                chunks = found.iter_raw()
                got = until_text(dialect, chunks)  # the candidate is held after its first piece
                assert found.headers[ANSWERED] == "candidate"
                assert "content-length" not in found.headers
                time.sleep(0.3)
                candidate.go.set()
                got += b"".join(chunks)
            said = dialect.read_answer(got, streamed=True)
            assert (said.text, said.model, said.usage.read, said.usage.output) == ("Ciao dal candidato!", "m", 9, 4)
            line = lines(number + 1)[-1]
            assert (line.arm, line.answered_by, line.candidate_error, line.error) == (CANDIDATE, CANDIDATE, None, None)
            assert (line.model, line.tokens_input, line.tokens_output, line.estimated) == ("m", 9, 4, False)
            assert line.usd is not None
            assert line.ttft_ms is not None
            assert line.candidate_ms is not None
            assert line.candidate_ms - line.ttft_ms >= 250
        assert gateway.routing.breaker == "closed"
        counted = series(httpx.get(f"{gate}/metrics"))
        assert counted["zantara_gateway_first_token_seconds_count", CANDIDATE] == len(CALLS)
        assert counted["zantara_gateway_first_token_seconds_count", PRIMARY] == 0
        assert counted["zantara_rollout_candidate_seconds_sum",] >= 0.3 * len(CALLS)
    assert primary.bodies == []


def test_what_breaks_off_before_its_first_words_is_the_primarys() -> None:
    primary, candidate = Primary(), Streaming("\n  ")
    with live(candidate, primary, "endpoint.breaker.failures=100") as (gate, _):
        for _, path, body in CALLS:
            for ending in ("cut", "error"):
                candidate.ending = ending
                primary.sent.clear()
                with sent(gate, path, body) as found:
                    got = b"".join(found.iter_raw())
                assert got == b"".join(primary.sent)
                assert ANSWERED not in found.headers
        noted = lines(2 * len(CALLS))
        counted = series(httpx.get(f"{gate}/metrics"))
        streams = sum("stream" in body for _, _, body in CALLS)  # the stub answers Bedrock whole
        assert counted["zantara_gateway_first_token_seconds_count", PRIMARY] == 2 * streams
        assert counted["zantara_gateway_primary_seconds_count",] == 2 * len(CALLS)
    assert {(line.answered_by, line.error, line.fallback) for line in noted} == {(PRIMARY, None, True)}
    assert [line.candidate_error for line in noted] == ["bad_answer", "server_error"] * len(CALLS)


def test_what_has_not_begun_in_time_is_the_primarys() -> None:
    primary = Primary()
    with live(Streaming(ending="hang"), primary, "gateway.candidate_seconds=0.3") as (gate, _):
        assert ask(gate, stream=True).content == b"".join(primary.sent)
        assert lines(1)[0].candidate_error == "timeout"
    with live(Streaming(ending="hang"), primary, "gateway.late_seconds=0.2") as (gate, gateway):
        assert ANSWERED not in ask(gate, headers={"x-zantara-budget": "0.3"}, stream=True).headers
        assert gateway.metrics.unrouted == {"impatient": 1}  # nobody could call the candidate late
        assert ANSWERED not in ask(gate, headers={"x-zantara-budget": "0.6"}, stream=True).headers
        assert lines(2)[-1].candidate_error == "timeout"


def test_what_has_begun_may_take_longer_than_the_first_words_may() -> None:
    candidate = Streaming("Ciao", "!")
    with live(candidate, Primary(), "gateway.candidate_seconds=2", "endpoint.timeout_seconds=2") as (gate, _):
        with sent(gate, *CALLS[0][1:]) as found:
            until_text(MESSAGES, found.iter_raw())
        assert lines(1)[0].error == "client_gone"
    candidate = Streaming("Ciao", "!")
    with live(candidate, Primary(), "gateway.candidate_seconds=2") as (gate, _):
        with sent(gate, *CALLS[0][1:]) as found:
            chunks = found.iter_raw()
            got = until_text(MESSAGES, chunks)
            time.sleep(2.5)
            candidate.go.set()
            assert MESSAGES.read_answer(got + b"".join(chunks), True).text == "Ciao!"


def test_what_breaks_off_later_ends_as_its_api_ends_and_counts() -> None:
    primary, candidate = Primary(), Streaming("Ciao")
    with live(candidate, primary, f"endpoint.breaker.failures={2 * len(CALLS)}") as (gate, gateway):
        known = series(httpx.get(f"{gate}/metrics")).keys()
        for dialect, path, body in CALLS:
            assert gateway.routing.breaker == "closed"
            for ending in ("cut", "error"):
                candidate.ending = ending
                with sent(gate, path, body) as found:
                    got = b"".join(found.iter_raw())  # the response itself ends as it should
                assert dialect.begins_text(got)
                with pytest.raises(NotText, match=CUT):
                    dialect.read_answer(got, streamed=True)
        assert gateway.routing.breaker == "open"
        noted = lines(2 * len(CALLS))
        assert [line.candidate_error for line in noted] == ["bad_answer", "server_error"] * len(CALLS)
        for line in noted:
            assert (line.arm, line.answered_by, line.error, line.fallback) == (CANDIDATE, CANDIDATE, CUT, False)
            assert (line.tokens_output, line.estimated) == (2, True)  # of "Ciao", which came
            assert line.tokens_input is not None
            assert line.usd is not None
        counted = series(httpx.get(f"{gate}/metrics"))
        for reason in ("bad_answer", "server_error"):
            assert counted["zantara_rollout_served_total", CANDIDATE, CANDIDATE, reason, CUT] == len(CALLS)
        assert counted.keys() == known
    assert primary.bodies == []


def test_a_candidate_that_falls_silent_is_ended_by_its_own_limit() -> None:
    with live(Streaming("Ciao", ending="hang"), Primary(), "endpoint.timeout_seconds=2") as (gate, _):
        with sent(gate, *CALLS[0][1:]) as found:
            got = b"".join(found.iter_raw())
        assert got.endswith(b'"message":"the answer broke off"}}\n\n')
        [line] = lines(1)
    assert (line.answered_by, line.candidate_error, line.error) == (CANDIDATE, "timeout", CUT)


def test_the_official_clients_read_live_streams_and_their_broken_ends() -> None:
    import anthropic
    import openai

    candidate = Streaming("Ciao", "!")
    candidate.go.set()
    claude: dict[str, Any] = {"model": "m", "max_tokens": 500, "messages": [CHAT], "metadata": {"user_id": "u"}}
    gpt: dict[str, Any] = {"model": "m", "user": "u", "stream": True}
    with (
        live(candidate, Primary(), "endpoint.breaker.failures=100") as (gate, _),
        anthropic.Anthropic(base_url=gate, api_key=SECRET, max_retries=0) as one,
        openai.OpenAI(base_url=f"{gate}/v1", api_key=SECRET, max_retries=0) as other,
    ):
        with one.messages.stream(**claude) as stream:
            assert "".join(stream.text_stream) == "Ciao!"
            usage = stream.get_final_message().usage
        assert (usage.input_tokens, usage.output_tokens) == (9, 4)
        chunks = list(other.chat.completions.create(messages=[CHAT], **gpt))
        assert "".join(each.choices[0].delta.content or "" for each in chunks) == "Ciao!"
        told = list(other.responses.create(input=CHAT["content"], **gpt))
        assert told[-1].response.output_text == "Ciao!"
        assert [each.sequence_number for each in told] == list(range(len(told)))

        candidate.ending = "cut"
        with one.messages.stream(**claude) as stream, pytest.raises(anthropic.APIStatusError, match="broke off"):
            stream.until_done()
        with pytest.raises(openai.APIError, match="broke off"):
            list(other.chat.completions.create(messages=[CHAT], **gpt))
        last = list(other.responses.create(input=CHAT["content"], **gpt))[-1]
        assert (last.type, last.response.error.message) == ("response.failed", "the answer broke off")


@contextmanager
def left(gate: str) -> Iterator[None]:
    """A client that has read the first words, and leaves at the end of the block."""
    body = json.dumps({"model": "m", **CALLS[0][2]})
    with socket.create_connection(("127.0.0.1", int(gate.rsplit(":", 1)[1])), timeout=30) as client:
        head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-zantara-user: u\r\n"
        client.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
        got = b""
        while not MESSAGES.begins_text(got):
            got += client.recv(65536)
        yield


def test_a_client_that_leaves_in_the_middle_ends_the_candidates_work_and_says_nothing_of_it() -> None:
    primary, candidate = Primary(), Streaming("Ciao", "!")
    with live(candidate, primary, "endpoint.breaker.failures=1") as (gate, gateway):
        with left(gate):
            pass
        wait_for(lambda: candidate.given_up == 1)
        [line] = lines(1)
        assert (line.arm, line.answered_by) == (CANDIDATE, CANDIDATE)
        assert (line.candidate_error, line.error, line.tokens_output) == (None, "client_gone", None)
        assert gateway.routing.breaker == "closed"
        assert gateway.metrics.in_flight == 0
    assert primary.bodies == []


def test_a_client_that_leaves_because_the_candidate_fell_silent_is_its_failure() -> None:
    late = ("gateway.late_seconds=0.3", "endpoint.breaker.failures=1")
    with live(Streaming("Ciao", "!"), Primary(), *late) as (gate, gateway):
        with left(gate):
            time.sleep(0.5)
        [line] = lines(1)
        assert (line.answered_by, line.candidate_error, line.error) == (CANDIDATE, "timeout", "client_gone")
        assert gateway.routing.breaker == "open"


def test_a_fallback_answers_until_the_first_words_and_not_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    whole = answering(response(b'{"id": "j", "status": "COMPLETED", "output": "Ciao da un altro"}'))

    async def counted(request: bytes, writer: Any) -> None:
        asked.append(request)
        await whole(request, writer)

    primary, candidate = Primary(), Streaming(ending="cut")
    with raw_server(counted) as other:
        monkeypatch.setenv("RUNPOD_API_KEY", "k")
        monkeypatch.setenv("RUNPOD_ENDPOINT", other.removesuffix("/v1"))
        with live(candidate, primary, FALLBACK) as (gate, _):
            found = ask(gate, stream=True)
            assert MESSAGES.read_answer(found.content, True).text == "Ciao da un altro"
            assert found.headers["content-length"] == str(len(found.content))  # RunPod does not stream
            assert len(asked) == 1
            candidate.pieces = ("Ciao",)
            with pytest.raises(NotText, match=CUT):
                MESSAGES.read_answer(ask(gate, stream=True).content, True)
            first, second = lines(2)
    assert (len(asked), primary.bodies) == (1, [])
    assert (first.answered_by, first.candidate_error) == (CANDIDATE, None)
    assert (second.answered_by, second.candidate_error, second.error) == (CANDIDATE, "bad_answer", CUT)


def test_whole_answers_and_http_1_0_are_as_ever() -> None:
    candidate = Streaming("Ciao", "!")
    candidate.go.set()
    with live(candidate, Primary()) as (gate, _):
        assert ask(gate).json()["content"][0]["text"] == "Ciao!"
        body = json.dumps({"model": "m", **CALLS[0][2]})
        with socket.create_connection(("127.0.0.1", int(gate.rsplit(":", 1)[1])), timeout=30) as client:
            head = f"POST /v1/messages HTTP/1.0\r\nx-zantara-user: u\r\ncontent-length: {len(body)}\r\n\r\n"
            client.sendall(f"{head}{body}".encode())
            raw = b"".join(iter(lambda: client.recv(65536), b""))
        head, _, answer = raw.partition(b"\r\n\r\n")
        assert f"content-length: {len(answer)}".encode() in head
        assert MESSAGES.read_answer(answer, True).text == "Ciao!"


def test_by_default_nothing_goes_out_before_the_answer_is_whole() -> None:
    primary = Primary()
    with live(Streaming("Ciao", ending="cut"), primary, "gateway.stream=whole") as (gate, _):
        assert ask(gate, stream=True).content == b"".join(primary.sent)
        assert lines(1)[0].fallback
    with live(Candidate("Ciao!"), primary, "endpoint.stream=false") as (gate, _):  # an endpoint that does not stream
        assert MESSAGES.read_answer(ask(gate, stream=True).content, True).text == "Ciao!"
