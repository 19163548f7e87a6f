import asyncio
import contextlib
import gzip
import json
import os
from pathlib import Path

import pytest

from tests.endpoints.servers import Handler, address_of, answering, closed_port, events, raw_server, response
from zantara_exp.config.traffic import Endpoint
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.endpoints import http
from zantara_exp.endpoints.base import Answer, Reason
from zantara_exp.endpoints.http import retry_after
from zantara_exp.endpoints.openai_compatible import OpenAICompatible

CHAT = [{"role": "user", "content": "ciao"}]
GOOD = {
    "choices": [{"message": {"role": "assistant", "content": "Ciao!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 2},
}


def ask(base_url: str, **settings: object) -> Answer:
    settings = {"kind": "openai", "stream": False, "timeout_seconds": 60.0, **settings}
    config = Endpoint(name="test", base_url=base_url, model="m", **settings)  # type: ignore[arg-type]

    async def go() -> Answer:
        endpoint = OpenAICompatible(config, base_url, "m")
        try:
            return await endpoint.chat(CHAT)
        finally:
            await endpoint.close()

    return asyncio.run(go())


def answer_to(raw: bytes, **settings: object) -> Answer:
    with raw_server(answering(raw)) as url:
        return ask(url, **settings)


def test_a_whole_answer() -> None:
    answer = answer_to(response(json.dumps(GOOD).encode()))
    assert (answer.text, answer.usage.read, answer.usage.output) == ("Ciao!", 11, 2)
    assert (answer.error, answer.finish_reason, answer.provider, answer.model) == (None, "stop", "test", "m")
    assert answer.ttft_ms is None
    assert answer.latency_ms > 0


def test_a_streamed_answer_says_when_its_first_token_came() -> None:
    chunks = [
        '{"choices": [{"delta": {"role": "assistant"}}]}',
        '{"choices": [{"delta": {"content": "Ci"}}]}',
        '{"choices": [{"delta": {"content": "ao"}}]}',
        '{"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}',
    ]
    for ending in ([], ["[DONE]"]):
        answer = answer_to(events(*chunks, *ending), stream=True)
        assert (answer.text, answer.error, answer.usage.output) == ("Ciao", None, 2)
        assert answer.ttft_ms is not None
        assert 0 < answer.ttft_ms <= answer.latency_ms


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (response(b""), Reason.EMPTY_ANSWER),
        (response(b"   \n"), Reason.EMPTY_ANSWER),
        (response(b"<html>busy</html>", content_type="text/html"), Reason.BAD_ANSWER),
        (response(b"[1, 2]"), Reason.BAD_ANSWER),
        (response(b'{"choices": []}'), Reason.BAD_ANSWER),
        (response(b'{"choices": [{"message": "text"}]}'), Reason.EMPTY_ANSWER),
        (response(b'{"choices": [{"message": {"content": 5}}]}'), Reason.BAD_ANSWER),
        (response(b'{"choices": [{"message": {"content": null}}]}'), Reason.EMPTY_ANSWER),
        (response(b'{"choices": [{"message": {"content": " \\n"}}]}'), Reason.EMPTY_ANSWER),
        (response(b'{"error": {"message": "CUDA out of memory"}}'), Reason.SERVER_ERROR),
        *(
            (response(b'{"choices": [{"message": {"content": "Ci"}, "finish_reason": "%b"}]}' % why), Reason.CUT)
            for why in (b"abort", b"error", b"content_filter", b"SAFETY", b"cancelled")
        ),
        (response(json.dumps(GOOD).encode()[:-20]), Reason.BAD_ANSWER),
        (response(json.dumps(GOOD).encode())[:-20], Reason.BAD_ANSWER),  # the connection closes early
        (b"", Reason.BAD_ANSWER),
        (b"not http at all\r\n\r\n", Reason.BAD_ANSWER),
        (response(b"{}", "429 Too Many Requests"), Reason.RATE_LIMITED),
        (response(b"{}", "503 Service Unavailable"), Reason.OVERLOADED),
        (response(b"{}", "529 Overloaded"), Reason.OVERLOADED),
        (response(b"{}", "500 Internal Server Error"), Reason.SERVER_ERROR),
        (response(b"{}", "401 Unauthorized"), Reason.UNAUTHORIZED),
        (response(b"{}", "422 Unprocessable"), Reason.BAD_REQUEST),
        (response(b"", "302 Found", "location: http://elsewhere/\r\n"), Reason.BAD_ANSWER),
    ],
)
def test_what_is_no_answer_is_a_typed_failure(raw: bytes, reason: Reason) -> None:
    answer = answer_to(raw)
    assert answer.error is reason
    assert answer.text == ""


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        (['{"choices": [{"delta": {"content": "Ci"}}]}'], Reason.BAD_ANSWER),  # no finish_reason: cut
        (['{"choices": [{"delta": {"content": "Ci'], Reason.BAD_ANSWER),
        (['{"error": "worker died"}'], Reason.SERVER_ERROR),
        (
            ['{"choices": [{"delta": {"content": "Ci"}}]}', '{"object": "error"}'],
            Reason.SERVER_ERROR,
        ),
        (['{"choices": [{"delta": {"content": "Ci"}, "finish_reason": "abort"}]}'], Reason.CUT),
        (['{"choices": [{"delta": {}, "finish_reason": "stop"}]}'], Reason.EMPTY_ANSWER),
        (['{"choices": [3]}', '{"choices": "x"}', '{"usage": 1}'], Reason.BAD_ANSWER),
        ([], Reason.BAD_ANSWER),
    ],
)
def test_a_broken_stream_is_a_typed_failure(chunks: list[str], reason: Reason) -> None:
    assert answer_to(events(*chunks), stream=True).error is reason


