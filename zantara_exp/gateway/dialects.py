"""What a gateway reads in the traffic it forwards: Anthropic's Messages API and OpenAI's chat completions.

Nothing here changes a byte of what passes. A chat that is not text alone (images, results of tools) is read as far as
its options: no candidate could be shown the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from zantara_exp.endpoints.http import parts, record, text_of
from zantara_exp.movable import NOT_TEXT, TOOL_USE, UNREADABLE, Asked
from zantara_exp.usage import Usage, merged, usage_of

MESSAGES, COMPLETIONS = "/v1/messages", "/v1/chat/completions"
_TEXT_PARTS = ("text", "input_text", "output_text")
CUT = "cut"
"""What NotText says of an answer that the primary did not end."""


class NotText(Exception):
    """A chat or an answer that is not text as it should be; the message is the reason, as it is counted."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A request as the mirror takes it."""

    message: str
    history: Sequence[Mapping[str, str]]
    system: str
    user: str | None
    """As the API's own field names it."""
    stream: bool = False
    stream_usage: bool = False
    """OpenAI: whether the stream is to end with the usage."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The request's fields but for the chat itself, which may hold images of any size."""
    unshowable: str = ""
    """Why message and history are not read: one of `zantara_exp.movable.UNSHOWABLE`."""

    @property
    def asked(self) -> Asked:
        """What it asks for, for the predicate."""
        characters = len(self.message) + sum(len(turn["content"]) for turn in self.history)
        return Asked(self.options, characters, self.unshowable)


@dataclass(frozen=True, slots=True)
class Said:
    """A primary's answer."""

    text: str
    model: str | None
    usage: Usage
    finish_reason: str | None
    made: str | None = None
    """What the primary made of the request in the place of a text: one of `zantara_exp.movable.WITHOUT_ANSWER`."""


def read_chat(path: str, body: bytes) -> Chat:
    """The chat of a request to `path`, whatever the body is."""
    try:
        asked = _object(body)
    except NotText:
        return Chat("", (), "", None, unshowable=UNREADABLE)
    try:
        return _text_chat(path, asked)
    except NotText:
        stream, options = bool(asked.get("stream")), _options(asked)
        return Chat("", (), "", _user(path, asked), stream, options=options, unshowable=NOT_TEXT)


def _options(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name not in ("messages", "system")}


def _user(path: str, asked: Mapping[str, Any]) -> str | None:
    if path == MESSAGES:
        return _name(record(asked, "metadata").get("user_id"))
    return _name(asked.get("safety_identifier") or asked.get("user"))


def _text_chat(path: str, asked: dict[str, Any]) -> Chat:
    turns = [(str(turn.get("role")), _text(turn)) for turn in parts(asked, "messages")]
    system = [text for role, text in turns if role in ("system", "developer")]
    if path == MESSAGES:
        system = [_plain(asked.get("system", ""))]
    spoken = [{"role": role, "content": text} for role, text in turns if role not in ("system", "developer")]
    if not spoken or spoken[-1]["role"] != "user" or any(each["role"] not in ("user", "assistant") for each in spoken):
        raise NotText(NOT_TEXT)
    return Chat(
        spoken[-1]["content"],
        spoken[:-1],
        "\n\n".join(filter(None, system)),
        _user(path, asked),
        stream=bool(asked.get("stream")),
        stream_usage=bool(record(asked, "stream_options").get("include_usage")),
        options=_options(asked),
    )


def read_answer(path: str, body: bytes, streamed: bool) -> Said:
    """The answer to a request to `path`, whole or as the bytes of its stream. Raises NotText."""
    if path == MESSAGES:
        return _anthropic_stream(_events(body)) if streamed else _anthropic(_object(body))
    return _openai_stream(_events(body)) if streamed else _openai(_object(body))


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotText(UNREADABLE) from error
    if not isinstance(found, dict):
        raise NotText(UNREADABLE)
    return found


def _text(turn: Mapping[str, Any]) -> str:
    if turn.get("tool_calls") or turn.get("function_call"):
        raise NotText(NOT_TEXT)
    return _plain(turn.get("content"))


def _plain(content: object) -> str:
    """Text given as a string, or as a list of blocks that are all text."""
    if isinstance(content, str):
        return content
    blocks = parts({"content": content}, "content")
    if not isinstance(content, list) or len(blocks) != len(content):
        raise NotText(NOT_TEXT)
    if any(block.get("type") not in _TEXT_PARTS for block in blocks):
        raise NotText(NOT_TEXT)
    return "\n\n".join(text_of(block) for block in blocks)


def _events(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of server-sent events; both APIs write each on one line."""
    for line in body.splitlines():
        data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
        if data and data != b"[DONE]":
            yield _object(data)


def _anthropic(said: Mapping[str, Any]) -> Said:
    blocks = parts(said, "content")
    made = TOOL_USE if any(block.get("type") == TOOL_USE for block in blocks) else None
    text = "".join(text_of(block) for block in blocks if block.get("type") == "text")
    usage = usage_of(record(said, "usage"))
    return Said(text, _name(said.get("model")), usage, _name(said.get("stop_reason")), made)


def _anthropic_stream(events: Iterator[dict[str, Any]]) -> Said:
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
    return Said("".join(pieces), _name(message.get("model")), usage_of(usage), _name(stop), made)


def _openai(said: Mapping[str, Any]) -> Said:
    choices = parts(said, "choices")
    if not choices:
        raise NotText(UNREADABLE)
    message = record(choices[0], "message")
    text, made = _said_of(message)
    usage = usage_of(record(said, "usage"))
    return Said(text, _name(said.get("model")), usage, _name(choices[0].get("finish_reason")), made)


def _said_of(message: Mapping[str, Any]) -> tuple[str, str | None]:
    """The text of a message, or of a piece of one, and what it is beside text."""
    if message.get("tool_calls") or message.get("function_call"):
        return "", TOOL_USE
    try:
        return _plain(message.get("content") or ""), None
    except NotText:
        return "", NOT_TEXT


def _openai_stream(events: Iterator[dict[str, Any]]) -> Said:
    pieces: list[str] = []
    model = finish = made = None
    usage: dict[str, Any] = {}
    for event in events:
        if event.get("error"):
            raise NotText(CUT)
        model = model or event.get("model")
        usage = merged(usage, record(event, "usage"))
        for choice in parts(event, "choices"):
            if choice.get("index", 0) == 0:
                text, other = _said_of(record(choice, "delta"))
                pieces.append(text)
                made = made or other
                finish = choice.get("finish_reason") or finish
    if finish is None:
        raise NotText(CUT)
    return Said("".join(pieces), _name(model), usage_of(usage), _name(finish), made)


def _name(found: object) -> str | None:
    return found if isinstance(found, str) and found else None
