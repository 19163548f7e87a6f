"""A look cannot be chosen: 14 good days, then 14 bad ones, and every way to start on the good ones all the same."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.analysis import logs
from tests.gates.test_stage import Kept
from tests.rollout.support import config_of, put_verdict, record_look
from zantara_exp.config import Config
from zantara_exp.core import clock
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.gates.stage import gate
from zantara_exp.rollout.authority import serving_epoch
from zantara_exp.rollout.stage import rollout
from zantara_exp.rollout.store import file_store

UNREVIEWED = ("~gate.criteria.quality", "~gate.criteria.critical_bugs", "~gate.criteria.complaints")
"""The shipped gate on what the log alone can show."""
GOOD, TODAY = "2025-11-02", datetime(2025, 11, 17, 9, tzinfo=UTC)
"""The last of the good days, and the day after the last bad one."""
pytestmark = pytest.mark.usefixtures("key")


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")


def judged(*overrides: str, now: datetime = TODAY) -> StageResult:
    """`stage=gate`, at a played moment."""
    config = config_of(*UNREVIEWED, *overrides)
    with clock.played(now.timestamp):
        return gate(config, Context(config, Kept(), Path(".")))


def moved(action: str, *overrides: str, now: datetime = TODAY, reason: str = "") -> StageResult:
    """`stage=rollout rollout.action=ACTION`, at a played moment."""
    config = config_of(*UNREVIEWED, *overrides)
    config = replace(config, rollout=replace(config.rollout, action=action, reason=reason))
    return rollout(config, Context(config, Kept(), Path(".")), lambda: now)


def refused(*overrides: str, action: str = "start", now: datetime = TODAY) -> str:
    """Why a move is refused; every refusal names the next command."""
    with pytest.raises(ZantaraError) as why:
        moved(action, *overrides, now=now)
    assert "python -m zantara_exp" in why.value.hint
    assert file_store(Layout(config_of())).read().share == 0 or action != "start"
    return why.value.message


def days(config: Config, **plan: Any) -> None:
    """Days of the candidate that would serve."""
    whole = {"per_day": 60, "users": 300, "epoch": serving_epoch(config, Layout(config)), "alike": 1.0, "heavy": 0.0}
    logs.write(Layout(config).logs, logs.Plan(**{**whole, "extra": {"category": "casual"}, **plan}))


@pytest.fixture(scope="module")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen days without a failure, fourteen at 80 %."""
    folder = tmp_path_factory.mktemp("fallen")
    config = config_of(f"paths.logs={folder / 'logs'}")
    days(config, days=14, success=1.0)
    days(config, days=14, success=0.8, start=14, seed=2)
    return folder / "logs"


