"""Reads who says what in one item of a chat, in the shapes that products store.

OpenAI's chat completions, Assistants and Responses, Anthropic's blocks, Gemini's and Bedrock's parts, the Vercel AI SDK
(`content` of version 4, `parts` of 5), LangChain (dictionaries, tuples, serialised objects), ShareGPT, chat apps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

USER, ASSISTANT, SYSTEM, TOOL = "user", "assistant", "system", "tool"
MEDIA, THOUGHT = "media", "thought"
"""Beside TOOL: what is left out of a message."""
_ROLES = {
    **dict.fromkeys(("user", "human", "customer", "client", "visitor", "guest", "end_user", "enduser"), USER),
    **dict.fromkeys(("assistant", "ai", "bot", "gpt", "model", "chatbot", "chatgpt", "llm"), ASSISTANT),
    **dict.fromkeys(("system", "developer", "instructions"), SYSTEM),
    **dict.fromkeys(("tool", "function", "observation", "ipython", "data"), TOOL),
}
_ROLE_KEYS = ("role", "from", "sender", "author", "speaker", "type")
_CLASS = re.compile(r"message(?:chunk)?$", re.IGNORECASE)
"""LangChain names its classes: HumanMessage, AIMessageChunk."""
_WRAPPERS = ("kwargs", "data", "message")
_TEXT_KEYS = ("content", "value", "parts", "text", "message")
"""Where a message's text stands; of two that hold one the first counts."""
_TOOL_KEYS = ("tool_calls", "toolCalls", "function_call", "toolInvocations", "invalid_tool_calls")
_ATTACHED = ("attachments", "experimental_attachments", "files", "images")
_KINDS = (
    (
        TOOL,
        r"(?:^|[-_])(?:tool|function|mcp|observation|computer|search|call)(?:$|[-_])|_output$|tool_?(?:use|result)"
        r"|function_?(?:call|response)|executable_?code|code_?execution|^(?:item_reference|compaction)$",
    ),
    (THOUGHT, r"reasoning|thinking|thought"),
    (MEDIA, r"image|file|audio|video|document|media|inline_?data|attachment"),
)
"""What is left out, by the names of its kinds."""
_LEFT = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _KINDS)
_TEXTS = ("text", "input_text", "output_text")
_CLOSING = ".,;:!?)]}%…\u2019\u201d"
"""What goes on without a break before it."""
_DEEPEST = 4


class NotSaidError(ValueError):
    """No message; `reason` is one word to count by."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Said:
    """One item of a chat."""

    role: str
    text: str
    left: frozenset[str] = frozenset()
    """What is left out of it: of TOOL, MEDIA, THOUGHT."""
    lacking: bool = False
    """Whether it holds neither a text nor anything that is left out."""


class _Part(NamedTuple):
    """A text, or the kind of what is left out; "" of both is a break."""

    text: str = ""
    left: str = ""


def said_by(item: object, roles: Mapping[str, str]) -> Said:
    """Read one item; `roles` are names of the product's own.

    Raises NotSaidError: not_a_message, unknown_role.
    """
    if (plain := _plainly_said(item, roles)) is not None:
        return plain
    whole = _unpacked(item)
    inner: Mapping[str, Any] = next((whole[key] for key in _WRAPPERS if _holds_text(whole.get(key))), whole)
    role = _role(whole, inner, roles)
    if role in (TOOL, SYSTEM):
        return Said(role, "")
    told = [list(_parts(inner[key])) for key in _TEXT_KEYS if key in inner]
    text = next(filter(None, map(_joined, told)), "")
    if not text and isinstance(inner.get("refusal"), str):
        text = inner["refusal"]
    left = {part.left for parts in told for part in parts} - {""}
    more = inner.get("additional_kwargs")
    if any(inner.get(key) or (isinstance(more, Mapping) and more.get(key)) for key in _TOOL_KEYS):
        left.add(TOOL)
    if any(inner.get(key) for key in _ATTACHED):
        left.add(MEDIA)
    none = all(inner.get(key) is None for key in _TEXT_KEYS) or not any(told)
    return Said(role, text, frozenset(left), lacking=none and not text and not left)


def _plainly_said(item: object, roles: Mapping[str, str]) -> Said | None:
    """Of an item that is a role we know and a text, and nothing else, as most are: what the long way finds as well."""
    if type(item) is not dict or len(item) != 2:
        return None
    name, text = item.get("role"), item.get("content")
    if type(name) is not str or type(text) is not str or name in roles or text.startswith("[{"):
        return None
    role = _ROLES.get(name)
    if role is None:
        return None
    return Said(role, text if role in (USER, ASSISTANT) and text.strip() else "")


def speakers_of(item: object) -> list[str]:
    """Whatever may say who speaks in an item, the most telling first. Raises NotSaidError: not_a_message."""
    whole = _unpacked(item)
    inner: Mapping[str, Any] = next((whole[key] for key in _WRAPPERS if _holds_text(whole.get(key))), whole)
    return list(_names(whole, inner))


def names_of(role: str, roles: Mapping[str, str]) -> tuple[str, ...]:
    """All names of a role, in small letters; `roles` are the product's own."""
    return tuple(name.casefold() for name, meant in {**_ROLES, **roles}.items() if meant == role)


