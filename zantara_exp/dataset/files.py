"""`source=files`: reads conversations from exported files, like rows of a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError
from zantara_exp.dataset.days import earlier, latest
from zantara_exp.dataset.exported import Exported
from zantara_exp.dataset.exports import Line, moment_of
from zantara_exp.dataset.importing import name_of, row
from zantara_exp.dataset.messages import ENCODING, Unreadable
from zantara_exp.dataset.period import newest_of, period, said_later
from zantara_exp.dataset.usage import ModelUsage, number, usage_of
from zantara_exp.text.wording import agreed

_SPREAD_DAYS = 30
"""Conversations without a time are spread over this many days up to the newest that has one, or the file's own."""
_NOTED = ("model", "rating", "language", "tokens_input", "tokens_output", "latency_ms")


@dataclass(frozen=True)
class FileSource:
    """Exported files, read record by record; only times, and what belongs together, are held in memory."""

    config: Config
    exported: Exported
    first: datetime
    end: datetime
    times: list[datetime]
    """Of each conversation, given or assumed."""
    note: str = ""
    interruptions: int = 0
    hidden: str = ""

    def undated(self) -> Sequence[Mapping[str, Any]]:
        """None: every conversation has a time."""
        return ()

    def usage(self) -> list[ModelUsage]:
        """Conversations, users and mean tokens by model, the limit apart."""
        return usage_of(self._in_scope())

    def fingerprint(self) -> str:
        """A hash of the files' bytes."""
        return self.exported.digest()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the conversations in the files' order; of more than `source.limit`, the newest."""
        newest = sorted((facts["created_at"] for facts in self._in_scope()), reverse=True)
        left = self.config.source.limit
        oldest = newest[left - 1] if left < len(newest) else ""
        yield from newest_rows(self._in_scope(), oldest, left)

    def _in_scope(self) -> Iterator[dict[str, Any]]:
        for line, moment in zip(self.exported.lines(), self.times, strict=True):
            if facts := in_scope(self.config, self.first, self.end, line, moment):
                yield facts


class Given(NamedTuple):
    """What all records of an export say of their times, and which cannot be read."""

    conversations: int
    undated: int
    """Conversations and unreadable records without a time."""
    newest: datetime | None
    """No later than `latest()`."""
    later: int
    unreadable: Counter[str]
    """By reason."""
    first_unreadable: str
    """Where it stands."""
    nobodys: int
    """Conversations of which no user is named."""


class Spread(NamedTuple):
    """When conversations without a time are taken to have been: evenly up to the newest one."""

    newest: datetime
    step: timedelta
    conversations: int

    def at(self, place: int) -> datetime:
        """The moment of the one at a place, counted from 0."""
        return earlier(self.newest, self.step * (self.conversations - 1 - place))


def open_file(config: Config) -> FileSource:
    """Open `source.path`.

    Raises MissingInputError where it is not there or empty, ZantaraError where it holds no chat.
    """
    return opened(config, Exported(path_of(config), config.source.columns, config.source.encoding))


def opened(config: Config, exported: Exported) -> FileSource:
    """What was exported, as a source. Raises MissingInputError where all of it lies in the future."""
    moments, nobodys = list[datetime | None](), 0
    for line in exported.lines():
        moments.append(moment_of(line.facts.get("created_at")))
        nobodys += is_nobodys(line)
    newest, later, _ = newest_of(filter(None, moments), config)
    undated = sum(moment is None for moment in moments)
    given = Given(len(moments), undated, newest, later, exported.unreadable, exported.first_unreadable, nobodys)
    first, end, spread, note = placed_in_time(config, given, exported.named, exported.paths, exported.left)
    times = [moment or spread.at(place) for place, moment in enumerate(moments)]
    return FileSource(config, exported, first, end, times, note)


def is_nobodys(line: Line) -> bool:
    """Whether a conversation names no user."""
    return not isinstance(line.chat, Unreadable) and not line.facts.get("user_id")


def newest_rows(rows: Iterable[dict[str, Any]], oldest: str, left: int) -> Iterator[dict[str, Any]]:
    """The first `left` rows that are no older than `oldest`, a time as rows have it."""
    return islice((facts for facts in rows if facts["created_at"] >= oldest), left)


def path_of(config: Config) -> str:
    """The configured path. Raises MissingInputError where it is not set."""
    if not config.source.path:
        raise MissingInputError(f"source={config.source.kind} needs a path", "add source.path=FILE, a folder or a glob")
    return config.source.path


def placed_in_time(
    config: Config, given: Given, named: str, paths: Sequence[Path], left: str = ""
) -> tuple[datetime, datetime, Spread, str]:
    """The period's first moment and end, when what has no time was, and what a user should know; `left` is of Exported.

    Raises like `period`.
    """
    bad = given.unreadable
    written = [datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in paths]
    modified = min(max(written, default=datetime.now(UTC)), latest())
    step = timedelta(days=_SPREAD_DAYS) / given.conversations
    assumed = given.undated - bad.total()
    first, end = period(config, given.newest or (modified if assumed else None), given.later, named)
    notes = [said_later(given.later, config)]
    if assumed > 0:
        of = agreed(assumed, f"conversation of {named} has", f"conversations of {named} have")
        notes.append(f"{of} no time: spread over {_SPREAD_DAYS} days")
    if given.nobodys:
        notes.append(
            f"{given.nobodys} conversations of {named} name no user (source.columns.user="
            f"{config.source.columns.user}): each counts as a user of its own, so intervals by user are too narrow"
        )
    if left:
        notes.append(f"no conversations of their own: {left}")
    if bad:
        reasons = ", ".join(f"{reason} {count}" for reason, count in bad.most_common())
        notes.append(
            f"{bad.total()} records of {named} cannot be read and go to quarantine: {reasons}; the first is "
            f"{given.first_unreadable}" + (f"; of not_utf8, {ENCODING}" if "not_utf8" in bad else "")
        )
    spread = Spread(given.newest or modified, step, given.conversations)
    return first, end, spread, "; ".join(filter(None, notes))


def in_scope(config: Config, first: datetime, end: datetime, line: Line, moment: datetime) -> dict[str, Any] | None:
    """The facts of a conversation of that moment; None where it is not to be read."""
    source, facts = config.source, _facts(line, moment)
    if isinstance(line.chat, Unreadable):  # of no known model and time: it is shown, wherever it belongs
        return facts
    wanted = [name.lower() for name in source.models]
    model, rating = str(facts["model"] or "").lower(), number(facts["rating"])
    if not first <= moment < end or (wanted and not any(name in model for name in wanted)):
        return None
    return facts if source.min_rating is None or rating is None or rating >= source.min_rating else None


def _facts(line: Line, moment: datetime) -> dict[str, Any]:
    made = row(line, moment)
    facts = {name: None if made.metadata.get(name) is None else str(made.metadata[name]) for name in _NOTED}
    return facts | {
        "id": name_of(line),
        "user": made.user_id,
        "session": made.session_id,
        "messages": line.chat,
        "created_at": moment.isoformat(),
        "place": line.place,
    }
