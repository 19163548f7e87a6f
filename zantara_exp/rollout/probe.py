"""A short test of the candidate before a step: does it start from cold, and can it take the step's traffic?

First one request, as after a cold start; then as many as the busiest minutes of the step would bring, at even gaps. The
step waits if the candidate is too late or fails too often. No user's text is sent.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from zantara_exp.config.decision import Cost
from zantara_exp.config.domain import Domain
from zantara_exp.config.rollout import Probe
from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.endpoints.base import Answer, Endpoint, Message
from zantara_exp.endpoints.build import build, serving

_MONTH_SECONDS = 30 * 86400.0


@dataclass(frozen=True)
class ProbeResult:
    """What a test found."""

    cold_ms: float
    """Until the first answer."""
    requests: int
    """Of the load, without the first."""
    per_second: float
    failed: int
    p95_ms: float
    """Over all requests of the load; a failed one counts as endless."""
    trouble: str
    """Why the step has to wait; empty if it need not."""
    first_failure: str = ""
    """The reason of the first failure in the load."""

    @property
    def words(self) -> str:
        """One line of figures."""
        p95 = f"{self.p95_ms:.0f} ms" if math.isfinite(self.p95_ms) else "not reached"
        why = f" ({self.first_failure})" if self.first_failure else ""
        load = f"{self.requests} requests at {self.per_second:.2g}/s: {self.failed} failed{why}, p95 {p95}"
        return f"first answer {self.cold_ms:.0f} ms; {load}" if self.requests else f"no answer, {self.cold_ms:.0f} ms"


def load_of(probe: Probe, cost: Cost, percent: float) -> tuple[int, float]:
    """Number of requests, and requests a second, for a step of `percent` of the declared monthly requests."""
    mean = cost.monthly_requests * percent / 100 / _MONTH_SECONDS
    requests = max(probe.requests, math.ceil(mean * probe.peak_factor * probe.seconds))
    return requests, requests / probe.seconds


def probe_candidate(config: Config, layout: Layout, percent: float, run_dir: Path) -> ProbeResult:
    """Test the configured candidate. Raises like `endpoints.build`, such as for a key that is not set."""
    with serving(config.endpoint, layout.model, run_dir) as server:
        return asyncio.run(_tested(build(config.endpoint, server), config, percent))


async def _tested(endpoint: Endpoint, config: Config, percent: float) -> ProbeResult:
    probe = config.rollout.probe
    requests, per_second = load_of(probe, config.cost, percent)
    places = asyncio.Semaphore(config.endpoint.concurrency)
    try:
        first, cold_ms = await _first(endpoint, config)
        if first is None or first.error is not None:
            why = (
                f"no first answer within {probe.cold_seconds:g} s" if first is None else f"first answer: {_why(first)}"
            )
            return ProbeResult(cold_ms, 0, per_second, 0, math.inf, why)
        answers = await asyncio.gather(
            *(_later(endpoint, config, places, place, place / per_second) for place in range(requests))
        )
    finally:
        await endpoint.close()
    return _weighed(probe, cold_ms, per_second, answers)


async def _first(endpoint: Endpoint, config: Config) -> tuple[Answer | None, float]:
    began = asyncio.get_running_loop().time()
    limit = config.rollout.probe.cold_seconds
    try:
        answer: Answer | None = await asyncio.wait_for(endpoint.chat(_chat(config, 0)), limit)
    except TimeoutError:
        answer = None
    return answer, (asyncio.get_running_loop().time() - began) * 1000


async def _later(endpoint: Endpoint, config: Config, places: asyncio.Semaphore, place: int, seconds: float) -> Answer:
    """One request. Its latency includes the wait for a free place, as a user would wait too."""
    await asyncio.sleep(seconds)
    came = time.perf_counter()
    async with places:
        answer = await endpoint.chat(_chat(config, place))
    return replace(answer, latency_ms=(time.perf_counter() - came) * 1000)


def _chat(config: Config, place: int) -> list[Message]:
    asked = _asked(config.domain)
    return [
        {"role": "system", "content": config.dataset.system_prompt},
        {"role": "user", "content": asked[place % len(asked)]},
    ]


def _asked(domain: Domain) -> list[str]:
    """The domain's samples of what may move, a language after the other; its name, where it has none."""
    by_language = [
        [text for category in domain.moves for text in said.get(category, ())] for said in domain.samples.values()
    ]
    found = [text for texts in zip_longest(*by_language) for text in texts if text]
    return found or [domain.name or "1 + 1?"]


def _weighed(probe: Probe, cold_ms: float, per_second: float, answers: list[Answer]) -> ProbeResult:
    bad = [answer for answer in answers if answer.error is not None]
    times = sorted(math.inf if answer.error is not None else answer.latency_ms for answer in answers)
    p95 = times[math.ceil(0.95 * len(times)) - 1]
    troubles, why = [], _why(bad[0]) if bad else ""
    if len(bad) > probe.max_failed * len(answers):
        troubles.append(f"{len(bad)} of {len(answers)} requests failed ({why})")
    elif p95 > probe.p95_ms:
        reached = f"{p95:.0f} ms" if math.isfinite(p95) else "not reached"
        troubles.append(f"p95 is {reached}, above {probe.p95_ms:g} ms")
    return ProbeResult(cold_ms, len(answers), per_second, len(bad), p95, "; ".join(troubles), why)


def _why(answer: Answer) -> str:
    return f"{answer.error}" + (f": {answer.detail}" if answer.detail else "")
