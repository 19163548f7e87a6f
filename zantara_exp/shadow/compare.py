"""Asks the candidate the same as the primary was asked, and logs both answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from statistics import median

from zantara_exp.config.decision import Cost
from zantara_exp.cost.prices import charge_by_tokens
from zantara_exp.endpoints.base import Answer, Endpoint, Reason
from zantara_exp.shadow.log import ComparisonLog
from zantara_exp.shadow.record import CANDIDATE, ONLY_PRIMARY, Comparison, Sampling, Side, comparison_id
from zantara_exp.shadow.replay import Request

_PACE_SECONDS = 0.25
_RECENT = 50


class Comparer:
    """Compares for one candidate, epoch, arm and log. `primary` is asked if its answers were not recorded."""

    def __init__(
        self,
        endpoint: Endpoint,
        log: ComparisonLog,
        epoch: str,
        cost: Cost,
        arm: str = CANDIDATE,
        primary: Endpoint | None = None,
    ) -> None:
        self._endpoint, self._log, self._epoch, self._arm, self._primary = endpoint, log, epoch, arm, primary
        self._cost = cost

    async def compare(self, request: Request, sampling: Sampling, waited_ms: float | None = None) -> Comparison:
        """Ask the candidate and hand the comparison to the log. A failure of the candidate raises nothing.

        `waited_ms`: how long the request had waited for a free place.
        """
        if self._primary is None:
            primary = priced(request.primary, self._cost, request.timestamp.date())
        else:
            primary = side_of(await self._primary.chat(request.messages))
        answer = await self._endpoint.chat(request.messages)
        comparison = self._comparison(
            request, sampling, self._arm, primary, replace(side_of(answer), waited_ms=waited_ms)
        )
        self._log.write(comparison)
        return comparison

    async def compare_moved(self, request: Request, sampling: Sampling) -> None:
        """Ask the primary what the candidate has answered a user. The candidate's answer is in the request."""
        primary = side_of(await self._endpoint.chat(request.messages))
        self._log.write(self._comparison(request, sampling, self._arm, primary, request.primary))

    def set_aside(self, request: Request, sampling: Sampling, wait: bool = False) -> None:
        """Log a request for which no model is asked: user, time and the primary's cost, without texts.

        `wait`: until the log's queue has room.
        """
        bare = replace(request, messages=(), primary=replace(request.primary, response=""))
        primary = priced(bare.primary, self._cost, request.timestamp.date())
        self._log.write(self._comparison(bare, sampling, ONLY_PRIMARY, primary, Side()), wait)

    def _comparison(self, request: Request, sampling: Sampling, arm: str, primary: Side, candidate: Side) -> Comparison:
        return Comparison(
            comparison_id=comparison_id(request.request_id, self._epoch, arm),
            request_id=request.request_id,
            conversation_id=request.conversation_id,
            epoch=self._epoch,
            arm=arm,
            timestamp=request.timestamp,
            messages=request.messages,  # type: ignore[arg-type]  # a TypedDict is a Mapping[str, object] to mypy
            user=request.user,
            query=request.messages[-1]["content"] if request.messages else "",
            category=request.category,
            language=request.language,
            primary=primary,
            candidate=candidate,
            attempt=request.attempt,
            trace_id=request.trace_id,
            sampling=sampling,
            scope=request.scope,
        )


def side_of(answer: Answer) -> Side:
    """An answer in the form of the log."""
    return Side(
        response=answer.text,
        model=answer.model,
        provider=answer.provider,
        usage=answer.usage,
        latency_ms=round(answer.latency_ms, 3),
        ttft_ms=None if answer.ttft_ms is None else round(answer.ttft_ms, 3),
        finish_reason=answer.finish_reason,
        error=answer.error and answer.error.value,
        detail=answer.detail,
        billed=answer.billed,
    )


def priced(side: Side, cost: Cost, day: date) -> Side:
    """An answer of the primary that was recorded or observed, with its cost by the price list."""
    charge = charge_by_tokens(side.model, side.usage, cost, day)
    if side.error is not None or charge is None:
        return side
    return replace(side, billed=charge)


async def compare_all(
    requests: Iterable[tuple[Request, Sampling]],
    comparer: Comparer,
    concurrency: int,
    done: Callable[[Comparison], None],
    starts: Sequence[float] | None = None,
) -> None:
    """Compare every request, `concurrency` at a time, and call `done` after each; what it raises ends the run.

    `starts` says when each begins, in seconds from now; None: as soon as there is room.

    While the breaker is open, a refused request takes as long as an answered one did. So an endpoint that is away for a
    part of the time fails that part of the requests, and not all that a fast loop could refuse meanwhile.
    """
    left = enumerate(requests)
    began = time.monotonic()
    recent: list[float] = []

    async def worker() -> None:
        for place, (request, sampling) in left:
            if starts is not None:
                await asyncio.sleep(max(0.0, began + starts[place] - time.monotonic()))
            late = None if starts is None else max(0.0, time.monotonic() - began - starts[place])
            comparison = await comparer.compare(request, sampling, None if late is None else round(late * 1000, 3))
            done(comparison)
            if comparison.candidate.error == Reason.BREAKER_OPEN:
                await asyncio.sleep(median(recent) / 1000 if recent else _PACE_SECONDS)
            elif comparison.candidate.latency_ms is not None:
                recent.append(comparison.candidate.latency_ms)
                del recent[:-_RECENT]

    tasks = [asyncio.create_task(worker()) for _ in range(concurrency)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
