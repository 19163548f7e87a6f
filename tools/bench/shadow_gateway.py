"""The gateway's part of `scripts/bench shadow`: the real command between a stub of the primary and clients.

Clients, gateway and stubs are processes of their own. Each round through the gateway stands between one straight to the
stub and one through a bare proxy on the same web framework, so that what the machine does meanwhile hits all three.
What it could do on a core of its own follows from its processor time, which other work on the machine changes little.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.bench.checkout import environment
from tools.bench.report import Goal
from tools.bench.shadow_bare import bare_proxy
from tools.bench.shadow_clients import flat_out, steady, streams, timed
from tools.bench.shadow_load import quantile
from tools.bench.shadow_servers import TOKENS, stub
from zantara_exp import terminal
from zantara_exp.config import compose
from zantara_exp.errors import ZantaraError
from zantara_exp.stage import Table

STREAMS = 500
RATE = 300.0
ROUNDS = 2
STREAM_ROUNDS = 1
MOVED_PERCENT = 25.0
_SECONDS, _STEADY_SECONDS = 3.0, 4.0


@dataclass(frozen=True)
class _Gateway:
    port: int
    pid: int

    def processor_seconds(self) -> float:
        """What all threads have used; without /proc, the time that has passed, which is more."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return time.monotonic()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def waited_seconds(self) -> float:
        """How long its event loop's thread was ready to run and had no processor; nan where Linux does not say."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return float("nan")


def _settings(primary: str, candidate: str, folder: Path, percent: int) -> list[str]:
    settings = ["shadow=live", "endpoint=openai", f"endpoint.base_url={candidate}/v1", "endpoint.model=m"]
    settings += ["endpoint.stream=false", "endpoint.concurrency=32", f"gateway.anthropic_url={primary}"]
    settings += [f"shadow.traffic_percent={percent}", f"paths.state={folder / 'state'}"]
    return [*settings, f"paths.logs={folder / 'logs'}"]


@contextmanager
def _gateway(settings: list[str], folder: Path) -> Iterator[_Gateway]:
    """`stage=serve` while the block runs."""
    command = [sys.executable, "-m", "zantara_exp", "stage=serve", "gateway.port=0", *settings]
    with subprocess.Popen(  # noqa: S603
        [*command, f"hydra.run.dir={folder / 'run'}"], cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101  asked for
        try:
            port = _port(process.stdout)
            with (folder / "gateway.log").open("w") as said:
                subprocess.Popen(["cat"], stdin=process.stdout, stdout=said)  # noqa: S607  so that the pipe never fills
            time.sleep(3)  # its mirror starts
            yield _Gateway(port, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _port(lines: Iterator[str]) -> int:
    for line in lines:
        if line.startswith("gateway on http://"):
            return int(line.split(": ")[0].rsplit(":", 1)[1])
    raise ZantaraError("the gateway did not start", hint="python -m zantara_exp stage=serve endpoint=openai ...")


def measure(folder: Path, goals: list[Goal]) -> Table:
    """Requests a second, added latency, streams, and a rollout beside it. Takes about two and a half minutes."""
    rows: list[list[str]] = []
    with stub("primary") as (primary, _), stub("healthy") as (candidate, _), bare_proxy(primary) as bare:
        straight = int(primary.rsplit(":", 1)[1])
        for percent in (100, 10):
            terminal.say(f"gateway, {percent} % mirrored")
            with _gateway(_settings(primary, candidate, folder, percent), folder) as gateway:
                rows.append(_flat_out(gateway, percent, goals if percent == 10 else []))
                if percent == 10:
                    rows.append(_bare_flat_out(bare))
                    time.sleep(2)
                    rows += _added(straight, bare, gateway, goals)
                    rows += _streams(straight, bare, gateway, goals)
        terminal.say(f"gateway, {MOVED_PERCENT:g} % moved to the candidate")
        settings = _settings(primary, candidate, folder, 10)
        _roll_out(settings)
        with _gateway(settings, folder) as gateway:
            rows += _moved(straight, gateway, goals)
    return Table("gateway", ["what", "gateway", "straight to the primary", "bare starlette proxy"], rows)


def _flat_out(gateway: _Gateway, percent: int, goals: list[Goal]) -> list[str]:
    timed(flat_out(gateway.port, 32, 1.0))
    began = gateway.processor_seconds()
    rate, failed = timed(flat_out(gateway.port, 32, _SECONDS))
    cost = (gateway.processor_seconds() - began) / max(1.0, rate * _SECONDS) * 1e6
    goals.append(Goal("gateway: processor us a request (1250: 800 a second)", round(cost), None, 1250))
    goals.append(Goal("gateway: failed requests", failed, None, 0))
    shown = f"{rate:.0f} requests/s, {cost:.0f} us of processor time each, {failed} failed"
    return [f"32 at a time, {percent} % mirrored", shown, "", ""]


def _bare_flat_out(bare: int) -> list[str]:
    timed(flat_out(bare, 32, 1.0))
    rate, failed = timed(flat_out(bare, 32, _SECONDS))
    return ["32 at a time, nothing mirrored", "", "", f"{rate:.0f} requests/s, {failed} failed"]


def _added(straight: int, bare: int, gateway: _Gateway, goals: list[Goal]) -> list[list[str]]:
    """Added latency at a steady rate: rounds straight, through the gateway and through the bare proxy in turn."""
    found: dict[str, list[float]] = {"straight": [], "gateway": [], "bare": []}
    for _ in range(ROUNDS):
        for name, port in (("straight", straight), ("gateway", gateway.port), ("bare", bare)):
            found[name] += timed(steady(port, RATE, _STEADY_SECONDS)).latency_ms
    for share, name, limit in ((0.5, "p50", 2.0), (0.99, "p99", 10.0)):
        added = quantile(found["gateway"], share) - quantile(found["straight"], share)
        goals.append(Goal(f"gateway: added ms {name} at {RATE:.0f} requests/s", round(added, 2), None, limit))
    return [_row(f"latency p50 / p99 at {RATE:.0f} requests/s", found)]


def _streams(straight: int, bare: int, gateway: _Gateway, goals: list[Goal]) -> list[list[str]]:
    found: dict[str, list[float]] = {"straight": [], "gateway": [], "bare": []}
    failed, used, waited = 0, 0.0, 0.0
    for _ in range(STREAM_ROUNDS):
        for name, port in (("straight", straight), ("gateway", gateway.port), ("bare", bare)):
            began, waiting = gateway.processor_seconds(), gateway.waited_seconds()
            load = timed(streams(port, STREAMS))
            found[name] += load.latency_ms
            if name == "gateway":
                failed += load.failed
                used += gateway.processor_seconds() - began
                waited += gateway.waited_seconds() - waiting
    delay = quantile(found["gateway"], 0.99) - quantile(found["straight"], 0.99)
    goals.append(Goal(f"gateway: failed of {STREAMS} streams at once", failed, None, 0))
    goals.append(Goal("gateway: first token later by ms, p99", round(delay, 2), None, 10.0))
    events = STREAM_ROUNDS * STREAMS * (TOKENS + 1)
    costs = f"{used / events * 1e6:.0f} us used, {waited / events * 1e6:.0f} us waited for"
    return [
        _row(f"first token p50 / p99, {STREAMS} streams at once", found),
        ["processor time an event of a stream", costs, "", ""],
    ]


def _row(what: str, found: Mapping[str, list[float]]) -> list[str]:
    shown = {name: f"{quantile(each, 0.5):.2f} / {quantile(each, 0.99):.2f} ms" for name, each in found.items() if each}
    return [what, *(shown.get(name, "") for name in ("gateway", "straight", "bare"))]


def _roll_out(settings: list[str]) -> None:
    """Write the state of a rollout in its third week, as stage=rollout would."""
    from zantara_exp.layout import Layout
    from zantara_exp.rollout.authority import serving_epoch
    from zantara_exp.rollout.state import RUNNING, State
    from zantara_exp.rollout.store import open_store

    config = compose(settings)
    layout = Layout(config)
    epoch = serving_epoch(config, layout)
    running = State(RUNNING, 1, MOVED_PERCENT, epoch, "bench", "2025-11-02", since=datetime.now(UTC))
    with closing(open_store(config.rollout, layout)) as store:
        store.swap(store.read(), running)


def _moved(straight: int, gateway: _Gateway, goals: list[Goal]) -> list[list[str]]:
    """What users notice, those who are moved and the others, of a candidate that takes 20 ms."""
    found: dict[str, list[float]] = {"straight": [], "gateway": []}
    moved: dict[str, list[float]] = {"straight": [], "gateway": []}
    failed = 0
    for _ in range(ROUNDS):
        for name, port in (("straight", straight), ("gateway", gateway.port)):
            load = timed(steady(port, RATE, _STEADY_SECONDS))
            found[name] += load.latency_ms
            moved[name] += load.moved_ms
            failed += load.failed
    share = len(moved["gateway"]) / max(1, len(moved["gateway"]) + len(found["gateway"]))
    goals.append(Goal(f"gateway: failed while {MOVED_PERCENT:g} % of users are moved", failed, None, 0))
    what = f"the same while {MOVED_PERCENT:g} % of users are moved"
    return [_row(f"{what}: the others", found), _row(f"{what}: they ({share:.0%} of requests)", moved)]
