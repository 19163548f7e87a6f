"""The test before a step, against real HTTP servers: what it asks, and what holds the step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.endpoints.servers import answering, raw_server, response
from tests.rollout.support import act, config_of, write_served, write_verdict
from zantara_exp.config import Config
from zantara_exp.config.decision import Cost
from zantara_exp.config.rollout import Probe
from zantara_exp.core.layout import Layout
from zantara_exp.rollout.increases import HeldError
from zantara_exp.rollout.probe import ProbeResult, load_of, probe_candidate
from zantara_exp.rollout.store import file_store

GOOD = response(json.dumps({"choices": [{"message": {"content": "Ciao!"}, "finish_reason": "stop"}]}).encode())
QUICK = (
    "endpoint.stream=false",
    "rollout.probe.enabled=true",
    "rollout.probe.seconds=0.2",
    "rollout.probe.requests=10",
)


class Moody:
    """A candidate that answers, unless its turn is one that `fails` picks."""

    def __init__(self, fails: Callable[[int], bool] = lambda _: False) -> None:
        self.fails = fails
        self.bodies: list[dict] = []

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        self.bodies.append(json.loads(request.partition(b"\r\n\r\n")[2]))
        bad = self.fails(len(self.bodies) - 1)
        writer.write(response(b"{}", "500 Oh") if bad else GOOD)


def config_at(url: str, *overrides: str) -> Config:
    return config_of(f"endpoint.base_url={url}", *QUICK, *overrides)


def probed(url: str, percent: float = 25.0, *overrides: str) -> ProbeResult:
    config = config_at(url, *overrides)
    return probe_candidate(config, Layout(config), percent, Path("."))


def test_what_a_request_waits_for_a_free_place_is_in_its_latency():
    async def slow(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(GOOD)

    with raw_server(slow) as url:
        found = probed(url, 25.0, "endpoint.concurrency=1", "rollout.probe.p95_ms=600")
    assert found.p95_ms > 700
    assert "above 600 ms" in found.trouble


def test_a_good_candidate_passes():
    candidate = Moody()
    with raw_server(candidate) as url:
        found = probed(url)
    assert (found.trouble, found.failed, found.requests) == ("", 0, 10)
    assert len(candidate.bodies) == 11
    assert {body["messages"][0]["role"] for body in candidate.bodies} == {"system"}
    assert len({body["messages"][-1]["content"] for body in candidate.bodies}) > 3
    assert "first answer" in found.words


def test_failures_hold_the_step():
    with raw_server(Moody(lambda turn: turn > 8)) as url:
        found = probed(url)
    assert found.failed == 2
    assert found.trouble.startswith("2 of 10 requests failed (server_error")


def test_a_candidate_that_does_not_answer_at_all_is_asked_once():
    candidate = Moody(lambda _: True)
    with raw_server(candidate) as url:
        assert probed(url).trouble.startswith("first answer: server_error")
    assert len(candidate.bodies) == 1


def test_a_start_that_takes_too_long_holds_the_step():
    async def hang(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    with raw_server(hang) as url:
        found = probed(url, 10.0, "rollout.probe.cold_seconds=0.2")
    assert found.trouble == "no first answer within 0.2 s"


def test_a_slow_candidate_holds_the_step():
    with raw_server(answering(GOOD)) as url:
        assert "above 0.001 ms" in probed(url, 10.0, "rollout.probe.p95_ms=0.001").trouble


def test_the_load_is_that_of_the_step():
    probe, cost = Probe(seconds=20, requests=20, peak_factor=4), Cost(monthly_requests=2_592_000)
    assert load_of(probe, cost, 100) == (80, 4.0)  # one a second on average, four at the peak
    assert load_of(probe, cost, 50) == (40, 2.0)
    assert load_of(probe, cost, 10) == (20, 1.0)  # the least there is


def state():
    return file_store(Layout(config_of())).read()


def test_a_step_is_held_until_the_candidate_passes(workdir: Path):
    broken = {"now": False}
    with raw_server(Moody(lambda _: broken["now"])) as url:
        config = config_at(url)
        write_verdict(config)
        options = (f"endpoint.base_url={url}", *QUICK)
        act("start", *options)
        assert state().words == "running 10 %"
        write_served(days=7, epoch=state().epoch)
        broken["now"] = True
        with pytest.raises(
            HeldError, match="did not pass its test before 25 %, so the step is held: first answer"
        ) as held:
            act("advance", *options, days=7)
        assert held.value.hint
        assert state().words == "running 10 %"
        broken["now"] = False
        act("advance", *options, days=7)
        assert state().words == "running 25 %"


def test_the_last_move_raises_nothing_and_is_not_tested(workdir: Path):
    one = ("rollout.steps_percent=[100]", "rollout.hold_days=[1]")
    write_verdict(config_of())
    act("start", *one)
    write_served(days=2, share=100)
    assert act("advance", *one, "rollout.probe.enabled=true", days=2).summary["phase"] == "done 100 %"
