"""Files of records, whatever their format: JSON lines, JSON, CSV, Parquet; plain or packed; one, a folder, or a glob.

An unreadable record becomes an `Unreadable` in its place and stops nothing. A missing file, or one that cannot be
unpacked, is an error.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from glob import glob, has_magic
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.dataset.exports import CONVERSATION
from zantara_exp.dataset.messages import Unreadable, parse_json
from zantara_exp.io import packed

_LONGEST_LINE = 64_000_000
"""Bytes; a chat of thousands of messages has a hundredth of it."""
_LARGEST_JSON = 1_000_000_000
"""Bytes of a file that is one JSON value, which is read at once."""
_DEEPEST = 100
"""Levels; parts of a message's content lie four deep, and what is written as JSON may be 254 deep."""
_PACKED = (".gz", ".bz2", ".xz", ".zst")
_JSON, _CSV, _PARQUET = (".jsonl", ".json", ".ndjson", ".jl"), (".csv", ".tsv"), (".parquet", ".pq")
_BEGINS = (
    (re.compile(rb"\xff\xfe|\xfe\xff"), "utf-16"),
    (re.compile(rb"[^\0]\0[^\0]\0"), "utf-16-le"),
    (re.compile(rb"\0[^\0]\0[^\0]"), "utf-16-be"),
)
"""How a file begins that is no UTF-8, and what it is then."""
_BROKEN = re.compile("[\udc80-\udcff]")
"""Bytes that are no UTF-8, as `surrogateescape` keeps them."""
_DELIMITERS = ",;\t|"
_LISTS = ("data", "conversations", "items", "traces", "observations", "results")
"""Where an API's answer, saved as a file, holds its records."""
_CHATS = {"messages", "input", "output", "chat_messages"}
"""Names of which an object that is a record itself has one."""
_ROLES, _NAMED = {"role", "from", "type", "sender", "author"}, {"input", *CONVERSATION}
"""A message has one of the former; a record that has one as well has one of the latter, too."""
_HOW = "name a file, a folder or a glob of JSON lines, JSON, CSV or Parquet: source.path=chats.jsonl.gz"


class Placed(NamedTuple):
    """A record and where it stands."""

    path: Path
    number: int
    """Its line, or its place in the file; from 1."""
    record: Any
    """What JSON holds, or Unreadable."""


def paths_of(named: str) -> list[Path]:
    """The files that a path names: itself, those below a folder, or those of a glob, by name.

    Raises MissingInputError where there is none.
    """
    path = Path(named)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [each for each in path.rglob("*") if each.is_file() and not each.name.startswith(".") and _kind(each)]
    else:
        found = [Path(each) for each in glob(named, recursive=True) if Path(each).is_file()] if has_magic(named) else []
    if not found:
        kinds = ", ".join((*_JSON, *_CSV, *_PARQUET))
        what = f"holds no file of these kinds: {kinds}" if path.is_dir() else "is not there"
        raise MissingInputError(f"{named} {what}", _HOW)
    return sorted(found)


def placed(path: Path, encoding: str = "") -> Iterator[Placed]:
    """Yield the records of a file; a text is UTF-8, or of `encoding`.

    Raises MissingInputError where it is not there, ZantaraError where it is broken.
    """
    if not path.is_file():
        raise MissingInputError(f"{path} is not there", _HOW)
    kind = _kind(path)
    if kind in _PARQUET:
        records = _parquet(path)
    elif kind in _CSV:
        records = _rows(path, encoding)
    else:
        records = _values(path, encoding)
    for number, record in records:
        yield Placed(path, number, record if _is_shallow(record) else Unreadable("too_deep"))


def json_lines(path: Path) -> Iterator[Any]:
    """Yield what stands in the lines of a file; raises like `placed`, and ZantaraError for a line that is no JSON."""
    if not path.is_file():
        raise MissingInputError(f"{path} is not there", _HOW)
    for number, record in _lines(path):
        if isinstance(record, Unreadable):
            raise ZantaraError(f"{path}, line {number} {record}", "repair the line, or take it out")
        yield record


def _kind(path: Path) -> str:
    """The ending that tells the format, "" of none that is known."""
    endings = [ending.lower() for ending in path.suffixes]
    while endings and endings[-1] in _PACKED:
        endings.pop()
    return endings[-1] if endings and endings[-1] in (*_JSON, *_CSV, *_PARQUET) else ""


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file. Raises ZantaraError where it is no whole packed file."""
    if path.suffix.lower() != ".zst":
        with packed.reading(path) as file:
            yield file
        return
    import pyarrow

    with pyarrow.OSFile(str(path)) as raw, io.BufferedReader(pyarrow.CompressedInputStream(raw, "zstd")) as file:
        try:
            yield file
        except OSError as broken:
            raise ZantaraError(f"{path} cannot be unpacked: {broken}", "export or copy it once more") from broken


@contextmanager
def _in_utf8(path: Path, encoding: str) -> Iterator[_Bytes]:
    """The bytes of a file of texts in UTF-8; what cannot be read in `encoding` is no UTF-8 in them.

    A file that begins as UTF-16 does is read as that, where nothing else is said.
    """
    with _unpacked(path) as file:
        encoding = encoding or _begins_as(file)
        if not encoding:
            yield file
            return
        text = io.TextIOWrapper(file, encoding, "surrogateescape", newline="")
        yield _Recoded(text)
        text.detach()


def _begins_as(file: IO[bytes]) -> str:
    """The encoding other than UTF-8 that the first bytes tell; "" of none."""
    peek = getattr(file, "peek", None)
    head = peek(4)[:4] if peek is not None else b""
    return next((name for begin, name in _BEGINS if begin.match(head)), "")


class _Bytes(Protocol):
    """What is read of a file."""

    def readline(self, size: int = -1, /) -> bytes: ...

    def read(self, size: int = -1, /) -> bytes: ...


class _Recoded:
    """A text in UTF-8. Sizes count signs, of which each is one byte or more."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def readline(self, size: int = -1, /) -> bytes:
        return self._text.readline(size).encode("utf-8", "surrogatepass")

    def read(self, size: int = -1, /) -> bytes:
        return self._text.read(size).encode("utf-8", "surrogatepass")


