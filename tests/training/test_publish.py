"""Only a model whose own training gate said GO becomes the candidate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.support import Remembered, context_for, tiny_config
from zantara_exp.config.schema import Config
from zantara_exp.errors import MissingInputError, ZantaraError
from zantara_exp.layout import Layout
from zantara_exp.stage import StageResult
from zantara_exp.training.export import weights_hash
from zantara_exp.training.publish import publish


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = tiny_config(tmp_path)
    folder = Layout(made).model
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "train.json").write_text(json.dumps({"model": "tiny", "epoch": weights_hash(folder)}))
    return made


def say(config: Config, verdict: str, epoch: str = "") -> None:
    layout = Layout(config)
    layout.reports.mkdir(parents=True, exist_ok=True)
    about = epoch or weights_hash(layout.model)[:12]
    path = layout.reports / "verdict-training.json"
    path.write_text(json.dumps({"verdict": verdict, "epoch": about, "reason": "loss is 0.7"}))


def run(config: Config, folder: Path) -> tuple[StageResult, Remembered]:
    context, record = context_for(config, folder)
    return publish(config, context), record


def test_go_makes_it_the_candidate(config: Config, tmp_path: Path):
    say(config, "GO")
    result, record = run(config, tmp_path)
    assert record.registered == [(Layout(config).model, "zantara-candidate", "candidate")]
    assert "transformers serve" in result.summary["serve it"]
    assert json.loads((Layout(config).model / "publish.json").read_text())["forced"] == "false"


@pytest.mark.parametrize("verdict", ["NO_GO", "INCONCLUSIVE"])
def test_anything_but_go_is_refused(config: Config, tmp_path: Path, verdict: str):
    say(config, verdict)
    with pytest.raises(ZantaraError, match=f"said {verdict}: loss is 0.7") as caught:
        run(config, tmp_path)
    assert "publish.even_without_go=true" in caught.value.hint


def test_no_verdict_is_refused(config: Config, tmp_path: Path):
    with pytest.raises(ZantaraError, match="has not looked at it"):
        run(config, tmp_path)


def test_a_go_about_another_model_is_refused(config: Config, tmp_path: Path):
    say(config, "GO", epoch="0123456789ab")
    with pytest.raises(ZantaraError, match="about another model"):
        run(config, tmp_path)


def test_an_override_is_recorded(config: Config, tmp_path: Path):
    say(config, "NO_GO")
    config.publish.even_without_go = True
    result, _ = run(config, tmp_path)
    assert result.metrics == {"publish/forced": 1.0}
    assert result.tags["forced"] == "true"
    assert (
        json.loads((Layout(config).model / "publish.json").read_text())["why"]
        == "the training gate said NO_GO: loss is 0.7"
    )


def test_nothing_trained_is_an_error(tmp_path: Path):
    with pytest.raises(MissingInputError, match=r"train\.json"):
        run(tiny_config(tmp_path), tmp_path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from inside of MLflow
def test_the_registry_gets_a_version_with_the_alias(config: Config, tmp_path: Path):
    from mlflow.tracking import MlflowClient

    from zantara_exp.tracking import _send

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.create_experiment("e", artifact_location=str(tmp_path / "artifacts"))
    run_id = client.create_run(experiment).info.run_id
    operation = {
        "op": "register",
        "path": "models/x",
        "name": "zantara-candidate",
        "alias": "candidate",
        "tags": {"epoch": "e1"},
    }
    for epoch in ("e1", "e2"):
        _send.apply(client, run_id, operation | {"tags": {"epoch": epoch}})
    found = client.get_model_version_by_alias("zantara-candidate", "candidate")
    assert (int(found.version), found.tags["epoch"], found.run_id) == (2, "e2", run_id)
