"""A stage is reused only when nothing it depends on has changed; its record says where it came from."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.hydra import Hydra

from zantara_exp.cli.dispatch import swept_in
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import CONF, Config, compose
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.reuse import Fingerprint, Records, file_digest
from zantara_exp.core.stage import SWEPT, Context, StageResult
from zantara_exp.core.stage_table import STAGES, StageSpec


def copy_stage(config: Config, context: Context) -> StageResult:
    """Copies its input; counts how often it ran."""
    source, target = context.layout.train, context.layout.val
    target.write_text(source.read_text())
    ran = context.layout.dataset / "ran.txt"
    ran.write_text(ran.read_text() + "x" if ran.exists() else "x")
    return StageResult({"rows": str(len(source.read_text()))}, next_command=command("stage=train"))


@pytest.fixture
def stage(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A stage `prepare` that copies train.jsonl to val.jsonl."""
    spec = StageSpec("stage:none", ("dataset", "seed"), lambda at: [at.train], lambda at: [at.val])
    monkeypatch.setitem(STAGES, "extract", StageSpec("stage:none", (), outputs=lambda at: [at.train]))
    monkeypatch.setattr(StageSpec, "load", lambda self: copy_stage)
    monkeypatch.setitem(STAGES, "prepare", spec)
    layout = Layout(Config())
    layout.dataset.mkdir(parents=True)
    layout.train.write_text("one\n")
    return layout


def times_run(layout: Layout) -> int:
    return len((layout.dataset / "ran.txt").read_text())


