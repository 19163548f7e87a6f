"""Reads a chat out of whatever the database holds: JSON or text of JSON, and the shapes that other tools export."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypedDict

import orjson

MAX_CHARS = 100_000
"""A message longer than this is no chat."""
_ROLES = {
    "user": "user", "human": "user", "customer": "user",
    "assistant": "assistant", "ai": "assistant", "bot": "assistant", "gpt": "assistant", "model": "assistant",
    "system": "system", "developer": "system",
}  # fmt: skip
_LISTS = ("messages", "conversations", "conversation", "turns")
_UNWRITABLE = re.compile(r"[\x00\ud800-\udfff]")
"""NUL and lone surrogates: no file can hold them as UTF-8, or no database as text."""


class Message(TypedDict):
    """One message of a chat."""

    role: str
    content: str


class Malformed(ValueError):
    """Not a chat; `reason` is one word to count by."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse_json(data: bytes | str) -> Any:
    """Parse JSON, also where a string holds half of a surrogate pair, which orjson refuses."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)


def clean_text(text: str) -> str:
    """Replace what cannot be written as UTF-8, and drop white space around."""
    return _UNWRITABLE.sub("\ufffd", text).strip()


def parse_messages(value: object, depth: int = 0) -> list[Message]:
    """Return the messages without a leading system prompt.

    Raises Malformed: no_messages, not_json, not_a_list, not_a_message, unknown_role, no_content, too_large.
    """
    if value is None or value == "":
        raise Malformed("no_messages")
    if isinstance(value, str) and depth < 2:
        return parse_messages(_parsed(value), depth + 1)
    if isinstance(value, Mapping):
        inner = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
        if inner is None:
            raise Malformed("not_a_list")
        value = inner
    if not isinstance(value, list):
        raise Malformed("not_a_list")
    if not value:
        raise Malformed("no_messages")
    messages = [_message(item) for item in value]
    while messages and messages[0]["role"] == "system":
        messages = messages[1:]
    return messages


def _parsed(text: str) -> object:
    if len(text) > 50 * MAX_CHARS:
        raise Malformed("too_large")
    try:
        return parse_json(text)
    except (ValueError, RecursionError):
        raise Malformed("not_json") from None


def _message(item: object) -> Message:
    if not isinstance(item, Mapping):
        raise Malformed("not_a_message")
    role = item.get("role", item.get("from"))
    known = _ROLES.get(role.casefold()) if isinstance(role, str) else None
    if known is None:
        raise Malformed("unknown_role")
    content = item.get("content", item.get("value", item.get("text")))
    if isinstance(content, list):  # OpenAI's and Anthropic's lists of parts
        content = (
            "\n".join(str(part["text"]) for part in content if isinstance(part, Mapping) and "text" in part) or None
        )
    if not isinstance(content, str):
        raise Malformed("no_content")
    if len(content) > MAX_CHARS:
        raise Malformed("too_large")
    return {"role": known, "content": clean_text(content)}
