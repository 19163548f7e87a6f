import asyncio
import json

import pytest

from tests.endpoints.servers import answering, events, raw_server, response
from zantara_exp.config.traffic import Endpoint
from zantara_exp.endpoints.base import Answer, Reason
from zantara_exp.endpoints.build import build

CHAT = [
    {"role": "system", "content": "You are ZANTARA."},
    {"role": "user", "content": "ciao"},
    {"role": "assistant", "content": "Ciao!"},
    {"role": "user", "content": "come va?"},
]
GOOD = {
    "type": "message",
    "content": [
        {"type": "text", "text": "Bene, "},
        {"type": "tool_use", "name": "x"},
        {"type": "text", "text": "grazie"},
    ],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 11, "output_tokens": 4},
}


def ask(base_url: str, stream: bool = False, api_key_env: str | None = None) -> Answer:
    config = Endpoint(
        name="anthropic", kind="anthropic", base_url=base_url, model="claude", stream=stream, api_key_env=api_key_env
    )

    async def go() -> Answer:
        endpoint = build(config)
        try:
            return await endpoint.chat(CHAT)
        finally:
            await endpoint.close()

    return asyncio.run(go())


def test_system_prompt_key_and_version_are_sent_as_the_api_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    async def note(request: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(request)
        writer.write(response(json.dumps(GOOD).encode()))

    monkeypatch.setenv("ANTHROPIC_API_KEY", "s3cret")
    with raw_server(note) as url:
        answer = ask(url, api_key_env="ANTHROPIC_API_KEY")
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/messages ")
    assert b"x-api-key: s3cret" in head.lower()
    assert b"anthropic-version: 2023-06-01" in head.lower()
    sent = json.loads(body)
    assert sent["system"] == "You are ZANTARA."
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    assert (answer.text, answer.error, answer.finish_reason) == ("Bene, grazie", None, "stop")
    assert (answer.usage.read, answer.usage.output) == (11, 4)


STREAM = [
    {"type": "message_start", "message": {"usage": {"input_tokens": 11, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Ben"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "e"}},
    {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]


def test_a_stream() -> None:
    with raw_server(answering(events(*(json.dumps(event) for event in STREAM)))) as url:
        answer = ask(url, stream=True)
    assert (answer.text, answer.error, answer.finish_reason) == ("Bene", None, "length")
    assert (answer.usage.read, answer.usage.output) == (11, 2)
    assert answer.ttft_ms is not None


@pytest.mark.parametrize("kept", range(len(STREAM)))
def test_a_stream_that_is_cut_anywhere_is_a_failure(kept: int) -> None:
    with raw_server(answering(events(*(json.dumps(event) for event in STREAM[:kept])))) as url:
        assert ask(url, stream=True).error is Reason.BAD_ANSWER


def test_an_error_inside_a_stream_is_typed() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with raw_server(answering(events(json.dumps(STREAM[0]), json.dumps(error)))) as url:
        assert ask(url, stream=True).error is Reason.OVERLOADED


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (response(b"{}", "529 Overloaded"), Reason.OVERLOADED),
        (response(b'{"type": "error", "error": {"type": "rate_limit_error"}}'), Reason.RATE_LIMITED),
        (response(b'{"type": "error", "error": 3}'), Reason.SERVER_ERROR),
        (response(b'{"content": []}'), Reason.EMPTY_ANSWER),
        (response(b'{"content": [{"type": "text", "text": "Non"}], "stop_reason": "refusal"}'), Reason.CUT),
        (response(b'{"content": "x"}'), Reason.BAD_ANSWER),
        (response(b'{"content": [{"type": "text", "text": 5}, 7]}'), Reason.EMPTY_ANSWER),
    ],
)
def test_failures_are_typed(raw: bytes, reason: Reason) -> None:
    with raw_server(answering(raw)) as url:
        assert ask(url).error is reason
