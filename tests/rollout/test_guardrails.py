"""Guardrails on real served logs: what breaches, what is too thin, and a controller that acts by itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.gates.test_stage import Kept
from tests.rollout.support import AGED, MONDAY, act, append_to, config_of, traffic, write_served, write_verdict
from zantara_exp.config import Config
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Context
from zantara_exp.core.webhook import Notifier
from zantara_exp.rollout import ramp
from zantara_exp.rollout.complaints import note_complaint, read_complaints
from zantara_exp.rollout.controller import Controller
from zantara_exp.rollout.guardrails import UnreadableIncidentsError, look
from zantara_exp.rollout.state import DONE, PAUSED, ROLLED_BACK, RUNNING, UnreachableStateError
from zantara_exp.rollout.store import file_store, open_store
from zantara_exp.shadow.identity import hash_user
from zantara_exp.shadow.record import MOVED, comparison_id

_BLOCKING = '{"day": "2025-11-04", "kind": "blocking_error"}'


@pytest.fixture
def running(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rollout in its first step, as of Monday, whose key is not that of the users' hash."""
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", "0123456789abcdef")
    write_verdict(config_of())
    act("start")
    return workdir


def state():
    return file_store(Layout(config_of())).read()


def seen(*overrides: str, days: float = 7):
    config = config_of(*overrides)
    return look(config, Layout(config), state(), MONDAY + timedelta(days=days))


def decisions(*overrides: str, days: float = 7) -> dict[str, str]:
    return {each.name: each.decision for each in seen(*overrides, days=days).decisions}


def watch(*overrides: str, looks: int = 1, days: float = 2, **changed) -> list[float]:
    """Let the controller look so many times; returns how long it slept in between."""
    config = config_of("rollout.watch=true", f"rollout.looks={looks}", *overrides)
    slept: list[float] = []
    controller(config, days=days, **changed).watch(slept.append)
    return slept


def controller(config: Config, store=None, days: float = 2) -> Controller:
    context = Context(config, Kept(), Path("."))
    clock = lambda: MONDAY + timedelta(days=days)  # noqa: E731
    found = store or open_store(config.rollout, context.layout)
    return Controller(config, context, found, clock, Notifier(config.rollout.notify, context.say))


def test_a_healthy_step_is_left_alone(running: Path):
    write_served(days=5)
    found = seen(days=5)
    assert (found.breach, found.thin) == ("", "")
    assert {each.decision for each in found.decisions} == {"PASS"}
    names = [each.name for each in found.decisions]
    assert names[:3] == ["error", "error over control", "fallback"]
    assert {"fallback (id)", "latency (it)", "critical bugs"} <= set(names)
    assert watch(looks=3, days=5) == [60, 60]
    assert state().phase == RUNNING


def test_a_candidate_that_fails_is_rolled_back_and_says_why(running: Path, capsys: pytest.CaptureFixture[str]):
    write_served(days=2, failed=0.4)
    watch()
    fallen = state()
    assert (fallen.phase, fallen.share) == (ROLLED_BACK, 0)
    last = fallen.history[-1]
    assert (last.actor, last.action) == ("guardrails", "rollback")
    assert last.reason.startswith(
        "fallback: alarm, above 2 %: 38.8 % of a user's requests were not answered by the candidate, on average over "
        "143 users since 2025-11-03"
    )
    assert "; with the primary 0.0 %, over " in last.reason
    assert "rolled back: fallback: alarm" in capsys.readouterr().out
    with pytest.raises(ZantaraError, match="the guardrails rolled back what this GO"):
        act("start", AGED, days=3)


@pytest.mark.parametrize(
    ("bad", "breached"),
    [
        ({"latency_ms": 4000.0}, "latency: alarm, above 5 % slower than 1500 ms"),
        ({"lost": 0.4}, "error: alarm, above 2 %"),
        ({"failed": 0.5, "failed_in": "id"}, "fallback (id): 51"),
        ({"failed": 0.3, "arms": ("candidate",), "share": 100.0}, "fallback: alarm"),
        ({"tokens": 200_000, "failed": 0.4}, "cost: alarm, above USD 0.002"),
    ],
)
def test_what_each_guardrail_sees(running: Path, bad: dict, breached: str):
    write_served(days=4, **bad)
    assert breached in seen(days=4).breach


