"""Python processes that start at once: forked from a server that has imported the heavy packages.

`subprocess.Popen` as the tests see it (tests/conftest.py). A forked process is as real as any: it has a pid, pipes,
signals and an end of its own. It has no command line of its own, and no interpreter starts that imports anything: a
test whose sentence is about those is marked `interpreter`, and starts Python as users do.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import warnings
from multiprocessing import forkserver, reduction, resource_tracker
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = [
    *("mlflow.tracking", "mlflow.entities", "mlflow.store.tracking.sqlalchemy_store"),
    *(
        "torch",
        "transformers",
        "trl",
        "peft",
        "datasets",
        "evaluate",
        "duckdb",
        "ibis",
        "pandas",
        "scipy.stats",
        "hydra",
    ),
    *("zantara_exp.cli.main", "zantara_exp.shadow._worker", "zantara_exp.gateway.app", "tests.forked", "tests.warmed"),
]
_HIGH = 500
_SHARED = "ZANTARA_TESTS_FORK_SERVER"
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(HEAVY)


def start() -> None:
    """Start the server, or find the one that pytest started for all its workers.

    It imports from this checkout, and computes on one thread, as each of many processes should.
    """
    server = forkserver._forkserver  # type: ignore[attr-defined]
    if server._forkserver_address is not None:
        return
    if _SHARED in os.environ:
        server._forkserver_address = os.environ[_SHARED]
        server._forkserver_alive_fd = os.open(os.devnull, os.O_WRONLY)  # pytest keeps it alive
        server.ensure_running = resource_tracker.ensure_running
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(ROOT)
        patched.setenv("PYTHONPATH", str(ROOT))
        patched.setenv("OMP_NUM_THREADS", "1")
        for name in ("ZANTARA_CONFIG_DIR", "ZANTARA_EXPERIMENT"):
            patched.delenv(name, raising=False)
        forkserver.ensure_running()


def share() -> None:
    """Start it, for the workers that this process starts as well."""
    start()
    os.environ[_SHARED] = forkserver._forkserver._forkserver_address  # type: ignore[attr-defined]


class _Open:
    """A file descriptor on its way to a forked process."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (reduction.DupFd(self.descriptor),)


def _arrived(sent: Any) -> int:
    descriptor: int = sent.detach()
    return descriptor


class Popen(subprocess.Popen):  # type: ignore[type-arg]
    """Forks where Python is asked for a module, a program or a script of ours, and starts what else is asked for."""

    _forked: Any = None

    def _execute_child(
        self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, *rest: Any
    ) -> Any:
        cwd, env, _, _, shell, *pipes = rest[:11]
        *_, umask, session, _ = rest
        if shell or executable or preexec_fn or not _is_ours(args):
            return super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, *rest)
        stdin, _, _, stdout, _, stderr = pipes
        streams = [_Open(own if piped == -1 else piped) for own, piped in enumerate((stdin, stdout, stderr))]
        given = [(number, _Open(number)) for number in pass_fds]
        environment = {os.fsdecode(k): os.fsdecode(v) for k, v in (os.environ if env is None else env).items()}
        where = os.fspath(cwd) if cwd else os.getcwd()
        arguments = (list(map(os.fsdecode, args[1:])), where, environment, streams, given, umask, session)
        start()
        self._forked = forks.Process(target=_become, args=arguments, daemon=True)  # what a test leaves ends with it
        self._forked.start()
        self.pid = self._forked.pid
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]
        return None

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if self._forked is None:
            return super()._try_wait(wait_flags)  # type: ignore[misc,no-any-return]
        self._forked.join(0 if wait_flags & os.WNOHANG else None)
        code = self._forked.exitcode
        if code is None:
            return 0, 0
        return self.pid, -code if code < 0 else code << 8

    def _internal_poll(self, *args: Any, **kwargs: Any) -> int | None:
        if self._forked is None:
            return super()._internal_poll(*args, **kwargs)  # type: ignore[misc,no-any-return]
        if self.returncode is None and self._waitpid_lock.acquire(False):  # type: ignore[attr-defined]
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)  # type: ignore[attr-defined]
            finally:
                self._waitpid_lock.release()  # type: ignore[attr-defined]
        return self.returncode


def _is_ours(args: Any) -> bool:
    """Whether it is this Python, asked for something that does not become another program by itself."""
    if isinstance(args, str | bytes | os.PathLike) or os.fsdecode(args[0]) != sys.executable:
        return False
    return not any(os.fsdecode(each).endswith("_dies_with_parent.py") for each in args)


def _become(
    arguments: list[str],
    folder: str,
    environment: dict[str, str],
    streams: list[int],
    given: list[tuple[int, int]],
    umask: int,
    session: bool,
) -> None:
    """What a new Python would do with its command line. Never returns."""
    code = 1
    try:
        _take_over(folder, environment, streams, given, umask, session)
        _run(arguments)
        code = 0
    except SystemExit as asked:
        code = _status(asked.code)
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _status(code: Any) -> int:
    if isinstance(code, int) or code is None:
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


def _take_over(
    folder: str,
    environment: dict[str, str],
    streams: list[int],
    given: list[tuple[int, int]],
    umask: int,
    session: bool,
) -> None:
    if session:
        os.setsid()
    if umask >= 0:
        os.umask(umask)
    let_start_others()
    numbers = [*range(len(streams)), *(number for number, _ in given)]
    for number, descriptor in zip(numbers, _out_of_the_way([*streams, *(each for _, each in given)]), strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  as long as the process
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", closefd=False, buffering=1)  # type: ignore[misc]  # noqa: SIM115


def let_start_others() -> None:
    """In a forked process: what it starts is forked by the same server."""
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    server, tracker = forkserver._forkserver, resource_tracker._resource_tracker  # type: ignore[attr-defined]
    server.ensure_running = tracker.ensure_running  # it would start another server
    # Their numbers may be those that a parent gives to what it starts.
    server._forkserver_alive_fd, tracker._fd = _out_of_the_way([server._forkserver_alive_fd, tracker._fd])
    subprocess.Popen = Popen  # type: ignore[misc]


def _out_of_the_way(descriptors: list[int]) -> list[int]:
    """The same files under numbers that nobody uses."""
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH) for descriptor in descriptors]
    for descriptor in set(descriptors) - {0, 1, 2}:
        os.close(descriptor)
    return moved


def _run(arguments: list[str]) -> None:
    """Python's own options as far as tests use them: -W, -c, -m, a script."""
    warnings.resetwarnings()
    filters = os.environ.get("PYTHONWARNINGS", "").split(",")
    while arguments[0] == "-W":
        filters.append(arguments[1])
        del arguments[:2]
    if "ignore" in filters:
        warnings.simplefilter("ignore")
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [path for path in paths if path not in sys.path]
    option = arguments[0]
    if option == "-c":
        sys.path.insert(0, "")
        sys.argv = ["-c", *arguments[2:]]
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
    elif option == "-m":
        sys.path.insert(0, os.getcwd())
        sys.argv = [option, *arguments[2:]]
        sys.modules.pop(arguments[1], None)  # runpy warns of a module that is imported already
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, os.path.dirname(os.path.abspath(option)))
        sys.argv = list(arguments)
        runpy.run_path(option, run_name="__main__")
