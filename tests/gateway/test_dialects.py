"""What the gateway reads in the requests and answers of each API, and what it writes in their place."""

import json
import struct
import zlib
from typing import Any

import pytest

from tests.shadow.primary import responses_frames, responses_whole
from zantara_exp.config.rollout import Rollout
from zantara_exp.cost.usage import Usage
from zantara_exp.endpoints.base import Answer
from zantara_exp.gateway.dialects import (
    BEDROCK_STREAM,
    COMPLETIONS,
    CUT,
    DIALECTS,
    MESSAGES,
    RESPONSES,
    Chat,
    Dialect,
    NotText,
)
from zantara_exp.traffic.movable import NOT_TEXT, STORED_CHAT, TOOL_USE, UNREADABLE, Movable

MOVABLE = Movable(Rollout(categories=["greeting", "casual"]), max_tokens=256)
USER = {"role": "user", "content": "Ciao, come stai?"}
TURNS = [USER, {"role": "assistant", "content": "Bene."}, {"role": "user", "content": "Anch'io."}]


def read(dialect: Dialect, **body: Any) -> Chat:
    return dialect.read_chat(json.dumps(body).encode())


def items(*blocks: dict[str, Any], role: str = "user") -> list[dict[str, Any]]:
    return [{"type": "message", "role": role, "content": list(blocks)}]


THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
SAID = {"type": "output_text", "text": "Bene.", "annotations": []}


@pytest.mark.parametrize(
    ("body", "turns"),
    [
        ({"input": "Ciao"}, ["Ciao"]),
        ({"input": TURNS}, ["Ciao, come stai?", "Bene.", "Anch'io."]),
        ({"input": items({"type": "input_text", "text": "Ciao"})}, ["Ciao"]),
        ({"input": [USER, THOUGHT, *items(SAID, role="assistant"), USER]}, [USER["content"], "Bene.", USER["content"]]),
    ],
)
def test_a_responses_request_is_a_text_or_a_list_of_items(body: dict[str, Any], turns: list[str]) -> None:
    chat = read(RESPONSES, model="m", instructions="Be short.", safety_identifier="u1", **body)
    assert [*(turn["content"] for turn in chat.history), chat.message] == turns
    assert (chat.system, chat.user, chat.unshowable, chat.stored) == ("Be short.", "u1", "", True)
    assert "input" not in chat.options
    assert MOVABLE.request(chat.asked) == ""


def test_instructions_and_system_items_are_one_system_prompt() -> None:
    developer = {"role": "developer", "content": "Be kind."}
    assert read(RESPONSES, input=[developer, USER], instructions="Be short.").system == "Be short.\n\nBe kind."


CALL = {"type": "function_call", "call_id": "c1", "name": "visa", "arguments": "{}"}
STAYS: list[tuple[dict[str, Any], str]] = [
    ({"previous_response_id": "resp_1"}, STORED_CHAT),
    ({"conversation": "conv_1"}, STORED_CHAT),
    ({"conversation": {"id": "conv_1"}}, STORED_CHAT),
    ({"prompt": {"id": "pmpt_1"}}, STORED_CHAT),
    ({"input": [{"type": "item_reference", "id": "msg_1"}, USER]}, STORED_CHAT),
    ({"input": [USER, CALL, {"type": "function_call_output", "call_id": "c1", "output": "{}"}, USER]}, NOT_TEXT),
    ({"input": items({"type": "input_image", "image_url": "data:image/png;base64,AA"})}, NOT_TEXT),
    ({"input": items({"type": "input_file", "file_id": "f"})}, NOT_TEXT),
    ({"input": None}, NOT_TEXT),
    ({"input": ["Ciao"]}, NOT_TEXT),
    ({"input": items({"type": "output_text", "text": "x"}, role="assistant")}, NOT_TEXT),
    ({"tools": [{"type": "web_search"}]}, "tools"),
    ({"reasoning": {"effort": "high"}}, "thinking"),
    ({"text": {"format": {"type": "json_schema", "name": "p", "schema": {}}}}, "format"),
    ({"max_output_tokens": 16}, "shorter_answer"),
    ({"include": ["message.output_text.logprobs"]}, "logprobs"),
    ({"background": True}, "other_option"),
]
MOVES: list[dict[str, Any]] = [
    {"store": False},
    {"store": True},  # its default
    {"reasoning": {"effort": "none"}},
    {"reasoning": {"effort": None, "summary": None}},
    {"include": ["reasoning.encrypted_content"], "store": False},
    {"text": {"format": {"type": "text"}, "verbosity": "low"}},
    {"max_output_tokens": 400, "truncation": "auto", "stream": True, "stream_options": {"include_obfuscation": False}},
    {"previous_response_id": None, "conversation": None, "tools": [], "metadata": {}},
]


