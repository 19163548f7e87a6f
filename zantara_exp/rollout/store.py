"""Where the state is kept. Anybody may read it; it is changed by compare-and-swap.

A file under `paths.state` is for the processes of one machine, PostgreSQL for several machines. The file is replaced
whole and under a lock: a kill leaves the old or the new state, and of two controllers that saw the same state the
second is refused.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from zantara_exp.config.rollout import Rollout
from zantara_exp.core.layout import Layout
from zantara_exp.core.signature import STATE, Keys, signed_anew
from zantara_exp.io.whole_files import sync, write_whole
from zantara_exp.rollout.seal import Seal
from zantara_exp.rollout.state import (
    State,
    UnreachableStateError,
    UnreadableStateError,
    changed_meanwhile,
    unreadable,
)

_LOCK_SECONDS = 10.0


class Store(Protocol):
    """A place for one state."""

    def read(self) -> State:
        """The state now; an idle one before the first rollout.

        Raises UnreadableStateError when there is no whole state, UnreachableStateError when it cannot be asked for.
        """

    def swap(self, seen: State | None, new: State) -> State:
        """Replace `seen` by `new` and return it with its version. `None` stands for a state that cannot be read.

        Raises StateChangedError if the state is another by now, UnreachableStateError if it cannot be written.
        """

    def close(self) -> None:
        """Close connections; the next use opens them again."""


class FileStore:
    """The state in a file."""

    def __init__(self, file: Path, seal: Seal | None = None) -> None:
        """`seal`: what signs and verifies; without one, by the environment's key or the one beside the file."""
        self._file = file
        self._seal = seal or Seal(Keys(file.with_name("signing_key")), f"{file.name} under paths.state")
        self._begun = file.with_suffix(".begun")
        """A mark that a state has existed: without it a deleted state would look like a rollout that never began. It
        holds the newest version, so that an old file that is put back is noticed."""

    def read(self) -> State:
        """See Store."""
        try:
            # Before the state: a writer in between makes that newer, never older.
            newest = self._newest()
            return self._seal.opened(self._file.read_bytes(), newest)
        except FileNotFoundError:
            if self._begun.exists():
                raise unreadable("it was there, and is gone") from None
            return State()
        except OSError as error:
            raise _unreachable(self._file, error) from error

    def swap(self, seen: State | None, new: State) -> State:
        """See Store. A state that could not be read is kept beside the new one."""
        try:
            with self._locked():
                if self._now() != seen:
                    raise changed_meanwhile()
                version = self._seal.after(seen, self._there() if seen is None else b"", self._newest())
                text = self._seal.sealed(written := replace(new, version=version))
                if seen is None:
                    with suppress(FileNotFoundError):
                        os.replace(self._file, self._file.with_name(f"{self._file.name}.unreadable-{time.time_ns()}"))
                write_whole(self._file, text, durable=True)
                if not self._begun.exists():
                    self._begun.touch()
                    sync(self._begun.parent)
                with suppress(OSError):  # the state is written: an older number here hides nothing of it
                    write_whole(self._begun, str(version).encode())
                return self._seal.wrote(written)
        except OSError as error:
            raise _unreachable(self._file, error) from error

    def signed_anew(self, old: bytes, new: bytes) -> bool:
        """Have the new key sign a state that the old one signed; False where there is none. Raises OSError."""
        if not self._file.exists():
            return False
        with self._locked():
            return signed_anew(self._file, STATE, old, new)

    def close(self) -> None:
        """See Store; a file is open only while it is read or written."""

    def _now(self) -> State | None:
        try:
            return self.read()
        except UnreadableStateError:
            return None

    def _newest(self) -> int:
        """The newest version that was written here; 0 where that is not known."""
        try:
            return int(self._begun.read_bytes() or 0)
        except (OSError, ValueError):
            return 0

    def _there(self) -> bytes:
        try:
            return self._file.read_bytes()
        except FileNotFoundError:
            return b""

    @contextmanager
    def _locked(self) -> Iterator[None]:
        import fcntl

        self._file.parent.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + _LOCK_SECONDS
        with self._file.with_suffix(".lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.01)
            yield


def _unreachable(file: Path, error: OSError) -> UnreachableStateError:
    return UnreachableStateError(
        f"the state of the rollout, {file.name} under paths.state, cannot be reached: {error.strerror or error}",
        "check paths.state and its rights; LLAMA_ENABLED=false serves the primary only meanwhile",
    )


def open_store(plan: Rollout, layout: Layout) -> Store:
    """The configured store. Raises MissingRequirementError if the database's URL is not set."""
    if plan.state == "postgres":
        from zantara_exp.rollout.postgres import PostgresStore

        return PostgresStore(plan.state_url_env, layout.signing_key)
    return file_store(layout)


def file_store(layout: Layout) -> FileStore:
    """The state in its file."""
    file = layout.state / "rollout" / "state.json"
    return FileStore(file, Seal(Keys(layout.signing_key), f"{file.name} under paths.state"))
