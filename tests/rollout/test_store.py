"""The state's file: two controllers at once, a kill while writing, folders that cannot be read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.rollout.state import (
    RUNNING,
    Change,
    State,
    StateChangedError,
    UnreachableStateError,
    UnreadableStateError,
    dump,
    load,
)
from zantara_exp.rollout.store import FileStore

NOW = datetime(2025, 11, 3, tzinfo=UTC)
RUN = State(RUNNING, 0, 10.0, "e1", "g1", "2025-11-02", NOW, (Change(NOW, "ada", "start", "", "idle", "running 10 %"),))

RACER = """
import sys
from pathlib import Path
from dataclasses import replace
from zantara_exp.rollout.state import State, StateChangedError
from zantara_exp.rollout.store import FileStore
from tests.rollout.test_store import RUN
store, won, lost = FileStore(Path(sys.argv[1])), 0, 0
print("ready", flush=True)
sys.stdin.readline()
while won < 60:
    seen = store.read()
    try:
        store.swap(seen, replace(RUN, history=(*seen.history, replace(RUN.history[0], actor=sys.argv[2]))))
        won += 1
    except StateChangedError:
        lost += 1
print(won, lost)
"""
WRITER = """
import sys
from pathlib import Path
from dataclasses import replace
from zantara_exp.rollout.store import FileStore
from tests.rollout.test_store import RUN
store = FileStore(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    seen = store.read()
    written = store.swap(seen, replace(RUN, history=(*seen.history[-50:], RUN.history[0])))
    print(written.version, flush=True)
"""


def process(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start `code` and wait until it says that it is ready."""
    command, root = [sys.executable, "-c", code, *arguments], Path(__file__).parents[2]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)
    assert started.stdout
    assert started.stdout.readline() == "ready\n"
    return started


def test_of_two_controllers_at_once_each_change_is_kept_and_none_twice(tmp_path: Path):
    file = tmp_path / "rollout/state.json"
    racers = [process(RACER, str(file), name) for name in ("ada", "bob")]
    ends = [racer.communicate("go\n", timeout=60)[0].split() for racer in racers]
    state = FileStore(file).read()
    assert [int(won) for won, _ in ends] == [60, 60]
    assert state.version == 120
    actors = [change.actor for change in state.history]
    assert (actors.count("ada"), actors.count("bob")) == (60, 60)


def test_who_saw_an_older_state_is_told_and_writes_nothing(tmp_path: Path):
    store = FileStore(tmp_path / "state.json")
    seen = store.read()
    first = store.swap(seen, RUN)
    with pytest.raises(StateChangedError, match="by somebody else"):
        store.swap(seen, replace(RUN, percent=100.0))
    assert store.read() == first


def test_a_kill_leaves_the_old_state_or_the_new_one(tmp_path: Path):
    file = tmp_path / "state.json"
    for attempt in range(8):
        writer = process(WRITER, str(file))
        time.sleep(0.02 + 0.013 * attempt)
        os.kill(writer.pid, signal.SIGKILL)
        said = [line for line in writer.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
        state = FileStore(file).read()
        last = int(said[-1]) if said else 0
        assert last <= state.version
        if said:
            assert state.share == 10
    # And the next one is not in the way of what was killed.
    FileStore(file).swap(FileStore(file).read(), RUN)


def test_a_state_that_cannot_be_reached_is_not_an_idle_one(tmp_path: Path):
    (tmp_path / "state.json").mkdir()
    with pytest.raises(UnreachableStateError):
        FileStore(tmp_path / "state.json").read()
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreachableStateError):
        FileStore(tmp_path / "file/state.json").swap(State(), RUN)


def test_a_lock_that_is_never_released_ends_in_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import fcntl

    monkeypatch.setattr("zantara_exp.rollout.store._LOCK_SECONDS", 0.1)
    with (tmp_path / "state.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UnreachableStateError):
            FileStore(tmp_path / "state.json").swap(State(), RUN)


@given(st.integers(0, len(dump(RUN)) - 2))
def test_no_beginning_of_a_state_is_a_state(length: int):
    with pytest.raises(UnreadableStateError):
        load(dump(RUN)[:length])


@given(st.data())
def test_a_changed_byte_is_noticed_or_harmless(data: st.DataObject):
    text = bytearray(dump(RUN))
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnreadableStateError):
        assert load(bytes(text)) == RUN


@given(st.binary(max_size=200) | st.sampled_from([b"null", b"{}", b'{"checksum": "", "state": {}}', b'{"state": 1}']))
def test_anything_else_is_unreadable(text: bytes):
    with pytest.raises(UnreadableStateError):
        load(text)


@pytest.mark.parametrize(
    "changed",
    [
        {"percent": 100.1},
        {"percent": -1.0},
        {"percent": float("nan")},
        {"percent": 0.0},
        {"phase": "rolled_back"},
        {"phase": "sprinting"},
        {"epoch": ""},
        {"since": None},
        {"step": -1},
        {"percent": "10"},
    ],
)
def test_a_state_that_contradicts_itself_is_not_believed(changed):
    with pytest.raises(UnreadableStateError):
        load(dump(replace(RUN, **changed)))


def test_a_state_survives_its_file():
    assert load(dump(RUN)) == RUN
    assert load(dump(State())) == State()
