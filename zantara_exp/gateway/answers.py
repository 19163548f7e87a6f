"""The candidate's answer in the shape of the primary's API, whole or as a stream.

A stream is written once the answer is whole: half an answer could not be taken back, and the primary could no longer
answer in the candidate's place.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import orjson

from zantara_exp.endpoints.base import Answer
from zantara_exp.gateway.dialects import MESSAGES, Chat

ANSWERED_BY = b"x-zantara-answered-by"
"""Response header that says `candidate`; the primary's answers pass as they are."""
_CUT = "length"


def headers_of(path: str, chat: Chat, body: bytes) -> list[tuple[bytes, bytes]]:
    """The response's headers, with an id where the API has it."""
    kind = b"text/event-stream; charset=utf-8" if chat.stream else b"application/json"
    named = (b"request-id", b"req_") if path == MESSAGES else (b"x-request-id", b"req_")
    return [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (named[0], named[1] + uuid4().hex[:24].encode()),
        (ANSWERED_BY, b"candidate"),
    ]


def body_of(path: str, chat: Chat, answer: Answer) -> bytes:
    """The response's body. A count of tokens that the candidate did not give is 0: clients read a number there."""
    if path == MESSAGES:
        return _events(_anthropic_events(answer)) if chat.stream else orjson.dumps(_anthropic(answer))
    if not chat.stream:
        return orjson.dumps(_openai(answer))
    return _chunks(_openai_chunks(answer, chat.stream_usage))


def _anthropic(answer: Answer) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [{"type": "text", "text": answer.text}],
        "stop_reason": "max_tokens" if answer.finish_reason == _CUT else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": answer.usage.read or 0, "output_tokens": answer.usage.output or 0},
    }


def _anthropic_events(answer: Answer) -> Iterator[Mapping[str, Any]]:
    whole = _anthropic(answer)
    usage = {**whole["usage"], "output_tokens": 0}
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None, "usage": usage}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": answer.text}}
    yield {"type": "content_block_stop", "index": 0}
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": whole["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def _events(events: Iterator[Mapping[str, Any]]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)


def _openai(answer: Answer) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
    return {**_openai_head(answer, "chat.completion"), "choices": [choice], "usage": _openai_usage(answer)}


def _openai_chunks(answer: Answer, usage: bool) -> Iterator[Mapping[str, Any]]:
    head = _openai_head(answer, "chat.completion.chunk")
    if usage:
        head["usage"] = None
    deltas: list[tuple[dict[str, str], str | None]] = [
        ({"role": "assistant", "content": ""}, None), ({"content": answer.text}, None), ({}, _finish(answer)),
    ]  # fmt: skip
    for delta, finish in deltas:
        yield {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}
    if usage:
        yield {**head, "choices": [], "usage": _openai_usage(answer)}


def _chunks(chunks: Iterator[Mapping[str, Any]]) -> bytes:
    return b"".join(b"data: %b\n\n" % orjson.dumps(chunk) for chunk in chunks) + b"data: [DONE]\n\n"


def _openai_head(answer: Answer, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid4().hex}", "object": kind, "created": int(time.time()), "model": answer.model}


def _openai_usage(answer: Answer) -> dict[str, int]:
    read, written = answer.usage.read or 0, answer.usage.output or 0
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _finish(answer: Answer) -> str:
    return _CUT if answer.finish_reason == _CUT else "stop"
