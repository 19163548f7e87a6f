"""Finds rows that other rows continue: some products write one row per turn, each with the chat so far or a part of it.

Such a row adds nothing, since each of its turns is also in longer rows of its conversation. Only the longest counts;
the others are rejected as `continued`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from zantara_exp.dataset.records import Record
from zantara_exp.dataset.turns import turns_of

CONTINUED = "continued"
"""The reason."""


@dataclass(eq=False)
class _Row:
    """Rows of one user that hold the same turns."""

    turns: tuple[bytes, ...]
    session: str | None
    names: list[str] = field(default_factory=list)

    @property
    def keys(self) -> Iterator[tuple[bytes, str | None]]:
        """Under what others find it: its turns, and these within its session."""
        for turn in set(self.turns):
            yield turn, None
            if self.session is not None:
                yield turn, self.session


class Told(NamedTuple):
    """What a row holds, as far as others may go on with it."""

    name: str
    user: str
    session: str | None
    turns: tuple[bytes, ...]
    """Hashes of them."""


def told_by(record: Record) -> Told:
    """What a conversation holds."""
    turns = tuple(_hash(turn.texts) for turn in turns_of(record["messages"]))
    return Told(record["conversation_id"], record["user"], record.get("session"), turns)


def continued(rows: Iterable[Told]) -> dict[str, str]:
    """Name of a row -> name of the row that goes on with it; of users whose rows are all there.

    A row of one turn is compared with those of its user and session; one of several turns, and one without a session,
    with all of its user's: some products number each request. Rows that hold the same turns are duplicates instead.
    """
    users: dict[str, dict[tuple[object, ...], _Row]] = defaultdict(dict)
    for each in rows:
        if each.turns:
            row = users[each.user].setdefault((each.turns, each.session), _Row(each.turns, each.session))
            row.names.append(each.name)
    return {name: of for theirs in users.values() if len(theirs) > 1 for name, of in _within(list(theirs.values()))}


def _hash(texts: Sequence[str]) -> bytes:
    return blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _within(rows: list[_Row]) -> Iterator[tuple[str, str]]:
    """Of one user's rows the shortest first: each goes whose turns all stand in rows that are left."""
    holders: dict[tuple[bytes, str | None], dict[_Row, None]] = defaultdict(dict)
    for row in rows:
        for key in row.keys:
            holders[key][row] = None
    goes_on: dict[_Row, _Row] = {}
    for row in sorted(rows, key=lambda row: (len(row.turns), row.names[0])):
        session = row.session if len(row.turns) == 1 else None
        others = [_other(row, holders[turn, session]) for turn in row.turns]
        if others[-1] is not None and None not in others:
            goes_on[row] = others[-1]
            for key in row.keys:
                del holders[key][row]
    for row, other in goes_on.items():
        while other in goes_on:
            other = goes_on[other]
        yield from ((name, other.names[0]) for name in row.names)


def _other(row: _Row, holders: Iterable[_Row]) -> _Row | None:
    """A row of other turns that holds one of this row's."""
    return next((other for other in holders if other.turns != row.turns), None)