def test_retry_after_is_read() -> None:
    answer = answer_to(response(b"{}", "429 Too Many Requests", "retry-after: 7\r\n"))
    assert answer.retry_after_s == 7
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("soon") is None
    assert retry_after(None) is None
    assert retry_after("Mon, 20 Nov 1995 19:12:08 +99999999999999999999") is None
    assert retry_after("Mon, 20 Nov 99999999999 19:12:08 GMT") is None


@pytest.mark.parametrize("stream", [False, True])
def test_a_candidate_that_hangs_or_drips_is_given_up_in_time(stream: bool) -> None:
    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(events('{"choices": [{"delta": {"content": "a"}}]}') if stream else b"HTTP/1.1 200 OK\r\n\r\n{")
        while True:  # each byte comes well within any per-read timeout
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    with raw_server(drip) as url:  # without an end: a client that only limits each read would stay
        answer = ask(url, timeout_seconds=0.5, stream=stream)
    assert answer.error is Reason.TIMEOUT
    assert answer.latency_ms > 450


def test_nobody_there_is_refused() -> None:
    with closed_port() as port:
        assert ask(address_of(port)).error is Reason.REFUSED


def test_a_huge_answer_is_cut_off() -> None:
    huge = response(json.dumps({"choices": [{"message": {"content": "x" * 2_000_000}}]}).encode())
    assert answer_to(huge, max_answer_bytes=100_000).error is Reason.TOO_LARGE


def test_the_key_comes_from_the_environment_and_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    async def note(request: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(request)
        writer.write(response(json.dumps(GOOD).encode()))

    monkeypatch.setenv("CANDIDATE_KEY", "s3cret")
    with raw_server(note) as url:
        answer = ask(url, api_key_env="CANDIDATE_KEY")
    assert b"authorization: bearer s3cret" in seen[0].lower()
    assert b'"max_tokens"' in seen[0]
    assert "s3cret" not in repr(answer)

    monkeypatch.delenv("CANDIDATE_KEY")
    assert "CANDIDATE_KEY" not in os.environ
    with pytest.raises(MissingRequirementError, match="CANDIDATE_KEY"):
        ask("http://127.0.0.1:1/v1", api_key_env="CANDIDATE_KEY")


def test_what_is_compressed_unasked_is_not_unpacked() -> None:
    packed = gzip.compress(gzip.compress(b" " * 10_000_000))
    answer = answer_to(response(packed, headers="content-encoding: gzip, gzip\r\n"))
    assert answer.error is Reason.BAD_ANSWER
    assert answer.detail == "content-encoding gzip, gzip, which nobody asked for"


def test_an_event_without_data_is_none() -> None:
    whole = '{"choices": [{"delta": {"content": "Ciao"}, "finish_reason": "stop"}]}'
    answer = answer_to(events("", whole, ""), stream=True)
    assert (answer.text, answer.error) == ("Ciao", None)


def test_streams_share_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_END_SECONDS", 60.0)
    body = b'data: {"choices": [{"delta": {"content": "Ciao"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    connections: list[asyncio.StreamWriter] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in asked.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.partition(b":")[2]))
                writer.write(head + b"%x\r\n%b\r\n" % (len(body), body))
                await writer.drain()
                await asyncio.sleep(0.01)
                writer.write(b"0\r\n\r\n")

    async def go() -> list[str]:
        server = await asyncio.start_server(served, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        endpoint = OpenAICompatible(Endpoint(name="test", base_url=url, model="m", timeout_seconds=60.0), url, "m")
        texts = [(await endpoint.chat(CHAT)).text for _ in range(3)]
        await endpoint.close()
        server.close()
        for writer in connections:
            writer.close()
            await writer.wait_closed()
        return texts

    assert asyncio.run(go()) == ["Ciao"] * 3
    assert len(connections) == 1


def keeping(asked: list[bytes]) -> Handler:
    """Answers well and keeps what it was asked."""

    async def handler(request: bytes, writer: asyncio.StreamWriter) -> None:
        asked.append(request)
        writer.write(response(json.dumps(GOOD).encode()))

    return handler


def test_a_key_is_sent_as_it_is_whatever_netrc_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("CANDIDATE_KEY", "k3y")
    asked: list[bytes] = []
    with raw_server(keeping(asked)) as url:
        answer = ask(url.replace("127.0.0.1", "localhost"), api_key_env="CANDIDATE_KEY")
    assert (answer.text, answer.error) == ("Ciao!", None)
    assert b"authorization: bearer k3y" in asked[0].lower()


def test_a_proxy_of_the_environment_is_asked_unless_no_proxy_names_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    asked: list[bytes] = []
    with raw_server(keeping(asked)) as url:
        monkeypatch.setenv("http_proxy", url.removesuffix("/v1"))
        assert ask("http://candidate.example/v1").text == "Ciao!"
        assert asked[0].startswith(b"POST http://candidate.example/v1/chat/completions ")
        monkeypatch.setenv("no_proxy", "candidate.example")
        assert ask("http://candidate.example/v1").error is not None
    assert len(asked) == 1
