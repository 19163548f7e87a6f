"""kill -9 at a change drawn by a seed, then the same command again: what an undisturbed run leaves, nothing else."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter

import pytest

from tests.faults.conftest import STEPS, World

DEATHS = 4
"""Of each stage."""


@pytest.mark.parametrize("death", range(DEATHS))
@pytest.mark.parametrize("name", STEPS)
def test_killed_and_run_again(small_world: World, name: str, death: int) -> None:
    whole = small_world.before(name)
    earlier = runs(small_world)
    at = random.Random(f"{name}{death}").randint(1, whole.changes)
    killed = small_world.run(name, die_at=at)
    assert killed.status == -9
    again = small_world.run(name)
    assert again.status == whole.status, again.said
    assert "Traceback" not in again.said
    expected, found = small_world.expected(name), small_world.result()
    assert found.keys() - expected.keys() == set(), f"left behind by a death at change {at}"
    assert found == expected, f"other than undisturbed after a death at change {at}"
    new = runs(small_world) - earlier
    assert new.pop((name, "FINISHED")) == 1
    assert new.pop((name, "KILLED"), 0) <= 1
    assert not new


def runs(world: World) -> Counter[tuple[str, str]]:
    """Runs in MLflow by name and status."""
    database = world.folder / "mlruns" / "mlflow.db"
    if not database.exists():
        return Counter()
    with sqlite3.connect(database) as connection:
        rows = connection.execute("select name, status from runs").fetchall()
    connection.close()
    return Counter(rows)
