"""Which values a model and a trainer get together."""

from __future__ import annotations

import re
from typing import Any

import pytest
from huggingface_hub.utils import validate_repo_id
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from zantara_exp.config import CONF, Config, register
from zantara_exp.config.validation import rule_problems


def composed(*overrides: str) -> Config:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        made: Any = OmegaConf.to_object(compose("config", overrides=list(overrides)))
    assert isinstance(made, Config)
    return made


@pytest.mark.parametrize("trainer", ["trl", "unsloth"])
@pytest.mark.parametrize("model", ["llama8b", "llama3b", "qwen"])
def test_a_real_model_gets_the_plans_values(model: str, trainer: str):
    config = composed(f"model={model}", f"trainer={trainer}")
    chosen = config.trainer
    assert (chosen.name, chosen.method, chosen.epochs, chosen.learning_rate) == (trainer, "lora", 3.0, 2e-4)
    assert (chosen.batch_size, chosen.gradient_accumulation) == (4, 4)
    assert not list(rule_problems(config.model)) + list(rule_problems(chosen))


def test_a_sweeps_trainings_do_not_share_one_gpus_memory():
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        sweep: Any = compose("config", overrides=["hydra.mode=MULTIRUN"], return_hydra_config=True)
    assert sweep.hydra.launcher.n_jobs == 1


@pytest.mark.parametrize("path", sorted((CONF / "model").glob("*.yaml")), ids=lambda p: p.stem)
def test_a_hub_model_is_pinned_to_a_commit(path):
    model: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    on_hub = bool(model.get("base")) and not model.get("package")
    assert on_hub == bool(re.fullmatch("[0-9a-f]{40}", str(model.get("revision"))))


def test_llama8b_goes_by_the_plans_names():
    model = composed("model=llama8b").model
    assert (model.output, model.hub_name) == ("zantara-llama-3.1-8b-v2", "balizero/zantara-llama-3.1-8b-v2")


@pytest.mark.parametrize(
    "name",
    [
        "https://huggingface.co/bali/zt", "bali/zt/main", "zt", "bali/", "/zt", "bali/z t", "bali/zt.git", "bali/z--t",
        "bali/.zt", "bali/zt-", "datasets/bali/zt", "bali/" + "z" * 97,
    ],
)  # fmt: skip
def test_a_name_that_no_hub_takes_is_refused_before_anything_runs(name: str):
    (problem,) = rule_problems(composed(f"model.hub_name='{name}'"))
    assert "hub_name" in str(problem)
    assert "OWNER/NAME" in str(problem)


def test_names_that_the_hub_takes():
    for name in ("bali/zt", "Bali_Zero/zantara-3.1-8b_v2", "1/2"):
        validate_repo_id(name)
        assert not list(rule_problems(composed(f"model.hub_name={name}")))


def test_the_tiny_model_gets_its_own_values_whatever_is_said_beside():
    chosen = composed("model=tiny", "trainer=trl", "trainer.epochs=1").trainer
    assert (chosen.method, chosen.learning_rate, chosen.epochs) == ("full", 3e-3, 1.0)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["model=local"], "base"),
        (["model=tiny", "trainer=unsloth", "trainer.method=full"], "method"),
        (["model.shape.heads=7"], "heads"),
        (["model.shape.kv_heads=3"], "kv_heads"),
        (["model.output=../elsewhere"], "output"),
        (["trainer.method=full", "trainer.lora.load_in_4bit=true"], "lora.load_in_4bit"),
        (["trainer=unsloth", "trainer.lora.target_modules=[q_proj,model.embed_tokens]"], "lora.target_modules"),
        (["judge=openai", "judge.endpoint.fallback=[anthropic]"], "endpoint.fallback"),
        (["judge=openai", "judge.endpoint.kind=local"], "endpoint.kind"),
        (["judge=openai", "+judge.criteria.overall=x"], "criteria"),
        (["publish=runpod", "publish.runpod.workers_min=2"], "runpod.workers_min"),
    ],
)
def test_contradictions_are_named(overrides: list[str], key: str):
    config = composed(*overrides)
    nodes = config.model, config.trainer, config.judge, config.publish
    problems = [problem for node in nodes for problem in rule_problems(node)]
    assert key in [p.key.removeprefix("shape.") for p in problems]
