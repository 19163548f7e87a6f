"""A rehearsal through the real gateway, logs, gate and controller: a short one here, the whole one when slow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.gates.test_stage import Kept as Unrecorded
from zantara_exp.config import Config, compose
from zantara_exp.core import clock
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.core.stage import Context
from zantara_exp.rehearsal.models import Models
from zantara_exp.rehearsal.play import play
from zantara_exp.rehearsal.played import Played
from zantara_exp.rehearsal.report import page
from zantara_exp.rehearsal.scenarios import SCENARIOS, Scenario
from zantara_exp.rehearsal.stage import rehearsal
from zantara_exp.rehearsal.traffic import Speakers, asks
from zantara_exp.rollout.state import State

FIRST = datetime(2025, 10, 6, tzinfo=UTC)
SHORT = (
    "rehearsal.requests_per_day=600", "rehearsal.shadow_days=1", "rehearsal.tick_hours=6",
    "shadow.traffic_percent=100", "rollout.steps_percent=[50,100]", "rollout.hold_days=[1,1]", "rollout.min_users=20",
    "rollout.probe.seconds=0.2", "gate.min_days=0", "gate.time_block=none", "gate.time_block_no_go=none",
    "gate.criteria.success.window=null",
)  # fmt: skip


class Kept(Unrecorded):
    """A run that keeps no traces either."""

    def traces(self, group, items): ...


def config_of(*overrides: str) -> Config:
    return compose(["experiment=rehearsal", *overrides])


def test_a_short_one_ends_in_a_rollback(workdir: Path):
    """A day of shadow mode, a GO, half of the users, an outage, a pause that does not end; nobody stays unanswered."""
    config = config_of(*SHORT)
    scenario = replace(SCENARIOS["outage"], from_percent=50.0, after_hours=1.0)
    played = play(scenario, config, Context(config, Kept(), workdir))
    assert played.as_it_should, page(played)
    assert played.unanswered == played.after_end == 0
    assert [change.action for change in played.state.history] == ["start", "outage", "rollback"]
    assert played.state.history[-1].reason.startswith("not over after 24 hours: fallback outage: alarm")
    assert any("the pause goes on: the candidate did not pass its test" in line for line in played.said)
    text = page(played)
    assert "**It ended with GO, rollout rolled back: as it should.**" in text
    assert "| 50 % | 1 to 1 | candidate |" in text
    assert not (workdir / "logs").exists()  # nothing of the real rollout is read or written
    assert not (workdir / "reports").exists()


@pytest.mark.slow
def test_the_whole_one(workdir: Path):
    config = config_of()
    result = rehearsal(config, Context(config, Kept(), workdir))
    assert [row[1:3] for row in result.tables[0].rows] == [
        ["GO", "done 100 %"], ["GO", "rolled_back"], ["NO_GO", "idle"], ["GO", "rolled_back"], ["GO", "done 100 %"],
        ["GO", "rolled_back"],
    ]  # fmt: skip
    assert {path.name for path in (workdir / "reports/rehearsal").iterdir()} == {f"{name}.md" for name in SCENARIOS}


def test_each_story_can_be_asked_for_and_is_told_without_asking():
    assert config_of().rehearsal.scenarios == list(SCENARIOS)
    assert config_of("rehearsal.scenarios=[hiccup]").rehearsal.scenarios == ["hiccup"]


def ended(scenario: Scenario, **facts) -> Played:
    return Played(scenario, config_of(), FIRST, **facts)


@pytest.mark.slow
def test_an_ending_that_is_another_is_not_as_it_should():
    healthy = SCENARIOS["healthy"]
    done = State("done", 3, 100.0, "e", since=FIRST)
    assert ended(healthy, verdict={"verdict": "GO"}, state=done).as_it_should
    assert not ended(healthy, verdict={"verdict": "NO_GO"}, state=done).as_it_should
    assert not ended(healthy, verdict={"verdict": "GO"}, state=replace(done, phase="running")).as_it_should
    fallen = ended(SCENARIOS["outage"], verdict={"verdict": "GO"}, state=State("rolled_back"), after_end=1)
    assert not fallen.as_it_should  # somebody was still given the candidate


def test_the_stage_fails_when_a_scenario_does_not_end_as_it_should(workdir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("zantara_exp.rehearsal.stage.play", lambda scenario, *_: ended(scenario, verdict={}))
    config = config_of("rehearsal.scenarios=[healthy]")
    with pytest.raises(ZantaraError, match="not as it should: healthy ended as None, rollout idle"):
        rehearsal(config, Context(config, Kept(), workdir))
    assert "NOT as it should" in (workdir / "reports/rehearsal/healthy.md").read_text()


@pytest.mark.parametrize("name", SCENARIOS)
def test_when_each_candidate_changes(name: str):
    models = Models(SCENARIOS[name], compose([]).domain, np.random.default_rng(1))

    def failing(language: str) -> float:
        return float(np.mean([models._fails(language) for _ in range(600)]))

    models.served(10, FIRST)
    assert failing("it") < 0.02
    assert (failing("id") > 0.1) == (name == "one_language")
    models.served(50, FIRST + timedelta(days=14))
    assert (failing("en") > 0.1) == (name == "degrades")
    models.served(50, FIRST + timedelta(days=14 + 52 / 24))
    assert (failing("en") > 0.1) == (name in ("degrades", "outage", "hiccup"))
    models.served(50, FIRST + timedelta(days=20))
    assert (failing("en") > 0.1) == (name in ("degrades", "outage"))


def test_users_come_and_go_in_three_languages():
    coming = asks(Speakers(compose([])), FIRST, 10, 200, np.random.default_rng(3))
    assert abs(len(coming) - 2000) < 600
    assert [ask.moment for ask in coming] == sorted(ask.moment for ask in coming)
    assert coming[0].moment >= FIRST
    assert coming[-1].moment < FIRST + timedelta(days=10)
    samples = compose([]).domain.samples
    language_of = {text: language for language, by in samples.items() for texts in by.values() for text in texts}
    share = {
        language: np.mean([language_of[ask.text] == language for ask in coming]) for language in ("it", "en", "id")
    }
    assert 0.25 < share["it"] < 0.55
    assert min(share.values()) > 0.15


def test_users_of_another_product_speak_its_languages():
    speakers = Speakers(compose(["domain=helpdesk"]))
    assert speakers.languages == ["de"] * 5 + ["fr"] * 3 + ["en"] * 2
    assert set(speakers.categories) == {"smalltalk", "orders", "technical", "refunds"}
    assert speakers.categories.count("smalltalk") == 7


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("domain.samples.de.smalltalk=['Wo ist mein Paket?']", "is sorted as orders; ask what is smalltalk for sure"),
        ("domain.may_stay=0.000001", "is sorted as smalltalk, but not surely; ask"),
    ],
)
def test_a_sample_that_would_not_move_is_refused(override: str, why: str):
    config = compose(["domain=helpdesk", override])
    with pytest.raises(ConfigError, match=rf"domain\.samples\.de\.smalltalk: '.*' {why}"):
        Speakers(config)


def test_the_clock_of_records_is_played_and_given_back():
    with clock.played(lambda: 1000.0):
        assert clock.now() == datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC)
    assert abs(clock.seconds() - datetime.now(UTC).timestamp()) < 60


def test_a_rehearsal_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="is empty: name at least one of healthy"):
        config_of("rehearsal.scenarios=[]")
    with pytest.raises(ConfigError, match="one of healthy, degrades"):
        config_of("rehearsal.scenarios=[sunny]")
    with pytest.raises(ConfigError, match="is not a day"):
        config_of("rehearsal.first_day=monday")
