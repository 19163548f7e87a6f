"""Simulated rollouts spread over the cores: a `map` of processes, whose outcome does not depend on how many there are.

Threads would not do: what is computed between two calls of numpy holds the interpreter's lock. The processes are
loky's: no forks, which hang in a program with threads, and none imports the main module of whoever calls us.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from zantara_exp.errors import ZantaraError

Item = TypeVar("Item")
Made = TypeVar("Made")
_IDLE_SECONDS = 5.0
"""A process without work ends by itself, also where the one who asks was killed."""


class Spread(Protocol):
    """As `map`: what a function makes of each item, in their order."""

    def __call__(self, function: Callable[[Item], Made], items: Iterable[Item], /) -> Iterable[Made]:
        """What `function` makes of `items`."""


def available() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def spread_over_cores() -> Iterator[Spread]:
    """A `map` over one process a core, for any number of callers at once; on one core it is this process.

    Raises ZantaraError where one of them is killed; what a function raises is raised here.
    """
    if available() == 1:
        yield map
        return
    from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

    processes = ProcessPoolExecutor(
        available(), timeout=_IDLE_SECONDS, initializer=_as_the_asking, initargs=(list(sys.path),)
    )
    try:
        yield processes.map
    except BrokenProcessPool:
        raise ZantaraError(
            "a process that simulated rollouts was killed; is the memory full?",
            "close other programs, and run the same command again",
        ) from None
    finally:
        processes.shutdown(kill_workers=True)


def _as_the_asking(path: list[str]) -> None:
    """Can import what the one who asks can; Ctrl-C is for that one."""
    sys.path[:] = path
    signal.signal(signal.SIGINT, signal.SIG_IGN)
