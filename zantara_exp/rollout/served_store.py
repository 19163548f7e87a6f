"""Where the served log is kept: daily files for gateways on one machine, a table for gateways on several."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.io.daily_files import DailyFiles, Destination
from zantara_exp.io.database import STATE
from zantara_exp.io.event_log import EventLog, lines_of
from zantara_exp.io.events import SERVED, Kind
from zantara_exp.rollout.served import Served, from_line, to_line

_MEGABYTE = 1_000_000
_SEND_SECONDS = 0.5
_log = logging.getLogger(__name__)


def open_sink(config: Config, layout: Layout) -> Destination:
    """The destination of the served log: beside the state of the rollout.

    Raises MissingRequirementError or OSError if it cannot be opened.
    """
    if config.rollout.state == "file":
        return DailyFiles(layout.logs, SERVED, config.log.rotate_mb * _MEGABYTE)
    from zantara_exp.io.spool import Spool
    from zantara_exp.io.table import Table

    table = Table(SERVED, config.rollout.state_url_env, STATE)
    return Spool(layout.served_spool, table, _SEND_SECONDS, config.log.spool_mb * _MEGABYTE)


def append_served(sink: Destination, lines: Sequence[Served]) -> tuple[int, OSError | None]:
    """Append lines; return how many, from the first on, were kept, and the error that stopped the others."""
    done = 0
    for day, group in groupby(lines, lambda line: line.timestamp.astimezone(UTC).date().isoformat()):
        batch = [to_line(line) for line in group]
        kept, why = sink.append(day, batch)
        done += kept
        if kept < len(batch):
            return done, why
    return done, None


def events_of(config: Config, layout: Layout, kind: Kind) -> EventLog:
    """The events of a rollout as readers see them. Raises MissingRequirementError without the database's URL."""
    if config.rollout.state == "file":
        return EventLog(kind, layout.logs)
    from zantara_exp.io.table import Table

    spool = layout.served_spool if kind == SERVED else None
    return EventLog(kind, layout.logs, Table(kind, config.rollout.state_url_env, STATE), spool)


def read_served(config: Config, layout: Layout, since: datetime) -> Iterator[Served]:
    """The served lines since a moment, read once: see ServedReader."""
    return ServedReader(config, layout).read(since)


@dataclass(frozen=True)
class _Part:
    """What one file or the table held of a UTC day when it was last read."""

    lines: tuple[Served, ...]
    unreadable: int


class ServedReader:
    """Reads the served log repeatedly; a day that has not changed is not read again."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self._config, self._layout = config, layout
        self._known: dict[str, _Part] = {}
        """By a key that changes when the day changes."""

    def read(self, since: datetime) -> Iterator[Served]:
        """The served lines since a moment, oldest UTC day first. Unreadable lines are counted, with a warning.

        Raises OSError or ZantaraError if the log cannot be reached: it must not look like an empty log.
        """
        seen: dict[str, _Part] = {}
        with closing(events_of(self._config, self._layout, SERVED)) as log:
            for part in log.parts(since.astimezone(UTC).date().isoformat()):
                seen[part.mark] = self._known.get(part.mark) or _part(lines_of(part))
                yield from (line for line in seen[part.mark].lines if line.timestamp >= since)
        self._known = seen
        if unreadable := sum(part.unreadable for part in seen.values()):
            _log.warning("%d lines of the served log cannot be read", unreadable)


def _part(lines: Iterable[bytes]) -> _Part:
    found, unreadable = [], 0
    for line in lines:
        try:
            if line.strip():
                found.append(from_line(line))
        except (ValueError, KeyError, TypeError):
            unreadable += 1
    return _Part(tuple(found), unreadable)
