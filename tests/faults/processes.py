"""A stage as a real process that dies where a test says, and folders of small runs to let it die in.

Where is a count, never a time: the n-th change of anything outside the process (a file opened to be written, renamed or
removed, a connection, another program), which Python's audit events tell. So a seed draws the same deaths everywhere.
"""

from __future__ import annotations

import json
import multiprocessing
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

ROOT = Path(__file__).resolve().parents[2]
_HEAVY = ["mlflow.tracking", "mlflow.entities", "mlflow.store.tracking.sqlalchemy_store", "torch", "transformers"]
_HEAVY += ["trl", "peft", "datasets", "duckdb", "ibis", "pandas", "scipy.stats", "hydra", "zantara_exp.runner"]
_forks = multiprocessing.get_context("forkserver")
"""A server that has imported the heavy packages, once; each process that it forks is as real as any, and starts at once."""
_forks.set_forkserver_preload(_HEAVY)
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


def stage(folder: Path, *arguments: str, die_at: int = 0, **environment: str) -> Done:
    """Run `python -m zantara_exp ARGUMENTS` in `folder`, killed -9 before its `die_at`-th change."""
    process = started(folder, *arguments, die_at=die_at, **environment)
    process.join(SECONDS)
    assert process.exitcode is not None, f"{arguments} still runs: {said(folder)}"
    counted = folder / ".changes"
    changes = int(counted.read_text()) if counted.exists() else 0
    return Done(process.exitcode, said(folder), changes)


def started(folder: Path, *arguments: str, die_at: int = 0, **environment: str) -> Any:
    """The same, not waited for: a multiprocessing process."""
    for name in (".said", ".changes"):
        (folder / name).unlink(missing_ok=True)
    given = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", **environment}
    process = _forks.Process(target=_run, args=(str(folder), list(arguments), given, die_at))
    process.start()
    return process


def said(folder: Path) -> str:
    """What the last process there said."""
    path = folder / ".said"
    return path.read_text(errors="replace") if path.exists() else ""


def _run(folder: str, arguments: list[str], environment: Mapping[str, str], die_at: int) -> None:
    import warnings

    warnings.simplefilter("ignore")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    out = os.open(".said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    from zantara_exp.runner import run_overrides

    count = _Changes(folder, die_at)
    sys.addaudithook(count)
    status = run_overrides(arguments)
    sys.stdout.flush()
    changes, count.die_at = count.seen, 0
    Path(".changes").write_text(str(changes))
    sys.exit(status)


class _Changes:
    """Counts what an audited process changes below its folder or beyond itself, and kills it at one of them."""

    def __init__(self, folder: str, die_at: int) -> None:
        self.folder, self.die_at, self.seen = folder, die_at, 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not (flags & _WRITING if mode is None else set(mode) & set("wax+")) or not self._ours(path):
                return
        elif event not in _CHANGES or (event.startswith("os.") and not self._ours(arguments[0])):
            return
        self.seen += 1
        if self.seen == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _ours(self, path: Any) -> bool:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str):
            return not isinstance(path, int)
        return not path.startswith("/") or path.startswith(self.folder)


def command(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program itself, as a user starts it."""
    given = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    line = [sys.executable, "-W", "ignore", "-m", "zantara_exp", *arguments]
    return subprocess.run(
        line, cwd=folder, env=given, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def put_back(copy: Path, folder: Path) -> None:
    """Make `folder` what it was when `copy` was taken; the same path, because records and links name it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(copy, folder, symlinks=True)


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