def test_what_is_bad_in_one_language_only_is_seen_there_alone(running: Path):
    """30 % of a third of the users: too little to be shown for all of them."""
    write_served(days=6, failed=0.12, failed_in="id", users=600, per_day=150)
    found = {each.name: each.decision for each in seen(days=6).decisions}
    assert found["fallback (id)"] == "FAIL"
    assert found["fallback (it)"] == found["fallback (en)"] == found["fallback"] == "PASS"


def test_the_control_tells_a_bad_candidate_from_a_bad_day(running: Path):
    """Users of the primary meet as many errors: nothing to hold against the candidate beyond the limit."""
    quiet = "rollout.guardrails.error.limit=0.6"
    write_served(days=5, lost=0.2, control_lost=0.2)
    assert decisions(quiet, days=5)["error over control"] == "PASS"
    write_served(days=5, lost=0.35, seed=2)
    assert decisions(quiet, days=5)["error over control"] == "FAIL"


def test_with_everybody_on_the_candidate_there_is_no_control(running: Path):
    write_served(days=5, share=100, arms=("candidate",))
    over = next(each for each in seen(days=5).decisions if each.name == "error over control")
    assert (over.decision, over.reason) == ("MISSING", "nobody has the primary: there is no control")


def test_complaints_count_for_the_arm_of_the_user(running: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZANTARA_HASH_KEY", "k")
    lines = traffic(days=3)
    append_to(Layout(config_of()).logs, lines)
    complain = {line.user: line.timestamp for line in lines}
    folder = Layout(config_of()).logs

    def write(arm: str) -> None:
        rows = [(user, moment) for user, moment in complain.items() if user.startswith(arm)][::2]
        for user, moment in rows:
            with (folder / f"complaints_{moment.date()}.jsonl").open("a") as file:
                file.write(json.dumps({"timestamp": moment.isoformat(), "user": user}) + "\n")

    write("primary")
    assert decisions(days=3)["complaint"] == decisions(days=3)["complaint over control"] == "PASS"
    write("candidate")
    assert decisions(days=3)["complaint"] == "FAIL"
    assert decisions(days=3)["complaint over control"] == "PASS"


def test_a_complaint_is_kept_without_the_users_id(running: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZANTARA_HASH_KEY", "k")
    layout = Layout(config_of())
    note_complaint(config_of(), layout, hash_user(layout)("ada@example.org"), MONDAY)
    file = layout.logs / "complaints_2025-11-03.jsonl"
    assert "ada" not in file.read_text()
    with file.open("a") as lines:
        lines.write('{"timestamp": "2025-11-03T10:00:00Z", "user_id": "ada@example.org"}\nno json\n')
    by_gateway, by_product = read_complaints(config_of(), layout, MONDAY)
    assert by_gateway.user == by_product.user
    assert by_gateway.timestamp == MONDAY


def test_a_blocking_error_ends_it(running: Path):
    write_served(days=2)
    incidents = Layout(config_of()).incidents
    incidents.write_text('{"day": "2025-11-02", "kind": "blocking_error"}\n{"checked_through": "2025-11-03"}\n')
    assert seen(days=2).breach == ""
    with incidents.open("a") as file:
        file.write('{"day": "2025-11-04", "kind": "blocking_error"}\n')
    assert "critical bugs: 1 of kind blocking_error" in seen(days=2).breach
    assert seen("rollout.critical_bugs=false", days=2).breach == ""


def test_a_half_written_incident_hides_no_other_and_is_no_good_news(running: Path):
    write_served(days=2)
    incidents, half = Layout(config_of()).incidents, '{"day": "2025-11-04", "ki'
    incidents.write_text(half + '\n{"checked_through": "2025-11-04"}\n')
    with pytest.raises(UnreadableIncidentsError, match="line 1: is no incident"):
        seen(days=2)
    assert seen("rollout.critical_bugs=false", days=2).breach == ""
    for lines in (f"{_BLOCKING}\n{half}", f"{half}\n{_BLOCKING}"):
        incidents.write_text(lines)
        assert "critical bugs: 1 of kind blocking_error" in seen(days=2).breach
    # What else is breached is a breach whatever the incidents are.
    incidents.write_text(half)
    write_served(days=1, start=2, users=60, per_day=200, failed=0.9)
    assert "fallback" in seen(days=3).breach


def test_a_good_time_outweighs_nothing(running: Path):
    """A fortnight without a fault, then a bad day, or an outage: of users who were served well before."""
    write_served(days=14, users=60, per_day=200)
    assert seen(days=14).breach == seen(days=14).outage == ""
    write_served(days=1, start=14, users=60, per_day=200, failed=0.25)
    assert "fallback: alarm" in seen(days=15).breach
    write_served(days=0.25, start=15, users=60, per_day=200, failed=0.9)
    assert "fallback outage: alarm" in seen(days=15.25).outage


def test_a_bad_time_before_a_resume_is_not_held_against_it(running: Path):
    act("pause", days=2)
    write_served(days=2, failed=0.5)
    act("resume", days=2)
    write_served(days=3, start=2)
    assert seen(days=5).breach == ""


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"days": 0.5}, r"\d+ of 100 users served in this step"),
        ({"start": -14, "days": 14}, "0 of 100 users"),
        ({"epoch": "another", "days": 2}, "400 requests are of another candidate"),
        ({"arms": ("primary",), "days": 7}, "0 of 100 users"),
        (None, "0 of 100 users"),
    ],
)
def test_no_step_ends_before_it_was_seen(running: Path, facts, why: str):
    if facts is not None:
        write_served(**facts)
    assert seen().breach == ""
    with pytest.raises(ZantaraError, match=why):
        act("advance", days=7)
    assert state().percent == 10


