"""A primary that is asked anew: live, and twice in the A/A arm; and when the requests of a replay start."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.composing import composed
from tests.endpoints.servers import raw_server
from tests.shadow.primary import TOKENS, primary_at
from tests.shadow.primary import Primary as Claude
from tests.shadow.recorded import Candidate, against, conversation, record
from tests.shadow.test_mirror import observe, opened
from tests.shadow.test_stage import logged
from tests.shadow.waiting import wait_for
from zantara_exp.config import CONF
from zantara_exp.config.traffic import Primary
from zantara_exp.core.errors import ConfigError, MissingRequirementError
from zantara_exp.shadow.arrivals import starts
from zantara_exp.shadow.sampling import repeated

pytestmark = pytest.mark.usefixtures("workdir")


@pytest.fixture
def claude(monkeypatch: pytest.MonkeyPatch) -> Iterator[Claude]:
    """Claude on loopback, under the name by which the primary's endpoint is looked up."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    monkeypatch.setenv("ZANTARA_CONFIG_DIR", "ours")
    played = Claude()
    with primary_at(played) as url:
        shipped = (CONF / "endpoint" / "anthropic.yaml").read_text()
        Path("ours/endpoint").mkdir(parents=True)
        Path("ours/endpoint/anthropic.yaml").write_text(shipped.replace("https://api.anthropic.com", url))
        yield played


def test_a_live_primary_is_asked_and_in_a_share_of_the_sample_twice(claude: Claude) -> None:
    record([conversation(number, "Ciao", "an old answer") for number in range(40)], train_users=[])
    with raw_server(Candidate()) as url:
        result = against(url, "primary=anthropic", "primary.aa_percent=30")
        again = against(url, "primary=anthropic", "primary.aa_percent=30")
    rows = logged()
    candidate = [row for row in rows if row.arm == "candidate"]
    noise = [row for row in rows if row.arm == "aa"]
    assert len(candidate) == 40
    assert {row.request_id for row in noise} == {f"c-{n}:0" for n in range(40) if repeated(f"c-{n}:0", 30)}
    assert 3 < len(noise) < 25
    assert {row.primary.response for row in rows} == {row.candidate.response for row in noise} == {"".join(TOKENS)}
    assert {row.candidate.response for row in candidate} == {"Ciao a te!"}
    assert {row.primary.usage.output for row in rows} == {5}
    assert all("USD 1 / 5 a million tokens" in str(row.candidate.billed.basis) for row in noise)
    assert {row.candidate.billed.basis for row in candidate} == {"EUR 3.78 a month over 30000 requests"}
    assert len(claude.bodies) == 40 + 2 * len(noise) + 1  # one to warm up
    assert result.metrics["shadow/comparisons"] == again.metrics["shadow/comparisons"] == 40


def test_recorded_answers_have_a_noise_floor_too(claude: Claude) -> None:
    record([conversation(number, "Ciao", "an old answer") for number in range(10)], train_users=[])
    with raw_server(Candidate()) as url:
        against(url, "primary.endpoint=anthropic", "primary.aa_percent=100")
    noise = [row for row in logged() if row.arm == "aa"]
    assert len(noise) == 10
    assert {(row.primary.response, row.candidate.response) for row in noise} == {("an old answer", "".join(TOKENS))}


def test_who_cannot_reach_the_primary_is_told_at_the_start() -> None:
    record([conversation(1, "Ciao", "Ciao!")], train_users=[])
    with pytest.raises(ConfigError, match=r"primary\.endpoint"):
        against("http://127.0.0.1:1/v1", "primary.aa_percent=10")
    with pytest.raises(MissingRequirementError, match="ANTHROPIC_API_KEY"):
        against("http://127.0.0.1:1/v1", "primary=anthropic")
    with pytest.raises(MissingRequirementError, match="ANTHROPIC_API_KEY"):
        opened("http://127.0.0.1:1/v1", "primary=anthropic")


def test_a_mirror_without_the_arm_asks_only_the_candidate() -> None:
    with raw_server(Candidate()) as url:
        mirror = opened(url, "primary.endpoint=anthropic")
        observe(mirror, 5)
        asyncio.run(mirror.close())
    assert {row.arm for row in logged()} == {"candidate"}


