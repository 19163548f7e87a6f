"""An outage in a running rollout: the primary answers until the candidate is back; what does not come back ends it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.rollout.support import AGED, GRANTED, MONDAY, act, config_of, order, write_served, write_verdict
from tests.rollout.test_guardrails import decisions, seen, state, watch
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.rollout import ramp
from zantara_exp.rollout.history import CONTROLLER, began_at, outages_of_week, served_since, steps_began
from zantara_exp.rollout.ramp import GUARDRAILS
from zantara_exp.rollout.state import PAUSED, ROLLED_BACK, RUNNING, State

HOUR = 1 / 24
OUT = 2 + 2 * HOUR
"""When two good days and an outage of two hours are over."""


@pytest.fixture
def out(workdir: Path) -> Path:
    """A rollout in its first step; two good days, then two hours in which every request of the candidate falls back."""
    write_verdict(config_of())
    act("start")
    write_served(days=2)
    write_served(days=2 * HOUR, start=2, failed=1.0, seed=4)
    return workdir


def actions() -> list[tuple[str, str]]:
    return [(change.actor, change.action) for change in state().history]


def test_an_outage_pauses_and_says_why(out: Path, capsys: pytest.CaptureFixture[str]):
    watch(days=OUT)
    assert (state().phase, state().share, state().percent) == (PAUSED, 0, 10)
    last = state().history[-1]
    assert (last.actor, last.action, last.before, last.after) == (
        "guardrails", "outage", "running 10 %", "paused 10 %",
    )  # fmt: skip
    assert last.reason == (
        "fallback outage: alarm, 30 % or more within hours: 100.0 % of a user's requests were not answered by the "
        "candidate, on average over 8 users since 2025-11-05 09:00; with the primary 0.0 %, over 7 users"
    )
    assert "paused: fallback outage" in capsys.readouterr().out


def test_it_is_one_voice_of_time_and_no_reason_to_roll_back(out: Path):
    found = seen(days=OUT)
    assert found.breach == ""
    assert found.outage.startswith("fallback outage: alarm")
    write_served(days=3, start=OUT)
    assert seen(days=OUT + 3).breach == seen(days=OUT + 3).outage == ""


def test_it_goes_on_by_itself_and_forgets_nothing(out: Path):
    watch(days=OUT)
    watch(days=OUT + 0.4 * HOUR)
    assert state().phase == PAUSED
    watch(days=OUT + 0.6 * HOUR)
    assert (state().phase, state().percent) == (RUNNING, 10)
    assert actions() == [("ada", "start"), ("guardrails", "outage"), ("controller", "resume")]
    assert began_at(state()) == MONDAY
    assert served_since(state()) == MONDAY + timedelta(days=OUT + 0.6 * HOUR)
    watch(days=OUT + HOUR)  # the hours of the outage are in the log as before
    assert state().phase == RUNNING
    write_served(days=2, start=OUT + HOUR, failed=0.2)
    assert seen(days=OUT + HOUR + 2).breach.startswith("fallback: alarm, above 2 %")
    assert "since 2025-11-05" in seen(days=OUT + HOUR + 2).breach


def test_who_resumes_it_by_hand_has_looked_at_what_was_before(out: Path):
    watch(days=OUT)
    act("resume", days=OUT + 0.1 * HOUR)
    assert began_at(state()) == MONDAY + timedelta(days=OUT + 0.1 * HOUR)
    assert seen(days=OUT + HOUR).outage == ""


def test_it_waits_for_a_person_where_the_plan_says_so(out: Path, capsys: pytest.CaptureFixture[str]):
    by_hand = ("rollout.outage.wait_minutes=null", "rollout.outage.give_up_hours=null")
    watch(*by_hand, days=OUT)
    watch(*by_hand, days=9)
    assert state().phase == PAUSED
    assert "somebody has to resume it" in capsys.readouterr().out
    assert act("status", *by_hand, days=9).summary["resumes"] == "by hand, once the outage is over"


def test_a_candidate_that_is_still_away_stays_paused_and_is_then_rolled_back(
    out: Path, capsys: pytest.CaptureFixture[str]
):
    tested = ("rollout.probe.enabled=true", "rollout.probe.cold_seconds=0.5", "rollout.probe.seconds=0.1")
    watch(*tested, days=OUT)
    watch(*tested, days=OUT + HOUR, looks=2)
    assert state().phase == PAUSED
    said = capsys.readouterr().out
    assert said.count("the pause goes on: the candidate did not pass its test before 10 %") == 1
    watch(*tested, days=OUT + 25 * HOUR)
    assert state().phase == ROLLED_BACK
    assert actions()[-1] == ("guardrails", "rollback")
    assert state().history[-1].reason.startswith("not over after 24 hours: fallback outage: alarm")
    with pytest.raises(ZantaraError, match="the guardrails rolled back what this GO"):
        act("start", AGED, days=4)


def test_one_outage_too_many_within_a_week_ends_it(out: Path):
    watch("rollout.outage.most_per_week=1", days=OUT)
    watch(days=OUT + HOUR)
    write_served(days=2 * HOUR, start=OUT + HOUR, failed=1.0, seed=5)
    watch("rollout.outage.most_per_week=1", days=OUT + 3 * HOUR)
    assert state().phase == ROLLED_BACK
    assert state().history[-1].reason.startswith("an outage after 1 others within 7 days: fallback outage: alarm")


def test_outages_are_counted_by_the_week():
    plan = config_of().rollout
    now = ramp.start(State(), plan, order(), GRANTED)
    for days in (1.0, 2.0, 8.5):
        now = ramp.outage(now, order(days, GUARDRAILS))
        now = ramp.resume(now, plan, order(days + 0.1, CONTROLLER), GRANTED)
    assert [outages_of_week(now, MONDAY + timedelta(days=days)) for days in (8.6, 9.1, 16.0)] == [2, 1, 0]
    looked_at = ramp.resume(ramp.pause(now, order(8.7)), plan, order(8.8), GRANTED)
    assert outages_of_week(looked_at, MONDAY + timedelta(days=9)) == 0


@pytest.mark.parametrize(("answer", "phase"), [("rollback", ROLLED_BACK), ("ignore", RUNNING)])
def test_the_plan_says_what_an_outage_does(out: Path, answer: str, phase: str):
    watch(f"rollout.outage.answer={answer}", days=OUT)
    assert state().phase == phase
    assert ("fallback outage" in decisions(f"rollout.outage.answer={answer}", days=OUT)) == (answer == "rollback")


def test_no_step_begins_during_an_outage(out: Path):
    write_served(days=5, start=OUT)
    write_served(days=2 * HOUR, start=OUT + 5, failed=1.0, seed=6)
    with pytest.raises(ZantaraError, match="an outage is going on: fallback outage"):
        act("advance", days=7.2)


def test_a_decline_is_no_outage(out: Path):
    write_served(days=2, start=3, failed=0.15, seed=7)
    assert seen(days=5).outage == ""


def test_status_says_how_a_pause_ends(out: Path):
    watch(days=OUT)
    said = act("status", days=OUT).summary["resumes"]
    assert said == (
        "by the watching controller, once the candidate passes its test; tested from 2025-11-05 11:30 UTC on, "
        "rolled back at 2025-11-06 11:00"
    )


def test_steps_begin_where_somebody_or_the_plan_moved_it(out: Path):
    write_served(days=7, start=OUT)
    watch(days=OUT)
    watch(days=OUT + HOUR)
    act("advance", days=OUT + 7.5)
    assert steps_began(state()) == [MONDAY, MONDAY + timedelta(days=OUT + 7.5)]


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("rollout.outage.answer=wait", "one of pause, rollback, ignore"),
        ("rollout.outage.share=1", "above 0 and below 1"),
        ("rollout.outage.wait_minutes=2000", "is longer than give_up_hours"),
        ("rollout.block_hours=5", "does not divide a day"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(workdir: Path, override: str, why: str):
    with pytest.raises(ConfigError, match=why):
        config_of(override)