@pytest.mark.parametrize(("more", "why"), STAYS)
def test_what_keeps_a_responses_request_with_the_primary(more: dict[str, Any], why: str) -> None:
    assert MOVABLE.request(read(RESPONSES, **{"model": "m", "input": "Ciao", **more}).asked) == why


@pytest.mark.parametrize("more", MOVES)
def test_what_a_responses_request_may_say_and_move(more: dict[str, Any]) -> None:
    chat = read(RESPONSES, model="m", input="Ciao", **more)
    assert MOVABLE.request(chat.asked) == ""
    assert chat.stored == (more.get("store") is not False)


@pytest.mark.parametrize("dialect", [COMPLETIONS, RESPONSES])
@pytest.mark.parametrize(
    ("named", "user"),
    [
        ({"metadata": {"user_id": "u7"}}, "u7"),
        ({"user": "u1", "metadata": {"user_id": "u7"}}, "u1"),
        ({"safety_identifier": "s1", "user": "u1"}, "s1"),
        ({"metadata": {"user_id": 7}}, None),
        ({}, None),
    ],
)
def test_whom_openais_requests_name(dialect: Dialect, named: dict[str, Any], user: str | None) -> None:
    assert read(dialect, messages=[USER], input="Ciao", **named).user == user


def test_thoughts_of_earlier_turns_are_not_shown_and_hide_nothing() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "Bene."}]}
    chat = read(MESSAGES, messages=[USER, said, USER])
    assert [turn["content"] for turn in chat.history] == [USER["content"], "Bene."]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_body_that_is_no_object_is_unreadable(dialect: Dialect) -> None:
    for body in (b"", b"[]", b"{", b"\xff"):
        assert dialect.read_chat(body).unshowable == UNREADABLE
        with pytest.raises(NotText):
            dialect.read_answer(body, streamed=False)


def test_a_responses_answer_whole_and_streamed() -> None:
    for tool in (False, True):
        whole = RESPONSES.read_answer(json.dumps(responses_whole(tool)).encode(), streamed=False)
        assert whole == RESPONSES.read_answer(b"".join(responses_frames(tool)), streamed=True)
        assert (whole.text, whole.made) == (("", TOOL_USE) if tool else ("Ciao! Come va?", None))
        assert (whole.model, whole.finish_reason, whole.usage) == ("gpt-5-mini", "stop", Usage(100, 1900, output=69))


@pytest.mark.parametrize(
    ("changed", "finish"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"status": "cancelled"}, "cancelled"),
        ({"status": "queued", "output": []}, "cancelled"),
        ({"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]}, "refusal"),
    ],
)
def test_how_a_responses_answer_ended(changed: dict[str, Any], finish: str) -> None:
    body = json.dumps({**responses_whole(False), **changed}).encode()
    assert RESPONSES.read_answer(body, streamed=False).finish_reason == finish


@pytest.mark.parametrize("last", [{"type": "error", "message": "x"}, {"type": "response.failed", "response": {}}, None])
def test_a_responses_stream_that_breaks_off_is_cut(last: dict[str, Any] | None) -> None:
    if last is not None and "response" in last:
        last = {**last, "response": {**responses_whole(False), "status": "failed", "error": {"code": "server_error"}}}
    frames = responses_frames(False)[:-1] + ([f"data: {json.dumps(last)}\n\n".encode()] if last else [])
    with pytest.raises(NotText, match=CUT):
        RESPONSES.read_answer(b"".join(frames), streamed=True)


