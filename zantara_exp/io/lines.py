"""Appends whole lines to a file that several processes write and any of them may be killed over."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

import orjson

QUARANTINE = "quarantine.jsonl"
_TEXT_KEPT = 200


def append_lines(path: Path, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
    """Append whole lines under the file's lock; how many are in the file now, and what stopped the others.

    One write for each: the kernel may break off a write at a page when the process is killed -9, so that a long write
    of many lines would be torn far more often than a short one.
    """
    done = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = open_locked(path)
    except OSError as error:
        return 0, error
    try:
        _set_torn_line_aside(descriptor, path)
        for line in lines:
            _write_or_undo(descriptor, line)
            done += 1
    except OSError as error:
        return done, error
    finally:
        os.close(descriptor)  # and the lock with it
    return done, None


def open_locked(path: Path) -> int:
    """A descriptor of the file that has this name once its lock is held: stage=forget puts another in its place."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:  # it was taken away between the two looks
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _write_or_undo(descriptor: int, line: bytes) -> None:
    size = os.fstat(descriptor).st_size
    try:
        view = memoryview(line)
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _set_torn_line_aside(descriptor: int, path: Path) -> None:
    """Move what a killed writer left behind the last newline to the quarantine. The file is locked."""
    size = os.fstat(descriptor).st_size
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    whole = _end_of_last_line(descriptor, size)
    fragment = os.pread(descriptor, _TEXT_KEPT, whole).decode(errors="replace")
    entry = {"file": path.name, "line": 0, "reason": "torn by a killed writer", "text": fragment}
    quarantined = os.open(path.parent / QUARANTINE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    with os.fdopen(quarantined, "ab") as quarantine:
        quarantine.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
    os.ftruncate(descriptor, whole)


def _end_of_last_line(descriptor: int, size: int) -> int:
    """Offset just behind the last newline."""
    end = size
    while end:
        start = max(0, end - 65536)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
