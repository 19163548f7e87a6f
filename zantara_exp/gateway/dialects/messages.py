"""Anthropic's Messages API; Vertex AI, Bedrock's `invoke` and Azure's Foundry take the same bodies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from zantara_exp.core.ids import new_id
from zantara_exp.cost.usage import Usage, merged, usage_of
from zantara_exp.endpoints.base import Answer
from zantara_exp.endpoints.http import parts, record, text_of
from zantara_exp.gateway.dialects.base import CUT, Chat, Dialect, NotText, Said, Spoken, name, plain
from zantara_exp.gateway.dialects.stream import BROKEN_OFF, Stream
from zantara_exp.traffic.movable import TOOL_USE


class Messages(Dialect):
    """`POST /v1/messages`."""

    path = "/v1/messages"
    chat_fields = ("messages", "system")
    first_text = re.compile(rb'"text_delta"')
    id_header = b"request-id"

    def _spoken(self, asked: dict[str, Any]) -> Spoken:
        turns = [
            {"role": str(turn.get("role")), "content": plain(turn.get("content"))} for turn in parts(asked, "messages")
        ]
        return Spoken(plain(asked.get("system") or ""), turns)

    def _user(self, asked: Mapping[str, Any]) -> str | None:
        return name(record(asked, "metadata").get("user_id"))

    def _whole(self, said: dict[str, Any]) -> Said:
        blocks = parts(said, "content")
        made = TOOL_USE if any(block.get("type") == TOOL_USE for block in blocks) else None
        text = "".join(text_of(block) for block in blocks if block.get("type") == "text")
        usage = usage_of(record(said, "usage"))
        return Said(text, name(said.get("model")), usage, name(said.get("stop_reason")), made)

    def _streamed(self, events: Iterator[dict[str, Any]]) -> Said:
        message: dict[str, Any] = {}
        pieces: list[str] = []
        usage: dict[str, Any] = {}
        stop, ended, made = None, False, None
        for event in events:
            kind = event.get("type")
            if kind == "error":
                raise NotText(CUT)
            if kind == "message_start":
                message = record(event, "message")
                usage = merged(usage, record(message, "usage"))
            elif kind == "content_block_start" and record(event, "content_block").get("type") == TOOL_USE:
                made = TOOL_USE
            elif kind == "content_block_delta":
                pieces.append(text_of(record(event, "delta")))
            elif kind == "message_delta":
                usage = merged(usage, record(event, "usage"))
                stop = record(event, "delta").get("stop_reason") or stop
            ended = ended or kind == "message_stop"
        if not ended:
            raise NotText(CUT)
        return Said("".join(pieces), name(message.get("model")), usage_of(usage), name(stop), made)

    def _body(self, chat: Chat, answer: Answer) -> dict[str, Any]:
        message = _message(answer.model, answer.usage)
        return {**message, **_stop(answer), "content": [{"type": "text", "text": answer.text}]}

    def stream(self, chat: Chat) -> Stream:
        """What writes the candidate's answer to a chat as a stream."""
        return MessagesStream(chat)


class MessagesStream(Stream):
    """A message of one block."""

    def _start(self, model: str, usage: Usage) -> Iterator[Mapping[str, Any]]:
        message = _message(model, replace(usage, output=0))
        yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}

    def _piece(self, text: str) -> Iterator[Mapping[str, Any]]:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}

    def _end(self, answer: Answer) -> Iterator[Mapping[str, Any]]:
        yield {"type": "content_block_stop", "index": 0}
        stop = {**_stop(answer), "stop_sequence": None}
        yield {"type": "message_delta", "delta": stop, "usage": _usage(answer.usage)}
        yield {"type": "message_stop"}

    def _broken(self) -> Iterator[Mapping[str, Any]]:
        yield {"type": "error", "error": {"type": "api_error", "message": BROKEN_OFF}}


def _message(model: str, usage: Usage) -> dict[str, Any]:
    """All of a message but what it says and how it ended."""
    return {
        "id": f"msg_{new_id()[:24]}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "stop_sequence": None,
        "usage": _usage(usage),
    }


def _stop(answer: Answer) -> dict[str, str]:
    return {"stop_reason": "max_tokens" if answer.finish_reason == "length" else "end_turn"}


def _usage(usage: Usage) -> dict[str, int]:
    return {"input_tokens": usage.read or 0, "output_tokens": usage.output or 0}
