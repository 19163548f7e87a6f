"""Only a model whose own training gate said GO becomes the candidate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endpoints.servers import answering, raw_server, response
from tests.training import hub
from tests.training.hub import Hub
from tests.training.support import Remembered, context_for, tiny_config
from zantara_exp.config import compose
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ConfigError, MissingInputError, MissingRequirementError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import StageResult
from zantara_exp.gates.files import gate_named
from zantara_exp.gates.identity import gate_hash
from zantara_exp.training import candidate
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


def say(config: Config, verdict: str, epoch: str = "", gate: str = "") -> None:
    layout = Layout(config)
    layout.reports.mkdir(parents=True, exist_ok=True)
    about = epoch or weights_hash(layout.model)[:12]
    gate = gate or gate_hash(gate_named("training", config))
    path = layout.reports / "verdict-training.json"
    path.write_text(json.dumps({"verdict": verdict, "epoch": about, "reason": "loss is 0.7", "gate_hash": gate}))


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


def test_the_gate_that_publishing_asks_is_a_choice(config: Config, tmp_path: Path):
    say(config, "NO_GO")
    config.publish.gate = "training_judged"
    with pytest.raises(ZantaraError, match="has not looked at it") as caught:
        run(config, tmp_path)
    assert "gate=training_judged" in caught.value.hint
    said = {
        "gate": "training_judged",
        "verdict": "GO",
        "epoch": weights_hash(Layout(config).model)[:12],
        "reason": "all pass",
    }
    said["gate_hash"] = gate_hash(gate_named("training_judged", config))
    (Layout(config).reports / "verdict-training_judged.json").write_text(json.dumps(said))
    result, _ = run(config, tmp_path)
    assert result.summary["training gate"] == "GO"
    card = (Layout(config).model / "README.md").read_text()
    assert "NO_GO. loss is 0.7" in card
    assert "`training_judged`: GO. all pass" in card


def test_no_verdict_is_refused(config: Config, tmp_path: Path):
    with pytest.raises(ZantaraError, match="has not looked at it"):
        run(config, tmp_path)


def test_a_go_about_another_model_is_refused(config: Config, tmp_path: Path):
    say(config, "GO", epoch="0123456789ab")
    with pytest.raises(ZantaraError, match="about another model"):
        run(config, tmp_path)


def test_a_verdict_without_evidence_is_told_as_it_is(config: Config, tmp_path: Path):
    say(config, "INCONCLUSIVE")
    path = Layout(config).reports / "verdict-training.json"
    path.write_text(json.dumps({"verdict": "INCONCLUSIVE", "epoch": "", "reason": "no evidence on loss"}))
    with pytest.raises(ZantaraError, match="said INCONCLUSIVE: no evidence on loss"):
        run(config, tmp_path)
    path.write_text(json.dumps({"verdict": "GO", "epoch": ""}))
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


@pytest.fixture
def published(config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Config, Hub]]:
    """A model with a GO, a name on the hub, and a token that may write there."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # the stub speaks the older protocol
    say(config, "GO")
    folder = Layout(config).model
    for name in ("config.json", "tokenizer.json", "README.md", "evaluation.jsonl", "evaluation.json", "optimizer.pt"):
        (folder / name).write_text("{}")
    (folder / "adapter").mkdir()
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"adapter")
    (folder / "train.json").write_text(json.dumps({"model": "tiny", "epoch": weights_hash(folder)}))
    say(config, "GO")
    config.publish.name, config.model.hub_name = "huggingface", "balizero/zantara-tiny"
    with hub.stub() as stub:
        config.publish.hub_url = stub.url
        monkeypatch.setenv("HF_TOKEN", stub.token)
        yield config, stub


@pytest.mark.filterwarnings("ignore:Use .content=:DeprecationWarning")  # inside of huggingface_hub
def test_the_hub_gets_the_model_and_no_chat(published, tmp_path: Path):
    config, stub = published
    result, record = run(config, tmp_path)
    assert stub.repositories == {"balizero/zantara-tiny": True}
    assert set(stub.files) == {
        "model.safetensors", "config.json", "tokenizer.json", "README.md", "adapter/adapter_model.safetensors",
    }  # fmt: skip
    assert stub.files["model.safetensors"] == b"weights"
    assert (result.summary["commit"], result.tags["published"]) == ("abc123", "huggingface")
    assert record.registered
    assert "endpoint=candidate" in result.next_command


@pytest.mark.filterwarnings("ignore:Use .content=:DeprecationWarning")  # inside of huggingface_hub
def test_nothing_of_an_earlier_model_is_left_beside_the_new_one(published, tmp_path: Path):
    config, stub = published
    old = ["model-00001-of-00002.safetensors", "model.safetensors.index.json", "adapter/adapter_config.json"]
    stub.repositories["balizero/zantara-tiny"] = True
    stub.files = dict.fromkeys([*old, ".gitattributes", "notes.md"], b"old")
    run(config, tmp_path)
    assert not set(old) & set(stub.files)
    assert {"model.safetensors", ".gitattributes", "notes.md"} <= set(stub.files)


