import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.config import compose
from zantara_exp.config.traffic import ABOUT_REQUESTS, FAILURES
from zantara_exp.config.traffic import Breaker as BreakerConfig
from zantara_exp.core.errors import ConfigError
from zantara_exp.endpoints.base import Answer, Message, Reason
from zantara_exp.endpoints.breaker import LONGEST_RETRY_AFTER_SECONDS, Breaker, Guarded, State
from zantara_exp.endpoints.streaming import Hearer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """An endpoint that answers or fails as told; not a stand-in for HTTP, which the breaker does not know."""

    provider, model = "scripted", "m"

    def __init__(self) -> None:
        self.working = True
        self.error = Reason.OVERLOADED
        self.calls = 0
        self.retry_after_s: float | None = None
        self.gate: asyncio.Event | None = None

    async def chat(self, messages: Sequence[Message], hearer: Hearer | None = None) -> Answer:
        self.calls += 1
        working = self.working
        if self.gate is not None:
            await self.gate.wait()
        if working:
            return Answer("ok", "m", "scripted", 1.0)
        return Answer("", "m", "scripted", 1.0, error=self.error, retry_after_s=self.retry_after_s)

    async def close(self) -> None:
        pass


def guarded() -> tuple[Guarded, Scripted, Clock]:
    clock, endpoint = Clock(), Scripted()
    return Guarded(endpoint, Breaker(BreakerConfig(failures=5, cooldown_seconds=5.0), clock)), endpoint, clock


def test_what_may_be_one_users_request_neither_opens_nor_closes_it() -> None:
    guard, endpoint, clock = guarded()
    endpoint.working = False
    for reason in ABOUT_REQUESTS:
        endpoint.error = Reason(reason)
        assert errors_of(guard, 6) == [reason] * 6
    assert guard.breaker.state is State.CLOSED
    endpoint.error = Reason.OVERLOADED
    errors_of(guard, 4)
    endpoint.error = Reason.BAD_REQUEST
    errors_of(guard, 1)
    endpoint.error = Reason.OVERLOADED
    errors_of(guard, 1)  # the fifth in a row of those that count
    assert guard.breaker.state is State.OPEN
    clock.now, endpoint.error = 5.0, Reason.BAD_REQUEST
    assert errors_of(guard, 2) == [Reason.BAD_REQUEST] * 2  # a probe that says nothing; the next call probes as well
    endpoint.working = True
    assert errors_of(guard, 2) == [None, None]
    assert guard.breaker.state is State.CLOSED


def test_config_says_what_counts() -> None:
    assert (*FAILURES, "breaker_open") == tuple(
        each.value for each in sorted(Reason, key=[*FAILURES, "breaker_open"].index)
    )
    counted = compose(["endpoint.breaker.counts=[bad_request]", "endpoint.breaker.failures=2"]).endpoint.breaker
    endpoint = Scripted()
    endpoint.working = False
    guard = Guarded(endpoint, Breaker(counted))
    assert errors_of(guard, 3) == [Reason.OVERLOADED] * 3
    endpoint.error = Reason.BAD_REQUEST
    assert errors_of(guard, 3) == [Reason.BAD_REQUEST] * 2 + [Reason.BREAKER_OPEN]
    for wrong in ("[bad_requests]", "[]"):
        with pytest.raises(ConfigError, match=r"endpoint\.breaker\.counts.*timeout, refused"):
            compose([f"endpoint.breaker.counts={wrong}"])


@pytest.mark.parametrize("late", [0.0, 1000.0])
def test_a_call_that_is_given_up_when_it_is_late_has_failed(late: float) -> None:
    endpoint = Scripted()
    guard = Guarded(endpoint, Breaker(BreakerConfig(failures=2)), late)

    async def give_up() -> None:
        endpoint.gate = asyncio.Event()
        call = asyncio.create_task(guard.chat([]))
        await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    for _ in range(2):
        asyncio.run(give_up())
    assert guard.breaker.state is (State.CLOSED if late else State.OPEN)


def errors_of(guard: Guarded, times: int) -> list[Reason | None]:
    async def go() -> list[Reason | None]:
        return [(await guard.chat([])).error for _ in range(times)]

    return asyncio.run(go())


