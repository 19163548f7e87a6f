"""Verdicts and states that somebody edited, swapped or put back: refused; a rollback always works."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.rollout.support import act, config_of, write_verdict
from tests.rollout.test_store import RUN
from zantara_exp.config.rollout import Rollout
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import Given, of_this_command
from zantara_exp.core.signature import Keys
from zantara_exp.gates.verdict_record import verdict_hash
from zantara_exp.rollout.router import Router
from zantara_exp.rollout.seal import Seal
from zantara_exp.rollout.state import ROLLED_BACK, UnreadableStateError, dump
from zantara_exp.rollout.store import FileStore, file_store

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def at(workdir: Path) -> Path:
    """A working directory with a GO."""
    write_verdict(config_of())
    return workdir


def edited(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    said = json.loads(file.read_text())
    change(said)
    file.write_text(json.dumps(said))


def refused() -> str:
    with pytest.raises(ZantaraError) as error:
        act("start")
    assert error.value.hint.startswith("python -m zantara_exp stage=gate gate=go_no_go")
    return error.value.message


def test_an_inconclusive_that_was_made_a_go_opens_nothing_though_the_record_says_so_too(workdir: Path):
    file = write_verdict(config_of(), verdict="INCONCLUSIVE")
    edited(file, lambda said: said.update(verdict="GO"))
    said = json.loads(file.read_text())
    looks = Layout(config_of()).looks
    looks.write_text(
        json.dumps({**json.loads(looks.read_text()), "verdict": "GO", "verdict_hash": verdict_hash(said)}) + "\n"
    )
    why = refused()
    assert why.startswith("verdict.json opens nothing: its signature does not fit: it was changed by hand, or signed")
    assert "valid is what stage=gate wrote, signed with the key of here: ZANTARA_SIGNING_KEY" in why


def test_a_verdict_of_an_older_version_is_judged_again(at: Path):
    edited(at / "reports/verdict.json", lambda said: said.pop("signed"))
    assert "verdict.json opens nothing: it has no signature" in refused()


def test_a_verdict_signed_elsewhere_opens_nothing_here(at: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", KEY)
    assert "its signature does not fit" in refused()
    write_verdict(config_of())
    assert act("start").metrics == {"rollout/percent": 10}
    monkeypatch.delenv("ZANTARA_SIGNING_KEY")
    (at / ".zantara/signing_key").unlink()
    assert "no key is here" in act("status").summary["state"]


def test_a_verdict_of_another_experiment_opens_nothing(at: Path):
    with of_this_command(Given(overrides=("experiment=theirs",))):
        assert "it is of no experiment, and this is experiment=theirs" in refused()


def test_an_edited_percentage_serves_nobody_even_with_a_right_checksum(at: Path):
    act("start")
    file = at / ".zantara/rollout/state.json"
    state = file_store(Layout(config_of())).read()
    signed = json.loads(file.read_text())["signed"]
    body = json.loads(dump(replace(state, percent=100.0)))
    file.write_text(json.dumps(body | {"signed": signed}))
    told = act("status").summary["state"]
    assert "state.json under paths.state: its signature does not fit" in told
    assert "the primary answers everyone" in told
    with closing(Router(file_store(Layout(config_of())), Rollout(), None)) as router:
        assert router.decide("u", "casual").reason == "state cannot be read"
    assert act("rollback").summary["phase"] == "rolled_back"
    assert file_store(Layout(config_of())).read().phase == ROLLED_BACK


def test_a_state_without_a_signature_is_rolled_back_and_then_started_anew(at: Path):
    file = at / ".zantara/rollout/state.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(dump(RUN))
    shown = act("status")
    assert "it has no signature" in shown.summary["state"]
    assert shown.next_command.endswith("rollout.action=rollback")
    assert shown.metrics == {"rollout/percent": 0}
    act("rollback")
    write_verdict(config_of(), as_of="2025-11-03")
    assert act("start", days=1).metrics == {"rollout/percent": 10}


def test_a_rollback_needs_no_key(at: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", KEY)
    write_verdict(config_of())
    act("start")
    for given in (None, "short", OTHER):
        if given is None:
            monkeypatch.delenv("ZANTARA_SIGNING_KEY")
        else:
            monkeypatch.setenv("ZANTARA_SIGNING_KEY", given)
        assert act("rollback").summary["phase"] == "rolled_back"
    file = at / ".zantara/rollout/state.json"
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", KEY)
    with pytest.raises(UnreadableStateError, match="does not fit"):
        FileStore(file).read()
    assert act("rollback").summary["phase"] == "rolled_back"
    assert file_store(Layout(config_of())).read().phase == ROLLED_BACK


def test_a_rollback_that_cannot_be_signed_at_all_serves_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = FileStore(tmp_path / "state.json", Seal(Keys(None), "it"))
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", KEY)
    running = store.swap(store.read(), RUN)
    monkeypatch.delenv("ZANTARA_SIGNING_KEY")
    with pytest.raises(ZantaraError, match="ZANTARA_SIGNING_KEY is not set"):
        store.swap(None, running)
    store.swap(None, replace(running, phase=ROLLED_BACK, step=-1, percent=0.0))
    with pytest.raises(UnreadableStateError, match="no signature"):
        store.read()


def test_an_older_state_that_was_put_back_serves_nobody(at: Path):
    act("start")
    file = at / ".zantara/rollout/state.json"
    running = file.read_bytes()
    with closing(Router(file_store(Layout(config_of())), Rollout(), None)) as router:
        assert router.share == 10
        act("rollback")
        router.refresh()
        (file.with_suffix(".begun")).unlink()
        file.write_bytes(running)
        router.refresh()
        assert router.decide("u", "casual").reason == "state cannot be read"
    act("rollback")
    file.write_bytes(running)
    assert "an older state was put back, version 1, where version" in act("status").summary["state"]


def test_a_rollback_of_what_cannot_be_read_is_newer_than_all_before(tmp_path: Path):
    file = tmp_path / "state.json"
    reader, store = FileStore(file), FileStore(file)
    for _ in range(5):
        running = store.swap(store.read(), RUN)
    assert reader.read() == running
    file.write_bytes(b"{")
    after = store.swap(None, replace(running, phase=ROLLED_BACK, step=-1, percent=0.0))
    assert reader.read() == after
    assert reader.read().version > running.version


def test_the_state_of_another_experiment_serves_nobody(tmp_path: Path):
    keys, file = Keys(tmp_path / "signing_key"), tmp_path / "state.json"
    theirs = FileStore(file, Seal(keys, "state.json", "theirs"))
    theirs.swap(theirs.read(), RUN)
    assert FileStore(file, Seal(keys, "state.json", "")).read().share == 10
    with pytest.raises(UnreadableStateError, match="it is of experiment=theirs, and this is experiment=ours"):
        FileStore(file, Seal(keys, "state.json", "ours")).read()


def test_who_wrote_a_state_takes_no_older_one_back(tmp_path: Path):
    file = tmp_path / "state.json"
    store = FileStore(file)
    running = store.swap(store.read(), RUN)
    before = file.read_bytes()
    store.swap(running, replace(running, phase=ROLLED_BACK, step=-1, percent=0.0))
    file.write_bytes(before)
    file.with_suffix(".begun").write_bytes(b"")
    with pytest.raises(UnreadableStateError, match="an older state was put back, version 1, where version 2 was"):
        store.read()
