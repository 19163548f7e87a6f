"""The stage: what it refuses and why, what it shows, and a whole ramp."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.rollout.support import AGED, act, config_of, put_verdict, write_served, write_verdict
from tests.shadow.waiting import wait_for
from zantara_exp.cli.main import run_overrides
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.rollout.store import file_store


@pytest.fixture
def at(workdir: Path) -> Path:
    """A working directory with a GO."""
    write_verdict(config_of())
    return workdir


def state():
    return file_store(Layout(config_of())).read()


def test_a_ramp_to_the_end(at: Path):
    write_served(days=29, share=100)
    assert act("status").summary["candidate"] == "nobody: the primary answers everyone"
    assert act("start", "rollout.reason=week 1").summary["candidate"] == "10 % of users, greeting and casual"
    for day, percent in ((7, 25), (14, 50), (21, 100)):
        result = act("advance", days=day)
        assert result.metrics == {"rollout/percent": percent}
        assert result.next_command.endswith("=status")
    assert act("advance", days=28).summary["phase"] == "done 100 %"
    changes = state().history
    assert [change.action for change in changes] == ["start", "advance", "advance", "advance", "advance"]
    assert (changes[0].actor, changes[0].reason, changes[0].before, changes[0].after) == (
        "ada", "week 1", "idle", "running 10 %",
    )  # fmt: skip


def test_without_a_verdict_nothing_starts(workdir: Path):
    with pytest.raises(MissingInputError, match="no verdict.json"):
        act("start")
    assert state().version == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"verdict": "NO_GO", "reason": "success fell"}, "is NO_GO, not GO: success fell"),
        ({"verdict": "INCONCLUSIVE"}, "is INCONCLUSIVE, not GO"),
        ({"verdict": None}, "holds no verdict"),
        ({"authorises": False}, "only watches, or looked back"),
        ({"gate_hash": "0" * 16}, "its criteria are others"),
        ({"epoch": "f" * 16}, "the GO is about candidate ffffffffffffffff"),
        ({"epoch": ""}, "the GO is about candidate"),
    ],
)
def test_what_is_no_go_for_what_would_serve_is_refused(workdir: Path, changed, message: str):
    write_verdict(config_of(), **changed)
    with pytest.raises(ZantaraError, match=message) as refused:
        act("start")
    assert refused.value.hint
    assert state().version == 0


@pytest.mark.parametrize("decision", ["MISSING", "FAIL", None])
def test_a_go_that_its_criteria_do_not_give_is_none(at: Path, decision: str | None):
    file = at / "reports/verdict.json"
    said = json.loads(file.read_text())
    name = said["criteria"][0]["name"]
    said["criteria"][0]["decision"] = decision
    put_verdict(config_of(), said)
    with pytest.raises(ZantaraError, match=f"its criteria do not: {name} is {decision}") as refused:
        act("start")
    assert refused.value.hint.endswith("stage=gate gate=go_no_go")
    del said["criteria"]
    put_verdict(config_of(), said)
    with pytest.raises(ZantaraError, match=f"{name} is not in it"):
        act("start")
    assert state().version == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"verdict": "INCONCLUSIVE"}, "says INCONCLUSIVE"),
        ({"as_of": "2025-11-01"}, "has no such look"),
        ({"epoch": "f" * 16}, "has no such look"),
        ({"gate_hash": "0" * 16}, "has no such look"),
        ({"verdict_hash": "0" * 16}, "has no such look"),
        ({"found_in": "verdict.json"}, "has no such look"),
    ],
)
def test_a_go_that_no_recorded_look_gave_is_none(at: Path, changed: dict[str, str], message: str):
    looks = Layout(config_of()).looks
    looks.write_text(json.dumps({**json.loads(looks.read_text()), **changed}) + "\n")
    with pytest.raises(ZantaraError, match=message) as refused:
        act("start")
    assert refused.value.hint.endswith("stage=gate gate=go_no_go")
    looks.unlink()
    with pytest.raises(ZantaraError, match="has no such look") as refused:
        act("start")
    assert "looks/looks.jsonl from the machine that gave the GO" in refused.value.hint
    assert state().version == 0


@pytest.mark.parametrize("text", [b"", b"[]", b'{"verdict": "GO"', b"\xff", b'"GO"'])
def test_a_verdict_that_cannot_be_read_is_none(at: Path, text: bytes):
    (at / "reports/verdict.json").write_bytes(text)
    with pytest.raises(ZantaraError, match="verdict"):
        act("start")


@pytest.mark.parametrize(
    "other",
    ["endpoint.model=another", "endpoint.temperature=0.7", "dataset.system_prompt=You are somebody else"],
)
@pytest.mark.parametrize("action", ["start", "resume", "advance"])
def test_another_candidate_than_the_judged_one_gets_no_share(at: Path, other: str, action: str):
    if action != "start":
        act("start")
    if action == "resume":
        act("pause")
    before = state()
    with pytest.raises(ZantaraError, match="are candidate"):
        act(action, other, days=8)
    assert state() == before


def test_a_gate_that_was_loosened_after_the_go_does_not_count(at: Path):
    with pytest.raises(ZantaraError, match="its criteria are others"):
        act("start", "gate.alpha=0.2")


def test_categories_that_the_gate_did_not_look_at_are_not_rolled_out(at: Path):
    with pytest.raises(ZantaraError, match="rollout.categories names greeting, but gate.criteria.success looks at"):
        act("start", "gate.criteria.success.where={category: [casual]}")
    assert act("start", "rollout.categories=[casual]").summary["candidate"] == "10 % of users, casual"


def test_a_step_is_held_for_its_time(at: Path):
    act("start")
    with pytest.raises(ZantaraError, match=r"step 1 \(10 %\) is held until 2025-11-10 09:00 UTC"):
        act("advance", days=6.99)
    # A clock that was set back holds it longer, never shorter.
    with pytest.raises(ZantaraError, match="is held until"):
        act("advance", days=-30)
    assert "0.5 days" in act("status", days=6.5).summary["held until"]
    assert act("status", days=7).next_command.endswith("rollout.action=advance")


def test_pause_serves_nobody_and_resume_what_was(at: Path):
    write_served(days=7)
    act("start")
    act("advance", days=7)
    assert act("pause", days=8).metrics == {"rollout/percent": 0}
    assert act("resume", days=9).metrics == {"rollout/percent": 25}
    with pytest.raises(ZantaraError, match="is held until 2025-11-19"):
        act("advance", days=14)


def test_resume_never_serves_more_than_was_served(at: Path):
    act("start")
    act("pause")
    assert act("resume", "rollout.steps_percent=[60,70,80,90]").metrics == {"rollout/percent": 10}
    act("pause")
    assert act("resume", "rollout.steps_percent=[5,70,80,90]").metrics == {"rollout/percent": 5}


def test_a_rollback_is_never_refused(at: Path):
    assert act("rollback").summary["phase"] == "idle"
    act("start")
    (at / "reports/verdict.json").unlink()
    result = act("rollback", "rollout.reason=tickets")
    assert result.summary["candidate"] == "nobody: the primary answers everyone"
    assert result.summary["last change"] == "rollback by ada: tickets"
    assert act("rollback").summary["phase"] == "rolled_back"
    assert state().version == 2


@pytest.mark.parametrize("cut", [0, 1, 40, -2, -60])
def test_a_half_written_state_serves_nobody_and_says_so(at: Path, cut: int):
    act("start")
    file = at / ".zantara/rollout/state.json"
    file.write_bytes(file.read_bytes()[:cut])
    shown = act("status")
    assert "cannot be read" in shown.summary["state"]
    assert "percent 0" in shown.summary["state"]
    assert shown.metrics == {"rollout/percent": 0}
    for action in ("start", "advance", "pause", "resume"):
        with pytest.raises(ZantaraError, match="cannot be read"):
            act(action)
    assert act("rollback").summary["phase"] == "rolled_back"
    assert len(list(file.parent.glob("state.json.unreadable-*"))) == 1


def test_a_lost_state_opens_no_way_back_to_the_go_before(at: Path):
    act("start")
    file = at / ".zantara/rollout/state.json"
    file.write_bytes(file.read_bytes()[:400])
    act("rollback", days=1)
    with pytest.raises(ZantaraError, match="it needs a GO as of 2025-11-04 or later, this one is as of 2025-11-02"):
        act("start", AGED, days=2)
    write_verdict(config_of(), as_of="2025-11-04")
    assert act("start", days=2).metrics == {"rollout/percent": 10}


def test_a_deleted_state_opens_no_way_back_either(at: Path):
    act("start")
    file = at / ".zantara/rollout/state.json"
    file.write_bytes(b"")
    act("rollback", days=1)
    file.unlink()
    assert "it was there, and is gone" in act("status").summary["state"]
    with pytest.raises(ZantaraError, match="cannot be read"):
        act("start", days=2)
    assert act("rollback", days=2).summary["phase"] == "rolled_back"
    with pytest.raises(ZantaraError, match="it needs a GO as of 2025-11-05 or later"):
        act("start", AGED, days=2)


def test_a_state_changed_by_hand_is_not_believed(at: Path):
    act("start")
    file = at / ".zantara/rollout/state.json"
    file.write_text(file.read_text().replace("10.0", "90.0"))
    assert "checksum is wrong" in act("status").summary["state"]


def test_llama_enabled_overrides_all(at: Path, monkeypatch: pytest.MonkeyPatch):
    act("start")
    monkeypatch.setenv("LLAMA_ENABLED", "false")
    shown = act("status")
    assert shown.summary["candidate"] == "nobody: the primary answers everyone (LLAMA_ENABLED=false overrides 10 %)"
    assert shown.metrics == {"rollout/percent": 0}
    with pytest.raises(ZantaraError, match="LLAMA_ENABLED=false switches the candidate off") as refused:
        act("advance", days=7)
    assert refused.value.hint.startswith("python -m zantara_exp stage=rollout rollout.action=status")
    monkeypatch.setenv("LLAMA_ENABLED", "true")
    assert act("status").metrics == {"rollout/percent": 10}


def test_moves_that_do_not_fit_say_what_would(at: Path):
    for action, message in (("advance", "no step to advance from"), ("pause", "nothing to pause"), ("resume", "idle")):
        with pytest.raises(ZantaraError, match=message):
            act(action)
    act("start")
    with pytest.raises(ZantaraError, match="running 10 % already"):
        act("start")


def test_the_command_line(at: Path, capsys: pytest.CaptureFixture[str]):
    assert run_overrides(["stage=rollout", "rollout.action=begin"]) == 2
    assert "one of status, start" in capsys.readouterr().err
    assert run_overrides(["stage=rollout", "rollout.action=start", "rollout.categories=[business]"]) == 2
    assert "business stays with the primary" in capsys.readouterr().err


@pytest.mark.interpreter
def test_a_rollback_waits_for_nothing(at: Path) -> None:
    """Neither for a mistake elsewhere in the config, nor for MLflow and what else takes long to import."""
    heavy = ("mlflow", "scipy", "numpy", "duckdb", "ibis", "torch", "transformers", "aiohttp", "httpx")
    code = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print([m for m in {heavy} if m in sys.modules]))\n"
        "from zantara_exp.cli.main import run_overrides\n"
        "sys.exit(run_overrides(sys.argv[1:]))"
    )
    status = subprocess.run(
        [sys.executable, "-c", code, "stage=rollout"], capture_output=True, text=True, check=True, cwd=at
    )
    assert status.stdout.strip().endswith("[]")
    act("start")
    mistake = "domain.contact_patterns=['(']"
    assert run_overrides(["stage=rollout", "rollout.action=start", mistake, "hydra.run.dir=run"]) == 2
    asked = [sys.executable, "-c", code, "stage=rollout", "rollout.action=rollback", mistake, "hydra.run.dir=run"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=at)
    assert done.stdout.strip().endswith("[]")
    assert state().phase == "rolled_back"
    wait_for(lambda: "rollout" in recorded(at), seconds=60)


def recorded(at: Path) -> list[str]:
    """The stages of finished runs in MLflow's database."""
    database = at / "mlruns/mlflow.db"
    if not database.is_file():
        return []
    with closing(sqlite3.connect(database, timeout=30)) as opened:
        asked = "select value from tags join runs using (run_uuid) where key = 'stage' and status = 'FINISHED'"
        return [stage for (stage,) in opened.execute(asked)]


def test_what_cannot_be_recorded_is_done(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    act("start")
    pending = at / ".zantara/pending"
    pending.write_text("no folder")
    assert run_overrides(["stage=rollout", "rollout.action=rollback"]) == 0
    assert "not recorded in MLflow" in capsys.readouterr().out
    assert state().phase == "rolled_back"


def test_the_history_is_in_the_file(at: Path):
    act("start")
    body = json.loads((at / ".zantara/rollout/state.json").read_text())["state"]
    assert {"time", "actor", "action", "reason", "from", "to"} == set(body["history"][0])
