"""The time that records carry: comparisons and what users were served.

A rehearsal plays weeks in minutes by setting this clock; nothing else of the parts it plays through is faked. Waiting
(time-outs, how long a state is trusted, how long a call took) is measured by other clocks and is never played.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

Source = Callable[[], float]
_source: Source = time.time


def seconds() -> float:
    """Now, in seconds since 1970."""
    return _source()


def now() -> datetime:
    """Now, UTC."""
    return datetime.fromtimestamp(_source(), UTC)


@contextmanager
def played(source: Source) -> Iterator[None]:
    """Let records of this process carry the time of `source` while the block runs."""
    global _source  # noqa: PLW0603  one process has one time
    before, _source = _source, source
    try:
        yield
    finally:
        _source = before