def test_a_clock_that_jumped_ahead_ends_no_step(running: Path):
    """A day and a half of users, then the machine believes that the week is over."""
    write_served(days=1.5)
    write_served(days=0.2, start=7)
    with pytest.raises(ZantaraError, match="users served on 3 of the step's days, 4 are needed"):
        act("advance", days=7.2)
    watch("rollout.auto_advance=true", days=7.2)
    assert state().words == "running 10 %"


def test_a_breached_step_is_not_left_upwards(running: Path):
    write_served(days=7, failed=0.4)
    with pytest.raises(ZantaraError, match="a guardrail is breached: fallback") as refused:
        act("advance", days=7)
    assert refused.value.hint.endswith("rollback")


def test_status_shows_the_guardrails(running: Path):
    write_served(days=0.5, failed=0.02)
    tables = {table.title: table for table in act("status", days=3).tables}
    rows = {row[0]: row for row in tables["Guardrails since 2025-11-03 09:00"].rows}
    assert rows["latency"][1:5] == ["PASS", "above 5 % slower than 1500 ms", "0.0 %", "0.0 %"]
    assert "users served in this step" in tables["Next step"].rows[0][1]


def test_a_guardrail_that_compares_with_nothing_is_refused(workdir: Path):
    with pytest.raises(ConfigError, match="neither limit nor over_control"):
        config_of("rollout.guardrails.error={measure: error, limit: null, over_control: null, by_language: false}")
    with pytest.raises(ConfigError, match="one of error, fallback"):
        config_of("rollout.guardrails.error.measure=mood")


def test_looks_that_cannot_be_made_pause_after_a_few(running: Path):
    logs = Layout(config_of()).logs
    logs.mkdir(parents=True)
    (logs / "served_2025-11-03.jsonl").mkdir()
    watch(looks=4)
    assert state().phase == RUNNING
    watch(looks=5)
    assert (state().phase, state().share) == (PAUSED, 0)
    assert "could not be looked at 5 times in a row: ZantaraError: " in state().history[-1].reason
    (logs / "served_2025-11-03.jsonl").rmdir()
    with pytest.raises(ramp.RefusedError, match="the guardrails paused it until somebody has looked: .*5 times") as no:
        act("resume", days=3)
    assert "rollout.reason=" in no.value.hint
    act("resume", "rollout.reason=the disk is mended", days=3)
    assert state().history[-1].reason.startswith("the disk is mended (in spite of: the guardrails could not be")


def test_a_log_that_fell_silent_pauses(running: Path):
    write_served(days=2)
    watch(looks=5, days=2.5)
    assert state().phase == RUNNING
    watch(looks=5, days=3.5)
    assert state().phase == PAUSED
    assert "no request of either arm was logged for 36 hours" in state().history[-1].reason


def test_lines_that_cannot_be_read_hide_no_others(running: Path, caplog: pytest.LogCaptureFixture):
    write_served(days=2, failed=0.4)
    for file in Layout(config_of()).logs.glob("served_*.jsonl"):
        file.write_bytes(b'{"torn": \n' + file.read_bytes() + b'{"schema_version": 99}\nno json')
    assert "fallback" in seen(days=2).breach
    assert "lines of the served log cannot be read" in caplog.text