def _lines(path: Path, encoding: str = "") -> Iterator[tuple[int, Any]]:
    """Each line's value: of bounded length, since a small file may unpack to more than the memory holds."""
    number = 0
    with _in_utf8(path, encoding) as file:
        while text := file.readline(_LONGEST_LINE):
            number += 1
            if len(text) >= _LONGEST_LINE:
                yield number, Unreadable("too_large")
                return  # what follows is the rest of the line, and as good as endless
            if text.strip():
                yield number, _value(text)


def parsed(line: bytes) -> Any:
    """The record in a line of JSON, or Unreadable."""
    value = _value(line)
    return value if _is_shallow(value) else Unreadable("too_deep")


def _value(text: bytes) -> Any:
    try:
        return parse_json(text.removeprefix(b"\xef\xbb\xbf"))
    except UnicodeDecodeError:
        return Unreadable("not_utf8")
    except (ValueError, RecursionError):
        return Unreadable("not_json")


def _values(path: Path, encoding: str) -> Iterator[tuple[int, Any]]:
    """Records of JSON lines, or of one JSON value over many lines: its list, or the list that it holds."""
    whole = _whole(path, encoding)
    number = 0
    for line, value in [(1, whole)] if whole is not None else _lines(path, encoding):
        records = _listed(value)
        if records is None:
            yield line, value
            continue
        for record in records:
            number += 1
            yield number, record


def _whole(path: Path, encoding: str) -> Any:
    """The value of a file that is one, over more than a line; None of any other."""
    with _in_utf8(path, encoding) as file:
        first = file.readline(_LONGEST_LINE)
        opens = first.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{", b"")
        if not opens or not isinstance(_value(first), Unreadable):
            return None
        text = first + file.read(_LARGEST_JSON)
        if len(text) >= _LARGEST_JSON:
            return None
    value = _value(text)
    if value == Unreadable("not_utf8") and not isinstance(_value(text.decode("latin-1").encode()), Unreadable):
        return value  # one value, but for its encoding
    return None if isinstance(value, Unreadable) else value


def _listed(value: Any) -> list[Any] | None:
    """The records that a value holds, where it is not one itself: a chat's messages are none."""
    if isinstance(value, Mapping):
        if _CHATS & value.keys():
            return None
        value = next((value[name] for name in _LISTS if _are_records(value.get(name))), None)
    return value if _are_records(value) else None


def _are_records(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(each, Mapping) and (not _ROLES & each.keys() or _NAMED & each.keys()) for each in value)


def _rows(path: Path, encoding: str) -> Iterator[tuple[int, Any]]:
    """Rows of a CSV with a header; its delimiter is the commonest in the header. An empty cell is absent."""
    csv.field_size_limit(_LONGEST_LINE)
    with _unpacked(path) as file:
        text = io.TextIOWrapper(file, encoding or _begins_as(file) or "utf-8-sig", "surrogateescape", newline="")
        header = text.readline(_LONGEST_LINE)
        delimiter = max(_DELIMITERS, key=header.count)
        names = next(csv.reader([header], delimiter=delimiter), [])
        reader = csv.reader(iter(partial(text.readline, _LONGEST_LINE), ""), delimiter=delimiter)
        number = 0
        while True:
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error:
                yield number, Unreadable("not_csv")
                continue
            if _BROKEN.search(header) or any(map(_BROKEN.search, cells)):
                yield number, Unreadable("not_utf8")
            elif cells:
                yield number, {name: cell for name, cell in zip(names, cells, strict=False) if cell != ""}
        text.detach()


def _parquet(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow
    from pyarrow import parquet

    if path.suffix.lower() in _PACKED:
        raise ZantaraError(f"{path} is a packed Parquet file", "unpack it: Parquet is compressed within")
    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=512):
                for record in batch.to_pylist():
                    number += 1
                    yield number, record
    except (pyarrow.ArrowException, OSError) as broken:
        said = str(broken).splitlines()[0]
        raise ZantaraError(f"{path} is no whole Parquet file: {said}", "export or copy it once more") from broken


def _is_shallow(value: Any) -> bool:
    """Whether it is nested no deeper than `_DEEPEST`; level by level, so that no depth is too much to find out."""
    level = [value]
    for _ in range(_DEEPEST):
        lists = [each for each in level if isinstance(each, list | dict)]
        level = [item for each in lists for item in (each.values() if isinstance(each, dict) else each)]
        if not level:
            return True
    return False
