"""One training run by TRL: its SFTTrainer (or Unsloth's, which is the same class patched) over encoded splits, or its
DPOTrainer over pairs of answers."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.config.schema import Config
from zantara_exp.core import distributed
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.stage import Context
from zantara_exp.training.checkpoints import last_whole, step_of
from zantara_exp.training.encode import EncodedSplit
from zantara_exp.training.model import Loaded, adapters, adapts_head, uses_bf16
from zantara_exp.training.preferences import PairSplit

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    from zantara_exp.training.watch import Watch

Learnt = EncodedSplit | PairSplit


@dataclass(frozen=True)
class Outcome:
    """How a run went."""

    steps: int
    """Updates, those before a resume included."""
    epochs: float
    resumed_from: int
    """The step of the checkpoint it went on from; 0: from the start."""
    seconds: float
    """In this process, validations included."""
    tokens_per_second: float
    """In this process, padding not counted."""
    best_step: int
    """The step whose weights were kept: the lowest validation loss."""
    curve: list[dict[str, Any]]


def fit(
    config: Config, context: Context, loaded: Loaded, train: Learnt, val: Learnt, work: Path
) -> tuple[PreTrainedModel, Outcome]:
    """Train, going on from the last whole checkpoint in `work`. Adapters are still separate.

    Raises ZantaraError on divergence or lack of memory.
    """
    from zantara_exp.training.watch import Watch

    work.mkdir(parents=True, exist_ok=True)
    checkpoint, cut_off = last_whole(work)
    for broken in cut_off:
        context.say(f"train: {broken.name} was cut off while it was written, or damaged since; it is not used")
        if not distributed.helping():
            shutil.rmtree(broken)
    if checkpoint:
        context.say(f"train: going on from step {step_of(checkpoint)} of an earlier run with the same data and config")
    steps = total_steps(config, sequences(config, train))
    with context.progress("training", total=steps) as progress:
        watch = Watch(context.run, progress, config.trainer.max_loss_spike)
        trainer = _trainer(config, loaded, train, val, work, watch)
        with memory_explained(), disk_explained(work):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    distributed.wait_for_all()  # all have read the best weights by then; the first process removes the checkpoints
    model: PreTrainedModel = trainer.model
    return model, _outcome(trainer, watch, checkpoint)


@contextmanager
def memory_explained() -> Iterator[None]:
    """Turn a lack of memory into what to change."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        said = str(error)
        if isinstance(error, MemoryError) or "out of memory" in said.lower() or "can't allocate memory" in said:
            raise out_of_memory(error) from error
        raise


@contextmanager
def disk_explained(folder: Path) -> Iterator[None]:
    """Turn a failure to write weights into what to do: torch and safetensors raise no OSError for a full disk."""
    try:
        yield
    except Exception as error:  # safetensors has a type of its own
        said = str(error)
        if not any(
            sign in said for sign in ("inline_container", "PytorchStreamWriter", "No space left", "File too large")
        ):
            raise
        raise ZantaraError(
            f"weights could not be written to {folder.parent} ({said.splitlines()[0][:120]})",
            "make room on that disk, then run the same command again: it goes on from the last whole checkpoint",
        ) from error


def out_of_memory(error: BaseException) -> ZantaraError:
    """What to change, in the order in which it costs least."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
    return ZantaraError(
        f"training ran out of memory ({first})",
        "halve trainer.batch_size and double trainer.gradient_accumulation (the same update); set "
        "trainer.gradient_checkpointing=true; lower trainer.max_length",
    )


def _outcome(trainer: SFTTrainer | DPOTrainer, watch: Watch, checkpoint: Path | None) -> Outcome:
    from zantara_exp.training.watch import CURVES

    state = trainer.state
    best = Path(state.best_model_checkpoint) if state.best_model_checkpoint else None
    return Outcome(
        steps=state.global_step,
        epochs=float(state.epoch or 0.0),
        resumed_from=step_of(checkpoint) if checkpoint else 0,
        seconds=watch.seconds,
        tokens_per_second=watch.tokens / watch.seconds if watch.seconds else 0.0,
        best_step=step_of(best) if best else state.global_step,
        curve=[
            {key: entry[key] for key in ("step", "epoch", *CURVES) if key in entry}
            for entry in state.log_history
            if "loss" in entry or "eval_loss" in entry
        ],
    )


def _trainer(
    config: Config, loaded: Loaded, train: Learnt, val: Learnt, work: Path, watch: Watch
) -> SFTTrainer | DPOTrainer:
    from transformers import PrinterCallback

    from zantara_exp.training.watch import Patience

    callbacks: list[Any] = [watch]
    if config.trainer.early_stopping_patience:
        callbacks.append(Patience(config.trainer.early_stopping_patience))
    trainer: SFTTrainer | DPOTrainer
    if isinstance(train, PairSplit):
        assert isinstance(val, PairSplit)  # noqa: S101  for the type checker
        trainer = _on_pairs(config, loaded, train, val, work, callbacks)
    else:
        assert isinstance(val, EncodedSplit)  # noqa: S101  for the type checker
        trainer = _on_examples(config, loaded, train, val, work, callbacks)
    trainer.remove_callback(PrinterCallback)
    return trainer


def _on_examples(
    config: Config, loaded: Loaded, train: EncodedSplit, val: EncodedSplit, work: Path, callbacks: list[Any]
) -> SFTTrainer:
    """The trainer over splits that are already tokens and labels, so that both trainers see the same."""
    from transformers import DataCollatorForSeq2Seq
    from trl import SFTTrainer

    packing, args = config.trainer.packing, arguments(config, work, sequences(config, train))
    if adapts_head(loaded.model, config):  # TRL's loss in chunks, its default, takes less memory and reads no adapter
        args.loss_type = "nll"
    return SFTTrainer(
        model=loaded.model,
        args=args,
        train_dataset=_as_dataset(train),
        eval_dataset=_as_dataset(val, longest_first=True),
        processing_class=loaded.tokenizer,
        # Packing needs TRL's own collator; otherwise this one, which both trainers take.
        data_collator=None if packing else DataCollatorForSeq2Seq(loaded.tokenizer, padding=True),
        peft_config=adapters(config) if config.trainer.name == "trl" else None,
        callbacks=callbacks,
    )


def _on_pairs(
    config: Config, loaded: Loaded, train: PairSplit, val: PairSplit, work: Path, callbacks: list[Any]
) -> DPOTrainer:
    """TRL's DPOTrainer; the model as it came, its adapters switched off, is the reference."""
    from trl import DPOTrainer

    return DPOTrainer(
        model=loaded.model,
        args=_pair_arguments(config, work, len(train.examples)),
        train_dataset=_pairs_as_dataset(train),
        eval_dataset=_pairs_as_dataset(val),
        processing_class=loaded.tokenizer,
        peft_config=adapters(config),
        callbacks=callbacks,
    )