def test_a_dry_run_of_the_hub_asks_nobody(published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config, stub = published
    config.publish.dry_run = True
    monkeypatch.delenv("HF_TOKEN")
    result, record = run(config, tmp_path)
    assert (stub.requests, record.registered) == ([], [])
    assert "model.safetensors" in result.summary["would upload"]
    assert "evaluation" not in result.summary["would upload"]
    assert result.summary["to"] == "balizero/zantara-tiny (private)"
    assert not (Layout(config).model / "publish.json").exists()


def test_a_token_that_may_not_write_is_one_message_without_it(published, tmp_path: Path, monkeypatch):
    config, _ = published
    monkeypatch.setenv("HF_TOKEN", "hf_wrong_secret")
    with pytest.raises(ZantaraError, match=r"refused balizero/zantara-tiny \(HTTP 401\)") as caught:
        run(config, tmp_path)
    assert "hf_wrong_secret" not in str(caught.value)


def test_without_a_token_the_variable_is_named(published, tmp_path: Path, monkeypatch):
    config, _ = published
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(MissingRequirementError, match="token that may write") as caught:
        run(config, tmp_path)
    assert "HF_TOKEN" in caught.value.hint


def test_a_private_model_does_not_end_up_in_a_public_repository(published, tmp_path: Path):
    config, stub = published
    stub.repositories["balizero/zantara-tiny"] = False
    with pytest.raises(ZantaraError, match="is public on the model hub"):
        run(config, tmp_path)
    assert stub.files == {}


def test_a_hub_that_is_away_is_one_message(published, tmp_path: Path):
    config, _ = published
    config.publish.hub_url = "http://127.0.0.1:9"
    with pytest.raises(ZantaraError, match="cannot be reached"):
        run(config, tmp_path)


@pytest.mark.parametrize("way", ["huggingface", "runpod"])
def test_a_name_on_the_hub_is_needed(config: Config, tmp_path: Path, way: str):
    say(config, "GO")
    config.publish.name = way
    with pytest.raises(ConfigError, match=r"model\.hub_name is not set"):
        run(config, tmp_path)


@pytest.fixture
def serverless(config: Config) -> Config:
    say(config, "GO")
    config.publish.name, config.model.hub_name = "runpod", "balizero/zantara-tiny"
    return config


def test_runpod_is_told_what_to_run_and_nothing_is_asked_without_a_key(serverless: Config, tmp_path: Path):
    result, _ = run(serverless, tmp_path)
    told = json.loads((Layout(serverless).model / "runpod.json").read_text())
    assert told["template"]["env"]["MODEL_NAME"] == "balizero/zantara-tiny"
    assert told["endpoint"]["workersMin"] == 0
    assert set(told["environment"]) == {"RUNPOD_ENDPOINT", "RUNPOD_API_KEY"}
    assert result.summary["tried"].startswith("not yet: RUNPOD_ENDPOINT and RUNPOD_API_KEY not set")


def test_runpod_is_tried_when_its_key_is_there(serverless: Config, tmp_path: Path, monkeypatch):
    asked = []
    output = {"choices": [{"message": {"content": "Ciao!"}}], "usage": {"completion_tokens": 3}}
    body = json.dumps({"id": "j1", "status": "COMPLETED", "output": output}).encode()

    async def handler(request: bytes, writer) -> None:
        asked.append(request)
        writer.write(response(body))

    monkeypatch.setenv("RUNPOD_API_KEY", "rp_secret")
    with raw_server(handler) as url:
        monkeypatch.setenv("RUNPOD_ENDPOINT", url)
        result, _ = run(serverless, tmp_path)
    assert len(asked) == 1
    assert b"Bearer rp_secret" in asked[0]
    assert "3 tokens" in result.summary["tried"]
    assert "rp_secret" not in (Layout(serverless).model / "runpod.json").read_text()


def test_a_runpod_endpoint_that_fails_is_not_published(serverless: Config, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", "rp_secret")
    with raw_server(answering(response(b'{"id": "j1", "status": "FAILED", "error": "no weights"}'))) as url:
        monkeypatch.setenv("RUNPOD_ENDPOINT", url)
        with pytest.raises(ZantaraError, match="does not answer: server_error"):
            run(serverless, tmp_path)
    assert not (Layout(serverless).model / "publish.json").exists()


@pytest.mark.parametrize(("way", "kind"), [("local", "local"), ("huggingface", "huggingface"), ("runpod", "runpod")])
def test_the_endpoint_it_writes_is_an_option_of_the_config(config: Config, way: str, kind: str):
    config.publish.name, config.model.hub_name = way, "balizero/zantara-tiny"
    folder = candidate.write(config, Layout(config).model).parents[1]
    found = compose(["stage=shadow", "endpoint=candidate"], str(folder)).endpoint
    assert (found.kind, found.model) == (kind, None if way == "local" else "balizero/zantara-tiny")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from inside of MLflow
def test_the_registry_gets_a_version_with_the_alias(config: Config, tmp_path: Path):
    from mlflow.models import Model
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
    assert found.source is not None
    signature = Model.load(found.source).signature
    assert signature is not None
    assert signature.inputs.input_names() == ["messages"]
    assert (int(found.version), found.tags["epoch"], found.run_id) == (2, "e2", run_id)


def test_a_go_of_a_loosened_gate_is_no_go(config: Config, tmp_path: Path):
    say(config, "GO", gate="0123456789abcdef")
    with pytest.raises(ZantaraError, match="with other criteria than gate/training.yaml"):
        run(config, tmp_path)