def test_an_unchanged_stage_is_reused_and_says_why(stage: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_overrides(["stage=prepare"]) == 0
    assert "rows" in capsys.readouterr().out
    assert run_overrides(["stage=prepare"]) == 0
    assert "prepare: reused run " in capsys.readouterr().out
    assert times_run(stage) == 1


@pytest.mark.parametrize("change", ["input", "output", "config", "force"])
def test_a_change_runs_it_anew(stage: Layout, change: str) -> None:
    assert run_overrides(["stage=prepare"]) == 0
    overrides = ["stage=prepare"]
    if change == "input":
        stage.train.write_text("two\n")
    elif change == "output":
        stage.val.write_text("edited by hand\n")
    else:
        overrides.append("seed=8" if change == "config" else "force=true")
    assert run_overrides(overrides) == 0
    assert times_run(stage) == 2


def test_other_config_does_not_matter(stage: Layout) -> None:
    assert run_overrides(["stage=prepare"]) == 0
    assert run_overrides(["stage=prepare", "trainer.learning_rate=0.1"]) == 0
    assert times_run(stage) == 1


def test_a_missing_input_names_the_stage_that_writes_it(stage: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    stage.train.unlink()
    assert run_overrides(["stage=prepare"]) == 1
    error = capsys.readouterr().err
    assert "train.jsonl is not there; stage=extract writes it" in error
    assert "next: python -m zantara_exp stage=extract" in error
    assert "Traceback" not in error


def test_the_record_says_where_the_run_came_from(stage: Layout, workdir: Path) -> None:
    assert run_overrides(["stage=prepare"]) == 0
    (origin,) = workdir.glob("outputs/**/prepare-provenance.json")
    record = json.loads(origin.read_text())
    assert record["inputs"] == {"data/llama_ft_dataset/train.jsonl": file_digest(stage.train)}
    assert record["seed"] == 7
    assert record["packages"]["hydra-core"]


def test_secrets_stay_in_the_environment(
    stage: Layout, workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNPOD_API_KEY", "canary-7f31")
    assert run_overrides(["stage=prepare", "dataset.license='${oc.env:RUNPOD_API_KEY}'"]) == 0
    out = capsys.readouterr()
    assert "canary-7f31" not in out.out + out.err
    written = [p for p in workdir.rglob("*") if p.is_file()]
    assert written
    assert not [p for p in written if b"canary-7f31" in p.read_bytes()]


def test_two_writers_of_the_same_files(stage: Layout) -> None:
    records = Records("prepare", STAGES["prepare"], stage)
    with records.only_one(), pytest.raises(ZantaraError, match="another run is writing"):
        with Records("prepare", STAGES["prepare"], stage).only_one():
            pass
    with records.only_one():
        pass


def test_runs_of_one_sweep_wait_for_one_another(stage: Layout) -> None:
    ended: list[str] = []

    def another() -> None:
        with Records("prepare", STAGES["prepare"], stage).only_one(wait=True):
            ended.append("another")

    waiting = threading.Thread(target=another)
    with Records("prepare", STAGES["prepare"], stage).only_one(wait=True):
        waiting.start()
        waiting.join(0.1)
        ended.append("first")
    waiting.join()
    assert ended == ["first", "another"]


def test_a_stage_that_writes_nothing_has_failed(stage: Layout) -> None:
    config = compose([])
    records = Records("prepare", STAGES["prepare"], stage)
    fingerprint = Fingerprint.of(STAGES["prepare"], config, stage)
    with pytest.raises(ZantaraError, match="without writing"):
        records.write(fingerprint, "1", StageResult({}))


def test_missing_inputs_raise(stage: Layout) -> None:
    stage.train.unlink()
    with pytest.raises(MissingInputError):
        Fingerprint.of(STAGES["prepare"], compose([]), stage)


@pytest.mark.interpreter
def test_every_stage_loads_without_heavy_packages() -> None:
    heavy = [
        "torch",
        "transformers",
        "datasets",
        "mlflow",
        "scipy.stats",
        "pandas",
        "duckdb",
        "ibis",
        "matplotlib",
        "psycopg",
    ]
    code = (
        "import sys; from zantara_exp.core.stage_table import STAGES; "
        "print({name: [m for m in " + repr(heavy) + " if m in sys.modules] for name in STAGES if STAGES[name].load()})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    brought = ast.literal_eval(done.stdout)
    assert set(brought) == set(STAGES)
    assert {name: packages for name, packages in brought.items() if packages} == {}


@pytest.mark.interpreter
def test_help_is_quick_and_light() -> None:
    code = (
        "import atexit, sys\n"
        "heavy = ('torch', 'mlflow', 'transformers', 'numpy', 'datasets')\n"
        "atexit.register(lambda: print([m for m in heavy if m in sys.modules]))\n"
        "from zantara_exp.cli.main import run_overrides\n"
        "run_overrides(['--help'])"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    assert "train      Fine-tune" in done.stdout
    assert time.perf_counter() - began < 20  # it must not hang; how quick it is, scripts/bench says


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("stage.name=trian", "stage.name=trian: no such stage; did you mean train?"),
        ("stage.steps=[extract,trian]", "stage.steps: trian: no such step; did you mean train?"),
        ("stage.steps=['train=week1']", "stage.steps: train=week1: no such step"),
        ("stage.steps=['gate=wek1']", "gate=wek1: no such gate in conf/ or --config-dir; did you mean week1?"),
        ("stage.steps=[]", "names no stage"),
        ("stage.stop_at=[trainin]", "stage.stop_at: trainin: no such gate; did you mean training?"),
    ],
)
def test_a_step_that_is_none(override: str, words: str, workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_overrides([override]) == 2
    assert words in capsys.readouterr().err
    assert not (workdir / "mlruns").exists()  # said before anything ran


def test_what_the_training_gate_refuses_meets_no_traffic(
    stage: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(config: Config, context: Context) -> StageResult:
        return StageResult({"why": "the loss"}, tags={"verdict": "NO_GO", "gate": config.gate.name}, status=3)

    monkeypatch.setattr(StageSpec, "load", lambda self: refuses if self is STAGES["gate"] else copy_stage)
    steps = "stage.steps=['gate=dataset','gate=training',prepare]"
    assert run_overrides([steps]) == 3
    said = capsys.readouterr().out
    assert "stopped before prepare: gate=training says NO_GO: the loss" in said
    assert "not run" in said
    assert "'stage.stop_at=[]'" in said
    assert not (stage.dataset / "ran.txt").exists()
    assert run_overrides([steps, "stage.stop_at=[]"]) == 0
    assert times_run(stage) == 1


def test_a_gate_step_is_checked_like_any_gate(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = workdir / "own" / "gate"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(
        "name: mine\ncriteria:\n  success: {metric: success_rate, kind: proportion, go: {above: 1.7}, alpha: 3}\n"
    )
    assert run_overrides(["--config-dir", str(workdir / "own"), "stage.steps=[extract,'gate=mine']"]) == 2
    error = capsys.readouterr().err
    assert "alpha" in error
    assert "mine.yaml" in error


def test_every_input_of_a_stage_is_written_by_another(workdir: Path) -> None:
    layout = Layout(Config())
    written = {path for spec in STAGES.values() for path in spec.outputs(layout)}
    assert {path for spec in STAGES.values() for path in spec.inputs(layout)} <= written


def test_the_next_command_keeps_the_folder_of_ones_own(
    stage: Layout, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workdir / "own" / "experiment").mkdir(parents=True)
    (workdir / "own" / "experiment" / "ours.yaml").write_text("# @package _global_\nseed: 11\n")
    assert run_overrides(["--config-dir", "own", "experiment=ours", "stage=prepare", "report.stats_only=true"]) == 0
    command = "next: python -m zantara_exp stage=train --config-dir=own experiment=ours\n"
    assert command in capsys.readouterr().out


@pytest.mark.parametrize(("folder", "words"), [("note.txt", "is a file"), ("note.txt/x", "lies in note.txt, which is")])
def test_a_path_that_is_a_file(folder: str, words: str, workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workdir / "note.txt").write_text("")
    assert run_overrides(["stage=extract", f"paths.dataset={folder}"]) == 1
    error = capsys.readouterr().err
    assert f"paths.dataset={folder}: {words}" in error
    assert "next: " in error


def test_the_config_is_composed_once(
    workdir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    composed: list[str | None] = []
    whole = Hydra.compose_config

    def counted(self: Hydra, config_name: str | None, *rest: Any, **more: Any) -> Any:
        composed.append(config_name)
        return whole(self, config_name, *rest, **more)

    monkeypatch.setattr(Hydra, "compose_config", counted)
    assert run_overrides(["stage=gate", "gate=dataset"]) == 4
    assert composed == ["config"]


def test_a_sweep_names_no_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWEPT, "privacy.users seed")
    assert swept_in(["privacy.users=[13e438ce51921d7c]", "seed=2"]) == {"seed": "2"}


def test_a_folder_of_ones_own_may_ask_for_a_sweep(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workdir / "own" / "experiment").mkdir(parents=True)
    swept = "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}\n"
    (workdir / "own" / "experiment" / "swept.yaml").write_text(swept)
    assert run_overrides(["--config-dir=own", "experiment=swept", "stage=gate", "gate=dataset"]) == 4
    sweeps = workdir / "outputs" / "sweeps"
    found = [path.relative_to(sweeps) for path in sweeps.rglob("gate-config.yaml")]
    assert len(found) == 2
    assert all(re.search(r"-\d{6}$", path.parts[1]) for path in found)  # two of one second share no folder


def test_no_shipped_file_sets_hydras_mode() -> None:
    assert [path for path in CONF.rglob("*.yaml") if re.search(r"^\s*mode:", path.read_text(), re.MULTILINE)] == []


TWO = "+endpoints={v2: {use: openai, base_url: 'http://there', model: other}}"


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        (["stage=certify", "rollout.candidate=v2"], "other"),
        (["stage=judge", "judge.of=moved", "rollout.candidate=v2"], "other"),
        (["stage=judge", "rollout.candidate=v2"], "first"),
        (["stage=rollout", "rollout.candidate=v2"], "other"),
        (["stage=rollout", "candidate=v2"], "other"),
        (["stage=rollout"], "first"),
    ],
)
def test_what_is_about_a_rollout_takes_the_candidate_that_is_moved_to(
    words: list[str], taken: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = []

    def told(config: Config, context: Context) -> StageResult:
        models.append(config.endpoint.model)
        return StageResult({})

    name = words[0].partition("=")[2]
    monkeypatch.setitem(STAGES, name, replace(STAGES[name], inputs=lambda at: [], outputs=lambda at: []))
    monkeypatch.setattr(StageSpec, "load", lambda self: told)
    assert run_overrides([*words, "endpoint=runpod", "endpoint.model=first", TWO]) == 0
    assert models == [taken]


def test_two_names_for_the_candidate_that_is_moved_to_are_refused(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stage=rollout", "rollout.action=start", "candidate=v2", "rollout.candidate=runpod"]
    assert run_overrides([*words, "endpoint=runpod", TWO]) == 2
    assert "candidate=v2: is not rollout.candidate=runpod, which users are moved to" in capsys.readouterr().err