def test_a_line_from_the_future_hides_nothing(running: Path):
    """A gateway whose clock is wrong must not move the newest starts away from what the others logged."""
    write_served(days=2, failed=0.4)
    ahead = replace(traffic(days=1)[0], timestamp=MONDAY + timedelta(days=4000))
    append_to(Layout(config_of()).logs, [ahead])
    assert "fallback" in seen(days=2).breach


def test_a_state_that_is_away_ends_no_controller(running: Path, capsys: pytest.CaptureFixture[str]):
    class Away:
        def read(self):
            raise UnreachableStateError("the database is away", "bring it back")

        def swap(self, seen, new):
            raise UnreachableStateError("the database is away", "bring it back")

        def close(self): ...

    watch(looks=7, store=Away())
    assert (
        "look 7 in a row that could not be made: UnreachableStateError: the database is away" in capsys.readouterr().out
    )
    assert state().phase == RUNNING


def test_a_rollback_that_could_not_be_written_is_tried_again_at_once(running: Path):
    write_served(days=2, failed=0.4)
    store = file_store(Layout(config_of()))

    class FullDisk:
        left = 2

        def read(self):
            return store.read()

        def swap(self, seen, new):
            self.left -= 1
            if self.left >= 0:
                raise UnreachableStateError("no space left", "make room")
            return store.swap(seen, new)

        def close(self): ...

    assert watch(looks=4, store=FullDisk()) == [1, 1, 60]
    assert state().phase == ROLLED_BACK


def test_two_controllers_roll_back_once(running: Path):
    write_served(days=2, failed=0.4)
    for _ in range(2):
        watch()
    assert [change.action for change in state().history] == ["start", "rollback"]


def test_a_move_while_the_guardrails_alarm_does_not_save_the_rollout(running: Path):
    """Somebody changes the state between the controller's reading and its rollback."""
    write_served(days=2, failed=0.4)
    store, config = file_store(Layout(config_of())), config_of("rollout.watch=true")

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


def test_a_controller_that_may_advance_does_so_when_due(running: Path):
    write_served(days=29, share=100)
    auto = "rollout.auto_advance=true"
    watch(days=7)
    assert state().percent == 10  # not unless it was told to
    for day, words in ((6.9, "running 10 %"), (7, "running 25 %"), (14, "running 50 %"), (21, "running 100 %")):
        watch(auto, days=day)
        assert state().words == words
    watch(auto, days=28)
    assert state().phase == DONE
    assert {change.actor for change in state().history[1:]} == {"controller"}


def test_a_controller_that_may_advance_needs_the_go_as_well(running: Path, capsys: pytest.CaptureFixture[str]):
    write_served(days=8)
    (running / "reports/verdict.json").unlink()
    watch("rollout.auto_advance=true", days=7, looks=3)
    assert state().percent == 10
    assert capsys.readouterr().out.count("the next step is held: there is no verdict.json") == 1


def test_cost_goes_by_the_volume_that_the_go_was_judged_by(workdir: Path):
    """EUR 3.78 over 30,000 requests are USD 0.00014 each, which is what was noted; over 500 they are USD 0.0082."""
    config = config_of()
    rows = [{"name": name, "decision": "PASS"} for name in config.gate.criteria]
    judged = [row | ({"monthly_requests": 500} if row["name"] == "savings" else {}) for row in rows]
    write_verdict(config, criteria=judged)
    act("start")
    assert state().monthly_requests == 500
    write_served(days=2)
    found = {each.name: each for each in seen(days=2).decisions}
    assert found["cost"].measured == f"USD {3.78 * 1.08 / 500:.5f}"
    assert found["cost"].decision == "FAIL"


def test_cost_is_as_noted_where_the_go_was_judged_by_what_is_declared(running: Path):
    assert state().monthly_requests == 0
    write_served(days=2)
    found = {each.name: each for each in seen(days=2).decisions}
    assert (found["cost"].measured, found["cost"].decision) == (f"USD {3.78 * 1.08 / 30_000:.5f}", "PASS")


JUDGED = ("rollout=judged", "primary.endpoint=anthropic")