@pytest.fixture
def at(fallen: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that has that log, and a key that also signs under another `paths.state`."""
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", "0123456789abcdef")
    shutil.copytree(fallen, workdir / "logs/shadow_mode")
    return workdir


def verdict(at: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((at / "reports/verdict.json").read_text())
    return said


def test_the_trap_of_the_good_day(at: Path):
    looked = judged(f"as_of={GOOD}")
    assert looked.status == 0
    assert looked.summary["verdict"] == "GO"
    told = f"its evidence ends with {GOOD}, and the log goes on to 2025-11-16"
    assert looked.summary["opens"] == f"nothing: {told}"
    assert looked.next_command.endswith("stage=gate gate=go_no_go as_of=null")
    said = verdict(at)
    assert (said["verdict"], said["authorises"], said["standing"]["looks_back"]) == ("GO", False, True)
    assert told in refused()

    good = (at / "reports/verdict.json").read_text()
    assert judged().summary["verdict"] == "NO_GO"
    assert "is NO_GO, not GO" in refused()

    (at / "reports/verdict.json").write_text(good)  # the verdict of the good day, put back
    why = refused()
    assert told in why
    assert "gate=go_no_go, this very one, said NO_GO afterwards, on evidence up to 2025-11-16: success" in why
    put_verdict(config_of(), json.loads(good.replace(GOOD, "2025-11-16")))  # and dated as of today
    assert "looks.jsonl under paths.state, says NO_GO" in refused()

    (at / "reports/verdict.json").write_text(good)
    assert "there is no log here that says what came since" in refused("paths.logs=elsewhere")
    assert "has no such look" in refused("paths.state=other")
    (at / ".zantara/looks/looks.jsonl").unlink()
    assert "has no such look" in refused()


def test_a_look_at_a_day_to_come_is_one_at_the_newest(at: Path):
    assert judged("as_of=2099-12-31").tags["as_of"] == "2025-11-16"


def test_a_log_that_was_cut_is_no_newer_than_what_was_seen_of_it(at: Path):
    judged()
    for file in sorted((at / "logs/shadow_mode").glob("shadow_comparison_*"))[14:]:
        file.unlink()
    cut = judged()
    assert cut.summary["verdict"] == "INCONCLUSIVE"  # what the earlier look counted is lost
    shutil.rmtree(at / ".zantara/facts")  # as somebody does who wants the verdict of the days that are left
    cut = judged()
    assert cut.summary["verdict"] == "GO"
    told = f"a look saw the log up to 2025-11-16, and it ends with {GOOD} now: bring back what is gone"
    assert told in cut.summary["opens"]
    assert told in refused()
    # Under another record nothing was seen; what is left to notice is that the log ended long ago, and the verdict.
    elsewhere = ("paths.state=other", "paths.reports=others")
    assert judged(*elsewhere).summary["verdict"] == "GO"
    assert f"the log ends with {GOOD}: what came since is not in it" in refused(*elsewhere)


def test_a_verdict_without_its_look_is_a_witness(at: Path):
    judged("gate.criteria.timeouts.no_go.above=0.06")
    for file in sorted((at / "logs/shadow_mode").glob("shadow_comparison_*"))[14:]:
        file.unlink()
    now = datetime(2025, 11, 3, 9, tzinfo=UTC)
    for _ in range(2):  # the second verdict takes the place of the first one's file, and it stands still
        assert judged("paths.state=other", now=now).summary["verdict"] == "GO"
    why = refused("paths.state=other", now=now)
    assert "gate=go_no_go with other criteria" in why
    assert "said NO_GO afterwards, on evidence up to 2025-11-16: success" in why


@pytest.fixture
def good(workdir: Path) -> Path:
    """A working directory with twelve good days, the last one yesterday."""
    days(config_of(), start=-4, days=16, success=1.0)
    return workdir


MORNING = datetime(2025, 11, 1, 9, tzinfo=UTC)
"""After the last of the twelve days, 31 October."""


def test_a_go_about_yesterday_opens_and_what_is_seen_later_closes(good: Path):
    assert judged(now=MORNING).summary["opens"] == "a rollout of language it, en, id"
    assert moved("start", now=MORNING).metrics == {"rollout/percent": 10}
    record_look(config_of(), gate="daily", gate_hash="d" * 16, verdict="NO_GO", as_of="2025-10-31", reason="slow")
    later = MORNING + timedelta(days=7)
    for action in ("advance", "resume"):
        moved("pause", now=later) if action == "resume" else None
        why = refused(action=action, now=later)
        assert f"gate=daily ({'d' * 16}) said NO_GO afterwards, on evidence up to 2025-10-31: slow" in why
    judged(now=MORNING)  # judged again, it is one that was said before
    moved("resume", now=later)


def test_a_day_later_it_is_judged_again(good: Path):
    judged(now=MORNING)
    days(config_of(), days=1, start=12, seed=3, success=0.5)
    assert "the log goes on to 2025-11-01" in refused(now=MORNING + timedelta(days=1))
    allowed, tomorrow = "rollout.go_max_age_days=1", MORNING + timedelta(days=1)
    assert "rollout.go_max_age_days=1 allows it" in refused(allowed, now=tomorrow)  # without saying why
    assert moved("start", allowed, now=tomorrow, reason="a holiday").metrics["rollout/percent"] == 10


def test_a_day_that_was_seen_in_part_is_not_the_newest_once_it_is_over(good: Path):
    noon = datetime(2025, 10, 31, 12, tzinfo=UTC)
    assert judged(now=noon).tags["as_of"] == "2025-10-31"
    assert moved("start", now=noon).metrics == {"rollout/percent": 10}
    moved("rollback", now=noon)
    assert "its evidence ends with 2025-10-30, and the log goes on to 2025-10-31" in refused(now=MORNING)


def test_days_that_hold_something_else_by_now_are_judged_again(good: Path):
    judged(now=MORNING)
    days(config_of(), days=1, start=5, seed=3)
    assert "comparisons up to 2025-10-31, and the log has" in refused(now=MORNING)


def test_what_was_said_before_asks_for_a_reason(good: Path):
    stricter = "gate.criteria.success.go.above=0.9999"
    assert judged(stricter, now=MORNING).summary["verdict"] == "INCONCLUSIVE"
    looked = judged(now=MORNING)
    assert looked.summary["opens"].endswith("; a start asks for rollout.reason")
    assert any("what stands against a start" in table.title for table in looked.tables)
    [other] = verdict(good)["standing"]["others"]
    assert (other["gate"], other["verdict"], other["asks"]) == ("go_no_go", "INCONCLUSIVE", True)
    why = refused(now=MORNING)
    assert "gate=go_no_go with other criteria" in why
    assert "said INCONCLUSIVE on evidence up to 2025-10-31" in why
    assert "asks for a reason" in " ".join(moved("status", now=MORNING).summary)
    moved("start", now=MORNING, reason="98 % is what was planned")
    [change] = file_store(Layout(config_of())).read().history
    assert change.reason.startswith("98 % is what was planned (in spite of: gate=go_no_go with other criteria")


def test_a_clock_that_was_set_back_is_noticed(good: Path):
    judged(now=MORNING)
    assert "this machine's clock says 2025-10-25 09:00 UTC" in refused(now=MORNING - timedelta(days=7))
