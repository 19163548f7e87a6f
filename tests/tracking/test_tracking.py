"""Runs reach MLflow, and are kept and sent later when it is away."""

from __future__ import annotations

import errno
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.config import Config
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import ModelNotes
from zantara_exp.tracking import AFTERWARDS, About, _send, _sweep, erase_artifacts, of_run, open_run, reachable, waiting
from zantara_exp.tracking._journal import Journal
from zantara_exp.tracking._names import taken
from zantara_exp.tracking._run import send_pending
from zantara_exp.tracking._store import Experiments, connect, shown

if TYPE_CHECKING:
    from mlflow.entities import Run


def runs(config: Config) -> list[Run]:
    client = connect(config.tracking, Layout(config).mlruns)
    experiment = client.get_experiment_by_name(f"{config.tracking.experiment} operations")
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
    assert Experiments(connect(config.tracking, mlruns), config.tracking, mlruns).of("training")


def test_a_run_with_a_child(config: Config, workdir: Path) -> None:
    note = workdir / "note.txt"
    note.write_text("hello")
    lines = workdir / "train.jsonl"
    lines.write_text("{}\n{}\n")
    with open_run(config.tracking, Layout(config), About("pipeline", {"stage": "pipeline"})) as parent:
        with open_run(config.tracking, Layout(config), About("train", {"stage": "train"}), parent) as child:
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
    with pytest.raises(RuntimeError), open_run(config.tracking, Layout(config), About("train")):
        raise RuntimeError("no")
    assert [run.info.status for run in runs(config)] == ["FAILED"]


