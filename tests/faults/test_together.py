"""Two of everything at once in one directory, and what SIGTERM ends.

The stages meet SIGTERM in test_kill.py; gateway and shadow drain in tests/gateway and tests/shadow/test_stage.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.faults.conftest import World
from tests.faults.processes import ended, said
from tests.rollout.support import SERVED
from tests.shadow.waiting import wait_for
from tests.test_pipeline import SMALL, lines, run, stop_database


@pytest.mark.slow
def test_two_pipelines_in_one_directory(tmp_path: Path) -> None:
    """Each step is written by one of them at a time; whoever comes too late is told, and the same command goes on."""
    line = [sys.executable, "-W", "ignore", "-m", "zantara_exp", *SMALL]
    both = [
        subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for each in both:
        _, error = each.communicate(timeout=900)
        assert "Traceback" not in error
        assert each.returncode == 0 or "another run is writing" in error, error
    again = run(tmp_path, *SMALL)
    stop_database(tmp_path)
    assert again.returncode == 0, again.stderr
    data, logs = tmp_path / "data/llama_ft_dataset", tmp_path / "logs/shadow_mode"
    raw, rejected = lines(data / "raw_conversations.jsonl"), lines(data / "rejected.jsonl")
    kept = [row for name in ("train", "val", "test") for row in lines(data / f"{name}.jsonl")]
    assert len([row for row in rejected if row.get("stage") != "extract"]) + len(kept) == len(raw)
    compared = [row["comparison_id"] for file in logs.glob("shadow_comparison_*.jsonl") for row in lines(file)]
    assert len(set(compared)) == len(compared) == 60


@pytest.mark.slow
def test_a_controller_that_is_terminated_ends_with_a_table(small_world: World) -> None:
    small_world.before("extract")
    stage = small_world.start("rollout", "rollout.watch=true", "rollout.every_seconds=0.2", *SERVED)
    wait_for(lambda: "nothing to watch" in said(small_world.folder))
    os.kill(stage.pid, signal.SIGTERM)
    done = ended(small_world.folder, stage)
    assert (done.status, "Traceback" in done.said) == (0, False), done.said


@pytest.mark.slow
def test_a_review_whose_server_is_killed_keeps_every_answer_it_took(small_world: World) -> None:
    """And no answer twice; the page that is served next shows them."""
    small_world.before("gate")
    taken = 0
    for how in (signal.SIGKILL, signal.SIGTERM):
        stage = small_world.start("review", "review.serve=true")
        wait_for(lambda: "pairs at http" in said(small_world.folder))
        url = said(small_world.folder).split(" pairs at ")[1].split()[0]
        wait_for(lambda at=url: _answers(at))
        for _ in range(3):
            taken += 1
            answer = {"reviewer": "ayu", "number": taken, "better": "A"}
            kept = httpx.post(f"{url}answer", json=answer, headers={"X-Review": "1"})
            assert kept.json()["kept"]
        os.kill(stage.pid, how)
        done = ended(small_world.folder, stage)
        assert done.status == (-9 if how == signal.SIGKILL else 0), done.said
        assert "Traceback" not in done.said
    labels = lines(small_world.folder / "reports/review.jsonl")
    assert sorted(label["pair"] for label in labels) == list(range(1, taken + 1))
    assert "by ayu" in done.said  # who has not met three hidden checks yet, so that what is settled is not known


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
