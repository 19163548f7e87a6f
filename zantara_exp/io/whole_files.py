"""Files written whole or not at all: beside their place first, and then put into it.

What a killed writer leaves beside a file may hold chats, so the next writer of that file removes it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_whole(path: Path, content: bytes, durable: bool = False) -> None:
    """Put `content` in the place of the file. Raises OSError, and leaves the old file, where it cannot.

    A durable file outlasts a power cut from the moment this returns.
    """
    with unfinished(path) as partial:
        partial.write_bytes(content)
        if durable:
            sync(partial)
    if durable:
        sync(path.parent)


def sync(path: Path) -> None:
    """Have the disk hold what was written to a file, or which files a folder has.

    Raises OSError where it cannot; a file system that knows no such thing has nothing to do.
    """
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as trouble:
        if trouble.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(opened)


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` where the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    partial = beside(path)
    try:
        with _named(path):
            yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """Where this process writes what is to take the place of `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}")


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left of their writing `path`: it bears the number of a process that is gone."""
    for leftover in path.parent.glob(f".{path.name}.*"):
        number = leftover.suffix[1:].removesuffix("-journal")  # which SQLite keeps beside its file
        if number.isdecimal() and not Path("/proc", number).exists():
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """A disk that is full does not say where; whoever has to make room wants to know."""
    try:
        yield
    except OSError as trouble:
        if trouble.errno in _FULL:
            trouble.filename = str(path)
        raise
