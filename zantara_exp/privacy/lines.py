"""Rewrites files of JSON lines: each line is kept, changed or dropped, and the file is replaced whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from zantara_exp.dataset.records import Record
from zantara_exp.io.lines import open_locked
from zantara_exp.io.packed import reading, writing
from zantara_exp.io.whole_files import beside, remove_leftovers

Edit = Callable[[bytes], bytes | None]
"""From a line, without its newline, to what stands there from now on; None: nothing."""


def on_records(change: Callable[[Record], Record | None], unreadable: Edit = lambda line: line) -> Edit:
    """An edit of lines that hold JSON objects; the others are for `unreadable`. The same object keeps its bytes."""

    def edit(line: bytes) -> bytes | None:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            return unreadable(line)
        if not isinstance(record, dict):
            return unreadable(line)
        changed = change(record)
        if changed is record:
            return line
        return None if changed is None else orjson.dumps(changed)

    return edit


def edit_lines(path: Path, edit: Edit, *, dry: bool = False) -> int:
    """Apply `edit` to every line; how many it changed or dropped. Where that is none, the file is not touched."""
    if not path.is_file():
        return 0
    remove_leftovers(path)
    waiting = beside(path)
    changed = 0
    try:
        with waiting.open("wb") as raw:
            with reading(path) as lines, writing(raw, like=path) as out:
                for line in lines:
                    text = line.rstrip(b"\n")
                    now = edit(text) if text.strip() else text
                    changed += now != text
                    if now is not None and not dry:
                        out.write(now + b"\n" if line.endswith(b"\n") else now)
            raw.flush()
            os.fsync(raw.fileno())
        if changed and not dry:
            shutil.copymode(path, waiting)
            waiting.replace(path)
    finally:
        waiting.unlink(missing_ok=True)
    return changed


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that writers of the log take for each append; they notice that the file was replaced meanwhile."""
    descriptor = open_locked(path)
    try:
        yield
    finally:
        os.close(descriptor)
