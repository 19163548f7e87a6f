"""What the machine lacks is said at once, all of it, before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingRequirementError, ZantaraError
from zantara_exp.training import requirements
from zantara_exp.training.requirements import check_requirements


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(requirements, "gpu_present", lambda: False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))


def llama8b() -> Config:
    config = Config()
    config.model.name, config.model.kind, config.model.base = (
        "llama8b",
        "pretrained",
        "meta-llama/Llama-3.1-8B-Instruct",
    )
    config.model.gated = config.model.needs_gpu = True
    config.trainer.name = "unsloth"
    return config


def test_tiny_needs_nothing():
    config = Config()
    config.trainer.method = "full"
    check_requirements(config)


def test_all_that_is_missing_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr(requirements, "find_spec", lambda _: None)
    with pytest.raises(MissingRequirementError) as caught:
        check_requirements(llama8b())
    for what in (
        "zantara-exp[gpu]",
        "a GPU (asked for by model=llama8b)",
        "export HF_TOKEN",
        "model.base",
    ):
        assert what in caught.value.message


def test_four_bits_need_their_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(requirements, "find_spec", lambda name: None if name == "bitsandbytes" else object())
    config = Config()
    config.model.kind, config.model.base, config.trainer.lora.load_in_4bit = "pretrained", "owner/model", True
    with pytest.raises(MissingRequirementError) as caught:
        check_requirements(config)
    assert "pip install bitsandbytes" in caught.value.message
    assert "a GPU (asked for by trainer.lora.load_in_4bit)" in caught.value.message


def test_a_wrong_local_path_is_named():
    config = llama8b()
    config.model.base = "./no/such/folder"
    with pytest.raises(MissingRequirementError, match=r"model\.base=\./no/such/folder is no folder here"):
        check_requirements(config)


def test_a_folder_without_weights_says_what_is_absent(tmp_path: Path):
    config = Config()
    config.model.kind, config.model.base = "pretrained", str(tmp_path)
    with pytest.raises(MissingRequirementError, match=r"no config\.json, no \*\.safetensors, no tokenizer\.json"):
        check_requirements(config)


def test_adapters_on_random_weights_are_refused():
    config = Config()
    with pytest.raises(ZantaraError, match="random embeddings untrained"):
        check_requirements(config)
    config.trainer.lora.modules_to_save = ["embed_tokens", "lm_head"]
    check_requirements(config)


def test_unsloth_needs_a_base_but_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(requirements, "find_spec", lambda _: object())
    config = Config()
    config.trainer.name = "unsloth"
    with pytest.raises(ZantaraError, match="loads a base, and model=tiny has none"):
        check_requirements(config)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    config.model.kind, config.model.base = "pretrained", str(tmp_path)
    check_requirements(config)


@pytest.mark.interpreter
def test_the_stages_import_nothing_heavy():
    heavy = ("torch", "transformers", "datasets", "trl", "peft", "mlflow", "scipy.stats", "pandas", "evaluate")
    code = (
        "import sys, zantara_exp.training.stage, zantara_exp.evaluation.stage, zantara_exp.evaluation.evidence;"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
