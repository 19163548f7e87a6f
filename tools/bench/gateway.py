"""`scripts/bench gateway`: its start and memory, then the gateway's part of `scripts/bench shadow`; four minutes."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from tools.bench import gateway_start, shadow_gateway
from tools.bench.report import Goal, Report


def run(size: int | None = None, seed: int = 7) -> Report:
    """Measure it. Nothing here is simulated or drawn, so both arguments change nothing."""
    started, goals = time.monotonic(), list[Goal]()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        tables = [part.measure(Path(name), goals) for part in (gateway_start, shadow_gateway)]
    intro = (
        f"{os.cpu_count()} cores, shared by the gateway, its mirror's worker, stubs and clients; load average "
        f"{before:.1f} before and {os.getloadavg()[0]:.1f} after, so that other work had part of both cores where the "
        "first is not near 0. Rounds straight to the primary's stub, through the gateway and through a bare proxy on "
        "starlette, uvicorn and aiohttp take turns. A stream has an event each 100 ms. Again by:"
    )
    return Report("gateway", "scripts/bench gateway", intro, tables, goals, time.monotonic() - started)
