"""`stage=serve` as a process of its own, for `scripts/bench gateway`: when it is ready, and what it uses and holds."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.bench.checkout import environment
from zantara_exp.core.errors import ZantaraError

_START_SECONDS = 120.0


@dataclass(frozen=True)
class Gateway:
    """A gateway that takes requests. What Linux tells of a process is nan elsewhere."""

    port: int
    pid: int
    ready_seconds: float
    """From the start of the process to the first 200 of /readyz."""
    ready_processor_seconds: float

    def processor_seconds(self) -> float:
        """What all threads have used; without /proc, the time that has passed, which is more."""
        return _processor_seconds(self.pid)

    def waited_seconds(self) -> float:
        """How long its event loop's thread was ready to run and had no processor."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return float("nan")

    def megabytes(self) -> float:
        """Resident memory of its process."""
        return _megabytes(self.pid)

    def worker_megabytes(self) -> float:
        """Resident memory of its mirror's worker, or workers."""
        try:
            tasks = list(Path(f"/proc/{self.pid}/task").glob("*/children"))
            return sum(_megabytes(int(child)) for task in tasks for child in task.read_text().split())
        except OSError:
            return float("nan")


def overrides(primary: str, candidate: str, folder: Path, percent: int) -> list[str]:
    """Of a gateway between two stubs that mirrors so many percent."""
    chosen = ["shadow=live", "endpoint=openai", f"endpoint.base_url={candidate}/v1", "endpoint.model=m"]
    chosen += ["endpoint.stream=false", "endpoint.concurrency=32", f"gateway.anthropic_url={primary}"]
    chosen += [f"shadow.traffic_percent={percent}", f"paths.state={folder / 'state'}"]
    return [*chosen, f"paths.logs={folder / 'logs'}"]


@contextmanager
def serving(overrides: list[str], folder: Path) -> Iterator[Gateway]:
    """`stage=serve` while the block runs, from the moment when it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "zantara_exp", "stage=serve", f"gateway.port={port}", *overrides]
    began = time.perf_counter()
    with (folder / "gateway.log").open("w") as said, subprocess.Popen(  # noqa: S603
        [*command, f"hydra.run.dir={folder / 'run'}"], cwd=folder, env=environment(), stdout=said
    ) as process:  # fmt: skip
        try:
            while not _is_ready(port):
                if process.poll() is not None or time.perf_counter() - began > _START_SECONDS:
                    hint = "python -m zantara_exp stage=serve endpoint=openai ..."
                    raise ZantaraError("the gateway did not start", hint=hint)
                time.sleep(0.01)
            took = time.perf_counter() - began
            yield Gateway(port, process.pid, took, _processor_seconds(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _processor_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _megabytes(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return float("nan")