def _unpacked(item: object) -> Mapping[str, Any]:
    """The item as an object: a text of JSON is read, a pair of role and text is named."""
    if isinstance(item, str) and item[:1] == "{":
        try:
            item = orjson.loads(item)
        except orjson.JSONDecodeError:
            item = None
    if isinstance(item, list) and len(item) == 2 and all(isinstance(each, str) for each in item):
        item = {"role": item[0], "content": item[1]}
    if not isinstance(item, Mapping):
        raise NotSaidError("not_a_message")
    return item


def _holds_text(value: object) -> bool:
    return isinstance(value, Mapping) and any(key in value for key in _TEXT_KEYS)


def _role(whole: Mapping[str, Any], inner: Mapping[str, Any], roles: Mapping[str, str]) -> str:
    """Raises NotSaidError where nobody is named whom we know."""
    names = list(_names(whole, inner))
    for name in names:
        if known := roles.get(name) or _ROLES.get(name) or _ROLES.get(_CLASS.sub("", name)):
            return known
    if any(map(_kind_of, ((name,) for name in names))):
        return TOOL
    if not names and "parts" in inner:  # Gemini: a role may be left blank, and is the user then
        return USER
    raise NotSaidError("unknown_role")


def _names(whole: Mapping[str, Any], inner: Mapping[str, Any]) -> Iterator[str]:
    """Whatever may say who speaks, the most telling first."""
    for source in (whole, inner) if inner is not whole else (whole,):
        for key in _ROLE_KEYS:
            name = source.get(key)
            if isinstance(name, Mapping):
                name = name.get("role") or name.get("name")
            if isinstance(name, str | bool | int):
                yield str(name).strip().casefold()
    if whole.get("lc") and isinstance(whole.get("id"), list) and whole["id"]:
        yield str(whole["id"][-1]).casefold()


def _parts(content: object, depth: int = 0) -> Iterator[_Part]:
    """The parts of a message's content, whatever holds them."""
    if isinstance(content, str):
        listed = _listed(content)
        if listed is None:
            yield _Part(content)
        else:
            yield from _parts(listed, depth + 1)
    elif isinstance(content, Mapping):
        yield from _parts([content], depth + 1)
    elif isinstance(content, Sequence) and depth < _DEEPEST:
        for part in content:
            yield from (_part(part, depth) if isinstance(part, Mapping) else _parts(part, depth + 1))


def _listed(text: str) -> list[Any] | None:
    """The parts that a text holds as JSON, as some products store them."""
    if not (text.startswith("[{") and text.endswith("}]")):
        return None
    try:
        parts = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    typed = all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in parts)
    return parts if typed and any(any(found) for part in parts for found in _part(part, 0)) else None


def _part(part: Mapping[str, Any], depth: int) -> Iterator[_Part]:
    kind = part.get("type")
    if isinstance(kind, str) and kind not in _TEXTS and (left := _kind_of((kind,))):
        yield _Part(left=left)
        return
    if part.get("thought") is True:
        yield _Part(left=THOUGHT)
        return
    text = next((part[key] for key in ("text", "refusal", "content", "parts", "value") if part.get(key)), None)
    if isinstance(text, str):
        yield _Part(text)
    elif text is not None:
        yield from _parts(text, depth + 1)
    else:
        yield _Part(left=_kind_of(part))


def _kind_of(names: Iterable[str]) -> str:
    """What is left out under one of these names, or ""."""
    return next((kind for kind, pattern in _LEFT if any(map(pattern.search, names))), "")


def _joined(parts: Sequence[_Part]) -> str:
    """The texts in a row. A text that was cut up by its citations is put together again."""
    whole, broken = "", False
    for part in parts:
        if not part.text:
            broken = broken or bool(whole)
            continue
        if whole and (broken or not _goes_on(whole, part.text)):
            whole = f"{whole.rstrip()}\n"
        whole, broken = whole + part.text, False
    return whole if whole.strip() else ""


def _goes_on(before: str, text: str) -> bool:
    return before[-1].isspace() or text[0].isspace() or text[0] in _CLOSING
