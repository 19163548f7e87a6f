"""Arms of other sizes than the share says: the ramp is held, and the figures are named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.gates.test_stage import Kept
from tests.rollout.support import AGED, MONDAY, append_to, config_of, traffic, write_verdict
from zantara_exp.config import Config
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.core.webhook import Notifier
from zantara_exp.rollout import ramp
from zantara_exp.rollout.controller import Controller
from zantara_exp.rollout.guardrails import look
from zantara_exp.rollout.served import CANDIDATE, PRIMARY, Served
from zantara_exp.rollout.split import SPAN
from zantara_exp.rollout.stage import rollout
from zantara_exp.rollout.state import PAUSED, RUNNING
from zantara_exp.rollout.store import file_store, open_store
from zantara_exp.shadow.sampling import user_percentile

TESTED = ("rollout.sample_ratio_alpha=0.001", "rollout.steps_percent=[50,80,100]", "rollout.hold_days=[7,7,7]", AGED)


def config(action: str = "status", *overrides: str) -> Config:
    made = config_of(*TESTED, *overrides)
    return replace(made, rollout=replace(made.rollout, action=action))


def act(action: str, *overrides: str, days: float = 0.0) -> StageResult:
    made = config(action, *overrides)
    return rollout(made, Context(made, Kept(), Path(".")), lambda: MONDAY + timedelta(days=days))


def watch(*overrides: str, days: float = 7.0) -> None:
    made = config("status", "rollout.watch=true", "rollout.looks=1", *overrides)
    context = Context(made, Kept(), Path("."))
    store, notifier = open_store(made.rollout, context.layout), Notifier(made.rollout.notify, context.say)
    Controller(made, context, store, lambda: MONDAY + timedelta(days=days), notifier).watch(lambda _: None)


def state():
    return file_store(Layout(config())).read()


def split(days: float = 7.0, *overrides: str):
    made = config("status", *overrides)
    return look(made, Layout(made), state(), MONDAY + timedelta(days=days)).split


def serve(users: Iterable[tuple[str, str]], *days: float, share: float = 50.0, per_day: int = 1) -> None:
    """Each (user, arm), `per_day` times on each of the days after Monday."""
    [like] = traffic(days=1, per_day=1, arms=(CANDIDATE,))
    lines: list[Served] = []
    for day in days:
        for place, (user, arm) in enumerate(users):
            for time in range(per_day):
                moment = MONDAY + timedelta(days=day, minutes=1 + place + time)
                line = replace(like, timestamp=moment, request_id=f"{day}-{user}-{time}", user=user, share=share)
                lines.append(replace(line, arm=arm, answered_by=arm))
    append_to(Layout(config()).logs, lines)


def sized(candidate: int, control: int) -> list[tuple[str, str]]:
    """So many users of each arm, in a random order."""
    users = [(f"c{number}", CANDIDATE) for number in range(candidate)]
    users += [(f"p{number}", PRIMARY) for number in range(control)]
    return [users[place] for place in np.random.default_rng(4).permutation(len(users))]


def by_hash(users: int, share: float) -> list[tuple[str, str]]:
    """Users in the arms where the router has them."""
    salt = f"rollout {state().epoch}"
    return [
        (f"u{number}", CANDIDATE if user_percentile(f"u{number}", salt) < share else PRIMARY) for number in range(users)
    ]


@pytest.fixture
def running(workdir: Path) -> Path:
    """A rollout at 50 %, as of Monday."""
    write_verdict(config())
    act("start", "rollout.reason=a test")
    return workdir


def test_arms_of_the_right_sizes_hold_nothing(running: Path):
    serve(by_hash(600, 50), *range(7))
    found = split()
    assert found.mismatch == ""
    assert found.found is not None
    assert found.found.users == 600
    watch("rollout.auto_advance=true")
    assert (state().phase, state().percent) == (RUNNING, 80.0)


def test_arms_of_the_wrong_sizes_pause_the_ramp_and_are_named(running: Path, capsys: pytest.CaptureFixture[str]):
    serve(sized(270, 30), *range(7))
    watch("rollout.auto_advance=true")
    last = state().history[-1]
    assert (state().phase, state().percent) == (PAUSED, 50.0)
    assert (last.actor, last.action) == (ramp.GUARDRAILS, "pause")
    assert last.reason == (
        "sample ratio mismatch: 270 of 300 users have the candidate (90.0 %) and 30 the primary, "
        "at a share of 50 % (p < 1e-12)"
    )
    assert "paused: sample ratio mismatch: 270 of 300" in capsys.readouterr().out
    watch("rollout.auto_advance=true", days=9)
    assert state().phase == PAUSED  # no outage that is over by itself


def test_a_breach_goes_before_a_mismatch(running: Path):
    serve(sized(270, 30), *range(7))
    (Layout(config()).incidents.parent).mkdir(parents=True, exist_ok=True)
    Layout(config()).incidents.write_text('{"day": "2025-11-04", "kind": "blocking_error"}\n')
    watch()
    assert state().phase == "rolled_back"


def test_status_shows_it_and_does_not_say_advance(running: Path):
    serve(sized(270, 30), *range(7))
    shown = act("status", days=7)
    assert shown.summary["arms"].startswith("sample ratio mismatch: 270 of 300 users have the candidate (90.0 %)")
    rows = [row for table in shown.tables for row in table.rows]
    assert ["sample ratio", "MISMATCH", "p of 0.0005 or less", "270", "30", "300"] in [row[:6] for row in rows]
    assert any(row[0] == "held" and "270 of 300 users" in row[1] for row in rows)
    assert "rollout.action=pause" in shown.next_command


def test_who_advances_by_hand_says_why_and_it_is_kept(running: Path):
    serve(sized(270, 30), *range(7))
    with pytest.raises(ramp.RefusedError, match="the arms cannot be compared: sample ratio mismatch: 270 of 300") as no:
        act("advance", days=7)
    assert "rollout.reason=" in no.value.hint
    assert state().percent == 50.0
    act("advance", "rollout.reason=the log lost a machine", days=7)
    assert state().percent == 80.0
    assert state().history[-1].reason.startswith("the log lost a machine (in spite of: sample ratio mismatch: 270 of")


def test_a_controller_gives_no_reason_of_its_own(running: Path):
    """Between its look and the one before the step the log may have grown."""
    serve(sized(270, 30), *range(7))
    with pytest.raises(ramp.RefusedError, match="sample ratio mismatch"):
        act("advance", "rollout.actor=controller", "rollout.reason=held for its time", days=7)


def test_a_user_counts_once_with_the_first_arm(running: Path):
    serve(sized(10, 10), *range(3), per_day=9)
    serve([(f"c{number}", PRIMARY) for number in range(10)], 4)
    found = split().found
    assert found is not None
    assert found.counts == (10, 10)


def test_each_step_is_counted_on_its_own_with_its_own_part_of_alpha(running: Path):
    serve(by_hash(600, 50), *range(7))
    act("advance", days=7)
    assert split(7.5).why_not == "no user was served at a share of 80 % yet"
    serve(by_hash(100, 50), 7.1)  # those who were on their way when the step began
    serve(by_hash(600, 80), *range(8, 12), share=80.0)
    found = split(14).found
    assert found is not None
    assert found.users == 600
    assert found.alpha == pytest.approx(0.001 / 6)
    assert not found.mismatch


def test_who_resumes_by_hand_begins_a_new_count(running: Path):
    serve(sized(270, 30), *range(3))
    watch(days=3)
    act("resume", "rollout.reason=one machine had another share", days=4)
    assert split(4.1).found is None
    serve(by_hash(300, 50), *range(4, 9))
    found = split(9).found
    assert found is not None
    assert (found.mismatch, found.users) == (False, 300)
    assert found.alpha == pytest.approx(0.001 / 6)


def test_a_long_step_is_counted_anew(running: Path):
    serve(sized(270, 30), 0, 1)
    serve(by_hash(200, 50), SPAN.days + 1, SPAN.days + 2)
    found = split(SPAN.days + 3).found
    assert found is not None
    assert (found.users, found.alpha) == (200, pytest.approx(0.001 / 6))


def test_users_of_another_share_are_no_step_that_was_seen(running: Path):
    serve(by_hash(600, 50), *range(7), share=30.0)
    with pytest.raises(ramp.RefusedError, match="no user was served at a share of 50 % yet"):
        act("advance", days=7)


def test_at_a_hundred_percent_there_is_no_other_arm(running: Path):
    for step, share in enumerate((50, 80)):
        serve(by_hash(600, share), *range(7 * step, 7 * step + 7), share=share)
        act("advance", days=7 * (step + 1))
    assert split(15).why_not == "everybody has the candidate: there is no other arm"


def test_it_can_be_switched_off_and_says_so(running: Path, capsys: pytest.CaptureFixture[str]):
    serve(sized(270, 30), *range(7))
    off = "rollout.sample_ratio_alpha=0"
    rows = [row for table in act("status", off, days=7).tables for row in table.rows]
    assert ["sample ratio", "MISSING"] in [row[:2] for row in rows]
    watch(off, "rollout.auto_advance=true")
    assert "is not tested: rollout.sample_ratio_alpha=0" in capsys.readouterr().out
    assert state().percent == 80.0
