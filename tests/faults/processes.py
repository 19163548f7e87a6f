"""A stage as a real process that is killed, ended or halted where a test says.

Where is a count, never a time: the n-th change of anything outside the process (a file opened to be written, renamed or
removed, a connection, another program), which Python's audit events tell. So a seed draws the same places everywhere.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import forked
from tests.shadow.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "sqlite3.connect"}
_CHANGES |= {"socket.connect", "socket.bind", "subprocess.Popen", "os.posix_spawn"}
_WRITING = os.O_WRONLY | os.O_RDWR
SECONDS = 600
"""Longer than any stage here takes on any machine."""


@dataclass(frozen=True)
class Done:
    """How a process ended: its exit status (negative: the signal), what it said, how often it changed something."""

    status: int | None
    said: str
    changes: int


@dataclass(frozen=True)
class At:
    """Before which change of a process it sends itself which signal."""

    change: int
    signal: int = signal.SIGKILL


NOWHERE = At(0)


def stage(folder: Path, *arguments: str, at: At = NOWHERE, **environment: str) -> Done:
    """Run `python -m zantara_exp ARGUMENTS` in `folder` to its end."""
    return ended(folder, started(folder, *arguments, at=at, **environment))


def ended(folder: Path, process: Any) -> Done:
    """Wait for what `started` began."""
    process.join(SECONDS)
    assert process.exitcode is not None, f"it still runs: {said(folder)}"
    counted = _beside(folder, "changes")
    changes = int(counted.read_text()) if counted.exists() else 0
    return Done(process.exitcode, said(folder), changes)


def started(folder: Path, *arguments: str, at: At = NOWHERE, **environment: str) -> Any:
    """The same, not waited for: a multiprocessing process."""
    for name in ("said", "changes"):
        _beside(folder, name).unlink(missing_ok=True)
    given = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", **environment}
    forked.start()
    process = forked.forks.Process(target=_run, args=(str(folder), list(arguments), given, at))
    process.start()
    return process


def halted(process: Any) -> None:
    """Wait until it has stopped itself (SIGSTOP)."""
    wait_for(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")


def said(folder: Path) -> str:
    """What the last process there said."""
    path = _beside(folder, "said")
    return path.read_text(errors="replace") if path.exists() else ""


def _beside(folder: Path, name: str) -> Path:
    """Not in the folder, whose disk may be full."""
    return folder.with_name(f"{folder.name}.{name}")


def _run(folder: str, arguments: list[str], environment: Mapping[str, str], at: At) -> None:
    import warnings

    forked.let_start_others()
    warnings.simplefilter("ignore")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    out = os.open(_beside(Path(folder), "said"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as main() does
    from zantara_exp.cli.main import run_overrides

    count = _Changes(folder, at)
    sys.addaudithook(count)
    status = run_overrides(arguments)
    sys.stdout.flush()
    count.at = NOWHERE
    _beside(Path(folder), "changes").write_text(str(count.seen))
    sys.exit(status)


class _Changes:
    """Counts what an audited process changes below its folder or beyond itself, and sends a signal at one of them."""

    def __init__(self, folder: str, at: At) -> None:
        self.folder, self.at, self.seen = folder, at, 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not (flags & _WRITING if mode is None else set(mode) & set("wax+")) or not self._ours(path):
                return
        elif event not in _CHANGES or (event.startswith("os.") and not self._ours(arguments[0])):
            return
        self.seen += 1
        if self.seen == self.at.change:
            os.kill(os.getpid(), self.at.signal)

    def _ours(self, path: Any) -> bool:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str):
            return not isinstance(path, int)
        return not path.startswith("/") or path.startswith(self.folder)


def put_back(copy: Path, folder: Path) -> None:
    """Make `folder` what it was when `copy` was taken; the same path, because records and links name it."""
    empty(folder)
    shutil.copytree(copy, folder, symlinks=True, dirs_exist_ok=True)


def empty(folder: Path) -> None:
    """Remove what is in it, not the folder: something may be mounted there."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[None]:
    """A file system of so many kB at `place`, for as long as the block runs; skips where this process may not mount."""
    import pytest

    place.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip("this process may not mount a tmpfs")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