MOMENTS = [datetime(2025, 10, 1, tzinfo=UTC) + timedelta(seconds=seconds) for seconds in (0, 10, 10, 40)]


def test_arrivals() -> None:
    assert starts(MOMENTS, Primary(), 7) is None
    assert starts(MOMENTS, Primary(arrivals="recorded", speed=10), 7) == [0, 1, 1, 4]
    assert starts(MOMENTS, Primary(arrivals="constant", requests_per_second=4), 7) == [0, 0.25, 0.5, 0.75]
    drawn = starts([MOMENTS[0]] * 4001, Primary(arrivals="poisson", requests_per_second=50), 7)
    assert drawn is not None
    assert drawn == starts([MOMENTS[0]] * 4001, Primary(arrivals="poisson", requests_per_second=50), 7)
    gaps = [later - earlier for earlier, later in pairwise(drawn)]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(1 / 50, rel=0.08)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert variance == pytest.approx(mean**2, rel=0.15)  # exponential gaps


def test_a_replay_bears_the_load_of_all_that_would_move() -> None:
    before = [MOMENTS[0] - timedelta(days=1)] * 50  # not of the time that is replayed
    every = [
        *before,
        *(MOMENTS[0] + timedelta(seconds=seconds) for seconds in range(41) for _ in range(2)),
    ]  # 2 a second
    asked = {"load_percent": 100.0, "requests_per_second": 99}
    found = starts(MOMENTS, Primary(arrivals="recorded", **asked), 7, every)
    assert found == pytest.approx([0, 10 / 20.5, 10 / 20.5, 40 / 20.5])  # 82 requests take the time of these 4
    found = starts(MOMENTS, Primary(arrivals="constant", **asked | {"load_percent": 50.0, "speed": 4}), 7, every)
    assert found == pytest.approx([place / (4 * 0.5 * 82 / 40) for place in range(4)])
    with pytest.raises(ConfigError, match="primary.load_percent.*needs arrivals"):
        composed("primary.load_percent=100")


def test_the_load_is_at_least_that_of_what_is_replayed() -> None:
    asked = Primary(arrivals="constant", load_percent=100.0)
    assert starts(MOMENTS, asked, 7, []) == [0.0, 10.0, 20.0, 30.0]  # as where only what stays is looked at


def test_a_primary_that_is_asked_again_keeps_nobody_waiting_for_the_candidate(claude: Claude) -> None:
    claude.pause = 0.4
    with raw_server(Candidate()) as url:
        again = ("primary.endpoint=anthropic", "primary.aa_percent=100")
        mirror = opened(url, "endpoint.concurrency=1", *again)
        observe(mirror, 1)
        wait_for(lambda: mirror.stats.compared == 1)
        observe(mirror, 5, first=1)
        wait_for(lambda: mirror.stats.compared == 6)
        asyncio.run(mirror.close(deadline_seconds=60))
    rows = logged()
    assert Counter(row.arm for row in rows) == {"candidate": 6, "aa": 6}
    assert max(row.candidate.waited_ms or 0.0 for row in rows if row.arm == "candidate") < 350
    assert mirror.stats.dropped == {}


def test_what_a_request_waits_for_a_free_place_is_logged_beside_its_latency() -> None:
    record([conversation(number, "Ciao", "Ciao!") for number in range(12)], train_users=[])
    with raw_server(Candidate(seconds=0.2)) as url:
        pace = ["primary.arrivals=constant", "primary.requests_per_second=100", "endpoint.concurrency=2"]
        done = against(url, *pace)
    waited = sorted(row.candidate.waited_ms or 0.0 for row in logged())
    assert waited[0] < 150
    assert waited[-1] > 750  # six after each other at each of the two places
    assert max(row.candidate.latency_ms or 0.0 for row in logged()) < 700
    assert done.metrics["shadow/latency_p95_ms"] > 950
    assert done.summary["load"] == "100 requests a second"


def test_a_replay_keeps_its_pace() -> None:
    record([conversation(number, "Ciao", "Ciao!") for number in range(10)], train_users=[])
    with raw_server(Candidate()) as url:
        began = time.monotonic()
        against(url, "primary.arrivals=constant", "primary.requests_per_second=10")
        assert time.monotonic() - began > 0.9
