"""What the stub answers, in the shapes that the three APIs have today, whole and as the frames of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from zantara_exp.cost.usage import Usage

PIECES = ("Ciao! ", "Tutto bene, ", "e tu? ", "Un caffè 😊")
SAID = "".join(PIECES)
CITY = {"city": "Città di Bali"}
_THOUGHT = "Let me think."

MESSAGE_USAGE = Usage(12, 0, 0, 0, 40)
CACHED_USAGE = Usage(12, 5000, 300, 20, 40)
COMPLETION_USAGE = Usage(1012, 1000, None, None, 40)
RESPONSE_USAGE = Usage(1012, 1000, None, None, 40)
"""What the comparison log is to say of those answers."""


def message(scene: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Of the Messages API."""
    content: list[dict[str, Any]] = [{"type": "text", "text": SAID}]
    if scene == "thinking":
        content.insert(0, {"type": "thinking", "thinking": _THOUGHT, "signature": "EqQBCgIYAhIM"})
    if scene == "tool":
        content = [
            {"type": "text", "text": "I look it up."},
            {"type": "tool_use", "id": "toolu_1", "name": asked["tools"][0]["name"], "input": CITY},
        ]
    cached = scene == "cached"
    usage = {
        "input_tokens": 12, "cache_read_input_tokens": 5000 if cached else 0,
        "cache_creation_input_tokens": 320 if cached else 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 300 * cached, "ephemeral_1h_input_tokens": 20 * cached},
        "output_tokens": 40, "service_tier": "standard",
    }  # fmt: skip
    return {
        "id": "msg_1", "type": "message", "role": "assistant",
        "model": asked.get("model", "claude"), "content": content,
        "stop_reason": "tool_use" if scene == "tool" else "end_turn", "stop_sequence": None, "usage": usage,
        "container": None,
    }  # fmt: skip


def message_frames(whole: dict[str, Any]) -> Iterator[bytes]:
    usage = {**whole["usage"], "output_tokens": 1}
    started = {**whole, "content": [], "stop_reason": None, "usage": usage}
    yield _event({"type": "message_start", "message": started})
    yield _event({"type": "ping"})
    for index, block in enumerate(whole["content"]):
        empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
        opened = {**block, **empty[block["type"]]}
        yield _event({"type": "content_block_start", "index": index, "content_block": opened})
        for delta in _deltas(block):
            yield _event({"type": "content_block_delta", "index": index, "delta": delta})
        yield _event({"type": "content_block_stop", "index": index})
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 40}})
    yield _event({"type": "message_stop"})


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        pieces = PIECES if block["text"] == SAID else (block["text"],)
        yield from ({"type": "text_delta", "text": piece} for piece in pieces)
    elif block["type"] == "thinking":
        yield {"type": "thinking_delta", "thinking": block["thinking"]}
        yield {"type": "signature_delta", "signature": block["signature"]}
    else:
        text = json.dumps(block["input"], ensure_ascii=False)
        yield from ({"type": "input_json_delta", "partial_json": part} for part in ("", text[:7], text[7:]))


