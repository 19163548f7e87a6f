"""Work spread over the cores, by processes; its outcome does not depend on how many there are.

Threads would not do: what is computed between two calls of C holds the interpreter's lock. The processes are
loky's: no forks, which hang in a program with threads, and none imports the main module of whoever calls us.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from zantara_exp.core.errors import ZantaraError

if TYPE_CHECKING:
    from joblib.externals.loky import ProcessPoolExecutor

Item = TypeVar("Item")
Made = TypeVar("Made")
_IDLE_SECONDS = 5.0
"""A process without work ends by itself, also where the one who asks was killed."""
_AHEAD = 3
"""Items a core that are handed over before the first result is taken: none waits for work, memory stays flat."""


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
    with _processes("simulated rollouts") as processes:
        yield processes.map


def in_order(function: Callable[[Item], Made], items: Iterable[Item], doing: str) -> Iterator[Made]:
    """As `map` on all cores, for a stream of any length: few items are taken ahead of the results.

    `doing` says in an error what the processes did. Raises as `spread_over_cores`.
    """
    if available() == 1:
        yield from map(function, items)
        return
    items = iter(items)
    with _processes(doing) as processes:
        waiting = deque(processes.submit(function, item) for item in islice(items, _AHEAD * available()))
        try:
            while waiting:
                made = waiting.popleft().result()
                waiting.extend(processes.submit(function, item) for item in islice(items, 1))
                yield made
        finally:  # left early: loky's own thread fails when its processes are ended over work that waits
            for each in waiting:
                each.cancel()
            wait(waiting)


@contextmanager
def _processes(doing: str) -> Iterator[ProcessPoolExecutor]:
    from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

    processes = ProcessPoolExecutor(
        available(), timeout=_IDLE_SECONDS, initializer=_as_the_asking, initargs=(list(sys.path),)
    )
    try:
        yield processes
    except BrokenProcessPool:
        raise ZantaraError(
            f"a process that {doing} was killed; is the memory full?",
            "close other programs, and run the same command again",
        ) from None
    finally:
        processes.shutdown(kill_workers=True)


def _as_the_asking(path: list[str]) -> None:
    """Can import what the one who asks can; Ctrl-C is for that one."""
    sys.path[:] = path
    signal.signal(signal.SIGINT, signal.SIG_IGN)
