"""What a gateway reads in the traffic it forwards: Anthropic's Messages API and OpenAI's chat completions.

Nothing here changes a byte of what passes. A chat that is not text alone (images, tools that were called) is no
comparison, because the candidate could not be shown the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from zantara_exp.endpoints.http import parts, record, text_of
from zantara_exp.usage import Usage, count, merged, usage_of

MESSAGES, COMPLETIONS = "/v1/messages", "/v1/chat/completions"
_TEXT_PARTS = ("text", "input_text", "output_text")
_PLAIN = frozenset((
    "model", "messages", "system", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature",
    "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty", "user", "safety_identifier", "metadata", "store",
    "service_tier", "prompt_cache_key", "cache_control",
))  # fmt: skip
"""What a request may hold that any chat model can answer. Tools, formats, stop words and the like are not among it."""


class NotText(Exception):
    """A chat or an answer that is no comparison; the message is the reason for the count of drops."""


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
    max_tokens: int | None = None
    """The longest answer that the app takes."""
    plain: bool = True
    """Whether it asks for nothing but text, which any chat model could answer."""


@dataclass(frozen=True, slots=True)
class Said:
    """A primary's answer."""

    text: str
    model: str | None
    usage: Usage
    finish_reason: str | None


def read_chat(path: str, body: bytes) -> Chat:
    """The chat of a request to `path`. Raises NotText."""
    asked = _object(body)
    turns = [(str(turn.get("role")), _text(turn)) for turn in parts(asked, "messages")]
    system = [text for role, text in turns if role in ("system", "developer")]
    if path == MESSAGES:
        system = [_plain(asked.get("system", ""))]
        user = record(asked, "metadata").get("user_id")
    else:
        user = asked.get("safety_identifier") or asked.get("user")
    spoken = [{"role": role, "content": text} for role, text in turns if role not in ("system", "developer")]
    if not spoken or spoken[-1]["role"] != "user" or any(each["role"] not in ("user", "assistant") for each in spoken):
        raise NotText("not_text")
    return Chat(
        spoken[-1]["content"],
        spoken[:-1],
        "\n\n".join(filter(None, system)),
        _name(user),
        stream=bool(asked.get("stream")),
        stream_usage=bool(record(asked, "stream_options").get("include_usage")),
        max_tokens=count(asked.get("max_completion_tokens")) or count(asked.get("max_tokens")),
        plain=_is_plain(asked),
    )


def read_answer(path: str, body: bytes, streamed: bool) -> Said:
    """The answer to a request to `path`, whole or as the bytes of its stream. Raises NotText."""
    if path == MESSAGES:
        return _anthropic_stream(_events(body)) if streamed else _anthropic(_object(body))
    return _openai_stream(_events(body)) if streamed else _openai(_object(body))


def _is_plain(asked: Mapping[str, Any]) -> bool:
    for name, value in asked.items():
        if name == "n":
            if value not in (None, 1):
                return False
        elif name == "response_format":
            if record(asked, name).get("type", "text") != "text":
                return False
        elif value and name not in _PLAIN:
            return False
    return True


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotText("unreadable") from error
    if not isinstance(found, dict):
        raise NotText("unreadable")
    return found


def _text(turn: Mapping[str, Any]) -> str:
    if turn.get("tool_calls") or turn.get("function_call"):
        raise NotText("not_text")
    return _plain(turn.get("content"))


def _plain(content: object) -> str:
    """Text given as a string, or as a list of blocks that are all text."""
    if isinstance(content, str):
        return content
    blocks = parts({"content": content}, "content")
    if not isinstance(content, list) or len(blocks) != len(content):
        raise NotText("not_text")
    if any(block.get("type") not in _TEXT_PARTS for block in blocks):
        raise NotText("not_text")
    return "\n\n".join(text_of(block) for block in blocks)


def _events(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of server-sent events; both APIs write each on one line."""
    for line in body.splitlines():
        data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
        if data and data != b"[DONE]":
            yield _object(data)


def _anthropic(said: Mapping[str, Any]) -> Said:
    blocks = parts(said, "content")
    if any(block.get("type") == "tool_use" for block in blocks):
        raise NotText("tool_use")
    text = "".join(text_of(block) for block in blocks if block.get("type") == "text")
    return Said(text, _name(said.get("model")), usage_of(record(said, "usage")), _name(said.get("stop_reason")))


def _anthropic_stream(events: Iterator[dict[str, Any]]) -> Said:
    message: dict[str, Any] = {}
    pieces: list[str] = []
    usage: dict[str, Any] = {}
    stop, ended = None, False
    for event in events:
        kind = event.get("type")
        if kind == "error":
            raise NotText("cut")
        if kind == "message_start":
            message = record(event, "message")
            usage = merged(usage, record(message, "usage"))
        elif kind == "content_block_start" and record(event, "content_block").get("type") == "tool_use":
            raise NotText("tool_use")
        elif kind == "content_block_delta":
            pieces.append(text_of(record(event, "delta")))
        elif kind == "message_delta":
            usage = merged(usage, record(event, "usage"))
            stop = record(event, "delta").get("stop_reason") or stop
        ended = ended or kind == "message_stop"
    if not ended:
        raise NotText("cut")
    return Said("".join(pieces), _name(message.get("model")), usage_of(usage), _name(stop))


def _openai(said: Mapping[str, Any]) -> Said:
    choices = parts(said, "choices")
    if not choices:
        raise NotText("unreadable")
    message = record(choices[0], "message")
    if message.get("tool_calls") or message.get("function_call"):
        raise NotText("tool_use")
    text, finish = _plain(message.get("content") or ""), _name(choices[0].get("finish_reason"))
    return Said(text, _name(said.get("model")), usage_of(record(said, "usage")), finish)


def _openai_stream(events: Iterator[dict[str, Any]]) -> Said:
    pieces: list[str] = []
    model = finish = None
    usage: dict[str, Any] = {}
    for event in events:
        if event.get("error"):
            raise NotText("cut")
        model = model or event.get("model")
        usage = merged(usage, record(event, "usage"))
        for choice in parts(event, "choices"):
            delta = record(choice, "delta")
            if delta.get("tool_calls") or delta.get("function_call"):
                raise NotText("tool_use")
            if choice.get("index", 0) == 0:
                pieces.append(_plain(delta.get("content") or ""))
                finish = choice.get("finish_reason") or finish
    if finish is None:
        raise NotText("cut")
    return Said("".join(pieces), _name(model), usage_of(usage), _name(finish))


def _name(found: object) -> str | None:
    return found if isinstance(found, str) and found else None
