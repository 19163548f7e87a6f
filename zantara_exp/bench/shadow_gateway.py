"""The gateway's part of `scripts/bench shadow`: the real command between a stub of the primary and clients.

What it could do on a core of its own follows from its processor time, which other work on the machine changes little.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zantara_exp.bench.report import Goal
from zantara_exp.bench.shadow_load import flat_out, quantile, steady, streams
from zantara_exp.bench.shadow_servers import TOKENS, stub
from zantara_exp.errors import ZantaraError
from zantara_exp.stage import Table

STREAMS = 500
_SECONDS = 6.0


@contextmanager
def _gateway(primary: str, candidate: str, folder: Path, *overrides: str) -> Iterator[tuple[int, int]]:
    """`stage=serve` while the block runs; its port and its process id."""
    command = [sys.executable, "-m", "zantara_exp", "stage=serve", "shadow=live", "endpoint=openai", "gateway.port=0"]
    command += [f"gateway.anthropic_url={primary}", f"endpoint.base_url={candidate}/v1", "endpoint.model=m"]
    command += ["endpoint.stream=false", f"hydra.run.dir={folder / 'run'}", *overrides]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(  # noqa: S603
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdout is not None  # noqa: S101  asked for
        said = (folder / "gateway.log").open("w")
        try:
            port = _port(process.stdout)
            drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=said)  # noqa: S607  so that the pipe never fills
            time.sleep(3)  # its mirror starts
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            drain.wait(10)
            said.close()


def _port(lines: Iterator[str]) -> int:
    for line in lines:
        if line.startswith("gateway on http://"):
            return int(line.split(": ")[0].rsplit(":", 1)[1])
    raise ZantaraError("the gateway did not start", hint="python -m zantara_exp stage=serve endpoint=openai ...")


def _processor_seconds(pid: int) -> float:
    """What all threads of a process have used; without /proc, the time that has passed, which is more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, goals: list[Goal]) -> Table:
    """Requests a second, added latency, streams. Takes about a minute."""
    rows: list[list[str]] = []
    with stub("primary") as (primary, _), stub("healthy") as (candidate, _):
        direct = int(primary.rsplit(":", 1)[1])
        for percent in (0, 100, 10):
            with _gateway(primary, candidate, folder, f"shadow.traffic_percent={percent}") as (port, pid):
                asyncio.run(flat_out(port, 32, 1.0))
                began = _processor_seconds(pid)
                rate, failed = asyncio.run(flat_out(port, 32, _SECONDS))
                cost = (_processor_seconds(pid) - began) / max(1.0, rate * _SECONDS) * 1e6
                shown = f"{rate:.0f} requests/s, {cost:.0f} us of processor time each"
                rows.append([f"32 at a time, {percent} % mirrored", shown, f"{failed} failed"])
                if percent == 10:
                    goals.append(Goal("gateway: processor us a request (1250: 800 a second)", round(cost), None, 1250))
                    goals.append(Goal("gateway: failed requests", failed, None, 0))
                    time.sleep(3)
                    rows += _added(direct, port, goals)
                    rows += _streams(direct, port, pid, goals)
    return Table("gateway", ["what", "measured", ""], rows)


def _added(direct: int, port: int, goals: list[Goal]) -> list[list[str]]:
    """Added latency at 300 requests a second: rounds with and without the gateway, one after the other."""
    without: list[float] = []
    through: list[float] = []
    for _ in range(3):
        without += asyncio.run(steady(direct, 300, 4.0))[0]
        through += asyncio.run(steady(port, 300, 4.0))[0]
    rows = []
    for share, name, limit in ((0.5, "p50", 2.0), (0.99, "p99", 10.0)):
        added = quantile(through, share) - quantile(without, share)
        goals.append(Goal(f"gateway: added ms {name} at 300 requests/s", round(added, 2), None, limit))
        beside = f"direct {quantile(without, share):.2f} ms"
        rows.append([f"latency {name} at 300 requests/s", f"{quantile(through, share):.2f} ms", beside])
    return rows


def _streams(direct: int, port: int, pid: int, goals: list[Goal]) -> list[list[str]]:
    without, _ = asyncio.run(streams(direct, STREAMS))
    began = _processor_seconds(pid)
    through, failed = asyncio.run(streams(port, STREAMS))
    cost = (_processor_seconds(pid) - began) / (STREAMS * (TOKENS + 1)) * 1e6
    delay = quantile(through, 0.99) - quantile(without, 0.99)
    goals.append(Goal(f"gateway: failed of {STREAMS} streams at once", failed, None, 0))
    goals.append(Goal("gateway: first token later by ms, p99", round(delay, 2), None, 10.0))
    shown = f"{cost:.0f} us of processor time an event; {quantile(through, 0.5):.1f} / {quantile(through, 0.99):.1f} ms"
    beside = f"direct {quantile(without, 0.5):.1f} / {quantile(without, 0.99):.1f} ms, {failed} failed"
    return [[f"first token p50 / p99, {STREAMS} streams at once", shown, beside]]
