"""Simulated rollouts spread over the cores: a `map` of processes, whose outcome does not depend on how many there are.

Threads would not do: what is computed between two calls of numpy holds the interpreter's lock. The processes are
started by a command line of their own: forks of a program with threads can hang, and those of `multiprocessing` would
import the main module of whoever calls us. Functions and items must be picklable, and come from this package.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from zantara_exp.errors import ZantaraError

Item = TypeVar("Item")
Made = TypeVar("Made")


class Spread(Protocol):
    """As `map`: what a function makes of each item, in their order."""

    def __call__(self, function: Callable[[Item], Made], items: Iterable[Item], /) -> Iterable[Made]:
        """What `function` makes of `items`."""


def available() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def spread_over_cores() -> Iterator[Spread]:
    """A `map` over one process a core, each started when there is work for it; on one core it is this one.

    Raises ZantaraError where one of them is killed; what a function raises is raised here.
    """
    if available() == 1:
        yield map
        return
    processes = _Processes(available())
    try:
        yield processes.map
    finally:
        processes.close()


class _Processes:
    """One process for each thread, which waits for what it was asked."""

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count)
        self._of_thread = threading.local()
        self._started: list[subprocess.Popen[bytes]] = []

    def map(self, function: Callable[[Item], Made], items: Iterable[Item], /) -> Iterator[Made]:
        """As `map`, for any number of callers at once."""
        return self._threads.map(partial(self._asked, function), items)

    def close(self) -> None:
        """Drop what has not begun; a process ends when it has answered, and nobody can ask it any more."""
        self._threads.shutdown(cancel_futures=True)
        for process in self._started:
            process.communicate()

    def _asked(self, function: Callable[[Item], Made], item: Item) -> Made:
        process: subprocess.Popen[bytes] | None = getattr(self._of_thread, "process", None)
        if process is None:
            process = self._of_thread.process = _start()
            self._started.append(process)
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  for the type checker
        try:
            process.stdin.write(pickle.dumps((function, item)))
            process.stdin.flush()
            made, error = pickle.load(process.stdout)  # noqa: S301  of our own process
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            raise ZantaraError(
                "a process that simulated rollouts was killed; is the memory full?",
                "close other programs, and run the same command again",
            ) from None
        if error is not None:
            raise error
        return made  # type: ignore[no-any-return]


def _start() -> subprocess.Popen[bytes]:
    program = [sys.executable, "-c", "from zantara_exp.gates.cores import serve; serve()"]
    # What this program can import, so can they.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)  # noqa: S603


def serve() -> None:
    """Answer on stdout what comes on stdin, until that ends: also where the one who asks is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything else prints is no answer
    while True:
        try:
            function, item = pickle.load(sys.stdin.buffer)  # noqa: S301  of our own process
        except EOFError:
            return
        pickle.dump(_answer(function, item), answers)
        answers.flush()


def _answer(function: Callable[[Any], Any], item: Any) -> tuple[Any, Exception | None]:
    try:
        return function(item), None
    except Exception as error:  # noqa: BLE001  for the one who asked
        return None, error