def _pairs_as_dataset(split: PairSplit) -> Any:
    from datasets import Dataset

    rows: dict[str, list[Any]] = {"prompt": [], "chosen": [], "rejected": []}
    for pair in split.examples:
        rows["prompt"].append(list(pair.prompt))
        for side, answer in (("chosen", pair.chosen), ("rejected", pair.rejected)):
            rows[side].append([{"role": "assistant", "content": answer}])
    return Dataset.from_dict(rows)


def _as_dataset(split: EncodedSplit, longest_first: bool = False) -> Any:
    """`longest_first` where the order does not matter: less padding, and memory runs out at once or not at all."""
    from datasets import Dataset

    examples = sorted(split.examples, key=lambda e: -len(e.input_ids)) if longest_first else split.examples
    return Dataset.from_dict({"input_ids": [e.input_ids for e in examples], "labels": [e.labels for e in examples]})


def sequences(config: Config, split: Learnt) -> int:
    """What a step's batch is counted in: examples, or sequences that packing fills with several (at least so many)."""
    return math.ceil(split.tokens / config.trainer.max_length) if config.trainer.packing else len(split.examples)


def total_steps(config: Config, examples: int) -> int:
    """Updates of the whole run, as transformers counts them."""
    return math.ceil(config.trainer.epochs * steps_per_epoch(config, examples))


def steps_per_epoch(config: Config, examples: int) -> int:
    """Updates per epoch; several processes share an epoch's batches."""
    batches = math.ceil(examples / (config.trainer.batch_size * distributed.processes()))
    return max(1, math.ceil(batches / config.trainer.gradient_accumulation))


def arguments(config: Config, work: Path, examples: int) -> SFTConfig:
    """Our settings in TRL's names, for examples."""
    from trl import SFTConfig

    chosen = config.trainer
    return SFTConfig(
        max_length=chosen.max_length,
        packing=chosen.packing,
        eval_packing=False,
        dataset_kwargs={"skip_prepare_dataset": not chosen.packing},
        train_sampling_strategy="group_by_length" if chosen.group_by_length else "random",
        **_settings(config, work, examples),
    )


def _pair_arguments(config: Config, work: Path, pairs: int) -> DPOConfig:
    """The same for pairs of answers."""
    from trl import DPOConfig

    chosen = config.trainer
    return DPOConfig(max_length=chosen.max_length, beta=chosen.dpo.beta, **_settings(config, work, pairs))


def _settings(config: Config, work: Path, examples: int) -> dict[str, Any]:
    """What both have in common."""
    import torch

    chosen, gpu = config.trainer, torch.cuda.is_available()
    return {
        "output_dir": str(work),
        "num_train_epochs": chosen.epochs,
        "learning_rate": chosen.learning_rate,
        "lr_scheduler_type": chosen.schedule,
        "warmup_steps": chosen.warmup,
        "weight_decay": chosen.weight_decay,
        "adam_beta2": chosen.beta2,
        "max_grad_norm": chosen.max_grad_norm,
        "per_device_train_batch_size": chosen.batch_size,
        "per_device_eval_batch_size": chosen.batch_size,
        "gradient_accumulation_steps": chosen.gradient_accumulation,
        "bf16": uses_bf16(config),
        "fp16": False,
        "use_cpu": not gpu,
        "ddp_find_unused_parameters": False,  # there are none, and looking for them takes time in every step
        "gradient_checkpointing": chosen.gradient_checkpointing and gpu,
        "dataloader_pin_memory": gpu,
        "seed": config.seed,
        "data_seed": config.seed,
        **_saving_and_logging(config, examples),
    }


def _saving_and_logging(config: Config, examples: int) -> dict[str, Any]:
    every = max(1, math.ceil(steps_per_epoch(config, examples) / config.trainer.evaluations_per_epoch))
    return {
        "eval_strategy": "steps",
        "eval_steps": every,
        "save_strategy": "steps",
        "save_steps": every,
        "save_total_limit": 2,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "logging_steps": config.trainer.log_every_steps,
        "logging_nan_inf_filter": False,  # a loss that is no number must be seen
        "include_num_input_tokens_seen": "non_padding",
        "report_to": "none",
        "disable_tqdm": True,
    }
