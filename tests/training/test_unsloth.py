"""trainer=unsloth: what we pass to Unsloth exists in its source, which is read, so that of its GPU part is seen too;
and the stage runs through its CPU backend, beside trainer=trl on the same data.

`scripts/extras unsloth` installs it and runs these tests; `scripts/extras --slow unsloth` the runs as well.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.training.chats import write_splits
from zantara_exp.config.schema import Config
from zantara_exp.training.unsloth import adapter_arguments, load_arguments, merge_arguments


def source() -> Path:
    spec = find_spec("unsloth")
    if spec is None or spec.origin is None:
        pytest.skip("unsloth is not installed here; next: scripts/extras unsloth")
    return Path(spec.origin).parent


def parameters(file: str, function: str, inside: str = "") -> tuple[set[str], bool]:
    """Names of a function's parameters in `unsloth/<file>`, and whether it takes further keywords."""
    tree: ast.AST = ast.parse((source() / file).read_text(encoding="utf-8"))
    if inside:
        tree = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == inside)
    found = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == function)
    names = {a.arg for a in [*found.args.posonlyargs, *found.args.args, *found.args.kwonlyargs]}
    return names, found.args.kwarg is not None


def test_loading():
    names, _ = parameters("models/loader.py", "from_pretrained", inside="FastLanguageModel")
    assert set(load_arguments(Config(), "base", None)) <= names


def test_adapters():
    names, more = parameters("models/llama.py", "get_peft_model", inside="FastLlamaModel")
    assert set(adapter_arguments(Config(), on_gpu=True)) <= names
    config = Config()
    config.trainer.lora.dora = True
    assert set(adapter_arguments(config, on_gpu=True)) - names == {"use_dora"}
    assert more, "use_dora reaches peft through **kwargs"


def test_merging():
    names, _ = parameters("save.py", "unsloth_save_pretrained_merged")
    assert set(merge_arguments(Path("x"), None)) <= names  # type: ignore[arg-type]


def test_sixteen_bit_merging_is_still_called_that():
    assert "merged_16bit" in (source() / "save.py").read_text(encoding="utf-8")


ROOT = Path(__file__).parents[2]
SHAPE = {"hidden_size": 64, "intermediate_size": 128, "layers": 2, "heads": 2, "kv_heads": 1, "vocab_size": 700}
LORA = ("model=local", "model.base=models/base", "model.chat_template=own", "trainer.epochs=2",
        "trainer.learning_rate=0.01", "trainer.batch_size=8", "trainer.gradient_accumulation=1",
        "trainer.evaluations_per_epoch=4", "trainer.log_every_steps=4")  # fmt: skip


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A process of its own, as Unsloth patches transformers and trl in whichever imports it."""
    source()  # or there is nothing to run
    return subprocess.Popen(
        [sys.executable, "-m", "zantara_exp", "stage=train", *words], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def trained(folder: Path, name: str, *words: str) -> dict:
    said, _ = start(folder, f"model.output={name}", *words).communicate(timeout=1200)
    path = folder / f"models/{name}/train.json"
    assert path.is_file(), said
    return json.loads(path.read_text()) | {"said": said}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small base that has learnt a little, and data."""
    made = tmp_path_factory.mktemp("unsloth")
    write_splits(made / "data/llama_ft_dataset", 96, 16)
    trained(made, "base", *(f"model.shape.{key}={value}" for key, value in SHAPE.items()), "trainer.epochs=4")
    return made


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict:
    return trained(folder, "unsloth", "trainer=unsloth", *LORA)


@pytest.mark.slow
def test_it_trains_as_trl_does(folder: Path, whole: dict):
    other = trained(folder, "trl", "trainer=trl", *LORA)
    assert "Unsloth" in whole["said"]
    assert "Unsloth" not in other["said"]
    assert [point["step"] for point in whole["curve"]] == [point["step"] for point in other["curve"]]
    for ours, theirs in zip(whole["curve"], other["curve"], strict=True):
        for key in {"loss", "eval_loss"} & ours.keys():
            assert ours[key] == pytest.approx(theirs[key], rel=0.01), ours["step"]
    losses = [point["eval_loss"] for point in whole["curve"] if "eval_loss" in point]
    assert losses[-1] < losses[0] - 0.05
    # Unsloth writes 16 bits; the stage itself refuses what is merged wrongly.
    assert whole["val_loss"] == pytest.approx(other["val_loss"], rel=0.02)
    assert whole["export_check"]["same_choices"] >= 0.95


@pytest.mark.slow
def test_what_it_exports_answers_and_names_its_base(folder: Path, whole: dict):
    from zantara_exp.training.export import load_saved

    model = folder / "models/unsloth"
    loaded, tokenizer = load_saved(model)
    assert loaded.config.use_cache  # which training turns off, and every answer needs
    assert loaded.generation_config.eos_token_id == tokenizer.eos_token_id
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Ciao!"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    assert loaded.generate(**chat, max_new_tokens=4, do_sample=False).shape[1] > chat["input_ids"].shape[1]
    assert "generation %}" not in (model / "chat_template.jinja").read_text()
    assert json.loads((model / "adapter/adapter_config.json").read_text())["base_model_name_or_path"] == "base"
    assert sum(p.numel() for p in loaded.parameters()) == whole["parameters"]


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_in_the_same_weights(folder: Path, whole: dict):
    words = ("model.output=killed", "trainer=unsloth", *LORA)
    victim = start(folder, *words)
    while not list((folder / "models").glob(".killed.*.work/checkpoint-*/whole.json")):
        assert victim.poll() is None, victim.communicate()[0]
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.communicate(timeout=30)
    assert not (folder / "models/killed").exists()
    resumed = trained(folder, "killed", *words[1:])
    assert "going on from step" in resumed["said"]
    assert resumed["resumed_from"] > 0
    assert resumed["epoch"] == whole["epoch"]
    assert resumed["val_loss"] == whole["val_loss"]


@pytest.mark.slow
def test_a_real_base_learns_the_same_by_both(tmp_path: Path):
    """SmolLM2 135M Instruct, 24 chats in 6 updates."""
    write_splits(tmp_path / "data/llama_ft_dataset", 24, 8)
    words = ("model=smollm2", "trainer.gradient_accumulation=1",
             "trainer.epochs=1", "trainer.evaluations_per_epoch=3", "trainer.log_every_steps=1")  # fmt: skip
    ours, theirs = (trained(tmp_path, name, f"trainer={name}", *words) for name in ("unsloth", "trl"))
    assert len(ours["curve"]) == len(theirs["curve"])
    for mine, other in zip(ours["curve"], theirs["curve"], strict=True):
        for key in {"loss", "eval_loss"} & mine.keys():
            assert mine[key] == pytest.approx(other[key], rel=0.01), mine["step"]
    losses = [point["eval_loss"] for point in ours["curve"] if "eval_loss" in point]
    assert losses[0] < 4.5, "it speaks already; random weights would lose 10.8"
    assert losses[-1] < losses[0]
    assert ours["export_check"]["same_choices"] >= 0.95
    assert ours["val_loss"] == pytest.approx(theirs["val_loss"], rel=0.03)
