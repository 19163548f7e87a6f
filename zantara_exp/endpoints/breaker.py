"""A circuit breaker: leaves an endpoint alone after it failed several times in a row, and probes whether it is back.

closed --failures in a row--> open --cooldown--> half open (one call) --good--> closed
                                ^------------------------------------bad--'

Only failures that say something of the endpoint's health count (`endpoint.breaker.counts`): a request that one user's
chat made too long for the model is his alone, and shuts nobody else out.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from enum import StrEnum

from zantara_exp.config.traffic import Breaker as BreakerConfig
from zantara_exp.endpoints.base import Answer, Endpoint, Message, Reason
from zantara_exp.endpoints.streaming import Hearer, Listening

LONGEST_RETRY_AFTER_SECONDS = 300.0
"""A server that asks for more is probed all the same: its Retry-After may be wrong, and a probe costs one call."""
_log = logging.getLogger(__name__)


class State(StrEnum):
    """Of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Counts consecutive failures of one endpoint. Not for use from several threads."""

    def __init__(self, config: BreakerConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0
        self.state = State.CLOSED
        self.times_opened = 0

    def admits(self) -> bool:
        """Whether a call may be made now; the call that finds a cooled-down breaker becomes its probe."""
        if self.state is State.OPEN and self._clock() >= self._open_until:
            self.state = State.HALF_OPEN
            return True
        return self.state is State.CLOSED

    def record(self, answer: Answer, probe: bool) -> None:
        """Learn how an admitted call ended. A call admitted before the breaker opened no longer moves it."""
        if self.state is not State.CLOSED and not probe:
            return
        if answer.error is not None and answer.error not in self._config.counts:
            self.abandon(probe)
            return
        if answer.error is None:
            self._failures = 0
            self.state = State.CLOSED
            return
        self._failures += 1
        if probe or self._failures >= self._config.failures:
            self._open(answer.retry_after_s)

    def abandon(self, probe: bool) -> None:
        """A call was cancelled, or says nothing of the endpoint's health: the next one probes instead."""
        if probe and self.state is State.HALF_OPEN:
            self.state = State.OPEN

    def _open(self, retry_after_s: float | None) -> None:
        if self.state is State.CLOSED:
            self.times_opened += 1
        self.state = State.OPEN
        asked = min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_SECONDS)
        self._open_until = self._clock() + max(self._config.cooldown_seconds, asked)


class Guarded:
    """An endpoint behind its breaker: a refused call is a failed answer, never a silent gap."""

    def __init__(self, endpoint: Endpoint, breaker: Breaker, late_seconds: float = math.inf) -> None:
        """A call that is cancelled after `late_seconds` of silence was given up because it was late: its failure."""
        self.provider = endpoint.provider
        self.model = endpoint.model
        self.breaker = breaker
        self._endpoint, self._late_seconds = endpoint, late_seconds

    @property
    def breakers(self) -> dict[str, str]:
        """The breaker's state under the endpoint's name."""
        return {self.provider: self.breaker.state.value}

    async def chat(self, messages: Sequence[Message], hearer: Hearer | None = None) -> Answer:
        """Ask the endpoint unless the breaker is open."""
        if not self.breaker.admits():
            detail = f"the breaker is {self.breaker.state.value}"
            return Answer("", self.model, self.provider, 0.0, error=Reason.BREAKER_OPEN, detail=detail)
        probe, listening = self.breaker.state is State.HALF_OPEN, Listening(hearer)
        try:
            answer = await self._endpoint.chat(messages, listening.hearer)
        except BaseException:
            took = listening.silent_seconds
            if took >= self._late_seconds:
                late = Answer("", self.model, self.provider, took * 1000, error=Reason.TIMEOUT, detail="given up")
                self._learn(late, probe)
            else:
                self.breaker.abandon(probe)
            raise
        self._learn(answer, probe)
        return answer

    def _learn(self, answer: Answer, probe: bool) -> None:
        was = self.breaker.state
        self.breaker.record(answer, probe)
        self._announce(was, answer)

    def _announce(self, was: State, answer: Answer) -> None:
        now = self.breaker.state
        if (was, now) == (State.CLOSED, State.OPEN):
            _log.warning("endpoint=%s fails again and again (%s); its breaker opens", self.provider, answer.error)
        elif (was, now) == (State.HALF_OPEN, State.CLOSED):
            _log.warning("endpoint=%s answers again; its breaker closes", self.provider)

    async def close(self) -> None:
        """Close the endpoint."""
        await self._endpoint.close()