def completion(scene: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Of the chat completions API."""
    said: dict[str, Any] = {"role": "assistant", "content": SAID, "refusal": None, "annotations": []}
    if "response_format" in asked:
        said["content"] = json.dumps(CITY, ensure_ascii=False)
    if scene == "tool":
        function = {"name": asked["tools"][0]["function"]["name"], "arguments": json.dumps(CITY)}
        call = {"id": "call_1", "type": "function", "function": function}
        said = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call], "annotations": []}
    usage = {
        "prompt_tokens": 2012, "completion_tokens": 40, "total_tokens": 2052,
        "prompt_tokens_details": {"cached_tokens": 1000, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 0},
    }  # fmt: skip
    choice = {
        "index": 0,
        "message": said,
        "logprobs": None,
        "finish_reason": "tool_calls" if scene == "tool" else "stop",
    }
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1760000000, "model": asked["model"],
        "choices": [choice], "usage": usage, "service_tier": "default", "system_fingerprint": "fp_1",
    }  # fmt: skip


def completion_frames(whole: dict[str, Any], asked: dict[str, Any]) -> Iterator[bytes]:
    counts = bool((asked.get("stream_options") or {}).get("include_usage"))
    head = {**whole, "object": "chat.completion.chunk", **({"usage": None} if counts else {})}
    if not counts:
        del head["usage"]

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _data({**head, "choices": [choice]})

    [choice] = whole["choices"]
    said = choice["message"]
    yield chunk({"role": "assistant", "content": None if said["content"] is None else "", "refusal": None})
    for call in said.get("tool_calls", []):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        yield chunk({"tool_calls": [{**call, "index": 0, "function": {"name": name, "arguments": ""}}]})
        for part in (arguments[:7], arguments[7:]):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
    if said["content"] is not None:
        for piece in PIECES if said["content"] == SAID else (said["content"],):
            yield chunk({"content": piece})
    yield chunk({}, choice["finish_reason"])
    if counts:
        yield _data({**head, "choices": [], "usage": whole["usage"]})
    yield b"data: [DONE]\n\n"


def response(scene: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Of the Responses API."""
    part = {"type": "output_text", "text": SAID, "annotations": [], "logprobs": []}
    item: dict[str, Any] = {
        "id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]
    }  # fmt: skip
    if scene == "tool":
        item = {
            "id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1",
            "name": asked["tools"][0]["name"], "arguments": json.dumps(CITY),
        }  # fmt: skip
    usage = {
        "input_tokens": 2012, "input_tokens_details": {"cached_tokens": 1000}, "output_tokens": 40,
        "output_tokens_details": {"reasoning_tokens": 30}, "total_tokens": 2052,
    }  # fmt: skip
    return {
        "id": "resp_1", "object": "response", "created_at": 1760000000, "status": "completed", "background": False,
        "error": None, "incomplete_details": None, "instructions": asked.get("instructions"),
        "max_output_tokens": None, "model": asked["model"],
        "output": [{"id": "rs_1", "type": "reasoning", "summary": []}, item], "parallel_tool_calls": True,
        "previous_response_id": asked.get("previous_response_id"), "reasoning": {"effort": None, "summary": None},
        "store": True, "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto",
        "tools": asked.get("tools") or [], "top_p": 1.0, "truncation": "disabled", "usage": usage, "user": None,
        "metadata": {},
    }  # fmt: skip


def response_frames(whole: dict[str, Any]) -> Iterator[bytes]:
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    reasoning, item = whole["output"]
    at = {"item_id": item["id"], "output_index": 1}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": reasoning},
        {"type": "response.output_item.done", "output_index": 0, "item": reasoning},
    ]
    if item["type"] == "message":
        [part] = item["content"]
        at["content_index"] = 0
        opened = {**item, "status": "in_progress", "content": []}
        events.append({"type": "response.output_item.added", "output_index": 1, "item": opened})
        events.append({"type": "response.content_part.added", **at, "part": {**part, "text": ""}})
        events += [{"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []} for piece in PIECES]
        events.append({"type": "response.output_text.done", **at, "text": SAID, "logprobs": []})
        events.append({"type": "response.content_part.done", **at, "part": part})
    else:
        opened = {**item, "status": "in_progress", "arguments": ""}
        events.append({"type": "response.output_item.added", "output_index": 1, "item": opened})
        arguments = item["arguments"]
        for piece in (arguments[:7], arguments[7:]):
            events.append({"type": "response.function_call_arguments.delta", **at, "delta": piece})
        done = {"arguments": arguments, "name": item["name"]}
        events.append({"type": "response.function_call_arguments.done", **at, **done})
    events.append({"type": "response.output_item.done", "output_index": 1, "item": item})
    events.append({"type": "response.completed", "response": whole})
    yield from (_event({**event, "sequence_number": number}) for number, event in enumerate(events))


def _event(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\n".encode() + _data(event)


def _data(event: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
