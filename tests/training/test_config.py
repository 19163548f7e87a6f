"""Which values a model and a trainer get together."""

from __future__ import annotations

import re
from typing import Any

import pytest
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
    model: Any = OmegaConf.load(path)
    assert bool(model.get("base")) == bool(re.fullmatch("[0-9a-f]{40}", str(model.get("revision"))))


def test_llama8b_goes_by_the_plans_names():
    model = composed("model=llama8b").model
    assert (model.output, model.hub_name) == ("zantara-llama-3.1-8b-v2", "balizero/zantara-llama-3.1-8b-v2")


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
