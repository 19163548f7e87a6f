"""A disk that is full while a stage writes: it says so, keeps what was there, and goes on once there is room."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.conftest import STEPS, World
from tests.faults.processes import ROOT, SECONDS, small_disk
from tests.faults.test_kill import as_undisturbed
from tests.shadow.recorded import conversation, record

_SPARE = 8 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize("room", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("name", STEPS)
def test_a_stage_on_a_disk_that_fills_up(small_world: World, name: str, room: float) -> None:
    """`room`: what is left, as a share of what the stage writes; none, and some that a seed moves a little."""
    small_world.before(name)
    before, after = used(small_world.folder), used(small_world.after(name))
    left = int((after - before) * room * random.Random(name).uniform(0.8, 1.2))
    with small_disk(small_world.folder, (after + _SPARE) // 1024):
        small_world.before(name)
        ballast = small_world.folder / "outputs" / "ballast"
        ballast.parent.mkdir(exist_ok=True)
        free = os.statvfs(small_world.folder)
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - left)
        full = small_world.run(name)
        assert "Traceback" not in full.said
        if full.status != small_world.undisturbed[name].status:
            assert full.status == 1, full.said
            assert "No space left on device" in full.said or "disk is full" in full.said
        ballast.unlink()
        as_undisturbed(small_world, name, small_world.run(name), f"{left} bytes left")


def used(folder: Path) -> int:
    """Bytes that a file system of pages needs for what is in a folder."""
    return sum(-(-path.lstat().st_size // 4096) * 4096 + 4096 for path in folder.rglob("*"))


def test_a_limit_on_the_size_of_files_is_said(workdir: Path) -> None:
    """What `ulimit -f` and some quotas do: not a disk that is full, and nothing that a stage can mend either."""
    record([conversation(number, "Ciao, come stai?", "Bene, grazie!") for number in range(200)], train_users=[])
    line = [sys.executable, "-W", "ignore", "-m", "zantara_exp", "stage=analyze", "tracking=server"]
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", *line],
        env={**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": "http://127.0.0.1:1"},
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "File too large: " in done.stderr
    assert "Traceback" not in done.stderr
