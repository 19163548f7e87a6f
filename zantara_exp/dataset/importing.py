"""Loads exported chats, JSON lines with `messages`, into a database of production's schema.

What an export does not say is filled in and noted in `metadata.assumed`, so that nobody takes it for measured:
each conversation gets a user of its own, conversations are spread evenly over the last days in the file's order, the
model is named `haiku (assumed)`, and tokens are estimated at four characters each. Ratings and latencies cannot be
assumed and stay empty.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import UUID, uuid5

from zantara_exp.dataset.conversations import TABLE, Row, fill
from zantara_exp.dataset.days import days_until
from zantara_exp.dataset.messages import Malformed, clean_text, parse_json, parse_messages
from zantara_exp.errors import MissingInputError, ZantaraError

if TYPE_CHECKING:
    from psycopg import Connection

ASSUMED_MODEL = "haiku (assumed)"
_NAMESPACE = UUID("6a2f2c9e-5f0c-4f57-9a0e-6b1f5d0c7a11")
_CHARS_PER_TOKEN = 4
_LONGEST_LINE = 64_000_000
"""Bytes; a chat of thousands of messages has a hundredth of it."""
_DEEPEST = 100
"""Levels; parts of a message's content lie four deep, and what is written as JSON may be 254 deep."""
TOO_DEEP: dict[str, Any] = {"messages": "nested too deeply"}
"""Stands for a line that is; it is no chat, and ends in quarantine."""
_CHATS = ("messages", "conversations", "conversation", "turns")
_NAMES = {
    "id": ("id", "conversation_id", "conv_id"),
    "user_id": ("user_id", "user"),
    "session_id": ("session_id", "session"),
    "created_at": ("created_at", "timestamp", "time", "date"),
    "model": ("model", "ai_model_used"),
    "language": ("language", "lang"),
    "rating": ("rating",),
    "tokens_input": ("tokens_input", "input_tokens"),
    "tokens_output": ("tokens_output", "output_tokens"),
    "latency_ms": ("latency_ms",),
}
"""Our names, and what exports call them, at the top of a line or in its `metadata`."""


def import_file(path: Path, connection: Connection, last_day: date, days: int) -> tuple[int, int]:
    """Add the file's conversations to the table `conversations`, which is made if need be.

    Returns how many were added, and how many were there already. Raises MissingInputError for a file that is not
    there, ZantaraError for a line that holds no chat.
    """
    lines = list(export_lines(path))
    if not lines:
        raise ZantaraError(
            f"{path} holds no conversation", 'one JSON object a line: {"messages": [{"role", "content"}]}'
        )
    first, end = days_until(last_day, days)
    step = (end - first) / len(lines)
    rows = (row(line, end - step * (len(lines) - number) + step / 2) for number, line in enumerate(lines))
    with connection.transaction():
        connection.execute(TABLE)
        connection.execute("create temp table imported (like conversations) on commit drop")
        read = fill(connection, rows, "imported")
        added = connection.execute("insert into conversations select * from imported on conflict do nothing").rowcount
    return added, read - added


def export_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the conversations of a file of JSON lines, plain or .gz.

    A line nested beyond measure is TOO_DEEP. Raises MissingInputError for a file that is not there, ZantaraError for a
    line that holds no chat.
    """
    for number, line in enumerate(json_lines(path), 1):
        if not isinstance(line, dict) or not any(name in line for name in _CHATS):
            raise ZantaraError(f"{path}, line {number} has no `messages`", 'write {"messages": [{"role", "content"}]}')
        yield line if _is_shallow(line) else TOO_DEEP


def json_lines(path: Path) -> Iterator[Any]:
    """Yield what stands in the lines of a file, plain or .gz, empty ones apart; raises like `export_lines`."""
    if not path.is_file():
        raise MissingInputError(f"{path} is not there", "name a file of JSON lines, plain or .gz: source.path=FILE")
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for number, text in enumerate(_lines(path, file), 1):
            if not text.strip():
                continue
            try:
                yield parse_json(text)
            except (ValueError, RecursionError) as broken:
                raise ZantaraError(f"{path}, line {number}: {broken}", "repair the line, or take it out") from broken


def _lines(path: Path, file: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
    """Lines of bounded length: a small .gz may unpack to more than the memory holds."""
    number = 0
    while True:
        try:
            text = file.readline(_LONGEST_LINE)
        except (EOFError, OSError, zlib.error) as broken:
            raise ZantaraError(
                f"{path}, after line {number}, is no whole gzip file: {broken}", "export or copy it once more"
            ) from broken
        number += 1
        if len(text) == _LONGEST_LINE:
            raise ZantaraError(f"{path}, line {number} is longer than {_LONGEST_LINE} bytes", "take it out")
        if not text:
            return
        yield text


def row(line: Mapping[str, Any], moment: datetime) -> Row:
    """The table row of one exported conversation; `moment` is its time where it has none."""
    messages = next(line[name] for name in _CHATS if name in line)
    metadata = line.get("metadata")
    noted: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
    said = {ours: _first({**noted, **line}, theirs) for ours, theirs in _NAMES.items()}
    name = str(said["id"] or uuid5(_NAMESPACE, json.dumps(messages, sort_keys=True)))
    created = _moment(said["created_at"])
    assumed = {
        "user_id": None if said["user_id"] else f"of {name}",
        "created_at": None if created else moment,
        "model": None if said["model"] else ASSUMED_MODEL,
        **_tokens(messages, said),
    }
    filled = {key: value for key, value in assumed.items() if value is not None}
    known = {key: value for key, value in {**said, **filled}.items() if key not in _COLUMNS and value is not None}
    return Row(
        id=_uuid(name),
        user_id=str(said["user_id"] or filled["user_id"]),
        session_id=str(said["session_id"] or name),
        messages=_storable(messages),
        metadata={**_storable(noted), **_storable(known), "assumed": sorted(filled)},
        created_at=created or moment,
    )


_COLUMNS = ("id", "user_id", "session_id", "created_at")


def _first(line: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((line[name] for name in names if line.get(name) not in (None, "")), None)


def _uuid(name: str) -> UUID:
    try:
        return UUID(name)
    except ValueError:
        return uuid5(_NAMESPACE, name)


def _moment(value: object) -> datetime | None:
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC) if found else None
    except (ValueError, OverflowError, OSError):
        return None


def _tokens(messages: object, said: Mapping[str, Any]) -> dict[str, int | None]:
    """Estimates of what is not said: the last answer was written, all before it read."""
    try:
        chat = parse_messages(messages)
    except Malformed:
        return {}
    if not chat:
        return {}
    lengths = [len(message["content"]) for message in chat]
    estimates = {"tokens_input": sum(lengths[:-1]), "tokens_output": lengths[-1]}
    return {key: None if said[key] else max(1, round(size / _CHARS_PER_TOKEN)) for key, size in estimates.items()}


def _is_shallow(value: Any) -> bool:
    """Whether it is nested no deeper than `_DEEPEST`; level by level, so that no depth is too much to find out."""
    level = [value]
    for _ in range(_DEEPEST):
        lists = [each for each in level if isinstance(each, list | dict)]
        level = [item for each in lists for item in (each.values() if isinstance(each, dict) else each)]
        if not level:
            return True
    return False


def _storable(value: Any) -> Any:
    """The same without NUL and lone surrogates, which jsonb refuses."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(str(key)): _storable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_storable(each) for each in value]
    return value
