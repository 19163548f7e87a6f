"""Loads exported chats, files of any kind that `source=files` reads, into a database of production's schema.

Missing facts are filled in and listed in `metadata.assumed`, so that nobody takes them for measured: each conversation
gets a user of its own, conversations are spread evenly over the last days in the file's order, the
model is named `haiku (assumed)`, and tokens are estimated at four characters each. Ratings and latencies cannot be
assumed and stay empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from zantara_exp.config.data import Columns
from zantara_exp.dataset.conversations import TABLE, Row, fill
from zantara_exp.dataset.days import days_until
from zantara_exp.dataset.exported import Exported
from zantara_exp.dataset.exports import Line, moment_of
from zantara_exp.dataset.messages import Malformed, Unreadable, clean_text, parse_messages
from zantara_exp.dataset.reading import json_lines as json_lines

if TYPE_CHECKING:
    from psycopg import Connection

ASSUMED_MODEL = "haiku (assumed)"
_NAMESPACE = UUID("6a2f2c9e-5f0c-4f57-9a0e-6b1f5d0c7a11")
_CHARS_PER_TOKEN = 4
_COLUMNS = ("id", "user_id", "session_id", "created_at")


def import_file(path: Path, connection: Connection, last_day: date, days: int) -> tuple[int, int]:
    """Add the conversations of a file, a folder or a glob to the table `conversations`, which is made if need be.

    Returns how many were added, and how many were there already. Raises MissingInputError for a file that is not
    there, ZantaraError where no record holds a chat.
    """
    exported = Exported(str(path), Columns())
    total = sum(1 for _ in exported.lines())
    first, end = days_until(last_day, days)
    step = (end - first) / total
    rows = (row(line, end - step * (total - number) + step / 2) for number, line in enumerate(exported.lines()))
    with connection.transaction():
        connection.execute(TABLE)
        connection.execute("create temp table imported (like conversations) on commit drop")
        read = fill(connection, rows, "imported")
        added = connection.execute("insert into conversations select * from imported on conflict do nothing").rowcount
    return added, read - added


def row(line: Line, moment: datetime) -> Row:
    """The table row of one exported conversation; `moment` is its time where it has none."""
    said, name = line.facts, name_of(line)
    user = clean_text(str(said.get("user_id") or ""))
    created = moment_of(said.get("created_at"))
    assumed = {
        "user_id": None if user else f"of {name}",
        "created_at": None if created else moment,
        "model": None if said.get("model") else ASSUMED_MODEL,
        **_tokens(line.chat, said),
    }
    filled = {key: value for key, value in assumed.items() if value is not None}
    known = {key: value for key, value in {**said, **filled}.items() if key not in _COLUMNS and value is not None}
    session = said.get("session_id")
    return Row(
        id=_uuid(name),
        user_id=user or f"of {name}",
        session_id=None if session is None else clean_text(str(session)),
        messages=None if isinstance(line.chat, Unreadable) else _storable(line.chat),
        metadata={**_storable(line.metadata), **_storable(known), "assumed": sorted(filled)},
        created_at=created or moment,
    )


def name_of(line: Line) -> str:
    """The id of an exported conversation, as it says it; of one that says none, a hash of what was said in it."""
    given = line.facts.get("id")
    if given is not None and (name := clean_text(str(given))):
        return name
    said = line.place if isinstance(line.chat, Unreadable) else json.dumps(line.chat, sort_keys=True, default=str)
    return str(uuid5(_NAMESPACE, said))


def _uuid(name: str) -> UUID:
    try:
        return UUID(name)
    except ValueError:
        return uuid5(_NAMESPACE, name)


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
    return {key: None if said.get(key) else max(1, round(size / _CHARS_PER_TOKEN)) for key, size in estimates.items()}


def _storable(value: Any) -> Any:
    """The same without NUL and lone surrogates, which jsonb refuses; what JSON does not know, as a time, is text."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(str(key)): _storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else clean_text(str(value))
