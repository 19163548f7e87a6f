"""With a log in PostgreSQL lines go to a spool on this machine first, and a thread sends them to the database.

So the database may be away, slow or full: the writer never waits for it. A spool is one file of one process; each line
is known in the table by its spool and where in it it ends, so that sending it again adds nothing. The spool of a
process that was killed is sent by the next writer on the machine, or by the next reader.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from uuid import uuid4

from zantara_exp.core.errors import ZantaraError
from zantara_exp.io.daily_files import sync_file
from zantara_exp.io.lines import append_lines
from zantara_exp.io.table import Row, Table

_CHUNK_BYTES = 4_000_000
_TORN_KEPT = 200
_NEW_FILE_BYTES = 64_000_000
"""A spool that is sent and larger than this is begun anew."""
_log = logging.getLogger(__name__)


class Spool:
    """A destination that ends in the database."""

    def __init__(self, folder: Path, table: Table, send_seconds: float, most_bytes: int) -> None:
        """Raises OSError where the folder cannot be made."""
        folder.mkdir(parents=True, exist_ok=True)
        self.waiting = 0
        """Lines of this process that are not in the database yet."""
        self._folder, self._table, self._send_seconds, self._most_bytes = folder, table, send_seconds, most_bytes
        self._said = table.kind.said
        self._guard = threading.Lock()
        self._begin()
        self._away = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{table.kind.prefix}-sender", daemon=True)
        self._thread.start()

    def _begin(self) -> None:
        self._path = self._folder / f"{uuid4().hex}.jsonl"
        self._lock = _lock_of(self._path)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._size = self._sent = 0

    def append(self, day: str, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """See Destination; the day is the line's own."""
        with self._guard:
            ends = [self._size - self._sent + end for end in accumulate(map(len, lines))]
            room = bisect_right(ends, self._most_bytes)
            done, why = append_lines(self._path, lines[:room])
            self._size += sum(map(len, lines[:done]))
            self.waiting += done
        if why is None and room < len(lines):
            why = OSError(errno.ENOSPC, "the spool is full: log.spool_mb")
        return done, why

    def sync(self) -> None:
        """See Destination."""
        sync_file(self._path)

    def close(self, deadline_seconds: float) -> None:
        """Send what is left, as far as the deadline and the database let us; the rest stays in the spool."""
        self._closing.set()
        self._thread.join(deadline_seconds)
        if self.waiting:
            _log.warning("%d lines of the %s wait in %s for the database", self.waiting, self._said, self._folder)

    def _run(self) -> None:
        while True:
            last_round = self._closing.wait(self._send_seconds)
            try:
                self._send()
                send_left_behind(self._folder, self._table)
                if self._away:
                    _log.warning("the database of the %s is back", self._said)
                self._away = False
            except (ZantaraError, OSError) as error:
                if not self._away:
                    _log.warning("the %s stays in %s meanwhile: %s", self._said, self._folder, error)
                self._away = True
            if last_round:
                break
        if not self.waiting:
            _remove(self._path)
        self._table.close()
        os.close(self._lock)

    def _send(self) -> None:
        for end, rows in _rows(self._path, self._sent):
            self._table.add(rows)
            with self._guard:
                self._sent = end
                self.waiting -= len(rows)
                if self._sent == self._size > _NEW_FILE_BYTES:
                    _remove(self._path)
                    os.close(self._lock)
                    self._begin()
                    return


def send_left_behind(folder: Path, table: Table) -> int:
    """Send the spools of processes that are gone; how many lines. Raises ZantaraError where the database is away."""
    sent = 0
    for lock in sorted(folder.glob("*.lock")):
        path = lock.with_suffix(".jsonl")
        with _adopted(path) as ours:
            if not ours:
                continue
            if path.is_file():
                for _, rows in _rows(path, table.known_end(path.stem), whole=True):
                    table.add(rows)
                    sent += len(rows)
            _remove(path)
    return sent


def _rows(path: Path, start: int, whole: bool = False) -> Iterator[tuple[int, list[Row]]]:
    """Whole lines from `start` on, some megabytes at a time, each time with where they end.

    `whole`: nobody writes any more, and what stands behind the last newline is a line that was torn: whoever reads the
    table counts it as one that cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:  # nothing was written yet
        return
    with file:
        file.seek(start)
        while chunk := file.read(_CHUNK_BYTES):
            *lines, rest = (chunk + file.readline()).split(b"\n")
            rows = []
            for line in lines:
                start += len(line) + 1
                rows.append(Row(path.stem, start, line.decode(errors="replace")))
            if rest and whole:
                start += len(rest)
                rows.append(Row(path.stem, start, rest[:_TORN_KEPT].decode(errors="replace")))
            if rows:
                yield start, rows
            if rest:
                return


@contextmanager
def _adopted(path: Path) -> Iterator[bool]:
    """Whether nobody writes this spool any more; nobody else adopts it meanwhile."""
    lock, ours = _lock_of(path), True
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            ours = False
        yield ours
    finally:
        os.close(lock)


def _lock_of(path: Path) -> int:
    return os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o640)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_suffix(".lock").unlink(missing_ok=True)
