"""Every stage, killed or ended at a change drawn by a seed, and run again: what an undisturbed run leaves, no more."""

from __future__ import annotations

import random
import signal
import sqlite3
from collections import Counter

import pytest

from tests.faults.conftest import STEPS, World
from tests.faults.processes import At, Done

DEATHS = 2
"""Of each stage by each signal."""


@pytest.mark.slow
@pytest.mark.parametrize("death", range(DEATHS))
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("name", STEPS)
def test_a_stage_that_is_killed_or_ended_and_run_again(
    small_world: World, name: str, how: signal.Signals, death: int
) -> None:
    at = At(random.Random(f"{name}{how}{death}").randint(1, small_world.before(name).changes), how)
    earlier = runs(small_world)
    stopped = small_world.run(name, at=at)
    if how == signal.SIGKILL:
        assert stopped.status == -9
    else:
        assert stopped.status == 130, stopped.said
        assert "the same command goes on where this one stopped" in stopped.said
        assert "Traceback" not in stopped.said
    as_undisturbed(small_world, name, small_world.run(name), at)
    new = runs(small_world) - earlier
    finished, killed = new.pop((name, "FINISHED")), new.pop((name, "KILLED"), 0)
    assert finished + killed <= 2  # the first may have ended before its death
    assert not new


def as_undisturbed(world: World, name: str, again: Done, what: object) -> None:
    """After `again` everything is as it was after an undisturbed run."""
    whole, expected, found = world.undisturbed[name], world.expected(name), world.result()
    assert again.status == whole.status, again.said
    assert "Traceback" not in again.said
    assert sorted(found.keys() - expected.keys()) == [], f"left behind: {what}"
    assert found == expected, f"other than undisturbed: {what}"
    assert not list(world.folder.glob(".zantara/pending/*/*")), f"a record that MLflow does not have: {what}"


def runs(world: World) -> Counter[tuple[str, str]]:
    """Runs in MLflow by name and status."""
    database = world.folder / "mlruns" / "mlflow.db"
    if not database.exists():
        return Counter()
    connection = sqlite3.connect(database)
    rows = connection.execute("select name, status from runs").fetchall()
    connection.close()
    return Counter(rows)
