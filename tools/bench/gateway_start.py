"""The gateway's part of `scripts/bench gateway` about its start, and about the memory that it and its mirror hold."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

from tools.bench.gateway_process import overrides, serving
from tools.bench.report import Goal
from tools.bench.shadow_clients import steady, timed
from tools.bench.shadow_servers import stub
from zantara_exp.core import terminal
from zantara_exp.core.stage import Table

STARTS = 5
REQUESTS = 1000
_RATE = 200.0
_SETTLED_SECONDS = 5.0
"""After which a mirror's worker has compared what came."""


def measure(folder: Path, goals: list[Goal]) -> Table:
    """Start it some times in a row; of the last one, what it holds before and after requests that are all mirrored."""
    seconds, processor, loads = [], [], []
    with stub("primary") as (primary, _), stub("healthy") as (candidate, _):
        given = overrides(primary, candidate, folder, 100)
        for number in range(1, STARTS + 1):
            terminal.say(f"gateway, start {number} of {STARTS}")
            loads.append(os.getloadavg()[0])
            with serving([*given, "gateway.lame_duck_seconds=0"], folder) as served:
                seconds.append(served.ready_seconds)
                processor.append(served.ready_processor_seconds)
                if number == STARTS:
                    time.sleep(_SETTLED_SECONDS)
                    started = served.megabytes()
                    failed = timed(steady(served.port, _RATE, REQUESTS / _RATE)).failed
                    time.sleep(_SETTLED_SECONDS)
                    used, worker = served.megabytes(), served.worker_megabytes()
    goals.append(Goal("gateway: seconds until it is ready, median", round(statistics.median(seconds), 2), None, 3.0))
    goals.append(Goal(f"gateway: MB after {REQUESTS:,} requests", round(used), None, 250))
    goals.append(Goal("gateway: MB of its mirror's worker", round(worker), None, 250))
    spread = f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
    rows = [
        [f"seconds until /readyz says 200, median of {STARTS} starts", spread],
        ["processor seconds until then, median", f"{statistics.median(processor):.2f}"],
        ["load average before each start", " ".join(f"{each:.1f}" for each in loads)],
        ["MB once started", f"{started:.0f}"],
        [f"MB after {REQUESTS:,} requests, all mirrored, {failed} failed", f"{used:.0f}"],
        ["MB of its mirror's worker by then", f"{worker:.0f}"],
    ]
    return Table("start and memory", ["what", "gateway"], rows)
