"""Rows of a table as a stream, newest first, that goes on where it stopped when the connection was lost.

The order is total but for rows that share both time and id, so a lost stream is resumed by key: rows up to the last
one read are asked for again, and of those that share its key the ones already read are left out. Rows that came
meanwhile with a time that was passed are not read; the period's end was fixed before.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composed

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 30.0


@dataclass
class Position:
    """How far a stream was read."""

    rows: int = 0
    id: str = ""
    created_at: str = ""
    tied: list[str] = field(default_factory=list)
    """The lines read so far that share the last one's id and time."""


class Stream:
    """Reads one statement to its end, over as many connections as that takes."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        statement: Callable[[Position], tuple[Composed, dict[str, Any]]],
        columns: tuple[str, ...],
        attempts: int,
        say: Callable[[str], None],
    ) -> None:
        """`connect` gives the connection to use, a new one where the last was lost; `statement` is a COPY in text
        format with `null ''` of what comes after a position; `columns` begin with `id`, `created_at`."""
        self._connect, self._statement, self._columns = connect, statement, columns
        self._attempts, self._say = attempts, say

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows; an absent value is "".

        Raises psycopg.OperationalError where the connection is lost and does not come back.
        """
        import psycopg

        position, failures, reached = Position(), 0, 0
        while True:
            connection = None
            try:
                connection = self._connect()
                yield from self._read(connection, position)
                return
            except psycopg.OperationalError as lost:
                if connection is not None and not connection.closed:
                    raise  # the server refused the statement; asking again would not help
                failures = 1 if position.rows > reached else failures + 1
                reached = position.rows
                if failures > self._attempts or not position.rows:
                    raise
                wait = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** (failures - 1))
                said = (str(lost).splitlines() or [""])[0]
                self._say(f"connection lost after {position.rows} rows ({said}); going on there in {wait:g} s")
                time.sleep(wait)

    def _read(self, connection: Connection, position: Position) -> Iterator[dict[str, Any]]:
        columns, tied = self._columns, position.tied
        for line in self._unread(connection, position):
            fields = line.split("\t")
            if "\\" in line:
                fields = [_unescaped(text) for text in fields]
            # A million times: no call, no new list for a row that has its key for itself.
            if fields[0] != position.id or fields[1] != position.created_at:
                position.id, position.created_at = fields[0], fields[1]
                tied.clear()
            tied.append(line)
            position.rows += 1
            yield dict(zip(columns, fields))  # noqa: B905 - COPY sends as many fields as it was asked for

    def _unread(self, connection: Connection, position: Position) -> Iterator[str]:
        """The lines after the position, those that share its key and were not read first."""
        seen, tied = Counter(position.tied), list[str]()
        key = f"{_escaped(position.id)}\t{position.created_at}\t" if seen else None
        lines = self._lines(connection, position)
        for line in lines:
            if key is None or not line.startswith(key):
                yield from _unseen(tied, seen)
                yield line
                break
            tied.append(line)
        else:
            yield from _unseen(tied, seen)
        yield from lines

    def _lines(self, connection: Connection, position: Position) -> Iterator[str]:
        """PostgreSQL sends one line a message."""
        with connection.cursor() as cursor, cursor.copy(*self._statement(position)) as copy:
            for block in copy:
                yield str(block, "utf-8")[:-1]


def _unseen(tied: list[str], seen: Counter[str]) -> list[str]:
    """Lines with the key of the last one read, less as many as were read: the same ones where they are still there."""
    fresh = list((Counter(tied) - seen).elements())
    return fresh[: max(0, len(tied) - seen.total())]


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), text)


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\")
    for letter, control in _ESCAPED.items():
        text = text.replace(control, f"\\{letter}")
    return text
