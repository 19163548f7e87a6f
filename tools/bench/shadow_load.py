"""Load for `scripts/bench shadow`: an app's requests, in this process."""

from __future__ import annotations

import asyncio
import gc
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

PRIMARY_SECONDS = 0.005


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed (nearest rank); nan where there are none."""
    if not values:
        return float("nan")
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]


def _numbers() -> array[float]:
    """Eight bytes each, so that what the bench keeps is not taken for what the mirror does."""
    return array("d")


@dataclass
class AppLoad:
    """What an app measured: each request takes as long as its primary, 5 ms, and the mirror's `observe`."""

    latency_ms: array[float] = field(default_factory=_numbers)
    observe_us: array[float] = field(default_factory=_numbers)
    failed: int = 0


async def at_rate(per_second: float, seconds: float, request: Callable[[int], Awaitable[None]]) -> None:
    """Start requests at their times, whether the ones before are over or not."""
    started, number = time.perf_counter(), 0
    tasks: set[asyncio.Task[None]] = set()
    while (now := time.perf_counter() - started) < seconds:
        while number < now * per_second:
            task: asyncio.Task[None] = asyncio.ensure_future(request(number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.sleep(0.001)
    await asyncio.gather(*tasks)


async def app(per_second: float, seconds: float, observe: Callable[[int], None] | None) -> AppLoad:
    """An app's requests, observed after each answer where `observe` is given."""
    load = AppLoad()
    gc.collect()  # a full collection takes 20 to 90 ms: neither arm is to pay for what the other left

    async def request(number: int) -> None:
        began = time.perf_counter()
        try:
            await asyncio.sleep(PRIMARY_SECONDS)
            answered = time.perf_counter()
            if observe is not None:
                observe(number)
            ended = time.perf_counter()
            load.latency_ms.append((ended - began) * 1000)
            if observe is not None:
                load.observe_us.append((ended - answered) * 1e6)
        except Exception:
            load.failed += 1

    await at_rate(per_second, seconds, request)
    return load
