"""Files of lines that may have been rotated and packed meanwhile, as logrotate does with a folder of logs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from zantara_exp.core.errors import ZantaraError

ROTATED = r"(?:\.(?P<turn>\d{1,4})|[-.](?P<date>\d{8}|\d{4}-\d{2}-\d{2}))?(?:\.(?:gz|bz2|xz))?"
"""What may stand behind a file's name."""
_OTHER = re.compile(r".*\.jsonl(\.\d+|-\d{8})?\.(zst|lz4|lzo|Z|zip|7z|rar)$")
_OPEN: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


@contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked. Raises ZantaraError where it is no whole packed file."""
    opener = _OPEN.get(path.suffix)
    try:
        with path.open("rb") if opener is None else opener(path, "rb") as file:
            yield cast("IO[bytes]", file)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise ZantaraError(
            f"{path} cannot be unpacked: {error}",
            "run the same command again once it is written, or bring back the file it was made of",
        ) from error


@contextmanager
def writing(raw: IO[bytes], like: Path) -> Iterator[IO[bytes]]:
    """Takes what is to stand in `raw`, packed as the file `like` is."""
    opener = _OPEN.get(like.suffix)
    if opener is None:
        yield raw
        return
    with opener(raw, "wb") as file:
        yield cast("IO[bytes]", file)


def in_order(paths: Iterator[Path], name: re.Pattern[str]) -> list[Path]:
    """The files whose whole name is `name` and perhaps ROTATED: by day, by part, older turns first.

    The pattern's first group is the day, YYYY-MM-DD; any other is a number, such as a part's.

    Raises ZantaraError for one that was packed in a way that nothing here reads.
    """
    whole = re.compile(f"(?:{name.pattern}){ROTATED}")
    found = []
    for path in paths:
        if match := whole.fullmatch(path.name):
            found.append((_place(match, name.groups), path))
        elif _OTHER.fullmatch(path.name) and name.match(path.name):
            raise ZantaraError(f"{path} is packed in a way that is not read", "unpack it, or pack it again as .gz")
    return [path for _, path in sorted(found)]


def _place(match: re.Match[str], groups: int) -> tuple[object, ...]:
    day, *numbers = match.groups()[:groups]
    turn, date = match["turn"], match["date"]
    going_on = turn is None and date is None  # the file that the writer still appends to
    return (day, [int(each or 0) for each in numbers], going_on, -int(turn or 0), date or "", match[0])
