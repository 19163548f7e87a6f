"""Reads an event log: the daily files of this machine and, where the config says so, the table of all machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, Protocol

from zantara_exp.core.errors import ZantaraError
from zantara_exp.io.events import Kind, day_of, event_files
from zantara_exp.io.packed import reading
from zantara_exp.io.spool import send_left_behind
from zantara_exp.io.table import Day, Table

_BLOCK = 4 << 20
"""Bytes that are worked on at once: fewer are more steps, more are more memory."""


class Block(NamedTuple):
    """Some lines, one after the other."""

    content: bytes
    """Only the log's last line may lack its newline: a writer may be about to go on with it."""
    first: int
    """Number of the first line in its part, counted from 1."""
    place: int
    """Where the first begins, in a file."""
    positions: Sequence[int] | None = None
    """Where each stands, in a table."""


class Part(Protocol):
    """What a file, or the table, holds of a day."""

    name: str
    day: str
    mark: str
    """Another as soon as its lines are."""

    def blocks(self) -> Iterator[Block]:
        """All its lines."""

    def lines_at(self, places: Sequence[int]) -> Iterator[bytes]:
        """The lines at these places, which rise."""


class EventLog:
    """The log of one kind of events."""

    def __init__(self, kind: Kind, folder: Path, table: Table | None = None, spool: Path | None = None) -> None:
        self._kind, self._folder, self._table, self._spool = kind, folder, table, spool

    @property
    def identity(self) -> str:
        """Which log this is."""
        return f"{self._folder}{self._table.identity if self._table else ''}"

    def parts(self, since: str = "0001-01-01") -> list[Part]:
        """The parts from a day on, oldest first. What a writer that was killed has left in its spool is sent before.

        Raises ZantaraError where the table, or a spool, cannot be read: what is there must not be taken for everything.
        """
        files = [path for path in event_files(self._folder, self._kind) if day_of(path, self._kind) >= since]
        found: list[Part] = [_File(path, day_of(path, self._kind)) for path in files]
        if self._table is not None:
            if self._spool is not None:
                _send(self._spool, self._table)
            found += [_Rows(self._table, day) for day in self._table.days(since)]
        return sorted(found, key=lambda part: part.day)  # stable: files before rows

    def lines(self, since: str = "0001-01-01") -> Iterator[bytes]:
        """Every line from a day on."""
        for part in self.parts(since):
            yield from lines_of(part)

    def close(self) -> None:
        """Let go of the database."""
        if self._table is not None:
            self._table.close()


def lines_of(part: Part) -> Iterator[bytes]:
    """The lines of a part, newlines included."""
    for block in part.blocks():
        yield from BytesIO(block.content)


class _File:
    """A daily file, or a part of it."""

    def __init__(self, path: Path, day: str) -> None:
        self.name, self.day, self._path = path.name, day, path
        stat = path.stat()
        self.mark = f"{path.name}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}"

    def blocks(self) -> Iterator[Block]:
        """See Part."""
        first, place = 1, 0
        with reading(self._path) as file:
            while content := file.read(_BLOCK):
                if not content.endswith(b"\n"):
                    content += file.readline()
                yield Block(content, first, place)
                if not content.endswith(b"\n"):
                    return
                first, place = first + content.count(b"\n"), place + len(content)

    def lines_at(self, places: Sequence[int]) -> Iterator[bytes]:
        """See Part; places are bytes, of what is unpacked."""
        with reading(self._path) as file:
            for place in places:
                file.seek(place)
                yield file.readline()


class _Rows:
    """The rows of a day."""

    def __init__(self, table: Table, day: Day) -> None:
        self.name, self.day, self._table = f"{table.kind.prefix}_{day.day} of {table.kind.table}", day.day, table
        self.mark = f"{self.name}:{day.lines}:{day.newest}"

    def blocks(self) -> Iterator[Block]:
        """See Part."""
        first = 1
        for rows in self._table.of_day(self.day):
            content = "".join(line.replace("\n", " ") + "\n" for _, line in rows).encode()
            yield Block(content, first, 0, [position for position, _ in rows])
            first += len(rows)

    def lines_at(self, places: Sequence[int]) -> Iterator[bytes]:
        """See Part; places are positions."""
        for line in self._table.at(places):
            yield line.encode() + b"\n"


def _send(spool: Path, table: Table) -> None:
    try:
        send_left_behind(spool, table)
    except OSError as error:
        raise ZantaraError(
            f"the lines that wait in {spool} cannot be sent: {error.strerror}",
            hint="check paths.state, its rights and the room on its disk",
        ) from error
