"""`source=jsonl`: conversations from an exported file, as if it were the database's table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import file_digest
from pathlib import Path
from typing import Any

from zantara_exp.config.schema import Config
from zantara_exp.dataset.days import earlier, latest
from zantara_exp.dataset.importing import TOO_DEEP, export_lines, row
from zantara_exp.dataset.period import newest_of, period
from zantara_exp.dataset.usage import ModelUsage, number, usage_of
from zantara_exp.errors import MissingInputError

_SPREAD_DAYS = 30
"""Conversations without a time are spread over this many days up to the newest that has one, or the file's own."""


@dataclass(frozen=True)
class FileSource:
    """An exported file, read line by line; only line numbers and times are held in memory."""

    config: Config
    path: Path
    first: datetime
    end: datetime
    times: list[datetime]
    """Of each conversation, given or assumed."""
    note: str = ""
    interruptions: int = 0

    def usage(self) -> list[ModelUsage]:
        """Conversations, users and mean tokens by model, the limit apart."""
        return usage_of(self._in_scope())

    def fingerprint(self) -> str:
        """A hash of the file's bytes."""
        with self.path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the conversations in the file's order; of more than `source.limit`, the newest."""
        newest = sorted((facts["created_at"] for facts in self._in_scope()), reverse=True)
        left = self.config.source.limit
        oldest = newest[left - 1] if left < len(newest) else ""
        for facts in self._in_scope():
            if left and facts["created_at"] >= oldest:
                left -= 1
                yield facts

    def _in_scope(self) -> Iterator[dict[str, Any]]:
        source = self.config.source
        wanted = [name.lower() for name in source.models]
        for line, moment in zip(export_lines(self.path), self.times, strict=True):
            facts = _facts(line, moment)
            model, rating = str(facts["model"] or "").lower(), number(facts["rating"])
            if not self.first <= moment < self.end or (wanted and not any(name in model for name in wanted)):
                continue
            if source.min_rating is None or rating is None or rating >= source.min_rating:
                yield facts


def open_file(config: Config) -> FileSource:
    """Open `source.path`.

    Raises MissingInputError where it is not there or empty, ZantaraError for a line that holds no chat.
    """
    if not config.source.path:
        raise MissingInputError("source=jsonl needs a file", "add source.path=chats.jsonl, plain or .gz")
    path = Path(config.source.path)
    given, deep = list[datetime | None](), list[int]()
    for place, line in enumerate(export_lines(path), 1):
        given.append(_given(line))
        if line == TOO_DEEP:
            deep.append(place)
    if not given:
        raise MissingInputError(f"{path} holds no conversation", 'one JSON object a line: {"messages": [...]}')
    modified = min(datetime.fromtimestamp(path.stat().st_mtime, UTC), latest())
    newest, later, note = newest_of(filter(None, given), config)
    step = timedelta(days=_SPREAD_DAYS) / len(given)
    times = [
        moment or earlier(newest or modified, step * (len(given) - 1 - place)) for place, moment in enumerate(given)
    ]
    assumed = sum(moment is None for moment in given)
    first, end = period(config, newest or (modified if assumed else None), later, path.name)
    notes = [note] if note else []
    if assumed:
        notes.append(f"{assumed} conversations of {path.name} have no time: spread over {_SPREAD_DAYS} days")
    notes += [f"{path}, line {place} is nested too deeply for a chat: it goes to quarantine" for place in deep]
    return FileSource(config, path, first, end, times, "; ".join(notes))


_NO_TIME = datetime(1, 1, 1, tzinfo=UTC)


def _given(line: dict[str, Any]) -> datetime | None:
    moment = row(line, _NO_TIME).created_at
    return None if moment is _NO_TIME else moment


def _facts(line: dict[str, Any], moment: datetime) -> dict[str, Any]:
    made = row(line, moment)
    noted = ("model", "rating", "language", "tokens_input", "tokens_output", "latency_ms")
    facts = {name: None if made.metadata.get(name) is None else str(made.metadata[name]) for name in noted}
    return facts | {
        "id": str(made.id),
        "user": made.user_id,
        "session": made.session_id,
        "messages": made.messages,
        "created_at": moment.isoformat(),
    }
