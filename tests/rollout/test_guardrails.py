"""Guardrails on real comparison logs: what breaches, what is too thin, and a controller that rolls back by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.gates.test_stage import Kept
from tests.rollout.support import MONDAY, act, config_of, write_log, write_verdict
from zantara_exp.config import Config
from zantara_exp.errors import ConfigError, ZantaraError
from zantara_exp.layout import Layout
from zantara_exp.rollout.controller import Controller
from zantara_exp.rollout.guardrails import look
from zantara_exp.rollout.state import PAUSED, ROLLED_BACK, RUNNING, UnreachableStateError
from zantara_exp.rollout.store import FileStore, open_store
from zantara_exp.stage import Context


@pytest.fixture
def running(workdir: Path) -> Path:
    """A rollout in its first step, as of Monday."""
    write_verdict(config_of())
    act("start")
    return workdir


def state():
    return FileStore(Layout(config_of()).state / "rollout/state.json").read()


def seen(*overrides: str):
    config = config_of(*overrides)
    return look(config, Layout(config), state())


def watch(*overrides: str, looks: int = 1, **changed) -> list[float]:
    """Let the controller look so many times; returns how long it slept in between."""
    config = config_of("rollout.watch=true", f"rollout.looks={looks}", *overrides)
    slept: list[float] = []
    controller(config, **changed).watch(slept.append)
    return slept


def controller(config: Config, store=None) -> Controller:
    context = Context(config, Kept(), Path("."))
    return Controller(
        config, context, store or open_store(config.rollout, context.layout), lambda: MONDAY + timedelta(days=2)
    )


def test_a_healthy_step_is_left_alone(running: Path):
    write_log(days=5)
    found = seen()
    assert (found.breach, found.thin) == ("", "")
    assert {d.name: d.decision for d in found.decisions} == {
        "success": "PASS", "latency": "PASS", "timeouts": "PASS", "critical_bugs": "MISSING",
    }  # fmt: skip
    assert watch(looks=3) == [60, 60]
    assert state().phase == RUNNING


def test_a_candidate_that_fails_is_rolled_back_and_says_why(running: Path, capsys: pytest.CaptureFixture[str]):
    write_log(days=3, success=0.6)
    watch()
    fallen = state()
    assert (fallen.phase, fallen.share) == (ROLLED_BACK, 0)
    last = fallen.history[-1]
    assert (last.actor, last.action) == ("guardrails", "rollback")
    assert "success: alarm: users' experience turned below 95 %" in last.reason
    assert "rolled back: success: alarm" in capsys.readouterr().out
    with pytest.raises(ZantaraError, match="the guardrails rolled back what this GO"):
        act("start", days=3)


def test_a_slow_candidate_is_rolled_back(running: Path):
    write_log(days=3, latency_ms=4000.0)
    watch()
    assert "latency: alarm" in state().history[-1].reason


def test_a_good_time_before_the_step_outweighs_nothing(running: Path):
    write_log(days=14, start=0, seed=2)
    write_log(days=3, success=0.6)
    assert "success" in seen().breach


def test_a_bad_time_before_the_step_is_not_held_against_it(running: Path):
    write_log(days=14, start=0, seed=2, success=0.5)
    write_log(days=5)
    assert seen().breach == ""


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        ({"days": 1}, r"success \(\d+ of 100 users\)"),
        ({"start": 0, "days": 14}, "nothing since 2025-11-03"),
        ({"epoch": "another", "days": 2}, "the log is about epoch another"),
        (None, "holds no comparison|not there"),
    ],
)
def test_no_step_ends_before_its_guardrails_have_seen_it(running: Path, plan, why: str):
    if plan is not None:
        write_log(**plan)
    assert seen().breach == ""
    with pytest.raises(ZantaraError, match=why):
        act("advance", days=7)
    assert state().percent == 10


def test_a_breached_step_is_not_left_upwards(running: Path):
    write_log(days=7, success=0.6)
    with pytest.raises(ZantaraError, match="a guardrail is breached: success") as refused:
        act("advance", days=7)
    assert refused.value.hint.endswith("rollback")


def test_status_shows_the_guardrails(running: Path):
    write_log(days=3)
    tables = {table.title: table for table in act("status", days=3).tables}
    rows = {row[0]: row for row in tables["Guardrails since this step began"].rows}
    assert rows["success"][1:3] == ["PASS", "100.00 %"]


def test_guardrails_that_are_not_there_are_named(running: Path):
    with pytest.raises(ConfigError, match="did you mean guardrails"):
        seen("rollout.guardrails=guardrail")
    with pytest.raises(ConfigError):
        watch("rollout.guardrails=guardrail")


def test_looks_that_cannot_be_made_pause_after_a_few(running: Path, monkeypatch: pytest.MonkeyPatch):
    (running / "logs").write_text("a file where a folder belongs")
    watch(looks=4)
    assert state().phase == RUNNING
    watch(looks=5)
    assert (state().phase, state().share) == (PAUSED, 0)
    assert "could not be looked at 5 times in a row" in state().history[-1].reason


def test_a_state_that_is_away_ends_no_controller(running: Path, capsys: pytest.CaptureFixture[str]):
    class Away:
        def read(self):
            raise UnreachableStateError("the database is away")

        def swap(self, seen, new):
            raise UnreachableStateError("the database is away")

        def close(self): ...

    watch(looks=7, store=Away())
    assert (
        "look 7 in a row that could not be made: UnreachableStateError: the database is away" in capsys.readouterr().out
    )
    assert state().phase == RUNNING


def test_two_controllers_roll_back_once(running: Path):
    write_log(days=3, success=0.6)
    for _ in range(2):
        watch()
    assert [change.action for change in state().history] == ["start", "rollback"]


def test_a_move_while_the_guardrails_alarm_does_not_save_the_rollout(running: Path):
    """Somebody changes the state between the controller's reading and its rollback."""
    write_log(days=3, success=0.6)
    store, config = FileStore(Layout(config_of()).state / "rollout/state.json"), config_of("rollout.watch=true")

    class Meddled:
        meddled = False

        def read(self):
            return store.read()

        def swap(self, seen, new):
            if not self.meddled:
                self.meddled = True
                store.swap(seen, replace(seen, percent=25.0, step=1))
            return store.swap(seen, new)

    controller(config, store=Meddled()).look_once()
    assert state().phase == ROLLED_BACK
