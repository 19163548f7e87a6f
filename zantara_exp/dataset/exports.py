"""Reads a conversation out of one record of an export, from any known tool.

Chats as products dump them; traces and observations of Langfuse; OpenAI's stored completions, fine-tuning files and
batches; Anthropic's batches and conversations; tables of messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from email.utils import parsedate_to_datetime
from typing import Any

from zantara_exp.config.data import Columns
from zantara_exp.dataset.messages import parse_json
from zantara_exp.dataset.request_response import CHATS, LISTS

CONVERSATION = (
    "conversation_id", "conversationId", "conv_id", "chat_id", "chatId", "session_id", "sessionId", "thread_id",
    "threadId", "dialogue_id", "dialog_id",
)  # fmt: skip
"""What exports call the conversation that a message is of."""
_NAMES = {
    "id": ("id", "conversation_id", "conv_id", "uuid", "custom_id"),
    "user_id": ("user_id", "userId", "user", "account", "end_user", "safety_identifier"),
    "session_id": ("session_id", "sessionId", "session", "thread_id", "threadId"),
    "created_at": (
        "created_at", "createdAt", "timestamp", "time", "date", "startTime", "start_time", "created", "updated_at",
    ),
    "model": ("model", "ai_model_used", "model_name", "modelId", "model_id", "provided_model_name"),
    "language": ("language", "lang"),
    "rating": ("rating",),
    "tokens_input": ("tokens_input", "input_tokens", "prompt_tokens", "inputTokens", "promptTokens"),
    "tokens_output": ("tokens_output", "output_tokens", "completion_tokens", "outputTokens", "completionTokens"),
    "latency_ms": ("latency_ms", "latencyMs"),
}  # fmt: skip
"""Our names, and what exports call them."""
_COLUMNS = {"user_id": "user", "session_id": "session"}
"""Names of `config.data.Columns` that differ from ours."""
_WITHIN = (
    "metadata", "body", "params", "request", "response", "result", "message", "usage", "usageDetails", "usage_details",
    "trace",
)  # fmt: skip
"""Objects that say something of a record as well, the nearest first."""


@dataclass(frozen=True)
class Line:
    """What a record says: `chat` is what holds the messages, `facts` what is said beside, under our names."""

    chat: Any
    facts: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""


def holds_chat(record: Mapping[str, Any], columns: Columns) -> bool:
    """Whether it is a record of a conversation at all."""
    return any(name in record for name in CHATS) or at(record, columns.messages) is not None


def line_of(record: Mapping[str, Any], columns: Columns | None = None, place: str = "") -> Line:
    """Read a record that holds a conversation; `columns` says where the product keeps what."""
    said = said_of(record, columns)
    if said["latency_ms"] is None and isinstance(record.get("latency"), int | float):  # Langfuse: seconds
        said["latency_ms"] = 1000 * record["latency"]
    metadata = _object(record.get("metadata"))
    mapped = at(record, columns.messages) if columns and columns.messages not in CHATS else None
    return Line(mapped if mapped is not None else _chat(record), said, metadata, place)


def said_of(record: Mapping[str, Any], columns: Columns | None = None) -> dict[str, Any]:
    """What a record notes beside its chat, under our names; None of what it does not."""
    told = [record, *_within(record)]
    return {ours: _said(told, ours, names, columns) for ours, names in _NAMES.items()}


def _chat(record: Mapping[str, Any]) -> Any:
    """The part of a record that holds its chat: text of JSON is read, as a CSV holds it."""
    wanted = {*CHATS, "role", "content", "type"}
    parts = {name: read(value) for name, value in record.items() if name in wanted}
    (name, chat), *others = parts.items()
    return chat if not others and name in LISTS else parts


def _within(record: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    for name in _WITHIN:
        if found := _object(record.get(name)):
            yield found
            if depth < 2:
                yield from _within(found, depth + 1)


def _said(told: list[Mapping[str, Any]], ours: str, names: tuple[str, ...], columns: Columns | None) -> Any:
    path = getattr(columns, _COLUMNS.get(ours, ours)) if columns else ""
    if path and (found := _plain(at(told[0], path))) is not None:
        return found
    return next((found for each in told for name in names if (found := _plain(each.get(name))) is not None), None)


def _plain(value: Any) -> Any:
    """A value that can be a fact; of an object its id, as of a user or an account."""
    if isinstance(value, Mapping):
        value = next((value[name] for name in ("id", "uuid") if value.get(name)), None)
    if isinstance(value, bytes | bytearray):  # of a Parquet: a text, or a UUID
        value = value.hex() if b"\0" in value or not value.isascii() else value.decode()
    absent = value == "" or isinstance(value, list) or (isinstance(value, float) and value != value)
    return None if absent else value


def at(record: Mapping[str, Any], path: str) -> Any:
    """The value at a path such as `metadata.model`, or under that name."""
    if not path or path in record:
        return record.get(path)
    found: Any = record
    for step in path.split("."):
        found = _object(found).get(step)
    return found


def _object(value: Any) -> Mapping[str, Any]:
    found = read(value)
    return found if isinstance(found, Mapping) else {}


def read(value: Any) -> Any:
    """JSON that a cell holds as text; any other text is what was said."""
    if isinstance(value, str) and value[:1] in ("{", "[", '"') and value[-1:] in ("}", "]", '"'):
        try:
            return parse_json(value)
        except (ValueError, RecursionError):
            return value
    return value


def moment_of(value: object) -> datetime | None:
    """A time as exports write one; None for what is none."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    try:
        if isinstance(value, str) and (number := value.strip()).replace(".", "", 1).isdecimal() and len(number) > 8:
            value = float(number)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(_seconds(value), UTC)
        return _parsed(value.strip()) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        return None


def _seconds(number: float) -> float:
    """Of seconds, milli-, micro- or nanoseconds, told apart by their size."""
    return next((number / unit for unit in (1, 1e3, 1e6) if abs(number) < 1e11 * unit), number / 1e9)


def _parsed(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        found = parsedate_to_datetime(text)
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
