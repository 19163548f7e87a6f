"""Brings the rows of `log=postgres` to `paths.logs`, where every reader of the comparison log looks.

`fetch` appends what is new to one file a day, `shadow_comparison_{day}.postgres.jsonl`. How far it has come, and how
long each file was then, stands in `postgres.json`: what a killed fetch appended beyond is cut off again, so that no
row is missing and none stands there twice.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.errors import ZantaraError
from zantara_exp.layout import Layout
from zantara_exp.shadow._spool import send_left_behind
from zantara_exp.shadow.daily_files import sync_file
from zantara_exp.shadow.table import Stored, Table
from zantara_exp.whole import write_whole

SUFFIX = ".postgres.jsonl"


@dataclass
class _Progress:
    """How far the table is copied."""

    database: str = ""
    position: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    """In bytes, by file name."""


def fetch(config: Config, layout: Layout) -> int:
    """Copy what is new; how many lines. With log=jsonl nothing is to be done.

    Raises MissingRequirementError without a URL, ZantaraError where the database cannot be used: a reader must not take
    what it has for everything.
    """
    if config.log.kind != "postgres":
        return 0
    table = Table(config.log.url_env)
    try:
        send_left_behind(layout.log_spool, table)
        layout.logs.mkdir(parents=True, exist_ok=True)
        with _alone(layout.logs):
            return _copy(table, layout.logs)
    except OSError as error:
        raise ZantaraError(
            f"log=postgres: the rows cannot be copied to {layout.logs}: {error.strerror}",
            hint="check paths.logs and paths.state, their rights and the room on their disk",
        ) from error
    finally:
        table.close()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "postgres.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy(table: Table, folder: Path) -> int:
    noted = folder / "postgres.json"
    progress, copied = _resumed(noted, folder, table.identity), 0
    for rows in table.after(progress.position):
        for day, lines in _by_day(rows).items():
            name = f"shadow_comparison_{day}{SUFFIX}"
            with (folder / name).open("ab") as file:
                file.write(lines)
                progress.sizes[name] = file.tell()
            sync_file(folder / name)
        progress.position = rows[-1].position
        copied += len(rows)
        _note(noted, progress)
    return copied


def _resumed(noted: Path, folder: Path, database: str) -> _Progress:
    """Where to go on. Files that are not as they were left, or of another database, are begun anew."""
    progress = _read(noted)
    found = {path.name: path.stat().st_size for path in folder.glob(f"*{SUFFIX}")}
    if progress.database != database or any(found.get(name, 0) < size for name, size in progress.sizes.items()):
        progress = _Progress(database)
    for name in found:
        size = progress.sizes.get(name, 0)
        if size:
            os.truncate(folder / name, size)
        else:
            (folder / name).unlink()
    return progress


def _read(noted: Path) -> _Progress:
    try:
        return _Progress(**orjson.loads(noted.read_bytes()))
    except (OSError, orjson.JSONDecodeError, TypeError):
        return _Progress()


def _note(noted: Path, progress: _Progress) -> None:
    write_whole(noted, orjson.dumps(asdict(progress)), durable=True)


def _by_day(rows: list[Stored]) -> Mapping[str, bytes]:
    days: dict[str, list[str]] = {}
    for row in rows:
        days.setdefault(row.day, []).append(row.line + "\n")
    return {day: "".join(lines).encode() for day, lines in days.items()}
