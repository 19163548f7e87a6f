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
from zantara_exp.hints import command
from zantara_exp.layout import Layout
from zantara_exp.rollout.state import (
    State,
    StateChangedError,
    UnreachableStateError,
    UnreadableStateError,
    dump,
    load,
    unreadable,
)
from zantara_exp.whole import sync, write_whole

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

    def __init__(self, file: Path) -> None:
        self._file = file
        self._begun = file.with_suffix(".begun")
        """A mark that a state has existed: without it a deleted state would look like a rollout that never began."""

    def read(self) -> State:
        """See Store."""
        try:
            return load(self._file.read_bytes())
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
                if seen is None:
                    with suppress(FileNotFoundError):
                        os.replace(self._file, self._file.with_name(f"{self._file.name}.unreadable-{time.time_ns()}"))
                written = replace(new, version=(seen.version if seen else 0) + 1)
                write_whole(self._file, dump(written), durable=True)
                if not self._begun.exists():
                    self._begun.touch()
                    sync(self._begun.parent)
                return written
        except OSError as error:
            raise _unreachable(self._file, error) from error

    def close(self) -> None:
        """See Store; a file is open only while it is read or written."""

    def _now(self) -> State | None:
        try:
            return self.read()
        except UnreadableStateError:
            return None

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


def changed_meanwhile() -> StateChangedError:
    """The error for a controller that comes too late."""
    return StateChangedError(
        "the rollout was changed by somebody else in between; nothing was written",
        command("stage=rollout", "rollout.action=status"),
    )


def open_store(plan: Rollout, layout: Layout) -> Store:
    """The configured store. Raises MissingRequirementError if the database's URL is not set."""
    if plan.state == "postgres":
        from zantara_exp.rollout.postgres import PostgresStore

        return PostgresStore(plan.state_url_env)
    return FileStore(layout.state / "rollout" / "state.json")
