"""Reads a chat from JSON, or text of JSON, in the shapes of the common libraries.

`request_response.py` finds the messages, `chat_items.py` reads one of them. System prompts and
steps of tools (calls, results, thoughts, images) are left out. A message without text, such as an image alone, is left
out together with its answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypedDict

import orjson

from zantara_exp.dataset.chat_items import ASSISTANT, MEDIA, SYSTEM, TOOL, USER, NotSaidError, Said, said_by
from zantara_exp.dataset.request_response import NoChatError, items_of

MAX_CHARS = 100_000
"""A message longer than this is no chat."""
NO_ROLES: Mapping[str, str] = {}
_UNWRITABLE = re.compile(r"[\x00\ud800-\udfff]")
"""NUL and lone surrogates: no file can hold them as UTF-8, or no database as text."""


ENCODING = "say how it is written, such as source.encoding=cp1250 or iso-8859-2"


class Message(TypedDict):
    """One message of a chat."""

    role: str
    content: str


class Malformed(ValueError):
    """Not a chat; `reason` is one word to count by."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unreadable(NamedTuple):
    """Stands where a chat or a line should be that could not be read."""

    reason: str
    """not_json, not_csv, not_utf8, too_large, too_deep, not_a_message, no_messages or no_question."""

    def __str__(self) -> str:
        return _WHY[self.reason]


_WHY = {
    "not_json": "is no JSON",
    "not_csv": "is no row of a CSV",
    "not_utf8": f"is not UTF-8; {ENCODING}",
    "too_large": "is too long",
    "too_deep": "is nested too deeply",
    "not_a_message": "is no object",
    "no_messages": "has no `messages`",
    "no_question": "is an answer without its request",
}


def parse_json(data: bytes | str) -> Any:
    """Parse JSON, also where a string holds half of a surrogate pair, which orjson refuses."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)


def clean_text(text: str) -> str:
    """Replace what cannot be written as UTF-8, and drop white space around."""
    return _UNWRITABLE.sub("\ufffd", text).strip()


class Keys(NamedTuple):
    """What a message's object calls who speaks, and the text; "" where it has one of the usual names."""

    role: str = ""
    text: str = ""

    def usual(self, item: object) -> object:
        """The message under the usual names."""
        if not isinstance(item, Mapping):
            return item
        named = {"role": self.role, "content": self.text}
        return {**item, **{usual: item[own] for usual, own in named.items() if own and own in item}}


USUAL_KEYS = Keys()


def parse_messages(
    value: object, roles: Mapping[str, str] = NO_ROLES, join: bool = True, keys: Keys = USUAL_KEYS
) -> list[Message]:
    """Return what user and assistant said.

    `roles` says what names of the product's own mean, such as `{"agent": "assistant"}`; `join` makes one message of
    several in a row by the same speaker; `keys` are names of the product's own within a message.

    Raises Malformed: no_messages, not_json, not_a_list, not_a_message, unknown_role, no_content, tool_calls (nothing
    but steps of tools is left), too_large.
    """
    if isinstance(value, Unreadable):
        raise Malformed(value.reason)
    if isinstance(value, str):  # a text of JSON, or such a text as a JSON string
        value = _parsed(value) if value else None
        value = _parsed(value) if isinstance(value, str) and value else value
    if value is None or value == "":
        raise Malformed("no_messages")
    try:
        items = items_of(value)
        if keys != USUAL_KEYS:
            items = [keys.usual(item) for item in items]
        said = [said_by(item, roles) for item in items]
    except (NoChatError, NotSaidError) as why:
        raise Malformed(why.reason) from None
    except RecursionError:
        raise Malformed("not_json") from None
    if not items:
        raise Malformed("no_messages")
    return _chat(said, join)


def _parsed(text: str) -> object:
    if len(text) > 50 * MAX_CHARS:
        raise Malformed("too_large")
    try:
        return parse_json(text)
    except (ValueError, RecursionError):
        raise Malformed("not_json") from None


def _chat(said: list[Said], join: bool) -> list[Message]:
    """The messages of user and assistant; raises Malformed where nobody's answer is left."""
    chat: list[Message] = []
    between = False  # whether a step that is left out stands behind the last message
    unasked = False  # whether the last question is left out, and with it what answers it
    for each in said:
        if each.role == SYSTEM:
            continue
        silent = not each.text.strip()
        if each.role == TOOL or (silent and each.left - {MEDIA}):
            between = True
            continue
        if each.role == USER:
            unasked = silent and MEDIA in each.left
        if unasked:
            continue
        _add(chat, {"role": each.role, "content": _written(each.text)}, join or between)
        between = False
    _require_an_answer(chat, said)
    return chat


def _add(chat: list[Message], message: Message, join: bool) -> None:
    """Put a message behind the others, or into the last one where its speaker goes on; a repetition adds nothing."""
    if not (chat and join and chat[-1]["role"] == message["role"]):
        chat.append(message)
        return
    before, text = chat[-1]["content"], message["content"]
    if text not in ("", before):
        chat[-1] = {**message, "content": f"{before}\n{text}".strip()}


def _written(text: str) -> str:
    if len(text) > MAX_CHARS:
        raise Malformed("too_large")
    return clean_text(text)


def _require_an_answer(chat: list[Message], said: list[Said]) -> None:
    if any(each["role"] == ASSISTANT and each["content"] for each in chat):
        return
    if any(each.role == TOOL or TOOL in each.left for each in said):
        raise Malformed("tool_calls")
    if any(each.lacking or each.left for each in said):
        raise Malformed("no_content")
