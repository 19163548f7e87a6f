"""The gateway's part of `scripts/bench shadow`: the real command between a stub of the primary and clients.

Clients, gateway and stubs are processes of their own. Each round through the gateway stands between one straight to the
stub and one through a bare proxy on the same web framework, so that what the machine does meanwhile hits all three.
What it could do on a core of its own follows from its processor time, which other work on the machine changes little.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tools.bench.gateway_process import Gateway, overrides, serving
from tools.bench.report import Goal
from tools.bench.shadow_bare import bare_proxy
from tools.bench.shadow_clients import flat_out, steady, streams, timed
from tools.bench.shadow_load import quantile
from tools.bench.shadow_servers import TOKENS, stub
from zantara_exp.config import compose
from zantara_exp.core import terminal
from zantara_exp.core.stage import Table

STREAMS = 500
RATE = 300.0
ROUNDS = 2
STREAM_ROUNDS = 1
MOVED_PERCENT = 25.0
_SECONDS, _STEADY_SECONDS = 3.0, 4.0


def measure(folder: Path, goals: list[Goal]) -> Table:
    """Requests a second, added latency, streams, and a rollout beside it. Takes about three minutes."""
    rows: list[list[str]] = []
    with stub("primary") as (primary, _), stub("healthy") as (candidate, _), bare_proxy(primary) as bare:
        straight = int(primary.rsplit(":", 1)[1])
        for percent in (100, 10):
            terminal.say(f"gateway, {percent} % mirrored")
            with _mirroring(overrides(primary, candidate, folder, percent), folder) as gateway:
                rows.append(_flat_out(gateway, percent, goals if percent == 10 else []))
                if percent == 10:
                    rows.append(_bare_flat_out(bare))
                    time.sleep(2)
                    rows += _added(straight, bare, gateway, goals)
                    rows += _streams(straight, bare, gateway, goals)
        terminal.say(f"gateway, {MOVED_PERCENT:g} % moved to the candidate")
        chosen = overrides(primary, candidate, folder, 10)
        _roll_out(chosen, MOVED_PERCENT)
        with _mirroring(chosen, folder) as gateway:
            rows += _moved(straight, gateway, goals)
        terminal.say("gateway, all forwarded and all moved")
        rows.append(_forwarded_and_moved(primary, candidate, folder, goals))
    return Table("gateway", ["what", "gateway", "straight to the primary", "bare starlette proxy"], rows)


@contextmanager
def _mirroring(overrides: list[str], folder: Path) -> Iterator[Gateway]:
    with serving(overrides, folder) as gateway:
        time.sleep(3)  # its mirror starts
        yield gateway


def _flat_out(gateway: Gateway, percent: int, goals: list[Goal]) -> list[str]:
    rate, cost, failed = _cost(gateway)
    goals.append(Goal("gateway: processor us a request", round(cost), None, 690))
    goals.append(Goal("gateway: failed requests", failed, None, 0))
    shown = f"{rate:.0f} requests/s, {cost:.0f} us of processor time each, {failed} failed"
    return [f"32 at a time, {percent} % mirrored", shown, "", ""]


def _cost(gateway: Gateway) -> tuple[float, float, int]:
    """Requests a second with 32 at a time, the gateway's processor time for each in us, and how many failed."""
    timed(flat_out(gateway.port, 32, 1.0))
    began = gateway.processor_seconds()
    rate, failed = timed(flat_out(gateway.port, 32, _SECONDS))
    return rate, (gateway.processor_seconds() - began) / max(1.0, rate * _SECONDS) * 1e6, failed


def _forwarded_and_moved(primary: str, candidate: str, folder: Path, goals: list[Goal]) -> list[str]:
    """Processor time of a request that the primary answers, and of one that the candidate answers; none is mirrored.

    The goal is about the same rate for both: flat out, an event loop with much at once takes less for each.
    """
    busy, calm, lost = [], [], 0
    for name in ("forwarded", "moved"):
        (folder / name).mkdir()
        chosen = overrides(primary, candidate, folder / name, 0)
        if name == "moved":
            _roll_out(chosen, 100.0)
        with _mirroring(chosen, folder / name) as gateway:
            _, cost, failed = _cost(gateway)
            began = gateway.processor_seconds()
            load = timed(steady(gateway.port, RATE, _STEADY_SECONDS))
            calm.append((gateway.processor_seconds() - began) / (RATE * _STEADY_SECONDS) * 1e6)
            busy.append(cost)
            lost += failed + load.failed
    goals.append(Goal("gateway: failed requests, none or all moved", lost, None, 0))
    what = f"gateway: a moved request's processor time by a forwarded one's, {RATE:.0f}/s"
    goals.append(Goal(what, round(calm[1] / calm[0], 2), None, 1.5))
    shown = f"{calm[0]:.0f}, {calm[1]:.0f} at {RATE:.0f}/s; {busy[0]:.0f}, {busy[1]:.0f} with 32 at a time"
    return ["processor us: forwarded, moved", shown, "", ""]


def _bare_flat_out(bare: int) -> list[str]:
    timed(flat_out(bare, 32, 1.0))
    rate, failed = timed(flat_out(bare, 32, _SECONDS))
    return ["32 at a time, nothing mirrored", "", "", f"{rate:.0f} requests/s, {failed} failed"]


def _added(straight: int, bare: int, gateway: Gateway, goals: list[Goal]) -> list[list[str]]:
    """Added latency at a steady rate: rounds straight, through the gateway and through the bare proxy in turn."""
    found: dict[str, list[float]] = {"straight": [], "gateway": [], "bare": []}
    for _ in range(ROUNDS):
        for name, port in (("straight", straight), ("gateway", gateway.port), ("bare", bare)):
            found[name] += timed(steady(port, RATE, _STEADY_SECONDS)).latency_ms
    for share, name, limit in ((0.5, "p50", 2.0), (0.99, "p99", 10.0)):
        added = quantile(found["gateway"], share) - quantile(found["straight"], share)
        goals.append(Goal(f"gateway: added ms {name} at {RATE:.0f} requests/s", round(added, 2), None, limit))
    return [_row(f"latency p50 / p99 at {RATE:.0f} requests/s", found)]


def _streams(straight: int, bare: int, gateway: Gateway, goals: list[Goal]) -> list[list[str]]:
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


def _roll_out(overrides: list[str], percent: float) -> None:
    """Write the state of a rollout that moves so many percent of users, as stage=rollout would."""
    from zantara_exp.core.layout import Layout
    from zantara_exp.rollout.authority import serving_epoch
    from zantara_exp.rollout.state import RUNNING, State
    from zantara_exp.rollout.store import open_store

    config = compose(overrides)
    layout = Layout(config)
    epoch = serving_epoch(config, layout)
    running = State(RUNNING, 1, percent, epoch, "bench", "2025-11-02", since=datetime.now(UTC))
    with closing(open_store(config.rollout, layout)) as store:
        store.swap(store.read(), running)


def _moved(straight: int, gateway: Gateway, goals: list[Goal]) -> list[list[str]]:
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