def test_a_server_that_does_not_repeat_the_text_at_the_end_is_read_from_its_pieces() -> None:
    end = {"type": "response.completed", "response": {**responses_whole(False), "output": []}}
    frames = [*responses_frames(False)[:-1], f"data: {json.dumps(end)}\n\n".encode()]
    assert RESPONSES.read_answer(b"".join(frames), streamed=True).text == "Ciao! Come va?"


def test_a_refusal_is_no_whole_answer() -> None:
    choice = {"index": 0, "message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}
    assert COMPLETIONS.read_answer(json.dumps({"choices": [choice]}).encode(), False).finish_reason == "refusal"
    deltas: list[dict[str, Any]] = [{"content": None, "refusal": ""}, {"refusal": "No."}]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks)
    assert COMPLETIONS.read_answer(body, True).finish_reason == "refusal"


def test_bedrocks_frames() -> None:
    """Frames as AWS documents them and botocore 1.44 reads them; a stream that is cut anywhere is no answer."""
    chat = read(BEDROCK_STREAM, anthropic_version="bedrock-2023-05-31", max_tokens=500, messages=[USER])
    assert (chat.stream, MOVABLE.request(chat.asked)) == (True, "")
    body = BEDROCK_STREAM.written(chat, Answer("Ciao!", "m", "openai", 1.0, Usage(9, output=4), None, "stop"))
    length, headers = struct.unpack_from(">II", body)
    assert struct.unpack_from(">I", body, 8)[0] == zlib.crc32(body[:8])
    assert struct.unpack_from(">I", body, length - 4)[0] == zlib.crc32(body[: length - 4])
    assert body[12 : 12 + headers] == (
        b"\x0b:event-type\x07\x00\x05chunk\x0d:content-type\x07\x00\x10application/json"
        b"\x0d:message-type\x07\x00\x05event"
    )
    assert not BEDROCK_STREAM.begins_text(body[:length])
    assert BEDROCK_STREAM.begins_text(body)
    for kept in range(len(body)):
        with pytest.raises(NotText, match=CUT):
            BEDROCK_STREAM.read_answer(body[:kept], streamed=True)
    for wrong in (b"\xff" * 40, b"\0" * 40, body[:12] + b"x" * 300):
        with pytest.raises(NotText):
            BEDROCK_STREAM.read_answer(wrong, streamed=True)


def test_bedrocks_frame_of_an_answer_that_broke_off() -> None:
    """An exception, by which AWS's clients know that no event follows."""
    frame = BEDROCK_STREAM.stream(read(BEDROCK_STREAM, anthropic_version="2023", messages=[USER])).broken()
    length, headers = struct.unpack_from(">II", frame)
    assert (length, struct.unpack_from(">I", frame, length - 4)[0]) == (len(frame), zlib.crc32(frame[: length - 4]))
    assert frame[12 : 12 + headers].startswith(b"\x0f:exception-type\x07\x00\x19modelStreamErrorException")
    assert frame[12 : 12 + headers].endswith(b"\x0d:message-type\x07\x00\x09exception")
    assert json.loads(frame[12 + headers : -4]) == {"message": "the answer broke off", "originalStatusCode": 500}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_written_is_read_again(dialect: Dialect, stream: bool) -> None:
    stream = stream or dialect is BEDROCK_STREAM
    chat = read(
        dialect,
        anthropic_version="2023",
        messages=[USER],
        input="Ciao",
        stream=stream,
        stream_options={"include_usage": True},
    )
    for finish, read_as in (("stop", ("stop", "end_turn")), ("length", ("length", "max_tokens"))):
        body = dialect.written(chat, Answer("Ciao \n\n data: è", "m", "openai", 1.0, Usage(9, output=4), None, finish))
        said = dialect.read_answer(body, stream)
        assert (said.text, said.model, said.usage, said.finish_reason in read_as) == (
            "Ciao \n\n data: è", "m", Usage(9, said.usage.cache_read, output=4), True
        )  # fmt: skip
        assert dict(dialect.headers(chat, len(body)))[b"content-length"] == str(len(body)).encode()
