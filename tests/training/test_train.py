"""stage=train on a model of some ten thousand weights: what it writes, and what it does after a kill."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.training.chats import write_splits
from tests.training.support import Remembered, context_for, tiny_config
from zantara_exp.config.schema import Config
from zantara_exp.config.training import Model
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.training.base import base_of
from zantara_exp.training.card import write_card
from zantara_exp.training.checkpoints import is_whole, last_whole, work_folder
from zantara_exp.training.export import load_saved, weights_hash
from zantara_exp.training.files import write_json
from zantara_exp.training.stage import train


def run(config: Config, folder: Path) -> tuple[dict, Remembered]:
    context, record = context_for(config, folder)
    train(config, context)
    return json.loads(context.layout.train_summary.read_text()), record


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path, dict, Remembered]:
    folder = tmp_path_factory.mktemp("trained")
    write_splits(folder / "data", 96, 16)
    config = tiny_config(folder, epochs=2.0)
    summary, record = run(config, folder)
    return config, folder, summary, record


def test_it_writes_a_model_that_transformers_loads(trained):
    config, folder, summary, _ = trained
    model, tokenizer = load_saved(folder / "models/zantara-tiny")
    assert sum(p.numel() for p in model.parameters()) == summary["parameters"]
    assert tokenizer.chat_template
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert summary["epoch"] == weights_hash(folder / "models/zantara-tiny")
    assert summary["origin"] == {"experiment": "ours"}


def test_nothing_but_the_model_is_left(trained):
    _, folder, _, _ = trained
    assert [p.name for p in (folder / "models").iterdir()] == ["zantara-tiny"]


def test_curves_are_recorded_live(trained):
    _, _, summary, record = trained
    steps = [step for step, _ in record.curve("train/loss")]
    assert steps == sorted(steps)
    assert steps == [5, 10, 12, 15, 20, 24]  # each fifth, and where a checkpoint is
    assert len(record.curve("eval/loss")) == 2 == len(record.curve("eval/token_accuracy"))
    assert record.models[0][1] == "zantara-tiny"
    assert record.models[0][2]["model/val_loss"] == summary["val_loss"]
    assert [step for step, _ in record.curve("system/process_cpu_percent")] == steps
    assert all(100 < memory < 10_000 for _, memory in record.curve("system/process_memory_megabytes"))


def test_what_it_took_stands_beside_what_was_expected(trained):
    _, folder, summary, record = trained
    cost = summary["cost"]
    assert (cost["gpus"], cost["gpu_hours"], cost["eur"]) == (0, 0.0, None)
    assert cost["expected_tokens"] == 2 * summary["data"]["train"]["tokens"]
    assert cost["expected_seconds"] > 0
    card = (folder / "models/zantara-tiny/README.md").read_text()
    assert "on this CPU" in card
    assert "Not evaluated yet" in card


def test_loss_falls(trained):
    _, _, summary, record = trained
    losses = [value for _, value in record.curve("eval/loss")]
    assert losses[-1] < losses[0]
    assert summary["val_loss"] == pytest.approx(losses[-1], rel=0.1)
    assert summary["export_check"]["trained"] == pytest.approx(summary["export_check"]["saved"], rel=1e-4)


class Killed(BaseException):
    """Stands for a signal: nothing in between may catch it."""


def test_a_killed_run_goes_on_with_the_same_weights_in_the_end(
    trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _, _, whole, _ = trained
    write_splits(tmp_path / "data", 96, 16)
    config = tiny_config(tmp_path, epochs=2.0)
    from zantara_exp.training.watch import Watch

    def kill(self, args, state, control, **_):
        if state.global_step == 18:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "on_step_begin", kill)
        with pytest.raises(Killed):
            run(config, tmp_path)
    context, _ = context_for(config, tmp_path)
    work = work_folder(config, context.layout)
    assert [p.name for p in work.glob("checkpoint-*")] == ["checkpoint-12"]

    resumed, record = run(config, tmp_path)
    assert resumed["resumed_from"] == 12
    assert resumed["epoch"] == whole["epoch"]
    assert resumed["curve"] == whole["curve"]
    read = [told["seconds"] * told["tokens_per_second"] for told in (whole, resumed)]
    assert read[0] == pytest.approx(read[1])  # of the whole run, not of its second part
    assert len(record.curve("eval/loss")) == 2
    assert not work.exists()


def killed_at(config: Config, folder: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from zantara_exp.training.watch import Watch

    def kill(self, args, state, control, **_):
        if state.global_step == step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "on_step_begin", kill)
        with pytest.raises(Killed):
            run(config, folder)


@pytest.mark.parametrize(
    "at", [pytest.param(13, id="while it waits", marks=pytest.mark.slow), pytest.param(16, id="as it stops")]
)
def test_a_killed_run_goes_on_with_the_patience_that_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int):
    """Nothing is learnt at this rate, so the first of 6 validations (one in 4 updates) stays the best one."""
    from zantara_exp.training.watch import Patience

    write_splits(tmp_path / "data", 32, 8)
    config = tiny_config(tmp_path, epochs=6.0, learning_rate=1e-14, early_stopping_patience=3)
    with monkeypatch.context() as patch:
        if at == 16:  # the checkpoint of the last validation is written, and the run ends before it can stop
            patch.setattr(Patience, "on_evaluate", lambda *_, **__: None)
        killed_at(config, tmp_path, at, monkeypatch)
    resumed, _ = run(config, tmp_path)
    assert resumed["resumed_from"] == at // 4 * 4
    assert resumed["steps"] in (16, 17)
    assert resumed["best_step"] == 4


def test_a_resumed_run_knows_what_losses_were_usual(tmp_path: Path):
    from transformers import TrainerControl, TrainerState

    from zantara_exp.training.watch import Watch

    context, record = context_for(tiny_config(tmp_path), tmp_path)
    control, state = TrainerControl(), TrainerState(log_history=[{"loss": 0.5, "step": n} for n in range(1, 9)])
    with context.progress("training", total=20) as progress:
        watch = Watch(record, progress, max_spike=10.0)
        watch.on_train_begin(None, state, control)
        with pytest.raises(ZantaraError, match="jumped"):
            watch.on_log(None, state, control, {"loss": 9.0})
        with pytest.raises(ZantaraError, match="validation loss is nan"):
            watch.on_log(None, state, control, {"eval_loss": float("nan")})


def test_a_checkpoint_that_was_cut_off_is_not_used(tmp_path: Path):
    from zantara_exp.training.checkpoints import mark_whole

    for step in (5, 10, 15):
        checkpoint = tmp_path / f"checkpoint-{step}"
        checkpoint.mkdir()
        (checkpoint / "model.safetensors").write_bytes(b"x" * 100)
        mark_whole(checkpoint)
    (tmp_path / "checkpoint-10/model.safetensors").write_bytes(b"x" * 50)
    (tmp_path / "checkpoint-15/model.safetensors").write_bytes(b"x" * 90 + b"\0" * 10)
    assert is_whole(tmp_path / "checkpoint-5")
    found, cut_off = last_whole(tmp_path)
    assert found == tmp_path / "checkpoint-5"
    assert cut_off == [tmp_path / "checkpoint-15", tmp_path / "checkpoint-10"]


def test_another_seed_or_other_data_never_finds_the_checkpoints(trained, tmp_path: Path):
    config, folder, _, _ = trained
    context, _ = context_for(config, folder)
    first = work_folder(config, context.layout)
    other = tiny_config(folder, epochs=2.0)
    other.seed = 8
    assert work_folder(other, context.layout) != first
    assert work_folder(tiny_config(folder, epochs=2.0), context.layout) == first


def test_another_base_or_template_at_the_same_place_is_another_run(trained, tmp_path: Path):
    from zantara_exp.core.reuse import Fingerprint
    from zantara_exp.core.stage_table import STAGES

    _, folder, _, _ = trained
    shutil.copytree(folder / "models/zantara-tiny", tmp_path / "base")
    shutil.copytree(folder / "data", tmp_path / "data")
    config = tiny_config(tmp_path, method="lora")
    config.model.kind, config.model.base = "pretrained", str(tmp_path / "base")
    config.model.chat_template = str(tmp_path / "mine.jinja")
    (tmp_path / "mine.jinja").write_text("one")
    context, _ = context_for(config, tmp_path)

    def known_by() -> tuple[Path, str]:
        return work_folder(config, context.layout), Fingerprint.of(STAGES["train"], config, context.layout).data

    seen = [known_by()]
    assert known_by() == seen[0]
    (tmp_path / "mine.jinja").write_text("two")
    seen.append(known_by())
    weights = tmp_path / "base/model.safetensors"
    weights.write_bytes(weights.read_bytes() + b"x")
    seen.append(known_by())
    assert [len(set(each)) for each in zip(*seen, strict=True)] == [3, 3]


def test_a_diverging_run_stops_with_advice(tmp_path: Path):
    write_splits(tmp_path / "data", 64, 8)
    config = tiny_config(
        tmp_path, learning_rate=0.99, epochs=6.0, max_loss_spike=1.2, log_every_steps=1, max_grad_norm=1e6
    )
    with pytest.raises(ZantaraError, match="diverged|jumped") as caught:
        run(config, tmp_path)
    assert "trainer.learning_rate" in caught.value.hint
    assert not (tmp_path / "models/zantara-tiny").exists()


def test_out_of_memory_names_three_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_splits(tmp_path / "data", 16, 4)
    from zantara_exp.training.watch import Watch

    def exhausted(self, *args, **kwargs):
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried ..."
        )

    monkeypatch.setattr(Watch, "on_step_begin", exhausted)
    with pytest.raises(ZantaraError, match="ran out of memory") as caught:
        run(tiny_config(tmp_path), tmp_path)
    for name in ("trainer.batch_size", "trainer.gradient_checkpointing", "trainer.max_length"):
        assert name in caught.value.hint


def test_a_disk_that_is_full_says_how_to_go_on(tmp_path: Path):
    """A limit on the size of files stands for the disk."""
    import resource

    import torch

    from zantara_exp.training.fit import disk_explained

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(ZantaraError, match="weights could not be written to") as caught, disk_explained(tmp_path):
            torch.save(torch.zeros(100_000), tmp_path / "optimizer.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "make room" in caught.value.hint


def test_a_merge_that_changed_the_answers_is_refused():
    from zantara_exp.training.export import Behaviour, refuse_difference

    trained = Behaviour(0.5, [1, 2, 3, 4])
    refuse_difference(trained, Behaviour(0.5001, [1, 2, 3, 4]), half_precision=False)
    refuse_difference(trained, Behaviour(0.505, [1, 2, 3, 4]), half_precision=True)
    for other in (Behaviour(0.52, [1, 2, 3, 4]), Behaviour(0.5, [1, 2, 3, 9]), Behaviour(float("nan"), [1, 2, 3, 4])):
        for half in (True, False):
            with pytest.raises(ZantaraError, match="merging changed it"):
                refuse_difference(trained, other, half_precision=half)


def test_missing_splits_come_before_anything_else(tmp_path: Path):
    with pytest.raises(MissingInputError, match=r"train\.jsonl"):
        run(tiny_config(tmp_path), tmp_path)


@pytest.mark.parametrize("cut", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_base_that_was_cut_off_is_one_message(trained, tmp_path: Path, cut: str):
    from zantara_exp.training.model import load

    _, base, _, _ = trained
    shutil.copytree(base / "models/zantara-tiny", tmp_path / "base")
    path = tmp_path / "base" / cut
    path.write_bytes(path.read_bytes()[:100])
    config = tiny_config(tmp_path)
    config.model.kind, config.model.base = "pretrained", str(tmp_path / "base")
    with pytest.raises(ZantaraError, match="base cannot be loaded: .") as caught:
        load(config, [])
    assert "copied whole" in caught.value.hint


@pytest.mark.parametrize("key", ["target_modules", "modules_to_save"])
def test_layers_that_the_model_lacks_are_refused_not_passed_over(trained, tmp_path: Path, key: str):
    from zantara_exp.training.model import load

    _, base, _, _ = trained
    config = tiny_config(tmp_path, method="lora")
    config.model.kind, config.model.base = "pretrained", str(base / "models/zantara-tiny")
    setattr(config.trainer.lora, key, ["self_attn.q_proj", "qkv_proj"])
    with pytest.raises(ZantaraError, match=rf"trainer\.lora\.{key}: the model has no layer qkv_proj\n") as caught:
        load(config, [])
    assert "gate_proj, k_proj, lm_head" in caught.value.hint


def test_the_epoch_follows_from_the_settings_in_the_models_config_too(trained, tmp_path: Path):
    _, folder, summary, _ = trained
    shutil.copytree(folder / "models/zantara-tiny", tmp_path / "model")
    assert weights_hash(tmp_path / "model") == summary["epoch"]
    path = tmp_path / "model/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rms_norm_eps": 0.5}))
    assert weights_hash(tmp_path / "model") != summary["epoch"]


def test_adapters_on_a_base_are_merged_and_score_the_same(trained, tmp_path: Path):
    _, base, before, _ = trained
    write_splits(tmp_path / "data", 64, 16, seed=2)
    config = tiny_config(tmp_path, method="lora", epochs=2.0, learning_rate=5e-3)
    config.model.kind, config.model.base = "pretrained", str(base / "models/zantara-tiny")
    config.model.name, config.model.output = "local", "adapted"
    summary, _ = run(config, tmp_path)
    # Adapters learn little on a base that knows nothing; test_proofs.py shows them learning. Here: they are merged.
    assert summary["val_loss"] != before["val_loss"]
    assert summary["export_check"]["saved"] == pytest.approx(summary["export_check"]["trained"], rel=1e-3)
    assert summary["export_check"]["same_choices"] >= 0.99
    assert (tmp_path / "models/adapted/adapter/adapter_model.safetensors").is_file()
    model, _ = load_saved(tmp_path / "models/adapted")
    assert not hasattr(model, "peft_config")
    card = (tmp_path / "models/adapted/README.md").read_text()
    assert "`zantara-tiny` fine-tuned on chats" in card
    assert str(base) not in card  # it may go to the hub; a folder of this machine says nothing there
    assert "base_model:" not in card


@pytest.mark.parametrize(
    ("layers", "tied"),
    [
        (["q_proj", "lm_head"], True),
        (["q_proj", "embed_tokens"], True),
        pytest.param(["embed_tokens", "lm_head"], False, marks=pytest.mark.slow),
    ],
)
def test_embeddings_and_head_can_have_adapters_tied_or_not(trained, tmp_path: Path, layers: list[str], tied: bool):
    """What is merged answers as what was trained: the stage itself refuses it otherwise."""
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    _, folder, _, _ = trained
    base = tmp_path / "base"
    shutil.copytree(folder / "models/zantara-tiny", base)
    if tied:
        model = AutoModelForCausalLM.from_pretrained(base)
        model.config.tie_word_embeddings = True
        model.lm_head.weight = model.model.embed_tokens.weight
        model.save_pretrained(base)
        assert "lm_head.weight" not in load_file(base / "model.safetensors")
    write_splits(tmp_path / "data", 16, 8, seed=2)
    config = tiny_config(tmp_path, method="lora", learning_rate=0.05)
    config.trainer.lora.target_modules = layers
    config.model.kind, config.model.base, config.model.output = "pretrained", str(base), "adapted"
    summary, _ = run(config, tmp_path)
    assert summary["export_check"]["same_choices"] >= 0.99
    merged = load_file(tmp_path / "models/adapted/model.safetensors")
    before = load_file(base / "model.safetensors")["model.embed_tokens.weight"]
    assert merged["model.embed_tokens.weight"].equal(before) is ("embed_tokens" not in layers)
    assert not merged["lm_head.weight"].equal(merged["model.embed_tokens.weight"])


def test_what_is_exported_works_elsewhere(trained, tmp_path: Path):
    """Plain Jinja renders its template, the adapter names no folder, and its own template trains again."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    from zantara_exp.training.templates import LLAMA3

    _, folder, _, _ = trained
    base = folder / "models/zantara-tiny"
    (base / "LICENSE").write_text("terms")
    write_splits(tmp_path / "data", 8, 8)
    config = tiny_config(tmp_path, method="lora")
    config.model.kind, config.model.base, config.model.output = "pretrained", str(base), "adapted"
    config.model.chat_template, config.model.base_hub_name = "own", "owner/base"
    run(config, tmp_path)
    model = tmp_path / "models/adapted"
    plain = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    template = plain.from_string((model / "chat_template.jinja").read_text())
    assert template.render(messages=[{"role": "user", "content": "Ciao"}], bos_token="<s>").endswith("Ciao<|eot_id|>")
    assert load_saved(model)[1].chat_template == LLAMA3
    adapter = json.loads((model / "adapter/adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == "owner/base"
    (base / "LICENSE").unlink()
    assert (model / "LICENSE").read_text() == "terms"
    named = [path for path in model.rglob("*") if path.suffix in {".json", ".md"} and str(base) in path.read_text()]
    assert [path.name for path in named] == []


def test_the_card_tells_the_base_that_was_trained_on_whatever_the_config_says_by_now(tmp_path: Path):
    at = Layout(tiny_config(tmp_path))
    base = base_of(Model(kind="pretrained", base="org/base-8b", revision="abc123"))
    write_json(at.train_summary, {"epoch": "e", **base})
    card = write_card(at).read_text()
    assert "base_model: org/base-8b\n" in card
    assert "`org/base-8b` (revision `abc123`) fine-tuned on chats" in card
