"""The main job, as a user runs it: one command in an empty folder, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SHAPE = {"hidden_size": 32, "intermediate_size": 64, "layers": 1, "heads": 2, "kv_heads": 1, "vocab_size": 600}
SMALL = [
    "demo.conversations=700",
    "demo.users=120",
    "dataset.max_train_rows=300",
    "trainer.epochs=1",
    "evaluation.generate_limit=8",
    "primary.limit=50",
    "endpoint.max_tokens=24",
    "stage.stop_at=[]",
    *(f"model.shape.{name}={value}" for name, value in SHAPE.items()),
]
"""The demo in half a minute. One epoch teaches so small a model nothing, and the gate must see it."""


def run(folder: Path, *overrides: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "zantara_exp", *overrides]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("pipeline")
    done = run(folder, *SMALL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    yield folder, done.stdout
    stop_database(folder)


def stop_database(folder: Path) -> None:
    from zantara_exp.dataset._postgres import home
    from zantara_exp.dataset.embedded import stop

    stop(folder / ".zantara")
    shutil.rmtree(home(folder / ".zantara").root.parent)  # as root it may lie outside of the folder


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_model_that_learnt_nothing_is_no_go(finished: tuple[Path, str]) -> None:
    folder, printed = finished
    verdict = json.loads((folder / "reports" / "verdict.json").read_text())
    assert verdict["verdict"] == "NO_GO"
    assert "success: shown to be below 95 %" in printed
    assert "no review" in printed
    assert "Traceback" not in printed


@pytest.mark.slow
@pytest.mark.parametrize("domain", ["bali", "helpdesk"])
def test_the_demo_ends_inconclusive_because_nobody_reviewed_it(domain: str, tmp_path: Path) -> None:
    done = run(tmp_path, f"domain={domain}", timeout=1800)
    stop_database(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    verdicts = {
        name: json.loads((tmp_path / "reports" / f"{name}.json").read_text())["verdict"]
        for name in ("verdict-dataset", "verdict-training", "verdict")
    }
    assert verdicts == {"verdict-dataset": "GO", "verdict-training": "GO", "verdict": "INCONCLUSIVE"}
    assert "no review: run" in done.stdout


def test_nothing_is_lost_between_stages(finished: tuple[Path, str]) -> None:
    data = finished[0] / "data" / "llama_ft_dataset"
    kept = [row for name in ("train", "val", "test") for row in lines(data / f"{name}.jsonl")]
    raw, rejected = lines(data / "raw_conversations.jsonl"), lines(data / "rejected.jsonl")
    assert kept
    assert all(row["reason"] for row in rejected)
    assert len([row for row in rejected if row.get("stage") != "extract"]) + len(kept) == len(raw)


def test_no_user_stands_on_both_sides(finished: tuple[Path, str]) -> None:
    data = finished[0] / "data" / "llama_ft_dataset"
    users = [{row["metadata"]["user"] for row in lines(data / f"{name}.jsonl")} for name in ("train", "val", "test")]  # type: ignore[index]
    assert not users[0] & users[1]
    assert not users[0] & users[2]
    assert not users[1] & users[2]


def test_every_comparison_was_answered_over_http(finished: tuple[Path, str]) -> None:
    logged = [
        row
        for path in sorted((finished[0] / "logs" / "shadow_mode").glob("shadow_comparison_*.jsonl"))
        for row in lines(path)
        if row["arm"] == "candidate"
    ]
    assert 20 <= len(logged) <= 50  # what is not surely movable was not asked
    assert len({row["comparison_id"] for row in logged}) == len(logged)
    assert all(row["candidate"]["latency_ms"] > 0 for row in logged if not row["candidate"]["error"])  # type: ignore[index]


@pytest.mark.filterwarnings("ignore")  # of the store's own packages
def test_every_step_is_in_mlflow(finished: tuple[Path, str]) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{finished[0] / 'mlruns' / 'mlflow.db'}")
    purposes = {e.name: e.experiment_id for e in client.search_experiments() if e.name.startswith("zantara ")}
    assert set(purposes) == {"zantara training", "zantara verdicts", "zantara operations"}
    runs = client.search_runs([*purposes.values()])
    (parent,) = [r for r in runs if r.info.run_name == "pipeline"]
    children = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    stages = ["extract", "analyze", "prepare", "gate", "train", "evaluate", "gate", "shadow", "report", "gate"]
    assert sorted(r.data.tags["stage"] for r in children) == sorted(stages)
    names = [r.info.run_name for r in children]
    assert "evaluate tiny" in names
    assert [name for name in names if re.fullmatch(r"go_no_go \d{4}-\d\d-\d\d NO_GO", name)]
    assert max(len(r.data.params) for r in children) < 30  # what is compared, not the whole config
    assert len({name for r in runs for name in (*r.data.params, *r.data.metrics)}) < 130
    assert parent.data.tags["verdict"] == "NO_GO"
    (train,) = [r for r in children if r.data.tags["stage"] == "train"]
    assert re.fullmatch(r"tiny lr=\S+( r\d+)?", train.info.run_name)
    assert train.info.experiment_id == purposes["zantara training"]
    assert "test/loss" in train.data.metrics  # by stage=evaluate
    points = [(p.step, p.value) for p in client.get_metric_history(train.info.run_id, "eval/loss")]
    assert len({step for step, _ in points}) == len(points)
    assert train.inputs.dataset_inputs
    assert len(client.get_metric_history(train.info.run_id, "train/loss")) > 1
    assert {f.path for f in client.list_artifacts(train.info.run_id, "config")} == {
        "config/train-config.yaml",
        "config/train-provenance.json",
    }


def test_a_second_run_reuses_what_has_not_changed(finished: tuple[Path, str]) -> None:
    done = run(finished[0], *SMALL)
    assert done.returncode == 0, done.stderr[-2000:]
    for stage in ("extract", "analyze", "prepare", "train", "evaluate", "shadow"):
        assert f"{stage}: reused run " in done.stdout
    assert "NO_GO" in done.stdout


@pytest.mark.interpreter
def test_the_gate_alone_tells_ci_its_verdict(finished: tuple[Path, str]) -> None:
    done = run(finished[0], *SMALL, "stage=gate")
    assert done.returncode == 3, done.stdout[-2000:] + done.stderr[-2000:]


def test_a_pipeline_that_was_killed_goes_on(finished: tuple[Path, str]) -> None:
    """Every stage, killed anywhere, is the proof of tests/faults; here it is the pipeline that goes on."""
    folder = finished[0]
    other = [*SMALL, "seed=8", "stage.steps=[extract,analyze,prepare]"]
    command = [sys.executable, "-W", "ignore", "-m", "zantara_exp", *other]
    started = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert started.stdout is not None
    for line in started.stdout:
        if line.startswith("[3/3]"):
            break
    os.killpg(started.pid, signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL
    started.stdout.close()
    again = run(folder, *other)
    assert again.returncode == 0, again.stderr[-2000:]
    reused = [stage for stage in ("extract", "analyze", "prepare") if f"{stage}: reused run " in again.stdout]
    assert reused == ["extract", "analyze"]


def test_a_database_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/nowhere")
    monkeypatch.setenv("ZANTARA_HASH_KEY", "k" * 32)
    done = run(tmp_path, "stage=extract", "source=postgres")
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_the_wrong_machine_for_the_big_model_is_told_so(finished: tuple[Path, str]) -> None:
    done = run(finished[0], "stage=train", "model=llama8b", "trainer=unsloth")
    assert done.returncode == 1
    assert "unsloth" in done.stderr
    assert "HF_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr
