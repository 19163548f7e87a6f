"""OpenAI's chat completions API, which most other servers speak too."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from zantara_exp.core.ids import new_id
from zantara_exp.cost.usage import Usage, merged, usage_of
from zantara_exp.endpoints.base import Answer
from zantara_exp.endpoints.http import parts, record
from zantara_exp.gateway.dialects.base import CUT, REFUSAL, Chat, Dialect, NotText, Said, Spoken, name, plain
from zantara_exp.gateway.dialects.stream import BROKEN_OFF, Stream
from zantara_exp.traffic.movable import NOT_TEXT, TOOL_USE, UNREADABLE


class Completions(Dialect):
    """`POST /v1/chat/completions`."""

    path = "/v1/chat/completions"
    chat_fields = ("messages",)
    first_text = re.compile(rb'"content":\s*"[^"]')
    id_header = b"x-request-id"

    def _spoken(self, asked: dict[str, Any]) -> Spoken:
        turns = [{"role": str(turn.get("role")), "content": _text(turn)} for turn in parts(asked, "messages")]
        return split_system(turns)

    def _user(self, asked: Mapping[str, Any]) -> str | None:
        return openai_user(asked)

    def _whole(self, said: dict[str, Any]) -> Said:
        choices = parts(said, "choices")
        if not choices:
            raise NotText(UNREADABLE)
        message = record(choices[0], "message")
        text, made = _said_of(message)
        finish = REFUSAL if message.get("refusal") else name(choices[0].get("finish_reason"))
        return Said(text, name(said.get("model")), usage_of(record(said, "usage")), finish, made)

    def _streamed(self, events: Iterator[dict[str, Any]]) -> Said:
        pieces: list[str] = []
        model = finish = made = None
        refused = False
        usage: dict[str, Any] = {}
        for event in events:
            if event.get("error"):
                raise NotText(CUT)
            model = model or event.get("model")
            usage = merged(usage, record(event, "usage"))
            for choice in parts(event, "choices"):
                if choice.get("index", 0) == 0:
                    delta = record(choice, "delta")
                    text, other = _said_of(delta)
                    pieces.append(text)
                    made = made or other
                    refused = refused or bool(delta.get("refusal"))
                    finish = choice.get("finish_reason") or finish
        if finish is None:
            raise NotText(CUT)
        return Said("".join(pieces), name(model), usage_of(usage), REFUSAL if refused else name(finish), made)

    def _body(self, chat: Chat, answer: Answer) -> dict[str, Any]:
        message = {"role": "assistant", "content": answer.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
        return {**_head(answer.model, "chat.completion"), "choices": [choice], "usage": _usage(answer)}

    def stream(self, chat: Chat) -> Stream:
        """What writes the candidate's answer to a chat as a stream."""
        return _Chunks(chat)


class _Chunks(Stream):
    def _start(self, model: str, usage: Usage) -> Iterator[Mapping[str, Any]]:
        self._head = _head(model, "chat.completion.chunk")
        self._counts = bool(record(self._chat.options, "stream_options").get("include_usage"))
        if self._counts:
            self._head["usage"] = None
        yield self._chunk({"role": "assistant", "content": ""})

    def _piece(self, text: str) -> Iterator[Mapping[str, Any]]:
        yield self._chunk({"content": text})

    def _end(self, answer: Answer) -> Iterator[Mapping[str, Any]]:
        yield self._chunk({}, _finish(answer))
        if self._counts:
            yield {**self._head, "choices": [], "usage": _usage(answer)}

    def _broken(self) -> Iterator[Mapping[str, Any]]:
        yield {"error": {"message": BROKEN_OFF, "type": "server_error", "param": None, "code": None}}

    def end(self, answer: Answer) -> bytes:
        """What comes after the last piece."""
        return super().end(answer) + b"data: [DONE]\n\n"

    def _framed(self, events: Iterator[Mapping[str, Any]]) -> bytes:
        return b"".join(b"data: %b\n\n" % orjson.dumps(event) for event in events)

    def _chunk(self, delta: Mapping[str, str], finish: str | None = None) -> Mapping[str, Any]:
        return {**self._head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}


def openai_user(asked: Mapping[str, Any]) -> str | None:
    """The user, from today's and former fields of OpenAI's APIs, or from the app's metadata."""
    found = asked.get("safety_identifier") or asked.get("user") or record(asked, "metadata").get("user_id")
    return name(found)


def split_system(turns: list[dict[str, str]], first: str = "") -> Spoken:
    """The turns without system messages, and the system text: `first`, then those messages."""
    system = [first, *(turn["content"] for turn in turns if turn["role"] in ("system", "developer"))]
    spoken = [turn for turn in turns if turn["role"] not in ("system", "developer")]
    return Spoken("\n\n".join(filter(None, system)), spoken)


def _text(turn: Mapping[str, Any]) -> str:
    if turn.get("tool_calls") or turn.get("function_call"):
        raise NotText(NOT_TEXT)
    return plain(turn.get("content"))


def _said_of(message: Mapping[str, Any]) -> tuple[str, str | None]:
    """The text of a message or piece, and what it holds besides text."""
    if message.get("tool_calls") or message.get("function_call"):
        return "", TOOL_USE
    try:
        return plain(message.get("content") or ""), None
    except NotText:
        return "", NOT_TEXT


def _head(model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{new_id()}", "object": kind, "created": int(time.time()), "model": model}


def _usage(answer: Answer) -> dict[str, int]:
    read, written = answer.usage.read or 0, answer.usage.output or 0
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _finish(answer: Answer) -> str:
    return "length" if answer.finish_reason == "length" else "stop"
