"""Waiting for what another thread or process does: as long as a loaded machine may take, no longer than it takes."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 120.0


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Return once `condition` holds; fail when it has not after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
