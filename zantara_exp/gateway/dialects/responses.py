"""OpenAI's Responses API, the default of the Vercel AI SDK, of agents' frameworks and of OpenAI's own guides.

Request (`input`) and answer (`output`) are lists of items: messages, thoughts, calls of tools. A request may refer to
earlier turns that the provider keeps (`previous_response_id`, `conversation`, `prompt`); a candidate cannot see those.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from zantara_exp.core.ids import new_id
from zantara_exp.cost.usage import Usage, usage_of
from zantara_exp.endpoints.base import Answer
from zantara_exp.endpoints.http import parts, record, text_of
from zantara_exp.gateway.dialects.base import CUT, REFUSAL, Chat, Dialect, NotText, Said, Spoken, name, plain
from zantara_exp.gateway.dialects.completions import openai_user, split_system
from zantara_exp.gateway.dialects.stream import BROKEN_OFF, Stream, named_event
from zantara_exp.traffic.movable import NOT_TEXT, STORED_CHAT, TOOL_USE, UNREADABLE

STORED = ("previous_response_id", "conversation", "prompt")
"""Fields that refer to a part of the chat that the provider keeps."""
_ENDS = ("response.completed", "response.incomplete", "response.failed")
_CUT_AT = {"max_output_tokens": "length", "content_filter": "content_filter"}
_ECHOED: Mapping[str, Any] = {
    "instructions": None, "max_output_tokens": None, "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0,
    "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled", "user": None,
    "safety_identifier": None, "text": {"format": {"type": "text"}}, "reasoning": {"effort": None, "summary": None},
}  # fmt: skip
"""Fields of the request that the answer repeats, with their defaults."""


class Responses(Dialect):
    """`POST /v1/responses`."""

    path = "/v1/responses"
    chat_fields = ("input",)
    first_text = re.compile(rb'"response\.output_text\.delta"')
    id_header = b"x-request-id"

    def _spoken(self, asked: dict[str, Any]) -> Spoken:
        if any(asked.get(field) for field in STORED):
            raise NotText(STORED_CHAT)
        said = asked.get("input")
        items = [{"role": "user", "content": said}] if isinstance(said, str) else parts(asked, "input")
        if isinstance(said, list) and len(items) != len(said):
            raise NotText(NOT_TEXT)
        turns = [_turn(item) for item in items if item.get("type") != "reasoning"]
        return split_system(turns, plain(asked.get("instructions") or ""))

    def _user(self, asked: Mapping[str, Any]) -> str | None:
        return openai_user(asked)

    def _stores(self, asked: Mapping[str, Any]) -> bool:
        return asked.get("store") is not False

    def _whole(self, said: dict[str, Any]) -> Said:
        return _answer(said, "")

    def _streamed(self, events: Iterator[dict[str, Any]]) -> Said:
        pieces: list[str] = []
        for event in events:
            kind = event.get("type")
            if kind == "error":
                raise NotText(CUT)
            if kind == "response.output_text.delta":
                pieces.append(name(event.get("delta")) or "")
            elif kind in _ENDS:
                return _answer(record(event, "response"), "".join(pieces))
        raise NotText(CUT)

    def _body(self, chat: Chat, answer: Answer) -> dict[str, Any]:
        return _ended(_begun(chat, answer.model), answer, _message_id())

    def stream(self, chat: Chat) -> Stream:
        """What writes the candidate's answer to a chat as a stream."""
        return _Events(chat)


