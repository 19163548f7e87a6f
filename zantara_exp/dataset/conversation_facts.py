"""Small facts about conversations that the steps of `prepare` need, computed on all cores. The texts stay in the file
and are read again if a step needs them, so memory grows with the number of conversations and not with their length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.core.parallel import in_order
from zantara_exp.dataset import records
from zantara_exp.dataset.balance import Cell
from zantara_exp.dataset.duplicates import Marks, Sketch, words_of
from zantara_exp.dataset.filters import Filters, left_of
from zantara_exp.dataset.growing_rows import Told, told_by
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.same_answers import keys_in
from zantara_exp.dataset.turns import turns_of, with_turns

_BYTES = 500_000
"""Of the lines that a process takes at once."""
_MANY_BYTES = 8_000_000
"""For a smaller file the start of a process takes longer than it saves."""
_KEPT_RECORDS = 10_000
_HASH = 8
"""Bytes of a turn's hash."""


@dataclass(slots=True, eq=False)
class Known:
    """Of one conversation."""

    at: int
    """Where its line begins."""
    name: str
    user: str
    session: str | None
    time: str
    cell: Cell
    told: bytes
    """The hashes of its turns."""
    turns: int
    reason: str
    """Why the filters refuse all of it, or ""."""
    dropped: tuple[tuple[int, str], ...]
    """Place of each turn that the filters take out of what they leave, and why."""

    @property
    def left(self) -> int:
        """How many turns the filters leave."""
        return 0 if self.reason else self.turns - len(self.dropped)

    def row(self) -> Told:
        """As others may go on with it."""
        turns = tuple(self.told[at : at + _HASH] for at in range(0, len(self.told), _HASH))
        return Told(self.name, self.user, self.session, turns)


class Answered(NamedTuple):
    """Turns that the filters leave, one row each."""

    chat: NDArray[np.int64]
    """Number of the conversation."""
    place: NDArray[np.int64]
    keys: NDArray[np.uint64]
    """Of its answer and of its question: equal for equal words."""


class Facts(NamedTuple):
    """Of conversations in the order of their file."""

    known: list[Known]
    marks: Marks
    """Of the words that the filters leave of each."""
    answered: Answered


def facts_of(path: Path, config: Config) -> Facts:
    """Read what stage `extract` wrote; raises like `records.read_conversations`."""
    records.require(path, "extract")
    parts = [_none(config), *_parts(path, config)]
    known, seen = [each for part in parts for each in part.known], Counter[str]()
    for each in known:  # as in `records.read_conversations`: the database's key may be none
        seen[each.name] += 1
        if seen[each.name] > 1:
            each.name = f"{each.name}#{seen[each.name]}"
    marks = Marks.joined([part.marks for part in parts])
    begins = np.cumsum([0, *(len(part.known) for part in parts)])
    answered = [
        part.answered._replace(chat=part.answered.chat + begin) for part, begin in zip(parts, begins, strict=False)
    ]
    return Facts(known, marks, Answered(*(np.concatenate(column) for column in zip(*answered, strict=True))))


def _parts(path: Path, config: Config) -> Iterator[Facts]:
    made = partial(_facts, config)
    few = path.stat().st_size < _MANY_BYTES
    try:
        yield from map(made, _lines(path)) if few else in_order(made, _lines(path), "filters conversations")
    except _NoConversationError:  # its number is known to who reads from the begin
        for _ in records.read_conversations(path):
            pass
        raise


class _NoConversationError(ZantaraError):
    """A line that is none."""


def _lines(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Some lines at a time, and where they begin."""
    with path.open("rb") as file:
        at = 0
        while lines := file.readlines(_BYTES):
            yield at, lines
            at += sum(map(len, lines))


def _none(config: Config) -> Facts:
    places = np.zeros(0, dtype=np.int64)
    marks = Sketch(config.dataset.near_duplicate_jaccard).of([])
    return Facts([], marks, Answered(places, places, np.zeros((0, 2), dtype=np.uint64)))


@lru_cache(1)
def _tools(key: str) -> tuple[Filters, Sketch]:
    """The ones of this process: their models of languages take a second."""
    config = _configs[key]
    return Filters(config), Sketch(config.dataset.near_duplicate_jaccard)


_configs: dict[str, Config] = {}


def _facts(config: Config, some: tuple[int, Sequence[bytes]]) -> Facts:
    key = repr(config)
    _configs[key] = config
    ask, sketch = _tools(key)
    at, lines = some
    read = [record_of(line) for line in lines]
    known, left = list[Known](), list[Record | None]()
    for record, sifted, line in zip(read, ask.sift_all(read), lines, strict=True):
        name, user, session, told = told_by(record)
        about = record["metadata"]
        cell = about["language"], about["category"]
        dropped = tuple(sorted(sifted.dropped.items()))
        known.append(
            Known(at, name, user, session, record["timestamp"], cell, b"".join(told), len(told), sifted.reason, dropped)
        )
        left.append(left_of(record, sifted))
        at += len(line)
    keys = [(chat, key) for chat, record in enumerate(left) if record is not None for key in keys_in(record)]
    hashes = b"".join(part[:8] for _, key in keys for part in (key.answer, key.question))
    answered = Answered(
        np.array([chat for chat, _ in keys], dtype=np.int64),
        np.array([key.place for _, key in keys], dtype=np.int64),
        np.frombuffer(hashes, dtype=np.uint64).reshape(-1, 2),
    )
    words = [words_of(record) if record is not None else frozenset[str]() for record in left]
    return Facts(known, sketch.of(words), answered)


def record_of(line: bytes) -> Record:
    """What a line holds. Raises ZantaraError where that is no conversation."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = None
    if not records.is_conversation(found):
        raise _NoConversationError("a line is no conversation", command("stage=extract", "force=true"))
    return dict(found)


class Texts:
    """The conversations of a file, read where they lie."""

    def __init__(self, file: IO[bytes], known: Sequence[Known]) -> None:
        self._file, self._known = file, known
        self.words = lru_cache(_KEPT_RECORDS)(self._words)
        """The words that the filters leave of a conversation."""

    def whole(self, chat: int) -> Record:
        """A conversation as it was extracted."""
        known = self._known[chat]
        self._file.seek(known.at)
        return {**orjson.loads(self._file.readline()), "conversation_id": known.name}

    def left(self, chat: int) -> Record:
        """What the filters leave of it."""
        whole, gone = self.whole(chat), {place for place, _ in self._known[chat].dropped}
        if not gone:
            return whole
        return with_turns(whole, [turn for at, turn in enumerate(turns_of(whole["messages"])) if at not in gone])

    def _words(self, chat: int) -> frozenset[str]:
        return words_of(self.left(chat))


@contextmanager
def texts_of(path: Path, known: Sequence[Known]) -> Iterator[Texts]:
    """The file, open."""
    with path.open("rb") as file:
        yield Texts(file, known)
