"""Streams a table's rows, newest first, and continues after an interruption: a lost connection, a statement that the
server cancelled because it took too long, or a replica's conflict with recovery.

The order is total, except for rows that share both time and id. So a lost stream is resumed by key: it asks again from
the last row read, and leaves out the rows with the same key that it has read already. Rows that were added meanwhile
with an earlier place in the order are not read; the period's end was fixed before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from zantara_exp.dataset.connect import first_line, is_passing, pause

if TYPE_CHECKING:
    from psycopg import Connection, Copy
    from psycopg.abc import Buffer
    from psycopg.pq.abc import PGconn
    from psycopg.sql import Composed

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass
class Position:
    """How far a stream was read."""

    rows: int = 0
    id: str = ""
    created_at: str = ""
    key: str = ""
    """What the last line read begins with: its id and time."""
    tied: list[str] = field(default_factory=list)
    """The lines read so far that have this key."""

    def move(self, lines: Sequence[str]) -> None:
        """Go on behind lines that were read."""
        self.rows += len(lines)
        id, self.created_at, _ = lines[-1].split("\t", 2)
        key = f"{id}\t{self.created_at}\t"
        tied = list(takewhile(lambda line: line.startswith(key), reversed(lines)))
        self.tied = [*self.tied, *tied] if key == self.key else tied
        self.id, self.key = _unescaped(id), key


class Stream:
    """Reads one statement to its end, over as many connections as that takes."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        statement: Callable[[Position], tuple[Composed, dict[str, Any]]],
        columns: tuple[str, ...],
        attempts: int,
    ) -> None:
        """`connect` gives the connection to use, a new one where the last was lost; `statement` is a COPY in text
        format with `null ''` of what comes after a position; `columns` begin with `id`, `created_at` and go on."""
        self._connect, self._statement, self._columns = connect, statement, columns
        self._attempts = attempts

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows; an absent value is "".

        Raises psycopg.OperationalError where the connection is lost and does not come back, or where the statement
        takes too long before it gives a row. One that a replica cancels is begun again in any case.
        """
        import psycopg

        position, failures, reached = Position(), 0, 0
        while True:
            connection = None
            try:
                connection = self._connect()
                for lines in self._unread(connection, position):
                    yield from self._parsed(lines)
                    position.move(lines)
                return
            except psycopg.OperationalError as lost:
                passing = is_passing(lost)
                if connection is not None and not connection.closed:
                    slow = isinstance(lost, psycopg.errors.QueryCanceled) and position.rows > reached
                    if not passing and not slow:
                        raise  # the server refuses the statement; asking again would not help
                    connection.close()
                failures = 1 if position.rows > reached else failures + 1
                reached = position.rows
                if failures > self._attempts or not (position.rows or passing):
                    raise
                pause(failures, f"interrupted after {position.rows} rows ({first_line(lost)}); going on there")

    def _parsed(self, lines: Sequence[str]) -> list[dict[str, Any]]:
        columns = self._columns
        return [
            # COPY sends as many fields as it was asked for; most lines have nothing escaped
            dict(zip(columns, map(_unescaped, line.split("\t")) if "\\" in line else line.split("\t")))  # noqa: B905
            for line in lines
        ]

    def _unread(self, connection: Connection, position: Position) -> Iterator[list[str]]:
        """The lines after the position, block by block; of those that share its key, the ones that were not read."""
        blocks = self._blocks(connection, position)
        if position.tied:
            tied, others = list[str](), list[str]()
            for lines in blocks:
                same = sum(1 for _ in takewhile(lambda line: line.startswith(position.key), lines))
                tied, others = [*tied, *lines[:same]], lines[same:]
                if others:
                    break
            if first := [*_unseen(tied, Counter(position.tied)), *others]:
                yield first
        yield from blocks

    def _blocks(self, connection: Connection, position: Position) -> Iterator[list[str]]:
        with connection.cursor() as cursor, cursor.copy(*self._statement(position)) as copy:
            for messages in _arrivals(copy, connection.pgconn):
                # Each message is a line; a database of no encoding may send bytes of any.
                yield str(b"".join(messages), "utf-8", "replace")[:-1].split("\n")


def _arrivals(copy: Copy, pgconn: PGconn) -> Iterator[list[Buffer]]:
    """All that has arrived, again and again to the end: psycopg's loop over `copy`, which waits anew for every row,
    takes twice the time."""
    while message := copy.read():
        messages, size = [message], 1
        while size > 0:
            size, message = pgconn.get_copy_data(1)
            messages.append(message)
        yield messages
        if size < 0:
            _end(pgconn)
            return


def _end(pgconn: PGconn) -> None:
    """Take the outcome of a COPY whose last row was read without psycopg.

    Raises the psycopg.Error of what went wrong.
    """
    from psycopg import OperationalError, errors, pq

    outcome = pgconn.get_result()
    while pgconn.get_result():
        pass  # the connection takes its next statement after the last outcome
    if outcome is None:
        raise OperationalError("the server sent rows and no outcome")
    if outcome.status != pq.ExecStatus.COMMAND_OK:
        raise errors.error_from_result(outcome)


def _unseen(tied: list[str], seen: Counter[str]) -> list[str]:
    """Lines with the key of the last one read, less as many as were read: the same ones where they are still there."""
    fresh = list((Counter(tied) - seen).elements())
    return fresh[: max(0, len(tied) - seen.total())]


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), text)