def test_it_opens_after_five_failures_in_a_row_and_not_before() -> None:
    guard, endpoint, _ = guarded()
    endpoint.working = False
    assert errors_of(guard, 4) == [Reason.OVERLOADED] * 4
    endpoint.working = True
    assert errors_of(guard, 1) == [None]
    endpoint.working = False
    assert errors_of(guard, 7) == [Reason.OVERLOADED] * 5 + [Reason.BREAKER_OPEN] * 2
    assert guard.breaker.state is State.OPEN
    assert guard.breaker.times_opened == 1


def test_one_call_probes_after_the_cooldown() -> None:
    guard, endpoint, clock = guarded()
    endpoint.working = False
    errors_of(guard, 5)
    clock.now = 4.9
    assert errors_of(guard, 1) == [Reason.BREAKER_OPEN]
    clock.now = 5.0
    assert errors_of(guard, 2) == [Reason.OVERLOADED, Reason.BREAKER_OPEN]  # the probe failed: open again
    clock.now = 10.0
    endpoint.working = True
    assert errors_of(guard, 3) == [None, None, None]
    assert guard.breaker.state is State.CLOSED


def test_only_one_call_at_a_time_probes_and_a_cancelled_probe_is_replaced() -> None:
    guard, endpoint, clock = guarded()
    endpoint.working = False
    errors_of(guard, 5)
    clock.now = 5.0
    endpoint.working = True

    async def go() -> None:
        endpoint.gate = asyncio.Event()
        probe = asyncio.create_task(guard.chat([]))
        await asyncio.sleep(0)
        assert (await guard.chat([])).error is Reason.BREAKER_OPEN
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        endpoint.gate.set()
        assert (await guard.chat([])).error is None

    asyncio.run(go())


def test_a_late_success_of_before_does_not_close_it() -> None:
    guard, endpoint, _ = guarded()

    async def go() -> None:
        endpoint.gate = asyncio.Event()
        slow = asyncio.create_task(guard.chat([]))
        await asyncio.sleep(0)
        gate, endpoint.gate, endpoint.working = endpoint.gate, None, False
        for _ in range(5):
            await guard.chat([])
        gate.set()
        assert (await slow).error is None

    asyncio.run(go())
    assert guard.breaker.state is State.OPEN


@pytest.mark.parametrize("asked", [86_400.0, float("inf")])
def test_a_server_cannot_ask_to_be_left_alone_for_ever(asked: float) -> None:
    guard, endpoint, clock = guarded()
    endpoint.working, endpoint.retry_after_s = False, asked
    errors_of(guard, 5)
    endpoint.working, clock.now = True, LONGEST_RETRY_AFTER_SECONDS
    assert errors_of(guard, 1) == [None]


def test_opening_and_closing_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    guard, endpoint, clock = guarded()
    endpoint.working = False
    errors_of(guard, 6)
    clock.now = 5.0
    errors_of(guard, 1)  # a probe that fails
    assert guard.breakers == {"scripted": "open"}
    clock.now, endpoint.working = 10.0, True
    errors_of(guard, 2)
    assert [record.message for record in caplog.records] == [
        "endpoint=scripted fails again and again (overloaded); its breaker opens",
        "endpoint=scripted answers again; its breaker closes",
    ]


def test_it_waits_as_long_as_the_server_asks() -> None:
    guard, endpoint, clock = guarded()
    endpoint.working, endpoint.retry_after_s = False, 60.0
    errors_of(guard, 5)
    clock.now = 59.0
    assert errors_of(guard, 1) == [Reason.BREAKER_OPEN]
    clock.now = 60.0
    assert errors_of(guard, 1) == [Reason.OVERLOADED]


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=60))
def test_calls_during_an_outage_fall_to_probes(script: list[tuple[bool, float]]) -> None:
    guard, endpoint, clock = guarded()
    for working, pause in script:
        endpoint.working = working
        before, was = endpoint.calls, guard.breaker.state
        (error,) = errors_of(guard, 1)
        called = endpoint.calls > before
        assert called == (error is not Reason.BREAKER_OPEN)
        assert called or was is State.OPEN
        assert guard.breaker.state is not State.HALF_OPEN  # a probe always ends in one of the other two
        clock.now += pause
