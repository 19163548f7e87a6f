"""stage=train: from the splits to a fine-tuned model on disk.

    python -m zantara_exp stage=train
    python -m zantara_exp stage=train model=llama8b trainer=unsloth

Reads train.jsonl and val.jsonl, writes a merged model that transformers loads, with train.json beside it. A killed run
goes on from its last checkpoint, in the same order of the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zantara_exp import ranks
from zantara_exp.config.schema import Config
from zantara_exp.config.training import Model
from zantara_exp.hints import command
from zantara_exp.stage import Context, StageResult
from zantara_exp.training.card import CURVES, write_card
from zantara_exp.training.checkpoints import work_folder
from zantara_exp.training.data import Example, read_split, split_hash
from zantara_exp.training.encode import Encoded, EncodedSplit, encode_split, shown
from zantara_exp.training.estimate import duration, eur_of, gpus_used, priced
from zantara_exp.training.files import write_json
from zantara_exp.training.quiet import quiet_libraries, set_environment
from zantara_exp.training.requirements import check_requirements
from zantara_exp.training.scoring import Totals, score, total

if TYPE_CHECKING:
    from zantara_exp.training.estimate import Estimate
    from zantara_exp.training.export import Behaviour
    from zantara_exp.training.fit import Outcome

_SCORED = 400
"""Examples of a split scored after training at least, where it has as many; stage=evaluate scores all."""


def train(config: Config, context: Context) -> StageResult:
    """Fine-tune `config.model` on the train split.

    Raises MissingInputError without splits, MissingRequirementError when the machine lacks something,
    ZantaraError for a template without assistant markers, examples that do not fit, divergence or lack of memory.
    """
    at = context.layout
    check_requirements(config)
    splits = {"train": read_split(at.train), "val": read_split(at.val)}
    set_environment()
    if config.trainer.name == "unsloth":
        import unsloth  # noqa: F401  (it patches transformers and trl, so it comes first)
    context.run.dataset(at.train, "train", "training")
    context.run.dataset(at.val, "val", "validation")
    with quiet_libraries():
        summary = _train(config, context, splits)
    if summary is None:
        return StageResult({"training": "helped the first process"})
    card = write_card(at)
    metrics = {
        "train/final_loss": summary["train_loss"],
        "eval/generalization_gap": summary["generalization_gap"],
    }
    # Where the curves end: without a step they would go back to the first update.
    ends = {"eval/loss": summary["val_loss"], "eval/token_accuracy": summary["val_token_accuracy"]}
    context.run.model(at.model, config.model.output, ends, step=summary["steps"])
    metrics |= {"train/tokens_per_second": summary["tokens_per_second"], "train/seconds": summary["seconds"]}
    metrics |= {f"train/cost/{name}": float(value) for name, value in summary["cost"].items() if value is not None}
    return StageResult(
        summary=_lines(summary, at.model),
        metrics=metrics,
        tags={"epoch": summary["epoch"][:12], "model": config.model.name},
        artifacts=[at.train_summary, card, at.model / CURVES],
        next_command=command("stage=evaluate"),
    )


def _train(config: Config, context: Context, splits: Mapping[str, list[Example]]) -> dict[str, Any] | None:
    """Train, save, and look at what was saved; None in a process that only helped to train."""
    from zantara_exp.training import export
    from zantara_exp.training.checkpoints import remove_work

    folder, work = context.layout.model, work_folder(config, context.layout)
    fresh = folder.with_name(f".{folder.name}.new")
    done = _fit_and_save(config, context, splits, work, fresh)
    if done is None:
        return None
    # The trained model is out of memory by now: two of 8B would not fit beside one another.
    saved, tokenizer = export.load_saved(fresh)
    pad = int(tokenizer.pad_token_id or 0)
    size = config.trainer.batch_size  # what fitted in training fits now
    after = export.behaviour(saved, done.probes, pad, size)
    export.refuse_difference(done.before, after, half_precision=saved.dtype.itemsize < 4)
    scored = {name: _scored(saved, split.examples, pad, size) for name, split in done.encoded.items()}
    summary = {
        "schema_version": 1,
        "model": config.model.name,
        **base_of(config.model),
        "epoch": export.weights_hash(fresh),
        "parameters": sum(p.numel() for p in saved.parameters()),
        "trainer": asdict(config.trainer),
        "seed": config.seed,
        "train_split": split_hash(context.layout.train),
        "origin": context.origin,
        "data": {name: split.report() for name, split in done.encoded.items()},
        "train_loss": scored["train"].loss,
        "val_loss": scored["val"].loss,
        "val_token_accuracy": scored["val"].token_accuracy,
        "generalization_gap": scored["val"].loss - scored["train"].loss,
        "export_check": {
            "trained": done.before.loss,
            "saved": after.loss,
            "same_choices": done.before.same_choices(after),
        },
        "cost": _cost(config, done),
        **asdict(done.outcome),
    }
    write_json(fresh / context.layout.train_summary.name, summary)
    export.swap_in(fresh, folder)
    remove_work(work)
    return summary


class _Done(NamedTuple):
    """What is left of training once its model is on disk."""

    outcome: Outcome
    expected: Estimate
    encoded: dict[str, EncodedSplit]
    probes: list[Encoded]
    before: Behaviour
    """What the trained model made of the probes."""


def _fit_and_save(
    config: Config, context: Context, splits: Mapping[str, list[Example]], work: Path, fresh: Path
) -> _Done | None:
    from zantara_exp.training import export
    from zantara_exp.training.estimate import estimate
    from zantara_exp.training.fit import disk_explained, fit, memory_explained
    from zantara_exp.training.model import load

    loaded = load(config, splits["train"])
    encoded = {name: encode_split(loaded.tokenizer, rows, config.trainer, name) for name, rows in splits.items()}
    _tell(context, encoded, shown(loaded.tokenizer, encoded["train"].examples[0]))
    with memory_explained():
        expected = estimate(config, loaded, encoded["train"], encoded["val"])
    context.say(f"train: {expected}, if it is not stopped early")
    model, outcome = fit(config, context, loaded, encoded["train"], encoded["val"], work)
    if ranks.helping():
        return None
    probes = encoded["val"].examples[:8]
    pad = int(loaded.tokenizer.pad_token_id or 0)
    before = export.behaviour(model, probes, pad, config.trainer.batch_size)
    with disk_explained(fresh):
        export.save_merged(config, model, loaded.tokenizer, fresh)
    return _Done(outcome, expected, encoded, probes, before)


def base_of(model: Model) -> dict[str, str | bool | None]:
    """What the training began with, for whoever has the model and not this machine: of a folder its name."""
    if model.kind == "scratch" or not model.base:
        return {"base": "random weights"}
    if folder := model.folder():
        return {"base": folder.resolve().name}
    return {"base": model.base, "base_on_hub": True, "base_revision": model.revision}


def _cost(config: Config, done: _Done) -> dict[str, float | None]:
    """What the run took in this process, beside what was expected of a whole one."""
    seconds, gpus = done.outcome.seconds, gpus_used()
    return {
        "gpus": gpus,
        "gpu_hours": gpus * seconds / 3600,
        "eur": eur_of(config, seconds, gpus),
        "expected_seconds": done.expected.seconds,
        "expected_tokens": done.expected.tokens,
        "expected_eur": done.expected.eur,
    }


def _scored(model: Any, examples: list[Encoded], pad: int, size: int) -> Totals:
    spread = examples[:: max(1, len(examples) // _SCORED)]
    return total([s for _, s in score(model, spread, size, pad)])


def _tell(context: Context, encoded: Mapping[str, EncodedSplit], example: str) -> None:
    for name, split in encoded.items():
        lost = f"; {split.cut} cut and {split.dropped} dropped for length" if split.cut or split.dropped else ""
        share = split.targets / split.tokens
        context.say(
            f"train: {name} has {len(split.examples)} examples of {split.tokens / len(split.examples):.0f} tokens, "
            f"{share:.0%} of them the assistant's{lost}"
        )
    context.say(f"train: an example as the model reads it, what it learns in >> <<:\n  {example!r}"[:1200])


def _took(summary: Mapping[str, Any]) -> str:
    seconds, cost = summary["seconds"], summary["cost"]
    expected = duration(cost["expected_seconds"])
    resumed = f"; the rest after step {summary['resumed_from']} of an earlier run" if summary["resumed_from"] else ""
    return f"{duration(seconds)}{priced(seconds, cost['gpus'], cost['eur'])} (expected {expected}{resumed})"


def _lines(summary: Mapping[str, Any], folder: Path) -> dict[str, str]:
    return {
        "model": f"{folder.name}, {summary['parameters'] / 1e6:.1f} M parameters, epoch {summary['epoch'][:12]}",
        "training": f"{summary['epochs']:.1f} epochs, {summary['steps']} steps, "
        f"{summary['tokens_per_second']:,.0f} tokens/s",
        "took": _took(summary),
        "validation loss": f"{summary['val_loss']:.3f}",
        "train loss": f"{summary['train_loss']:.3f} (gap {summary['generalization_gap']:+.3f})",
        "token accuracy": f"{summary['val_token_accuracy']:.1%} on validation (wording learnt, not factual accuracy)",
    }
