"""The real gateway with its mirror: under load for minutes, and killed under load. What was sent is accounted for.

SOAK_SECONDS=600 SOAK_RATE=50 pytest -q -s -m slow tests/faults/test_gateway.py -k minutes
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.endpoints.servers import raw_server
from tests.faults.processes import lines
from tests.gateway.support import series
from tests.gateway.test_stage import serving
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import dropped, logged
from tests.shadow.waiting import wait_for

pytestmark = pytest.mark.usefixtures("workdir")

SECONDS, RATE = float(os.environ.get("SOAK_SECONDS", "120")), float(os.environ.get("SOAK_RATE", "50"))
AT_MOST = (
    "endpoint.timeout_seconds=2",
    "gateway.lame_duck_seconds=0",
    "endpoint.concurrency=16",
    "gateway.access_log=false",
)
BODY = {"model": "m", "max_tokens": 500, "messages": [{"role": "user", "content": "Ciao, come stai?"}]}
HEADERS = {"x-api-key": "k", "x-zantara-category": "greeting"}
_MORE_MB = 48
"""What memory may grow by between the first third and the end: caches fill, nothing else."""


@pytest.mark.slow
@pytest.mark.interpreter
def test_minutes_of_traffic_are_accounted_for_in_flat_memory(capsys: pytest.CaptureFixture[str]) -> None:
    """The candidate hangs for six seconds in the middle; users notice nothing."""
    primary, candidate = Primary(), Candidate()
    with (
        primary_at(primary) as url,
        raw_server(candidate) as answers,
        serving(url, answers, *AT_MOST) as (gateway, address),
    ):
        held: list[dict[int, float]] = []

        def at(share: float) -> None:
            primary.bodies.clear()
            primary.headers.clear()
            primary.sent.clear()
            if len(held) < 3 and share >= (len(held) + 1) / 3 - 1e-9:
                held.append(megabytes(gateway.pid))
            candidate.holding = 0.5 <= share < 0.5 + 6 / SECONDS

        statuses = asyncio.run(steady(address, at))
        wait_for(lambda: counted(address)["queued"] == 0, seconds=60)
        found = counted(address)
        held.append(megabytes(gateway.pid))
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(60) == 0
    sent = statuses.total()
    with capsys.disabled():
        mb = " -> ".join("+".join(f"{each:.0f}" for each in now.values()) for now in held)
        print(f"\nsoak: {sent} sent in {SECONDS:.0f} s, {dict(statuses)}; {found}; dropped {dict(dropped())}; MB {mb}")  # noqa: T201
    assert statuses.keys() == {200}
    assert found["observed"] == found["sampled"] == sent
    assert sent == len(logged()) + dropped().total()
    first, last = (sum(now.values()) for now in (held[0], held[-1]))
    assert last - first < _MORE_MB


@pytest.mark.slow
@pytest.mark.interpreter
def test_a_gateway_that_is_killed_under_load_leaves_nothing_half_written() -> None:
    """What was under way is lost, as with any proxy; what the log holds is whole, and each request is there once."""
    with primary_at(Primary()) as url, raw_server(Candidate()) as answers:
        for last in (False, False, True):
            with serving(url, answers, *AT_MOST) as (gateway, address):
                workers, over = children(gateway.pid), threading.Event()
                asking = threading.Thread(target=lambda at=address, over=over: ask_until(at, over))
                asking.start()
                wait_for(lambda at=address: counted(at)["compared"] >= 10)
                os.kill(gateway.pid, signal.SIGTERM if last else signal.SIGKILL)
                over.set()
                asking.join(60)
                assert gateway.wait(60) == (0 if last else -9)
                wait_for(lambda pids=workers: not any(Path(f"/proc/{pid}").exists() for pid in pids), seconds=60)
    written = [line for file in Path("logs/shadow_mode").glob("*.jsonl") for line in lines(file)]
    rows = logged()
    assert len({row.comparison_id for row in rows}) == len(rows) >= 30
    assert len(written) >= len(rows)
    assert not list(Path("logs/shadow_mode").glob(".*"))


async def steady(address: str, at: Callable[[float], None]) -> Counter[int]:
    """Requests at an even rate; statuses, 0 for none."""
    found: Counter[int] = Counter()
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=address, headers=HEADERS, timeout=60, limits=limits) as client:

        async def one(number: int) -> None:
            try:
                user = {"x-zantara-user": f"user-{number % 500}"}
                found[(await client.post("/v1/messages", json=BODY, headers=user)).status_code] += 1
            except httpx.TransportError:
                found[0] += 1

        began, asking = time.monotonic(), set[asyncio.Task[None]]()
        for number in range(int(SECONDS * RATE)):
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
            task = asyncio.create_task(one(number))
            asking.add(task)
            task.add_done_callback(asking.discard)
            if number % int(RATE) == 0:
                at(number / (SECONDS * RATE))
        await asyncio.gather(*asking)
        at(1.0)
    return found


def ask_until(address: str, over: threading.Event) -> None:
    """One request after the other; those that a kill cuts off are not asked again."""
    number = 0
    with httpx.Client(base_url=address, headers=HEADERS, timeout=60) as client:
        while not over.is_set():
            number += 1
            with contextlib.suppress(httpx.TransportError):
                client.post("/v1/messages", json=BODY, headers={"x-zantara-user": f"user-{number}"})
            time.sleep(0.02)


def counted(address: str) -> dict[str, float]:
    """What the mirror says of itself on the page of metrics."""
    time.sleep(0.3)  # who asks all the time is a load of his own
    page = series(httpx.get(f"{address}/metrics", timeout=60, verify=False))
    names = {"observed": "observed_total", "sampled": "sampled_total", "compared": "compared_total"}
    known = {name: page[(f"zantara_mirror_{each}",)] for name, each in names.items()}
    waiting = page[("zantara_mirror_queue_depth",)] + page[("zantara_mirror_in_flight",)]
    over = {
        f"{what} {key[1]}": value
        for what in ("dropped", "set_aside")
        for key, value in page.items()
        if key[0] == f"zantara_mirror_{what}_total" and value
    }
    return known | {"queued": waiting} | over


def children(pid: int) -> list[int]:
    found = [each.read_text().split() for each in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for each in found for child in each]


def megabytes(pid: int) -> dict[int, float]:
    """Resident memory of the process and of its mirror's."""

    def of(one: int) -> float:
        line = next(line for line in Path(f"/proc/{one}/status").read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    return {one: of(one) for one in (pid, *children(pid))}
