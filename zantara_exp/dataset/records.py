"""The JSON lines files of the dataset: read as a stream, written whole or not at all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import IO, Any

import orjson

from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.io.whole_files import unfinished, write_whole

Record = dict[str, Any]


class Writer:
    """Writes JSON lines and counts them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.count = 0

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record."""
        self.write_line(orjson.dumps(record))

    def write_line(self, line: bytes) -> None:
        """Append one record that is a line already, without its end."""
        self._file.write(line)
        self._file.write(b"\n")
        self.count += 1


@contextmanager
def writer(path: Path) -> Iterator[Writer]:
    """Write a file that replaces the old one only when all of it is there."""
    with unfinished(path) as partial, partial.open("wb") as file:
        yield Writer(file)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write one JSON object, indented, whole or not at all."""
    write_whole(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS) + b"\n")


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all."""
    write_whole(path, text.encode())


def require(path: Path, stage: str) -> None:
    """Raises MissingInputError where a file that `stage` writes is not there."""
    if not path.exists():
        raise MissingInputError(f"{path} is not there: stage={stage} writes it", command(f"stage={stage}"))


def read(path: Path, stage: str) -> Iterator[Record]:
    """Yield the records of a file that `stage` wrote.

    Raises MissingInputError where it is not there, ZantaraError for a broken line.
    """
    require(path, stage)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError as broken:
                raise ZantaraError(
                    f"{path}, line {number}: {broken}", command(f"stage={stage}", "force=true")
                ) from broken


def read_json(path: Path, stage: str) -> Record:
    """Return the object in a file that `stage` wrote; raises like `read`."""
    require(path, stage)
    try:
        loaded = orjson.loads(path.read_bytes())
        if not isinstance(loaded, dict):
            raise ValueError("it holds no object")
    except ValueError as broken:
        raise ZantaraError(f"{path}: {broken}", command(f"stage={stage}", "force=true")) from broken
    return loaded


def read_conversations(path: Path) -> Iterator[Record]:
    """Yield the conversations that `extract` wrote, with names of their own: the database's key may not be one.

    Raises like `read`, and ZantaraError for a line that is none.
    """
    seen: Counter[str] = Counter()
    for number, found in enumerate(read(path, "extract"), 1):
        if not is_conversation(found):
            raise ZantaraError(
                f"{path}, line {number} is no conversation as stage=extract writes them",
                command("stage=extract", "force=true"),
            )
        name = str(found["conversation_id"])
        seen[name] += 1
        yield found if seen[name] == 1 else {**found, "conversation_id": f"{name}#{seen[name]}"}


_FACTS = {"conversation_id", "user", "timestamp", "messages", "metadata"}
_NOTED = {"language", "category", "model", "rating", "tokens_input", "tokens_output", "latency_ms"}


def is_conversation(found: object) -> bool:
    """Whether it is a record as stage `extract` writes them."""
    if not isinstance(found, dict) or not found.keys() >= _FACTS:
        return False
    messages, metadata = found["messages"], found["metadata"]
    chat = isinstance(messages, list) and all(
        isinstance(each, dict) and {"role", "content"} <= each.keys() for each in messages
    )
    return chat and isinstance(metadata, dict) and metadata.keys() >= _NOTED


def digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
