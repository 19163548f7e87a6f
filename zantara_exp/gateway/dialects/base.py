"""A dialect is one API: the gateway parses its requests and answers, and writes the candidate's answer in its shape.

A subclass knows where its API keeps each fact; parsing arbitrary bytes without failing is written once, here. Nothing
here changes what is forwarded. Of a chat with images or results of tools only the options are read, since a candidate
could not be shown the same.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import orjson

from zantara_exp.core.ids import new_id
from zantara_exp.cost.usage import Usage
from zantara_exp.endpoints.base import Answer
from zantara_exp.endpoints.http import parts, text_of
from zantara_exp.gateway.dialects.stream import Stream
from zantara_exp.traffic.movable import NOT_TEXT, STORED_CHAT, UNREADABLE, Asked

ANSWERED_BY = b"x-zantara-answered-by"
"""Response header that says `candidate`; the primary's answers pass as they are."""
CUT = "cut"
"""The reason of NotText for an answer without its end."""
REFUSAL = "refusal"
"""The finish reason of an answer that the model declined to give."""
_TEXT_PARTS = ("text", "input_text", "output_text")
_THOUGHTS = ("thinking", "redacted_thinking")
"""Blocks that only the model that wrote them can read; providers drop those of earlier turns too."""


class NotText(Exception):
    """A chat or an answer that is not plain text; the message is the reason for the metrics."""


class Spoken(NamedTuple):
    """A request's chat."""

    system: str
    turns: list[dict[str, str]]
    """Messages of `user` and `assistant`, in order."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A parsed request, as the mirror needs it."""

    message: str
    history: Sequence[Mapping[str, str]]
    system: str
    user: str | None
    """As the API's own field names it."""
    stream: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    """The request's fields without the chat itself, which may hold large images."""
    unshowable: str = ""
    """Why message and history are not read: one of `zantara_exp.traffic.movable.UNSHOWABLE`."""
    stored: bool = False
    """Whether the provider keeps the answer, so that a later request can refer to it."""

    @property
    def asked(self) -> Asked:
        """What the request asks for, as `zantara_exp.traffic.movable` needs it."""
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
    """What came instead of a text: one of `movable.WITHOUT_ANSWER`."""


class Dialect(ABC):
    """One API."""

    path: ClassVar[str]
    """Its path at the provider; also its name in metrics and in the access log."""
    chat_fields: ClassVar[tuple[str, ...]]
    """The fields of a request that are the chat itself."""
    first_text: ClassVar[re.Pattern[bytes]]
    """Bytes that mark the first text in a stream; thoughts do not have them."""
    stream_type: ClassVar[bytes] = b"text/event-stream"
    id_header: ClassVar[bytes]
    """The header in which the provider gives an answer its id."""

    def asks_chat(self, asked: Mapping[str, Any]) -> bool:
        """Whether a body is of this API, if the path alone does not tell."""
        return True

    def read_chat(self, body: bytes) -> Chat | None:
        """The chat of a request, whatever the body is; None if it is of another API."""
        try:
            asked = json_object(body)
        except NotText:
            return Chat("", (), "", None, unshowable=UNREADABLE)
        if not self.asks_chat(asked):
            return None
        stream = self._streams(asked)
        options = {name: value for name, value in asked.items() if name not in self.chat_fields}
        try:
            system, turns = self._spoken(asked)
            if not turns or turns[-1]["role"] != "user" or any(t["role"] not in ("user", "assistant") for t in turns):
                raise NotText(NOT_TEXT)
        except NotText as why:
            unshowable = STORED_CHAT if str(why) == STORED_CHAT else NOT_TEXT
            return Chat("", (), "", self._user(asked), stream, options, unshowable)
        user, stored = self._user(asked), self._stores(asked)
        return Chat(turns[-1]["content"], turns[:-1], system, user, stream, options, stored=stored)

    def read_answer(self, body: bytes, streamed: bool) -> Said:
        """The parsed answer, from a whole body or from the bytes of a stream. Raises NotText."""
        return self._streamed(self._events_of(body)) if streamed else self._whole(json_object(body))

    def written(self, chat: Chat, answer: Answer) -> bytes:
        """The candidate's answer in this API's shape. Unknown token counts are 0, since clients expect numbers."""
        if not chat.stream:
            return orjson.dumps(self._body(chat, answer))
        stream = self.stream(chat)
        return stream.start(answer.model, answer.usage) + stream.piece(answer.text) + stream.end(answer)

    @abstractmethod
    def stream(self, chat: Chat) -> Stream:
        """What writes the candidate's answer to a chat as a stream."""

    def headers(self, chat: Chat, length: int | None) -> list[tuple[bytes, bytes]]:
        """Headers of the candidate's answer, with the API's id header, and the length if it is known."""
        text = b"; charset=utf-8" if self.stream_type.startswith(b"text/") else b""
        kind = self.stream_type + text if chat.stream else b"application/json"
        return [
            (b"content-type", kind),
            *([] if length is None else [(b"content-length", str(length).encode())]),
            (self.id_header, b"req_" + new_id()[:24].encode()),
            (ANSWERED_BY, b"candidate"),
        ]

    def begins_text(self, chunk: bytes) -> bool:
        """Whether a piece of the stream holds text, and not only thoughts."""
        return self.first_text.search(chunk) is not None

    def _streams(self, asked: Mapping[str, Any]) -> bool:
        """Whether the answer is to be a stream."""
        return bool(asked.get("stream"))

    def _events_of(self, body: bytes) -> Iterator[dict[str, Any]]:
        """The events of a stream. Raises NotText."""
        return server_sent(body)

    @abstractmethod
    def _spoken(self, asked: dict[str, Any]) -> Spoken:
        """The chat. Raises NotText where it is not text alone."""

    @abstractmethod
    def _user(self, asked: Mapping[str, Any]) -> str | None:
        """The user that the request names."""

    def _stores(self, asked: Mapping[str, Any]) -> bool:
        """Whether the provider keeps the answer for later requests."""
        return False

    @abstractmethod
    def _whole(self, said: dict[str, Any]) -> Said:
        """An answer that came whole. Raises NotText."""

    @abstractmethod
    def _streamed(self, events: Iterator[dict[str, Any]]) -> Said:
        """An answer from its stream. Raises NotText."""

    @abstractmethod
    def _body(self, chat: Chat, answer: Answer) -> dict[str, Any]:
        """The candidate's answer, whole."""


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object. Raises NotText."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotText(UNREADABLE) from error
    if not isinstance(found, dict):
        raise NotText(UNREADABLE)
    return found


def server_sent(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of server-sent events; all these APIs write each on one line."""
    for line in body.splitlines():
        data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
        if data and data != b"[DONE]":
            yield json_object(data)


def plain(content: object) -> str:
    """Text given as a string, or as a list of blocks that are all text; thoughts are left out. Raises NotText."""
    if isinstance(content, str):
        return content
    blocks = parts({"content": content}, "content")
    if not isinstance(content, list) or len(blocks) != len(content):
        raise NotText(NOT_TEXT)
    shown = [block for block in blocks if block.get("type") not in _THOUGHTS]
    if any(block.get("type") not in _TEXT_PARTS for block in shown):
        raise NotText(NOT_TEXT)
    return "\n\n".join(text_of(block) for block in shown)


def name(found: object) -> str | None:
    """The value if it is a non-empty name, else None."""
    return found if isinstance(found, str) and found else None
