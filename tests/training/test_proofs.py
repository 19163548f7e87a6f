"""Proofs that take minutes: the tiny model reaches the plan's figures, adapters learn, a killed process goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.chats import write_splits
from tests.training.support import context_for, tiny_config
from tests.training.test_config import composed
from zantara_exp.config.schema import Config
from zantara_exp.training.stage import train

pytestmark = pytest.mark.slow


def trained(config: Config, folder: Path) -> dict:
    context, _ = context_for(config, folder)
    train(config, context)
    return json.loads(context.layout.train_summary.read_text())


def test_the_tiny_model_reaches_the_plans_figures(tmp_path: Path):
    write_splits(tmp_path / "data", 1500, 180)
    config = composed(f"paths.dataset={tmp_path / 'data'}", f"paths.models={tmp_path / 'models'}")
    summary = trained(config, tmp_path)
    assert summary["val_loss"] < 0.5
    assert summary["val_token_accuracy"] > 0.95
    assert abs(summary["generalization_gap"]) < 0.1


def test_adapters_learn_new_data_on_a_base_that_has_learnt(tmp_path: Path):
    write_splits(tmp_path / "data", 600, 60)
    base = tiny_config(tmp_path, epochs=6.0, learning_rate=6e-3)
    base.model.shape.hidden_size, base.model.shape.intermediate_size, base.model.shape.layers = 96, 256, 2
    before = trained(base, tmp_path)
    assert before["val_loss"] < 1.0

    new = tmp_path / "new"
    write_splits(new / "data", 300, 60, seed=9)
    for split in ("train", "val"):  # other prices: what the base knows is wrong here
        path = new / f"data/{split}.jsonl"
        path.write_text(
            path.read_text().replace("milioni", "miliardi").replace("million", "billion").replace("juta", "miliar")
        )
    unadapted = tiny_config(new, method="lora", epochs=0.01, learning_rate=1e-9)
    adapted = tiny_config(new, method="lora", epochs=6.0, learning_rate=5e-3)
    for config, name in ((unadapted, "before"), (adapted, "after")):
        config.model.kind, config.model.base = "pretrained", str(tmp_path / "models/zantara-tiny")
        config.model.output = name
    base_loss, adapter_loss = trained(unadapted, new)["val_loss"], trained(adapted, new)["val_loss"]
    assert adapter_loss < 0.7 * base_loss


def test_kill_minus_nine_and_again_ends_in_the_same_weights(tmp_path: Path):
    code = (
        "import sys; from pathlib import Path; from tests.training.support import *;"
        "from zantara_exp.training.stage import train; folder = Path(sys.argv[1]);"
        "config = tiny_config(folder, epochs=6.0); train(config, context_for(config, folder)[0])"
    )

    def start(folder: Path) -> subprocess.Popen[str]:
        write_splits(folder / "data", 200, 20)
        return subprocess.Popen(
            [sys.executable, "-c", code, str(folder)], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    first = start(whole)
    first.communicate(timeout=300)
    assert first.returncode == 0

    victim = start(killed)
    while not list((killed / "models").glob(".*.work/checkpoint-*/whole.json")):
        assert victim.poll() is None
        time.sleep(0.05)
    victim.send_signal(signal.SIGKILL)
    victim.communicate(timeout=30)
    assert not (killed / "models/zantara-tiny").exists()
    out, _ = start(killed).communicate(timeout=300)
    assert "going on from step" in out

    told = [json.loads((f / "models/zantara-tiny/train.json").read_text()) for f in (whole, killed)]
    assert told[0]["val_loss"] == told[1]["val_loss"]
    assert told[0]["epoch"] == told[1]["epoch"]
    assert told[1]["resumed_from"] > 0


def test_two_processes_train_one_model_and_one_of_them_records(tmp_path: Path):
    """torchrun is what `accelerate launch` runs on several GPUs; here each process has a core, over gloo."""
    write_splits(tmp_path / "data/llama_ft_dataset", 96, 16)
    shape = {"hidden_size": 32, "intermediate_size": 64, "layers": 1, "heads": 2, "kv_heads": 1, "vocab_size": 600}
    given = [*(f"model.shape.{name}={value}" for name, value in shape.items()), "trainer.epochs=2"]
    launched = [Path(sys.executable).with_name("torchrun"), "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*launched, "-m", "zantara_exp", "stage=train", "trainer.batch_size=4", *given],
        cwd=tmp_path, capture_output=True, text=True, timeout=600,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "models/zantara-tiny/train.json").read_text())
    assert told["steps"] == 2 * 96 // (4 * 2)
    assert done.stdout.count("train: train has 96 examples") == 1
    assert [p.name for p in (tmp_path / "models").iterdir()] == ["zantara-tiny"]
    assert len(list((tmp_path / "outputs/train").glob("*/*"))) == 1

    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    experiments = [e.experiment_id for e in client.search_experiments()]
    assert len(client.search_runs(experiments, filter_string="tags.stage = 'train'")) == 1