def judged(lines, share: float, beyond: str = "{}") -> None:
    """A judge's verdicts on every tenth answer of the candidate's; so large a share of them is worse."""
    mine = [line for line in lines if line.answered_by == "candidate"][::10]
    rows = []
    for place, line in enumerate(mine):
        found = "worse" if (place % 20) < 20 * share else "equivalent"
        said = {"comparison_id": comparison_id(line.request_id, line.epoch, MOVED), "epoch": line.epoch}
        rows.append(json.dumps({**said, "verdict": found}))
    file = Layout(config_of()).judged_moved
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([*rows, beyond, "{", ""]))


def test_answers_that_a_judge_finds_worse_end_it(running: Path, caplog: pytest.LogCaptureFixture):
    lines = traffic(days=6, per_day=1200)
    append_to(Layout(config_of()).logs, lines)
    judged(lines, 0.15)
    healthy = seen(*JUDGED, days=6)
    assert (healthy.breach, healthy.thin) == ("", "")
    assert "2 lines of judged_moved.jsonl cannot be read" in caplog.text
    judged(lines, 0.8)
    breach = seen(*JUDGED, days=6).breach
    assert "worse: alarm, above 30 %: 79.1 %" in breach
    assert "of a user's judged requests were answered worse than by the primary" in breach


def test_a_step_waits_for_its_judge(running: Path):
    """Nothing judged, nothing but verdicts on another candidate, and no verdict at all are no good news."""
    lines = traffic(days=6)
    append_to(Layout(config_of()).logs, lines)
    found = seen(*JUDGED, days=6)
    assert found.breach == ""
    assert re.match(r"guardrail worse: no request of this step was judged, of \d+ that the primary is", found.thin)
    assert "as by cron: python -m zantara_exp stage=judge judge.of=moved judge=anthropic" in found.thin
    worse = next(each for each in found.decisions if each.name == "worse")
    assert re.match(r"0 of \d+ requests judged yet: python -m zantara_exp stage=judge judge.of=moved", worse.reason)
    judged([replace(line, epoch="another") for line in lines], 1.0)
    assert seen(*JUDGED, days=6).thin == found.thin
    judged(lines[:0], 0.0, json.dumps({"comparison_id": "c", "epoch": lines[0].epoch, "verdict": None}))
    assert {each.name: each.decision for each in seen(*JUDGED, days=6).decisions}["worse"] == "MISSING"
    assert seen(days=6).thin == ""  # without the guardrail nothing waits


def test_a_step_waits_for_a_judge_who_no_longer_comes(running: Path):
    """What was judged in its first days says nothing of the answers since."""
    lines = traffic(days=6, per_day=600)
    append_to(Layout(config_of()).logs, lines)
    judged([line for line in lines if line.timestamp < MONDAY + timedelta(days=2)], 0.0)
    found = seen(*JUDGED, days=6)
    assert re.match(r"guardrail worse: \d+ requests served since 2025-11-\d\d \d\d:\d\d should have been", found.thin)
    worse = next(each for each in found.decisions if each.name == "worse")
    assert re.search(r"an alarm's; \d+ of \d+ requests judged, the newest of 2025-11-", worse.reason)
    assert seen(*JUDGED, "rollout.silent_hours=200", days=6).thin == ""  # it may take so long
    judged(lines, 0.0)
    assert seen(*JUDGED, days=6).thin == ""


def test_status_says_when_a_judge_is_to_be_asked(running: Path):
    assert "each hour, as by cron" in act("status", *JUDGED).summary["to be judged"]
    assert "to be judged" not in act("status").summary


def test_ids_that_an_app_gives_several_requests_make_one_verdict_of_one(running: Path):
    lines = [replace(line, request_id="trace") for line in traffic(days=2)]
    append_to(Layout(config_of()).logs, lines)
    judged(lines, 1.0)
    worse = next(each for each in seen(*JUDGED, days=2).decisions if each.name == "worse")
    assert worse.users == 1


def test_a_judge_without_both_answers_is_refused(workdir: Path):
    with pytest.raises(ConfigError, match=r"rollout.reverse_percent.*is 0, and a guardrail measures what is worse"):
        config_of("rollout=judged", "primary.endpoint=anthropic", "rollout.reverse_percent=0")
    with pytest.raises(ConfigError, match=r"primary.endpoint.*rollout.reverse_percent=5 asks the primary"):
        config_of("rollout=judged")
    with pytest.raises(ConfigError, match="over_control.*no second answer"):
        config_of(*JUDGED, "rollout.guardrails.worse.over_control=0.1")
