"""Finds the messages of a chat in an object: in one list, or in a request and its response.

Requests and responses of OpenAI (chat completions and Responses), Anthropic, Gemini and LangChain, as logs, traces and
batches hold them: `{"messages": [...], "choices": [...]}`, `{"input": ..., "output": ...}`, `{"request": ...,
"response": ...}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LISTS = (
    "messages", "chat_messages", "contents", "conversations", "conversation", "turns", "chat_history", "history",
)  # fmt: skip
"""What a list of messages is called."""
_ASKED = ("request", "body", "params", "input", "inputs", "input_items", "prompt", "question", "query")
_ANSWERED = (
    "response", "result", "output", "outputs", "choices", "candidates", "generations", "completion", "answer",
    "output_text", "preferred_output", "chosen",
)  # fmt: skip
_WITHIN = ("message", "body", "response", "result", "output", "outputs", "kwargs")
"""Where a response lies deeper."""
_ONE_OF = ("choices", "candidates", "generations")
"""Alternatives, of which the first was shown."""
_TEXTS = ("text", "answer", "completion", "output_text", "response", "output")
CHATS = (*LISTS, *_ASKED, *_ANSWERED)
"""Names of which an object that holds a chat has one."""
_DEEPEST = 6


class NoChatError(ValueError):
    """No chat; `reason` is one word to count by."""

    def __init__(self, reason: str = "not_a_list") -> None:
        super().__init__(reason)
        self.reason = reason


def items_of(value: object) -> list[Any]:
    """The items of a chat, in order; raises NoChatError (not_a_list) where there is none."""
    found = _asked(value, 0)
    if found is None:
        raise NoChatError
    return found


def _asked(value: object, depth: int) -> list[Any] | None:
    """The items of a request, and of the response to it where it stands beside; None where there are none."""
    if isinstance(value, list):
        batch = len(value) == 1 and isinstance(value[0], list) and value[0] and isinstance(value[0][0], Mapping)
        return list(value[0]) if batch else value
    if not isinstance(value, Mapping) or depth > _DEEPEST:
        return None
    lists = (_asked(value[name], depth + 1) for name in LISTS if isinstance(value.get(name), list | Mapping))
    items = next((each for each in lists if each is not None), None)
    for name in _ASKED:
        if (more := _question(value.get(name), depth)) is not None:
            items = more if items is None else items if items[-len(more) :] == more else [*items, *more]
            break
    if items is None and isinstance(value.get("role"), str):
        return [value]
    answer = next((found for name in _ANSWERED if (found := _answer(value.get(name), depth, name)) is not None), None)
    if answer is None and value.get("type") == "message":  # a response of Anthropic's beside its request
        answer = _answer({"role": value.get("role"), "content": value.get("content")}, depth)
    if answer is None or items is None:
        return items
    return answer if any(_asks(each) for each in answer) else [*items, *answer]


def _question(value: object, depth: int) -> list[Any] | None:
    if isinstance(value, str) and value.strip():
        return [{"role": "user", "content": value}]
    return _asked(value, depth + 1) if isinstance(value, list | Mapping) and value else None


def _answer(value: object, depth: int, name: str = "") -> list[Any] | None:
    """The items of a response; None where it holds none."""
    if depth > _DEEPEST or not value:
        return None
    if isinstance(value, str):
        return [{"role": "assistant", "content": value}]
    if isinstance(value, list):
        if name in _ONE_OF or isinstance(value[0], list):
            return _answer(value[0], depth + 1, name)
        if all(isinstance(each, Mapping) for each in value):
            return list(value) if any(map(_is_item, value)) else [{"role": "assistant", "content": value}]
        return None
    if not isinstance(value, Mapping):
        return None
    if isinstance(value.get("messages"), list):
        return _asked(value["messages"], depth + 1)
    if "content" in value or "parts" in value:
        content = value.get("content")
        if isinstance(content, Mapping) and "parts" in content:  # Gemini
            value = content
        return [{**value, "role": value.get("role") or "assistant"}]
    for inner in (*_ONE_OF, *_WITHIN):
        if isinstance(value.get(inner), list | Mapping) and (found := _answer(value[inner], depth + 1, inner)):
            return found
    text = next((value[key] for key in _TEXTS if isinstance(value.get(key), str)), None)
    return [{"role": "assistant", "content": text}] if text else None


def _is_item(part: Mapping[str, Any]) -> bool:
    """Whether a part of a response is a message of its own, rather than a part of the one."""
    return "role" in part or "lc" in part or part.get("type") in ("message", "human", "ai")


def _asks(item: object) -> bool:
    """Whether an item of a response is the user's: then the response holds the whole chat."""
    return isinstance(item, Mapping) and (item.get("role") in ("user", "human") or item.get("type") == "human")
