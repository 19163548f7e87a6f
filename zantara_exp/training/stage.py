"""stage=train: from the splits to a fine-tuned model on disk.

    python -m zantara_exp stage=train
    python -m zantara_exp stage=train model=llama8b trainer=unsloth

    python -m zantara_exp stage=train model=local model.base=models/zantara-tiny trainer=dpo     (on pairs of answers)

Reads train.jsonl and val.jsonl, writes a merged model that transformers loads, with train.json beside it. A killed run
goes on from its last checkpoint, in the same order of the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zantara_exp.config import options
from zantara_exp.config.gate_file import load_gate
from zantara_exp.config.schema import Config
from zantara_exp.core import distributed
from zantara_exp.core.next_command import command
from zantara_exp.core.quiet_libraries import quiet_libraries, set_environment
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.training.base import base_of
from zantara_exp.training.card import CURVES, write_card
from zantara_exp.training.checkpoints import work_folder
from zantara_exp.training.data import Example, read_split, split_hash
from zantara_exp.training.encode import Encoded, EncodedSplit, encode_split, shown
from zantara_exp.training.estimate import duration, eur_of, gpus_used, priced
from zantara_exp.training.files import read_json, write_json
from zantara_exp.training.preferences import Pairs, PairSplit, encode_pairs, read_pairs
from zantara_exp.training.reach import Reach, reach
from zantara_exp.training.requirements import check_requirements
from zantara_exp.training.scoring import Totals, score, total

if TYPE_CHECKING:
    from zantara_exp.training.estimate import Estimate
    from zantara_exp.training.export import Behaviour
    from zantara_exp.training.fit import Learnt, Outcome

_SCORED = 400
"""Examples of a split scored after training at least, where it has as many; stage=evaluate scores all."""


def train(config: Config, context: Context) -> StageResult:
    """Fine-tune `config.model` on the train split.

    Raises MissingInputError without splits or, for DPO, enough pairs, MissingRequirementError when the machine lacks
    something, ZantaraError for a template without assistant markers, examples that do not fit, divergence or lack of
    memory.
    """
    at = context.layout
    check_requirements(config)
    splits = {"train": read_split(at.train), "val": read_split(at.val)}
    pairs = read_pairs(config, at) if config.trainer.method == "dpo" else None
    set_environment()
    if config.trainer.name == "unsloth":
        import unsloth  # noqa: F401  (it patches transformers and trl, so it comes first)
    context.run.dataset(at.train, "train", "training")
    context.run.dataset(at.val, "val", "validation")
    if pairs:
        context.run.dataset(at.preferences, "preferences", "training")
    with quiet_libraries():
        summary = _train(config, context, splits, pairs)
    if summary is None:
        return StageResult({"training": "helped the first process"})
    card = write_card(at)
    metrics = {
        "train/final_loss": summary["train_loss"],
        "eval/generalization_gap": summary["generalization_gap"],
    }
    # Under other names than the curves: MLflow would put them at their ends a second time.
    ends = {"model/val_loss": summary["val_loss"], "model/val_token_accuracy": summary["val_token_accuracy"]}
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


def _train(
    config: Config, context: Context, splits: Mapping[str, list[Example]], pairs: Pairs | None
) -> dict[str, Any] | None:
    """Train, save, and look at what was saved; None in a process that only helped to train."""
    from zantara_exp.training import export
    from zantara_exp.training.checkpoints import remove_work

    folder, work = context.layout.model, work_folder(config, context.layout)
    fresh = folder.with_name(f".{folder.name}.new")
    base = read_json((config.model.folder() or folder) / context.layout.train_summary.name) or {}
    done = _fit_and_save(config, context, splits, pairs, work, fresh)
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
        "run": context.run.run_id,
        **base_of(config.model),
        **({"base_epoch": base["epoch"]} if config.model.folder() and base.get("epoch") else {}),
        **({"preferences": pairs.lineage()} if pairs else {}),
        "epoch": export.weights_hash(fresh),
        "parameters": sum(p.numel() for p in saved.parameters()),
        "trainer": asdict(config.trainer),
        "seed": config.seed,
        "train_split": split_hash(context.layout.train),
        "origin": context.origin,
        "data": {name: split.report() for name, split in done.encoded.items()}
        | {name: split.report() for name, split in done.pairs.items()},
        "train_loss": scored["train"].loss,
        "val_loss": scored["val"].loss,
        "val_token_accuracy": scored["val"].token_accuracy,
        "generalization_gap": scored["val"].loss - scored["train"].loss,
        "export_check": {
            "trained": done.before.loss,
            "saved": after.loss,
            "same_choices": done.before.same_choices(after),
        },
        "reach": asdict(done.best) | {"said": str(done.best)} if done.best else None,
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
    pairs: dict[str, PairSplit]
    """What DPO learnt from; empty where examples did it."""
    best: Reach | None
    """What the best model could reach, where examples are learnt from."""
    probes: list[Encoded]
    before: Behaviour
    """What the trained model made of the probes."""


def _fit_and_save(
    config: Config,
    context: Context,
    splits: Mapping[str, list[Example]],
    pairs: Pairs | None,
    work: Path,
    fresh: Path,
) -> _Done | None:
    from zantara_exp.training import export
    from zantara_exp.training.estimate import estimate
    from zantara_exp.training.fit import disk_explained, fit, memory_explained
    from zantara_exp.training.model import load

    loaded = load(config, splits["train"])
    encoded = {name: encode_split(loaded.tokenizer, rows, config.trainer, name) for name, rows in splits.items()}
    split: dict[str, PairSplit] = {}
    best: Reach | None = None
    if pairs:
        both = {"train": pairs.train, "val": pairs.val}
        split = {
            f"{name} pairs": encode_pairs(loaded.tokenizer, found, config.trainer, name) for name, found in both.items()
        }
        _tell_pairs(context, pairs, split)
    else:
        _tell(context, encoded, shown(loaded.tokenizer, encoded["train"].examples[0]))
        best = reach(splits["train"], encoded["train"], encoded["val"])
        context.say(f"train: the best token accuracy that any model could reach: {best}")
        asked = options("gate").get(config.publish.gate)
        for warning in best.warnings(load_gate(asked, config)) if asked else ():
            context.say(f"train: {warning}")
    learnt: Sequence[Learnt] = [*split.values()] or [*encoded.values()]
    timed = [each.sequences if isinstance(each, PairSplit) else each for each in learnt]
    with memory_explained():
        expected = estimate(config, loaded, timed[0], timed[1])
    context.say(f"train: {expected}, if it is not stopped early")
    model, outcome = fit(config, context, loaded, learnt[0], learnt[1], work)
    if distributed.helping():
        return None
    probes = encoded["val"].examples[:8]
    pad = int(loaded.tokenizer.pad_token_id or 0)
    before = export.behaviour(model, probes, pad, config.trainer.batch_size)
    with disk_explained(fresh):
        export.save_merged(config, model, loaded.tokenizer, fresh)
    return _Done(outcome, expected, encoded, split, best, probes, before)


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


def _tell_pairs(context: Context, pairs: Pairs, split: Mapping[str, PairSplit]) -> None:
    found = pairs.lineage()
    by = ", ".join(f"{source} {count}" for source, count in found["by"].items())
    out = "".join(f"; left out: {count} ({why})" for why, count in found["left_out"].items())
    context.say(f"train: {found['pairs']} pairs of {found['users']} users, found worse by {by or 'nobody named'}{out}")
    if pairs.of_val:
        context.say(
            f"train: {pairs.of_val} of those who teach are in the validation split: its loss, which the training gate "
            "asks for, will be that of users who taught; the test split stays clean"
        )
    for name, each in split.items():
        cut = each.sequences.cut, each.sequences.dropped
        lost = f"; {cut[0]} cut and {cut[1]} dropped for length" if any(cut) else ""
        context.say(
            f"train: {name}: {len(each.examples)}, {each.tokens / 2 / len(each.examples):.0f} tokens a chat{lost}"
        )


def _took(summary: Mapping[str, Any]) -> str:
    seconds, cost = summary["seconds"], summary["cost"]
    expected = duration(cost["expected_seconds"])
    resumed = (
        f"; in runs that went on, the last one from step {summary['resumed_from']}" if summary["resumed_from"] else ""
    )
    return f"{duration(seconds)}{priced(seconds, cost['gpus'], cost['eur'])} (expected {expected}{resumed})"


def _preferred(summary: Mapping[str, Any]) -> dict[str, str]:
    """What DPO came to with the weights that were kept."""
    measured = [point for point in summary["curve"] if "eval_rewards/margins" in point]
    kept = next((point for point in measured if point["step"] == summary["best_step"]), None)
    if not kept:
        return {}
    pairs = summary["preferences"]
    return {
        "pairs": f"{pairs['train']} learnt from, {pairs['val']} held out",
        "preferences": f"held-out loss {kept['eval_loss']:.3f} (0.693 knows nothing), margin "
        f"{kept['eval_rewards/margins']:+.3f}, the better answer likelier in "
        f"{kept['eval_rewards/accuracies']:.0%} of {pairs['val']}",
    }


def _lines(summary: Mapping[str, Any], folder: Path) -> dict[str, str]:
    return {
        "model": f"{folder.name}, {summary['parameters'] / 1e6:.1f} M parameters, epoch {summary['epoch'][:12]}",
        "training": f"{summary['epochs']:.1f} epochs, {summary['steps']} steps, "
        f"{summary['tokens_per_second']:,.0f} tokens/s",
        "took": _took(summary),
        **_preferred(summary),
        "validation loss": f"{summary['val_loss']:.3f}",
        "train loss": f"{summary['train_loss']:.3f} (gap {summary['generalization_gap']:+.3f})",
        "token accuracy": f"{summary['val_token_accuracy']:.1%} on validation (wording learnt, not factual accuracy)",
        **({"best there is": summary["reach"]["said"]} if summary["reach"] else {}),
    }