def test_a_server_that_is_down_loses_nothing(
    config: Config, workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:hunter2@127.0.0.1:{closed_port()}")
    config.tracking.name = "server"
    plot = workdir / "plot.txt"
    plot.write_text("as it was")
    with open_run(config.tracking, Layout(config), About("train", {"stage": "train"})) as run:
        run.metrics({"eval/loss": 0.4})
        run.artifact(plot)
    plot.write_text("changed since")
    said = capsys.readouterr().out
    assert "kept" in said
    assert "hunter2" not in said

    kept_for_server = waiting(config.tracking, Layout(config))
    config.tracking.name = "local"
    with open_run(config.tracking, Layout(config), About("gate", {"stage": "gate"})):
        pass
    assert [run.info.run_name for run in runs(config)] == ["gate"]  # what is meant for a server is not sent elsewhere
    client = connect(config.tracking, Layout(config).mlruns)
    experiments = Experiments(client, config.tracking, Layout(config).mlruns)
    assert len(send_pending(client, experiments, kept_for_server)) == 1
    (kept,) = [run for run in runs(config) if run.info.run_name == "train"]
    assert kept.data.metrics == {"eval/loss": 0.4}
    assert kept.info.status == "FINISHED"
    assert (
        Path(client.download_artifacts(kept.info.run_id, "plot.txt", str(workdir / ".zantara"))).read_text()
        == "as it was"
    )


def test_a_killed_run_is_closed_by_the_next(config: Config) -> None:
    pending = waiting(config.tracking, Layout(config))
    with open_run(config.tracking, Layout(config), About("gate")):
        pass
    journal = Journal.new(pending)
    journal.append({"op": "start", "name": "train", "time": 1, "tags": {}, "parent": None, "parent_run": None})
    journal.append({"op": "metrics", "values": {"train/loss": 3.0}, "step": 1, "time": 1})
    with (journal.folder / "operations.jsonl").open("ab") as file:
        file.write(b'{"op": "metr')  # torn by the kill
    journal.close(delete=False)
    with open_run(config.tracking, Layout(config), About("gate")):
        pass
    killed = [run for run in runs(config) if run.info.run_name == "train"]
    assert [run.info.status for run in killed] == ["KILLED"]
    assert killed[0].data.metrics == {"train/loss": 3.0}


@pytest.mark.parametrize("sent", [None, "start", "end"])
def test_a_kill_between_mlflow_and_the_journal_doubles_and_changes_no_run(config: Config, sent: str | None) -> None:
    """MLflow has the run, and the journal does not know it yet, or is not gone yet."""
    client = connect(config.tracking, Layout(config).mlruns)
    experiments = Experiments(client, config.tracking, Layout(config).mlruns)
    start = {"op": "start", "name": "train", "time": 1, "parent": None, "parent_run": None}
    start["tags"] = {"zantara.id": "a1"}
    run_id, end = _send.start(client, experiments, start, None), {"op": "end", "status": "FINISHED", "time": 2}
    journal = Journal.new(waiting(config.tracking, Layout(config)))
    for operation in (start, end):
        journal.append(operation)
    if sent is not None:
        journal.mark_sent(run_id)
    if sent == "end":
        _send.apply(client, run_id, end)
        journal.mark_sent(run_id)
    journal.close(delete=False)
    send_pending(client, experiments, waiting(config.tracking, Layout(config)))
    assert [(run.info.run_id, run.info.status) for run in runs(config)] == [(run_id, "FINISHED")]


def test_a_model_whose_registration_is_sent_again_has_one_version(config: Config, workdir: Path) -> None:
    (workdir / "train.json").write_text("{}")
    client = connect(config.tracking, Layout(config).mlruns)
    with open_run(config.tracking, Layout(config), About("publish")) as run:
        run.register(workdir, "zantara", "candidate", {"epoch": "e1"}, ModelNotes("# a card", {"test/loss": 0.5}))
        again = {"path": str(workdir), "name": "zantara", "alias": "candidate", "tags": {"epoch": "e1"}}
        _send.apply(client, run.run_id, {"op": "register", **again})
    (version,) = client.search_model_versions("name = 'zantara'")
    assert client.get_model_version_by_alias("zantara", "candidate").version == version.version
    assert version.description == "# a card"
    model = client.get_logged_model(re.search(r"m-\w+", version.source)[0])
    assert [(m.key, m.value) for m in model.metrics] == [("test/loss", 0.5)]


def test_a_server_must_be_named(config: Config) -> None:
    config.tracking.name = "server"
    with (
        pytest.raises(MissingRequirementError, match="MLFLOW_TRACKING_URI"),
        open_run(config.tracking, Layout(config), About("train")),
    ):
        pass


def test_a_shown_uri_holds_no_password() -> None:
    assert shown("https://me:secret@host:8443/x") == "https://host:8443"


def test_a_run_recorded_later_is_sent_once_its_outcome_was_shown(
    config: Config, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = workdir / "verdict.json"
    verdict.write_text("as it was shown")
    with open_run(config.tracking, Layout(config), About("pipeline")) as parent:
        with open_run(
            config.tracking, Layout(config), About("gate", {"stage": "gate"}), parent, sent=AFTERWARDS
        ) as run:
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
    with pytest.raises(RuntimeError), open_run(config.tracking, Layout(config), About("gate"), sent=AFTERWARDS):
        raise RuntimeError("no")
    assert [run.info.status for run in runs(config)] == ["FAILED"]


def test_what_cannot_even_be_journaled_is_said_and_loses_no_outcome(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(journal: Journal, operation: dict[str, object]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(journal.folder))

    with open_run(config.tracking, Layout(config), About("gate"), sent=AFTERWARDS) as run:
        with monkeypatch.context() as filled:
            filled.setattr(Journal, "append", full)
            run.metrics({"gate/users": 3.0})
        run.tags({"verdict": "GO"})
    said = capsys.readouterr().out
    assert said.count("this run is not recorded in MLflow (No space left on device: ") == 1
    assert "what it found and wrote stands" in said
    with open_run(config.tracking, Layout(config), About("gate")):
        pass
    assert sorted(run.info.status for run in runs(config)) == ["FINISHED", "KILLED"]  # as much as was written


def test_a_name_that_mlflow_refuses_costs_no_run_its_record(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    odd = "prices.claude-3-5-haiku@20241022.input"
    with open_run(config.tracking, Layout(config), About("report")) as run:
        run.params({odd: 0.8, "plain": 1})
        run.metrics({"gate/success @ 98%/lower": 0.97, "gate/success _ 98_/lower": 0.5, "../x//.": 1.0})
        run.tags({f"decision.{'é' * 300}": "PASS"})
    (found,) = runs(config)
    assert found.data.params == {"prices.claude-3-5-haiku_20241022.input": "0.8", "plain": "1"}
    assert found.data.metrics == {
        "gate/success _ 98_/lower": 0.5, "gate/success _ 98_/lower 2": 0.97, "__/x/_": 1.0,
    }  # fmt: skip
    assert len(next(tag for tag in found.data.tags if tag.startswith("decision."))) == 250
    assert f"no name such as '{odd}'" in capsys.readouterr().out


@given(st.dictionaries(st.text(min_size=1, max_size=300), st.integers(), max_size=6))
def test_every_name_is_one_that_mlflow_takes_and_no_value_is_lost(values: dict[str, int]) -> None:
    from mlflow.utils.validation import _validate_metric_name

    found, changed = taken(values)
    assert sorted(found.values()) == sorted(values.values())
    for name in found:
        _validate_metric_name(name)
        assert len(name) <= 250
    assert {name: values[name] for name in values if name not in changed}.items() <= found.items()


def test_a_value_that_mlflow_refuses_costs_no_run_its_record(
    config: Config, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_run(config.tracking, Layout(config), About("x" * 300)) as run:
        run.params({"model": "a"})
        run.params({"model": "b", "lr": "1\x00\ud800", "long": "y" * 9000})  # what is said of a run stays
        run.tags({"note": "line\n" * 3000, "verdict": "GO"})
        run.model(workdir, "zantara-llama-3.1-8b-v2", {"odd @ 3": 1.0})
    (found,) = runs(config)
    assert found.data.params == {"model": "a", "lr": "1?", "long": "y" * 497 + "..."}
    assert found.data.tags["verdict"] == "GO"
    assert found.data.tags["note"].endswith("line\n\n(cut here: MLflow takes no more)")
    assert found.outputs.model_outputs
    assert found.data.metrics == {"odd _ 3": 1.0}
    said = capsys.readouterr().out
    assert "MLflow refused model of run" in said
    assert "the rest is recorded" in said


def test_what_is_measured_later_reaches_the_versions_of_a_model(config: Config, workdir: Path) -> None:
    with open_run(config.tracking, Layout(config), About("publish")) as run:
        run.register(workdir, "zantara 3.1", "candidate", {"epoch": "e1"}, ModelNotes("as trained", {}))
        run.register(workdir, "another", "candidate", {"epoch": "e2"}, ModelNotes("of others", {}))
    with open_run(config.tracking, Layout(config), About("evaluate")) as run:
        run.evaluated("e1", ModelNotes("as evaluated\n" * 1000, {"test/loss": 0.5}))
    client = connect(config.tracking, Layout(config).mlruns)
    version, other = (client.get_model_version_by_alias(name, "candidate") for name in ("zantara 3.1", "another"))
    assert version.description.startswith("as evaluated")
    assert len(version.description) <= 5000
    assert other.description == "of others"
    model = client.get_logged_model(re.search(r"m-\w+", version.source)[0])
    assert [(m.key, m.value) for m in model.metrics] == [("test/loss", 0.5)]


def test_a_store_of_a_version_with_one_experiment_goes_on(config: Config, workdir: Path) -> None:
    layout = Layout(config)
    client = connect(config.tracking, layout.mlruns)
    old = client.create_experiment("zantara", artifact_location=(layout.mlruns / "artifacts").as_uri())
    before = client.create_run(old, run_name="train", tags={"stage": "train", "zantara.id": "0a1b2c3d"}).info.run_id
    (workdir / "page.html").write_text("Made")
    client.log_artifact(before, str(workdir / "page.html"))
    journal = Journal.new(waiting(config.tracking, layout))  # of that version: it names no purpose
    journal.append({"op": "start", "name": "gate", "time": 1, "tags": {}, "parent": None, "parent_run": None})
    journal.close(delete=False)
    with open_run(config.tracking, layout, About("evaluate")) as run:
        for named in (before, "0a1b2c3d"):
            run.elsewhere(named, {f"test/{named[:2]}": 0.5})
    assert [run.info.run_name for run in runs(config)] == ["gate", "evaluate"]
    assert set(client.get_run(before).data.metrics) == {f"test/{before[:2]}", "test/0a"}
    assert reachable(config.tracking, layout) == ""
    assert erase_artifacts(config.tracking, layout, (".html",), lambda _: True, dry=False).total() == 1


def test_numbers_of_another_run(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    with open_run(config.tracking, Layout(config), About("train", purpose="training"), sent=AFTERWARDS) as train:
        ours = train.run_id
    with open_run(config.tracking, Layout(config), About("evaluate")) as run:
        for named in (train.run_id, ours, "0" * 32):
            run.elsewhere(named, {f"test/of_{named[:3]}": 0.5})
    found = connect(config.tracking, Layout(config).mlruns).get_run(train.run_id)
    assert set(found.data.metrics) == {f"test/of_{train.run_id[:3]}", f"test/of_{ours[:3]}"}
    assert "MLflow has no run 00000000" in capsys.readouterr().out


def test_a_sweep_that_names_no_key_ends_as_well(config: Config, workdir: Path) -> None:
    with open_run(config.tracking, Layout(config), About("one", sweep=of_run(workdir / "sweep" / "0", "forget", {}))):
        pass
    assert {run.info.run_name: run.info.status for run in runs(config)} == {
        "sweep of forget": "FINISHED",
        "one": "FINISHED",
    }


def test_a_run_that_ends_while_its_sweep_is_told_is_told_too(
    config: Config, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workdir / "sweep").mkdir()
    client = connect(config.tracking, Layout(config).mlruns)
    sweeps = [of_run(workdir / "sweep" / rate, "train", {"trainer.learning_rate": rate}) for rate in ("1", "2")]
    drawn, write = [], _sweep._write

    def the_other_ends_meanwhile(*given: Any) -> None:
        if not drawn:
            found = {run.info.run_name: run.info.run_id for run in runs(config)}
            client.set_terminated(found["two"])
        drawn.append(1)
        write(*given)

    with open_run(config.tracking, Layout(config), About("two", sweep=sweeps[1])):
        with monkeypatch.context() as patched:
            patched.setattr(_sweep, "_write", the_other_ends_meanwhile)
            with open_run(config.tracking, Layout(config), About("one", sweep=sweeps[0])):
                pass
        (over,) = [run for run in runs(config) if run.info.run_name == "sweep of learning_rate"]
        assert over.info.status == "FINISHED"


def test_a_sweep_is_a_run_over_its_runs(config: Config, workdir: Path) -> None:
    (workdir / "sweep").mkdir()
    for number, rate in ((1, "3e-4"), (0, "1e-4")):  # in any order
        sweep = of_run(workdir / "sweep" / str(number), "train", {"trainer.learning_rate": rate})
        with open_run(config.tracking, Layout(config), About(f"tiny lr={rate}", sweep=sweep)) as run:
            run.metrics({"eval/loss": 1.0 - number / 2, "test/loss": 2.0})
    found = {run.info.run_name: run for run in runs(config)}
    over = found["sweep of learning_rate"]
    children = [found[f"tiny lr={rate}"] for rate in ("1e-4", "3e-4")]
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {over.info.run_id}
    assert over.info.status == "FINISHED"
    assert over.data.metrics == {}  # or it would stand among its runs in every chart
    assert over.data.tags["mlflow.note.content"].replace("\u2003", "").splitlines() == [
        "The lowest eval/loss of 2 runs is 0.5: learning_rate=3e-4.",
        "",
        "| learning_rate | eval loss | test loss |",
        "| --- | --- | --- |",
        "| 1e-4 | 1 | 2 |",
        "| 3e-4 | 0.5 | 2 |",
    ]
    client = connect(config.tracking, Layout(config).mlruns)
    assert [file.path for file in client.list_artifacts(over.info.run_id)] == ["sweep.png"]
