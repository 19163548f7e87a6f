"""Runs reach MLflow, and are kept and sent later when it is away."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zantara_exp.config import Config
from zantara_exp.errors import MissingRequirementError
from zantara_exp.layout import Layout
from zantara_exp.tracking import _send, open_run, waiting
from zantara_exp.tracking._journal import Journal
from zantara_exp.tracking._run import send_pending
from zantara_exp.tracking._store import connect, experiment_id, shown

if TYPE_CHECKING:
    from mlflow.entities import Run


def runs(config: Config) -> list[Run]:
    client = connect(config.tracking, Layout(config).mlruns)
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"]))


@pytest.fixture
def config(workdir: Path) -> Config:
    return Config()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.usefixtures("store_of_its_own")
def test_a_store_whose_making_was_cut_short_is_made_anew(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import command

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    mlruns = Layout(config).mlruns
    with monkeypatch.context() as cut:
        cut.setattr(command, "upgrade", full)  # the first tables are there by then
        with pytest.raises(OSError, match="No space left"):
            connect(config.tracking, mlruns)
    assert [path.name for path in mlruns.iterdir()] == [".lock"]
    assert experiment_id(connect(config.tracking, mlruns), config.tracking, mlruns)


def test_a_run_with_a_child(config: Config, workdir: Path) -> None:
    note = workdir / "note.txt"
    note.write_text("hello")
    lines = workdir / "train.jsonl"
    lines.write_text("{}\n{}\n")
    with open_run(config.tracking, Layout(config), "pipeline", {"stage": "pipeline"}) as parent:
        with open_run(config.tracking, Layout(config), "train", {"stage": "train"}, parent) as child:
            child.params({"trainer.learning_rate": 0.1})
            child.metrics({"train/loss": 2.0}, step=1)
            child.metrics({"train/loss": 1.0, "broken": float("nan")}, step=2)
            child.artifact(note, "notes")
            child.dataset(lines, "train", "training")
            child.model(workdir, "tiny", {"eval/loss": 0.5}, step=2)
    first, second = runs(config)
    assert second.data.tags["mlflow.parentRunId"] == first.info.run_id == parent.run_id
    assert second.data.params == {"trainer.learning_rate": "0.1"}
    assert second.data.metrics["train/loss"] == 1.0
    assert second.inputs.dataset_inputs[0].dataset.name == "train"
    assert {run.info.status for run in (first, second)} == {"FINISHED"}
    client = connect(config.tracking, Layout(config).mlruns)
    assert [file.path for file in client.list_artifacts(child.run_id, "notes")] == ["notes/note.txt"]
    assert [point.step for point in client.get_metric_history(child.run_id, "train/loss")] == [1, 2]
    assert [point.step for point in client.get_metric_history(child.run_id, "eval/loss")] == [2]
    assert list(waiting(config.tracking, Layout(config)).iterdir()) == []


def test_a_failed_stage_is_a_failed_run(config: Config) -> None:
    with pytest.raises(RuntimeError), open_run(config.tracking, Layout(config), "train", {}):
        raise RuntimeError("no")
    assert [run.info.status for run in runs(config)] == ["FAILED"]


def test_a_server_that_is_down_loses_nothing(
    config: Config, workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:hunter2@127.0.0.1:{closed_port()}")
    config.tracking.name = "server"
    plot = workdir / "plot.txt"
    plot.write_text("as it was")
    with open_run(config.tracking, Layout(config), "train", {"stage": "train"}) as run:
        run.metrics({"eval/loss": 0.4})
        run.artifact(plot)
    plot.write_text("changed since")
    said = capsys.readouterr().out
    assert "kept" in said
    assert "hunter2" not in said

    kept_for_server = waiting(config.tracking, Layout(config))
    config.tracking.name = "local"
    with open_run(config.tracking, Layout(config), "gate", {"stage": "gate"}):
        pass
    assert [run.info.run_name for run in runs(config)] == ["gate"]  # what is meant for a server is not sent elsewhere
    client = connect(config.tracking, Layout(config).mlruns)
    experiment = experiment_id(client, config.tracking, Layout(config).mlruns)
    assert len(send_pending(client, experiment, kept_for_server)) == 1
    (kept,) = [run for run in runs(config) if run.info.run_name == "train"]
    assert kept.data.metrics == {"eval/loss": 0.4}
    assert kept.info.status == "FINISHED"
    assert (
        Path(client.download_artifacts(kept.info.run_id, "plot.txt", str(workdir / ".zantara"))).read_text()
        == "as it was"
    )


def test_a_killed_run_is_closed_by_the_next(config: Config) -> None:
    pending = waiting(config.tracking, Layout(config))
    with open_run(config.tracking, Layout(config), "gate", {}):
        pass
    journal = Journal.new(pending)
    journal.append({"op": "start", "name": "train", "time": 1, "tags": {}, "parent": None, "parent_run": None})
    journal.append({"op": "metrics", "values": {"train/loss": 3.0}, "step": 1, "time": 1})
    with (journal.folder / "operations.jsonl").open("ab") as file:
        file.write(b'{"op": "metr')  # torn by the kill
    journal.close(delete=False)
    with open_run(config.tracking, Layout(config), "gate", {}):
        pass
    killed = [run for run in runs(config) if run.info.run_name == "train"]
    assert [run.info.status for run in killed] == ["KILLED"]
    assert killed[0].data.metrics == {"train/loss": 3.0}


@pytest.mark.parametrize("sent", [None, "start", "end"])
def test_a_kill_between_mlflow_and_the_journal_doubles_and_changes_no_run(config: Config, sent: str | None) -> None:
    """MLflow has the run, and the journal does not know it yet, or is not gone yet."""
    client = connect(config.tracking, Layout(config).mlruns)
    experiment = experiment_id(client, config.tracking, Layout(config).mlruns)
    start = {"op": "start", "name": "train", "time": 1, "parent": None, "parent_run": None}
    start["tags"] = {"zantara.id": "a1"}
    run_id, end = _send.start(client, experiment, start, None), {"op": "end", "status": "FINISHED", "time": 2}
    journal = Journal.new(waiting(config.tracking, Layout(config)))
    for operation in (start, end):
        journal.append(operation)
    if sent is not None:
        journal.mark_sent(run_id)
    if sent == "end":
        _send.apply(client, run_id, end)
        journal.mark_sent(run_id)
    journal.close(delete=False)
    send_pending(client, experiment, waiting(config.tracking, Layout(config)))
    assert [(run.info.run_id, run.info.status) for run in runs(config)] == [(run_id, "FINISHED")]


def test_a_model_whose_registration_is_sent_again_has_one_version(config: Config, workdir: Path) -> None:
    (workdir / "train.json").write_text("{}")
    client = connect(config.tracking, Layout(config).mlruns)
    with open_run(config.tracking, Layout(config), "publish", {}) as run:
        run.register(workdir, "zantara", "candidate", {"epoch": "e1"})
        again = {"path": str(workdir), "name": "zantara", "alias": "candidate", "tags": {"epoch": "e1"}}
        _send.apply(client, run.run_id, {"op": "register", **again})
    (version,) = client.search_model_versions("name = 'zantara'")
    assert client.get_model_version_by_alias("zantara", "candidate").version == version.version


def test_a_server_must_be_named(config: Config) -> None:
    config.tracking.name = "server"
    with (
        pytest.raises(MissingRequirementError, match="MLFLOW_TRACKING_URI"),
        open_run(config.tracking, Layout(config), "train", {}),
    ):
        pass


def test_a_shown_uri_holds_no_password() -> None:
    assert shown("https://me:secret@host:8443/x") == "https://host:8443"


def test_a_run_recorded_later_is_sent_once_its_outcome_was_shown(
    config: Config, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = workdir / "verdict.json"
    verdict.write_text("as it was shown")
    with open_run(config.tracking, Layout(config), "pipeline", {}) as parent:
        with open_run(config.tracking, Layout(config), "gate", {"stage": "gate"}, parent, later=True) as run:
            known = run.run_id
            run.metrics({"gate/users": 3.0})
            run.artifact(verdict)
            verdict.write_text("by a later look")
            assert [run.info.run_name for run in runs(config)] == ["pipeline"]
        recorded = {run.info.run_name: run for run in runs(config)}["gate"]
        assert recorded.data.tags["mlflow.parentRunId"] == parent.run_id
        assert recorded.data.tags["zantara.id"] == known  # by which a look on record names it
    assert recorded.info.run_id == run.run_id
    assert recorded.info.status == "FINISHED"
    assert recorded.data.metrics == {"gate/users": 3.0}
    client = connect(config.tracking, Layout(config).mlruns)
    kept = Path(client.download_artifacts(run.run_id, "verdict.json", str(workdir / ".zantara")))
    assert kept.read_text() == "as it was shown"
    said = capsys.readouterr().out
    assert f"recorded in MLflow as run {run.run_id[:8]}" in said
    assert "earlier run(s)" not in said
    assert list(waiting(config.tracking, Layout(config)).iterdir()) == []


def test_a_failed_stage_that_is_recorded_later_is_a_failed_run(config: Config) -> None:
    with pytest.raises(RuntimeError), open_run(config.tracking, Layout(config), "gate", {}, later=True):
        raise RuntimeError("no")
    assert [run.info.status for run in runs(config)] == ["FAILED"]


def test_what_cannot_even_be_journaled_is_said_and_loses_no_outcome(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(journal: Journal, operation: dict[str, object]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(journal.folder))

    with open_run(config.tracking, Layout(config), "gate", {}, later=True) as run:
        with monkeypatch.context() as filled:
            filled.setattr(Journal, "append", full)
            run.metrics({"gate/users": 3.0})
        run.tags({"verdict": "GO"})
    said = capsys.readouterr().out
    assert said.count("this run is not recorded in MLflow (No space left on device: ") == 1
    assert "what it found and wrote stands" in said
    with open_run(config.tracking, Layout(config), "gate", {}):
        pass
    assert sorted(run.info.status for run in runs(config)) == ["FINISHED", "KILLED"]  # as much as was written
