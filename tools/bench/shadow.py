"""`scripts/bench shadow`: what shadow mode costs the traffic it stands beside, on loopback.

The library in an app of 2,000 requests a second whatever its candidate does; the gateway; the log under kill -9; a
candidate that is away for a minute. About four minutes, 130,000 requests. Whoever changes the mirror or the gateway
runs this, on a machine that does nothing else: both cores are needed.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from tools.bench import shadow_gateway, shadow_log
from tools.bench.report import Goal, Report
from tools.bench.shadow_load import AppLoad, app, quantile
from tools.bench.shadow_servers import Turn, stub
from zantara_exp.config import compose
from zantara_exp.core import terminal
from zantara_exp.core.stage import Table
from zantara_exp.shadow.mirror import ChatRequest, PrimaryAnswer, ShadowMirror
from zantara_exp.shadow.switch import VARIABLE

RATE = 2000.0
PHASE_SECONDS = 10.0
CANDIDATES = ("healthy", "hanging", "refusing", "10 MB", "garbage")
USERS = 5000
OUTAGE_SECONDS = 60.0
_ANSWER = PrimaryAnswer(
    "Ciao! Come va?", "claude-haiku-4-5", "anthropic", {"input_tokens": 20, "output_tokens": 9}, 5.0
)


def run(size: int | None = None, seed: int = 7) -> Report:
    """Measure everything; minutes. Nothing here is simulated or drawn, so both arguments change nothing."""
    started = time.monotonic()
    goals: list[Goal] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = [_library(folder, goals), shadow_gateway.measure(folder, goals)]
        tables += [shadow_log.measure(folder, goals), _switches(folder, goals), _outage(folder, goals)]
    load = "" if not hasattr(os, "getloadavg") else f" Load average at the end: {os.getloadavg()[0]:.1f}."
    intro = (
        f"{os.cpu_count()} cores, shared by app, mirror, stubs and clients. The app makes {RATE:.0f} requests a second "
        f"whose primary takes 5 ms; 10 % of {USERS} users are mirrored; with and without a mirror take turns of "
        f"{PHASE_SECONDS:.0f} s. A stream of the gateway's primary has an event each 100 ms.{load} Again by:"
    )
    return Report("shadow", "scripts/bench shadow", intro, tables, goals, time.monotonic() - started)


def _mirror(folder: Path, candidate: str, percent: float) -> ShadowMirror:
    settings = [f"endpoint.base_url={candidate}/v1", "endpoint.model=m", "endpoint.stream=false", "shadow=live"]
    paths = [f"paths.logs={folder / 'logs'}", f"paths.state={folder / 'state'}"]
    return ShadowMirror(compose(["endpoint=openai", *settings, *paths, f"shadow.traffic_percent={percent}"]))


def _observed(mirror: ShadowMirror, rate: float, seconds: float) -> AppLoad:
    def observe(number: int) -> None:
        mirror.observe(ChatRequest("Ciao, come stai?", f"user-{number % USERS}", category="greeting"), _ANSWER)

    return asyncio.run(app(rate, seconds, observe))


def _library(folder: Path, goals: list[Goal]) -> Table:
    without, mirrored = AppLoad(), AppLoad()
    rows: list[list[str]] = []
    with stub("healthy") as (address, turn):
        _phase(folder, address, turn, "healthy", 2.0)  # what is imported once is no growth
        before = _memory_mb()
        for candidate in CANDIDATES:
            terminal.say(f"app with a candidate that is {candidate}")
            bare = asyncio.run(app(RATE, PHASE_SECONDS, None))
            load, lost = _phase(folder, address, turn, candidate, PHASE_SECONDS)
            _add(without, bare)
            _add(mirrored, load)
            rows.append([candidate, *_numbers(load, bare), lost])
        grown = _memory_mb() - before
    goals += [
        Goal("observe: us, p50", round(quantile(mirrored.observe_us, 0.5), 1), None, 10),
        Goal("observe: us, p99", round(quantile(mirrored.observe_us, 0.99), 1), None, 100),
        Goal("failed of 100,000 primary requests", mirrored.failed, None, 0),
        Goal("app's memory grown by MB", round(grown, 1), None, 8),
    ]
    for share, name in ((0.99, "p99"), (0.999, "p99.9")):
        ratio = quantile(mirrored.latency_ms, share) / quantile(without.latency_ms, share)
        goals.append(Goal(f"primary's {name} with a mirror over without", round(ratio, 3), None, 1.2))
    columns = ["candidate", "observe p50 / p99 us", "primary p99 / p99.9 ms", "without a mirror", "failed", "lost"]
    return Table(f"the library at {RATE:.0f} requests/s", columns, rows)


def _phase(folder: Path, address: str, turn: Turn, candidate: str, seconds: float) -> tuple[AppLoad, str]:
    turn(candidate if candidate != "refusing" else "healthy")
    mirror = _mirror(folder, address if candidate != "refusing" else "http://127.0.0.1:9", 10)
    time.sleep(3)  # starting the worker is not part of the traffic
    load = _observed(mirror, RATE, seconds)
    asyncio.run(mirror.close(5.0))
    stats = mirror.stats
    lost = ", ".join(f"{reason} {count}" for reason, count in stats.dropped.items())
    return load, f"{stats.compared} of {stats.sampled} compared; {lost or 'none'} lost"


def _add(total: AppLoad, part: AppLoad) -> None:
    total.latency_ms += part.latency_ms
    total.observe_us += part.observe_us
    total.failed += part.failed


def _numbers(load: AppLoad, bare: AppLoad) -> list[str]:
    return [
        f"{quantile(load.observe_us, 0.5):.1f} / {quantile(load.observe_us, 0.99):.1f}",
        f"{quantile(load.latency_ms, 0.99):.2f} / {quantile(load.latency_ms, 0.999):.2f}",
        f"{quantile(bare.latency_ms, 0.99):.2f} / {quantile(bare.latency_ms, 0.999):.2f}",
        f"{load.failed} of {len(load.latency_ms) + load.failed}",
    ]


def _memory_mb() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _switches(folder: Path, goals: list[Goal]) -> Table:
    """Turn shadow mode off and on while all of 200 requests a second are mirrored."""
    terminal.say("shadow mode switched off and on")
    rows: list[list[str]] = []
    state = folder / "state" / "shadow_mode"
    try:
        with stub("healthy") as (address, turn):
            mirror = _mirror(folder, address, 100)
            _until(mirror, turn, calls=True)
            for name, switch in (("SHADOW_MODE_ENABLED", _by_variable), ("the state file", state.write_text)):
                times = []
                for word, calls in (("off", False), ("on", True)):
                    switch(word)
                    times.append(_until(mirror, turn, calls))
                rows.append([name, *(f"{seconds:.2f}" for seconds in times)])
                goals.append(Goal(f"{name}: seconds until off or on", round(max(times), 2), None, 1))
            asyncio.run(mirror.close(5.0))
    finally:
        os.environ.pop(VARIABLE, None)
        state.unlink(missing_ok=True)
    return Table("shadow mode switched at 200 requests/s", ["switch", "off after s", "on after s"], rows)


def _by_variable(word: str) -> None:
    os.environ[VARIABLE] = word


def _until(mirror: ShadowMirror, turn: Turn, calls: bool) -> float:
    """Seconds until the candidate is called (again), or until nothing is any more, which half a second shows."""
    began = last = time.monotonic()
    before = turn("healthy")
    while time.monotonic() - last < (20 if calls else 0.5):
        _observed(mirror, 200, 0.05)
        now = turn("healthy")
        if now > before:
            before, last = now, time.monotonic()
            if calls:
                break
    return last - began


def _outage(folder: Path, goals: list[Goal]) -> Table:
    """20 sampled requests a second while the candidate is away for a minute and comes back."""
    terminal.say(f"a candidate that is away for {OUTAGE_SECONDS:.0f} s")
    with stub("healthy") as (address, turn):
        mirror = _mirror(folder, address, 100)
        time.sleep(3)
        _observed(mirror, 20, 3)
        turn("overloaded")
        while mirror.stats.breaker != "open":  # as many failures as it takes, and what was in flight with them
            _observed(mirror, 20, 0.2)
        before = turn("overloaded")
        _observed(mirror, 20, OUTAGE_SECONDS)
        calls = turn("healthy") - before
        back = time.monotonic()
        while mirror.stats.breaker != "closed" and time.monotonic() - back < 20:
            _observed(mirror, 20, 0.2)
        recovered = time.monotonic() - back
        asyncio.run(mirror.close())
    probes = int(OUTAGE_SECONDS / compose([]).endpoint.breaker.cooldown_seconds) + 1
    goals.append(Goal(f"outage of {OUTAGE_SECONDS:.0f} s: calls while the breaker is open", calls, None, probes))
    goals.append(Goal("outage: seconds until all is sampled again", round(recovered, 1), None, 10))
    rows = [["calls to it while away", str(calls)], ["seconds until the breaker closed", f"{recovered:.1f}"]]
    return Table("a candidate that is away", ["what", "measured"], rows)
