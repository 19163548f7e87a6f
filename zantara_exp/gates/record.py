"""The record of looks: one line per look, only ever appended to, under `paths.state`.

It says what had been seen when a gate was first used, what was looked at (`spent_looks.py`), and what else was said of
a candidate. Only a verdict whose look is here, with its hash, can open a rollout.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from zantara_exp.core.errors import ZantaraError
from zantara_exp.gates.verdict_record import loaded, unrecorded

Look = dict[str, Any]
_LOOK = {"gate", "gate_hash", "epoch", "as_of", "requests", "users", "exact"}
_TEXTS = ("gate", "gate_hash", "epoch", "as_of", "verdict", "reason", "time", "through", "newest")
_DAYS = ("as_of", "through", "newest")
_NEVER = "2025-01-01T00:00:00+00:00"
_ENTRY = {"metric", "where", "terms", "sample", "evidence", "epoch"}


@dataclass(frozen=True)
class FirstUse:
    """When a gate, as it is configured now, was first used in this epoch, and what had been seen by then."""

    as_of: str
    requests: float
    users: int


@dataclass(frozen=True)
class Looks:
    """Looks recorded in one file. Raises ZantaraError when it cannot be read: forgotten looks would be free looks."""

    file: Path

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Wait until no other process is between refusing and recording: two at once could both have the one look."""
        import fcntl

        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def all(self) -> list[Look]:
        """Every look, oldest first; a last line that a kill cut short is no look."""
        if not self.file.is_file():
            return []
        looks = []
        for number, line in enumerate(self.file.read_bytes().split(b"\n")[:-1], 1):
            look = _parsed(line)
            if look is None:
                raise ZantaraError(
                    f"{self.file}: line {number} is no record of a look",
                    hint="restore the file from a copy; without it one-look criteria could be looked at again",
                )
            looks.append(look)
        return looks

    def lost(self, gate: str, verdict: Path) -> bool:
        """Whether looks were forgotten: the gate's verdict was written, and no record of the look for it is there."""
        gone = verdict.is_file() and not self.file.is_file()
        return gone or any(look["gate"] == gate and look.get("after_loss") for look in self.all())

    def first_use(self, gate_hash: str, epoch: str) -> FirstUse | None:
        """What had been seen when this gate was first used in this epoch; None before its first look."""
        for look in self.all():
            if look["gate_hash"] == gate_hash and look["epoch"] == epoch:
                return FirstUse(look["as_of"], look["requests"], look["users"])
        return None

    def known(self, reports: Path) -> list[Look]:
        """Every look on record, after what verdicts lie in `reports` whose look is not: a record that was lost."""
        looks = self.all()
        return [*filter(_sound, unrecorded(reports, looks)), *looks]

    def adopt(self, reports: Path) -> None:
        """Put such verdicts on record, before a new one takes the place of their file; they open nothing."""
        for look in filter(_sound, unrecorded(reports, self.all())):
            self.append(look)

    def append(self, look: Look) -> None:
        """Put a look on record; it is on disk when this returns."""
        line = json.dumps(look, sort_keys=True).encode() + b"\n"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a+b") as file:
            file.seek(0)
            # What a kill cut short was never shown to anyone.
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def _parsed(line: bytes) -> Look | None:
    """A line of the record; None where it is no look."""
    look = loaded(line)
    return look if isinstance(look, dict) and _sound(look) else None


def _sound(look: Look) -> bool:
    """Whether a look has what later ones are held against."""
    if not look.keys() >= _LOOK or not isinstance(look["exact"], dict):
        return False
    if not all(isinstance(entry, dict) and entry.keys() >= _ENTRY for entry in look["exact"].values()):
        return False
    try:
        moment = datetime.fromisoformat(look.get("time") or _NEVER)
        for name in _DAYS:
            date.fromisoformat(look.get(name) or _NEVER[:10])
    except (TypeError, ValueError):
        return False
    texts = all(isinstance(look.get(name, ""), str) for name in _TEXTS)
    return texts and moment.tzinfo is not None and isinstance(look.get("comparisons"), int | None)