class _Events(Stream):
    """A response of one item, which has one part."""

    def __init__(self, chat: Chat) -> None:
        super().__init__(chat)
        self._numbers = count()
        self._item = _message_id()
        self._at: dict[str, Any] = {"item_id": self._item, "output_index": 0, "content_index": 0}
        self._response: dict[str, Any] = {}

    def _framed(self, events: Iterator[Mapping[str, Any]]) -> bytes:
        return b"".join(named_event({**event, "sequence_number": next(self._numbers)}) for event in events)

    def _start(self, model: str, usage: Usage) -> Iterator[Mapping[str, Any]]:
        self._response = _begun(self._chat, model)
        opened = {**_message(self._item, "", "in_progress"), "content": []}
        yield {"type": "response.created", "response": self._response}
        yield {"type": "response.in_progress", "response": self._response}
        yield {"type": "response.output_item.added", "output_index": 0, "item": opened}
        yield {"type": "response.content_part.added", **self._at, "part": _part("")}

    def _piece(self, text: str) -> Iterator[Mapping[str, Any]]:
        yield {"type": "response.output_text.delta", **self._at, "delta": text, "logprobs": []}

    def _end(self, answer: Answer) -> Iterator[Mapping[str, Any]]:
        whole = _ended(self._response, answer, self._item)
        yield {"type": "response.output_text.done", **self._at, "text": answer.text, "logprobs": []}
        yield {"type": "response.content_part.done", **self._at, "part": _part(answer.text)}
        yield {"type": "response.output_item.done", "output_index": 0, "item": whole["output"][0]}
        yield {"type": f"response.{whole['status']}", "response": whole}

    def _broken(self) -> Iterator[Mapping[str, Any]]:
        error = {"code": "server_error", "message": BROKEN_OFF}
        yield {"type": "response.failed", "response": {**self._response, "status": "failed", "error": error}}


def _begun(chat: Chat, model: str) -> dict[str, Any]:
    """A response that has said nothing yet."""
    return {
        "id": f"resp_{new_id()}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "previous_response_id": None,
        "store": False,
        **{field: value if (said := chat.options.get(field)) is None else said for field, value in _ECHOED.items()},
        "usage": None,
    }


def _ended(begun: Mapping[str, Any], answer: Answer, item: str) -> dict[str, Any]:
    """The same response with its answer."""
    cut = answer.finish_reason == "length"
    status = "incomplete" if cut else "completed"
    return {
        **begun,
        "status": status,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": [_message(item, answer.text, status)],
        "usage": _usage(answer),
    }


def _turn(item: Mapping[str, Any]) -> dict[str, str]:
    if item.get("type", "message") != "message":  # a tool call, its result, or a reference to a stored item
        raise NotText(STORED_CHAT if item.get("type") == "item_reference" else NOT_TEXT)
    return {"role": str(item.get("role")), "content": plain(item.get("content"))}


def _answer(said: Mapping[str, Any], streamed: str) -> Said:
    """The answer in a whole response; `streamed` is the text streamed before, for servers that do not repeat it."""
    if "output" not in said or said.get("status") == "failed" or said.get("error"):
        raise NotText(CUT if said.get("status") == "failed" or said.get("error") else UNREADABLE)
    items = [item for item in parts(said, "output") if item.get("type") != "reasoning"]
    blocks = [block for item in items if item.get("type") == "message" for block in parts(item, "content")]
    made = TOOL_USE if any(item.get("type") != "message" for item in items) else None
    text = "".join(text_of(block) for block in blocks if block.get("type") == "output_text") or streamed
    finish = REFUSAL if any(block.get("type") == REFUSAL for block in blocks) else _finish(said)
    return Said(text, name(said.get("model")), usage_of(record(said, "usage")), finish, made)


def _finish(said: Mapping[str, Any]) -> str:
    """The finish reason in the words of chat completions."""
    status = name(said.get("status")) or "completed"
    if status == "completed":
        return "stop"
    return _CUT_AT.get(str(record(said, "incomplete_details").get("reason")), "cancelled")


def _message_id() -> str:
    return f"msg_{new_id()}"


def _message(item: str, text: str, status: str) -> dict[str, Any]:
    return {"id": item, "type": "message", "status": status, "role": "assistant", "content": [_part(text)]}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(answer: Answer) -> dict[str, Any]:
    read, written = answer.usage.read or 0, answer.usage.output or 0
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": answer.usage.cache_read or 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
