"""Reads the conversations of exported files as a stream: a file, a folder or a glob, from any known tool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import orjson

from zantara_exp.config.data import Columns
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.dataset import records
from zantara_exp.dataset.exports import Line
from zantara_exp.dataset.joined_records import Joined
from zantara_exp.dataset.messages import Unreadable
from zantara_exp.dataset.reading import Placed, parsed, paths_of, placed

_HOW = 'write one JSON object a line, {"messages": [{"role", "content"}]}, or take an export of docs/dataset.md'


class Exported:
    """Files that were read once, to know what belongs together; their conversations can be read again and again."""

    def __init__(self, named: str, columns: Columns, encoding: str = "") -> None:
        """`named` is the path; `columns` says where a record keeps what, `encoding` how texts are written.

        Raises MissingInputError where there is nothing, ZantaraError where nothing of it is a conversation.
        """
        self.named, self.paths = named, self._found(named)
        self._encoding = encoding
        self._joined = Joined(columns)
        for each in self._placed():
            self._joined.learn(each.record, place_of(each))
        self._joined.ready()
        self.unreadable: Counter[str] = Counter()
        """Records that cannot be read, by reason; each is a line in its place."""
        self.first_unreadable = ""
        total, why = 0, ""
        for line in self.lines():
            total += 1
            if isinstance(line.chat, Unreadable):
                self.unreadable[line.chat.reason] += 1
                self.first_unreadable = self.first_unreadable or line.place
                why = why or str(line.chat)
        require_conversations(named, total, self.unreadable.total(), f"{self.first_unreadable} {why}")

    def lines(self) -> Iterator[Line]:
        """Yield the conversations in the files' order, then those that stand in a record a message."""
        for each in self._placed():
            line = self._joined.line(each.record, place_of(each))
            if line is not None:
                yield line
        yield from self._joined.chats()

    def digest(self) -> str:
        """A hash of the files' names and bytes."""
        return digest_of(self.paths)

    @property
    def left(self) -> str:
        """Records that are no conversations of their own, in words; "" where there are none."""
        return ", ".join(f"{count} {what}" for what, count in self._joined.left.items())

    def _found(self, named: str) -> list[Path]:
        return paths_of(named)

    def _placed(self) -> Iterator[Placed]:
        for path in self.paths:
            yield from placed(path, self._encoding)


class Given(Exported):
    """Records that an installed package gives (`core.extensions`), of the shapes that exported files have."""

    def __init__(self, named: str, columns: Columns, lines: Sequence[bytes]) -> None:
        """`lines` are records by `as_json`. Raises like Exported."""
        self._lines = lines
        super().__init__(named, columns)

    def digest(self) -> str:
        """A hash of the records."""
        return sha256(b"\n".join(self._lines)).hexdigest()

    def _found(self, named: str) -> list[Path]:
        return []

    def _placed(self) -> Iterator[Placed]:
        for number, line in enumerate(self._lines, 1):
            yield Placed(Path(self.named), number, parsed(line))


def as_json(record: object) -> bytes:
    """The line that a file would hold; an empty one, which is no JSON, where a record cannot be written as JSON."""
    try:
        return orjson.dumps(record, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        return b""


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def require_conversations(named: str, total: int, unreadable: int, first: str) -> None:
    """Raises MissingInputError where `named` holds no record, ZantaraError where none of them can be read."""
    if not total:
        raise MissingInputError(f"{named} holds no conversation", _HOW)
    if total == unreadable:
        raise ZantaraError(f"{named} holds no conversation: {first}", _HOW)


def digest_of(paths: Sequence[Path]) -> str:
    """A hash of the files' names and bytes."""
    return sha256("".join(f"{path.name} {records.digest(path)}\n" for path in paths).encode()).hexdigest()


def place_of(each: Placed) -> str:
    """Where a record stands, for people."""
    return f"{Path(each.path)}, line {each.number}"
