"""Asks the candidate for a user's answer, with a deadline that leaves the primary time to answer instead.

The calls run in the gateway's event loop, at most `endpoint.concurrency` at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from zantara_exp.config.decision import Cost
from zantara_exp.config.schema import Config
from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.endpoints.base import Answer, Message, Reason
from zantara_exp.endpoints.breaker import Breaker, Guarded
from zantara_exp.endpoints.build import build, option, serving
from zantara_exp.endpoints.fallback import Fallback
from zantara_exp.endpoints.local import LocalServer
from zantara_exp.endpoints.streaming import Hearer, Listening, Piece

_GRACE_SECONDS = 0.1
"""Added to the endpoint's own limit, so that the endpoint times out first and its breaker counts the failure."""
_LOOK_SECONDS = 0.25
_log = logging.getLogger(__name__)


class Candidate:
    """The endpoint and its fallbacks, behind breakers; together they have `gateway.candidate_seconds`."""

    def __init__(self, config: Config, wanted: Callable[[], bool]) -> None:
        """`wanted` says whether a user is to be served: until then endpoint=local starts no server."""
        self._config, self._wanted = config, wanted
        self._slots = asyncio.Semaphore(config.endpoint.concurrency)
        self._endpoint: Fallback | None = None
        self._server = contextlib.ExitStack()
        self._closing = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Build the endpoint. Raises MissingRequirementError for a variable that is not set."""
        if self._config.endpoint.kind == "local":
            self._starting = asyncio.create_task(self._start_server())
        else:
            self._endpoint = self._chain(None)

    async def close(self) -> None:
        """Close its connections, and end the server that was started for it."""
        self._closing.set()
        if self._starting is not None:
            await self._starting
        if self._endpoint is not None:
            await self._endpoint.close()
        await asyncio.to_thread(self._server.close)

    @property
    def breaker(self) -> str:
        """The state of the first endpoint's breaker."""
        return "closed" if self._endpoint is None else self._endpoint.breaker.state.value

    async def answer(self, messages: Sequence[Message], patience_seconds: float | None, listening: Listening) -> Answer:
        """The answer or the failure, within `gateway.candidate_seconds` or the caller's patience, whichever is less.

        A streamed answer has to begin by then, and to end within the endpoint's own limit.
        """
        began = time.perf_counter()
        seconds = self._config.gateway.candidate_seconds + _GRACE_SECONDS
        seconds = seconds if patience_seconds is None else min(seconds, patience_seconds)
        try:
            async with asyncio.timeout(seconds) as deadline:
                async with self._slots:
                    if self._endpoint is None:
                        return self._failed(Reason.REFUSED, began)
                    answer = await self._endpoint.chat(messages, _without(deadline, listening.hearer))
        except TimeoutError:
            return self._failed(Reason.TIMEOUT, began)
        except Exception as error:  # any error: the primary can still answer
            _log.warning("the candidate could not be asked: %s", type(error).__name__)
            return self._failed(Reason.OTHER, began)
        return replace(answer, latency_ms=_milliseconds(began))

    def left(self, began: float, silent_seconds: float) -> Answer | None:
        """A time-out, if the client hung up when the candidate was already late; None if it was not late yet."""
        late = silent_seconds >= self._config.gateway.late_seconds
        return self._failed(Reason.TIMEOUT, began) if late else None

    def _failed(self, reason: Reason, began: float) -> Answer:
        endpoint = self._config.endpoint
        return Answer("", endpoint.model or "", endpoint.name, _milliseconds(began), error=reason)

    def _chain(self, server: LocalServer | None) -> Fallback:
        ours = self._config.endpoint
        chain = [ours, *map(option, ours.fallback)]
        seconds = self._config.gateway.candidate_seconds / len(chain)
        shown_as = self._config.model.name if server else None
        late = self._config.gateway.late_seconds
        return Fallback(
            [
                _guarded(each, seconds, late, server if each is ours else None, shown_as, self._config.cost)
                for each in chain
            ]
        )

    async def _start_server(self) -> None:
        """Wait until a user is to be served, then start the server of the trained model on loopback."""
        while not self._wanted():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _LOOK_SECONDS)
                return
        layout = Layout(self._config)
        serve = serving(self._config.endpoint, layout.model, layout.gateway)
        try:
            self._endpoint = self._chain(await asyncio.to_thread(self._server.enter_context, serve))
        except ZantaraError as error:
            _log.warning("the primary answers everyone: %s", error.message)


def _guarded(
    config: EndpointConfig, seconds: float, late: float, server: LocalServer | None, shown_as: str | None, cost: Cost
) -> Guarded:
    quick = replace(config, timeout_seconds=min(config.timeout_seconds, seconds))
    return Guarded(build(quick, server, shown_as, cost), Breaker(config.breaker), late)


def _without(deadline: asyncio.Timeout, hearer: Hearer | None) -> Hearer | None:
    """The same hearer, which also lifts the deadline when the first piece has come."""
    if hearer is None:
        return None

    async def take(piece: Piece) -> None:
        deadline.reschedule(None)
        await hearer.take(piece)

    return hearer._replace(take=take)


def _milliseconds(began: float) -> float:
    return (time.perf_counter() - began) * 1000
