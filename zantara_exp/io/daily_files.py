"""Where lines of an event log go: daily files, which go on in a further part when large.

Several processes share the files. A part is full for all of them at the same size, so that no state says which is next.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from zantara_exp.io.events import Kind, day_file
from zantara_exp.io.lines import append_lines
from zantara_exp.io.whole_files import sync


class Destination(Protocol):
    """Takes whole lines."""

    waiting: int
    """Lines that are safe on this machine and not yet where readers look."""

    def append(self, day: str, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """How many of a UTC day's lines, from the first, are kept now, and what stopped the others."""

    def sync(self) -> None:
        """Return when what was appended outlives a power cut."""

    def close(self, deadline_seconds: float) -> None:
        """Finish by the deadline."""


class DailyFiles:
    """`{prefix}_{day}.jsonl`, and `.part2.jsonl` and so on beyond `rotate_bytes`."""

    def __init__(self, folder: Path, kind: Kind, rotate_bytes: int) -> None:
        self._folder, self._kind, self._rotate_bytes = folder, kind, rotate_bytes
        self.waiting = 0
        self._unsynced: set[Path] = set()

    def append(self, day: str, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """See Destination. A part may grow beyond its size by what is appended at once."""
        path = self._current(day)
        done, why = append_lines(path, lines)
        if done:
            self._unsynced.add(path)
        return done, why

    def _current(self, day: str) -> Path:
        part = 1
        with contextlib.suppress(OSError):  # the first that is not there
            while day_file(self._folder, self._kind, day, part).stat().st_size >= self._rotate_bytes:
                part += 1
        return day_file(self._folder, self._kind, day, part)

    def sync(self) -> None:
        """See Destination."""
        for path in sorted(self._unsynced):
            sync_file(path)
        self._unsynced.clear()

    def close(self, deadline_seconds: float) -> None:
        """See Destination."""
        self.sync()


def sync_file(path: Path) -> None:
    """As far as the disk lets us: a log goes on where one that cannot is full or gone."""
    with contextlib.suppress(OSError):
        sync(path)
