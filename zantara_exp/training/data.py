"""The splits as the trainer sees them: messages read from JSON lines, checked, and named by line when wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.next_command import command


@dataclass(frozen=True)
class Example:
    """One training item."""

    messages: tuple[Mapping[str, str], ...]
    language: str
    category: str
    user: str
    conversation: str

    @property
    def prompt(self) -> tuple[Mapping[str, str], ...]:
        """Everything before the last answer."""
        return self.messages[:-1]

    @property
    def answer(self) -> str:
        """The last answer."""
        return self.messages[-1]["content"]

    @property
    def question(self) -> str:
        """The last thing the user said."""
        return next((m["content"] for m in reversed(self.prompt) if m["role"] == "user"), "")


def read_split(path: Path) -> list[Example]:
    """Read a split. Raises MissingInputError when it is absent or empty, ZantaraError when a line is not an example."""
    if not path.is_file():
        raise MissingInputError(f"{path} is not there; stage=prepare writes it", _prepare())
    examples = [
        _example(line, path, number) for number, line in enumerate(path.read_bytes().splitlines(), 1) if line.strip()
    ]
    if not examples:
        raise MissingInputError(
            f"{path} holds no example: the split is empty", _prepare(note="with more conversations")
        )
    return examples


def _prepare(note: str = "") -> str:
    return command("stage=prepare", note=note)


def split_hash(path: Path) -> str:
    """What tells a split from another one."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _example(line: bytes, path: Path, number: int) -> Example:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ZantaraError(f"{path}, line {number}: is not JSON ({error})", _prepare()) from error
    messages = row.get("messages") if isinstance(row, dict) else None
    wrong = _trouble(messages)
    if wrong or not isinstance(messages, list):
        raise ZantaraError(f"{path}, line {number}: {wrong}", _prepare())
    about = row.get("metadata")
    about = about if isinstance(about, dict) else {}
    return Example(
        messages=tuple({"role": m["role"], "content": m["content"]} for m in messages),
        language=str(about.get("language") or "unknown"),
        category=str(about.get("category") or "unknown"),
        user=str(about.get("user") or f"line-{number}"),
        conversation=str(about.get("conversation_id") or f"line-{number}"),
    )


def _trouble(messages: Any) -> str:
    if not isinstance(messages, list) or not messages:
        return "`messages` is not a list of {role, content}"
    for message in messages:
        if not isinstance(message, dict) or not all(isinstance(message.get(key), str) for key in ("role", "content")):
            return "a message is not {role, content} with text in both"
    if messages[-1]["role"] != "assistant" or not messages[-1]["content"].strip():
        return "the last message is not an answer (role assistant, with text)"
    return ""
