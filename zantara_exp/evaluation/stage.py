"""stage=evaluate: the trained model on the held-out splits, beside the recorded answers of the primary.

    python -m zantara_exp stage=evaluate
    python -m zantara_exp stage=evaluate evaluation.generate_limit=0     (no generated answers: seconds)
    python -m zantara_exp stage=evaluate judge=anthropic                 (a judge compares the answers)

Reads the model and the splits, writes evaluation.json, evaluation.jsonl (one line per example) and the model card
beside the model. Teacher-forced scores cover all of the validation and test splits and a sample of the train split;
answers are generated for a bounded, evenly spread part of the test split and held against the primary's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.core.quiet_libraries import quiet_libraries
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.evaluation.answers import answer_rows, spread
from zantara_exp.evaluation.judge import check_judge, judge_all, row_of, summary_of
from zantara_exp.evaluation.rubric import Pair
from zantara_exp.evaluation.summary import Estimate, by_segment, estimates
from zantara_exp.evaluation.tables import NOT_FACTS, result_of
from zantara_exp.io.whole_files import write_whole
from zantara_exp.text.embedding import check_embedding
from zantara_exp.training.card import write_card
from zantara_exp.training.data import Example, read_split, split_hash
from zantara_exp.training.encode import encode_split
from zantara_exp.training.files import read_json, write_json
from zantara_exp.training.notes import notes_of
from zantara_exp.training.scoring import Score, score

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from zantara_exp.evaluation.generate import AnswerStore


def evaluate(config: Config, context: Context) -> StageResult:
    """Score the model under `paths.models` on the splits.

    Raises MissingInputError without a model or splits, MissingRequirementError for a judge without its key,
    ZantaraError for a model that cannot be loaded or a judge that would cost too much.
    """
    at = context.layout
    check_judge(config)
    check_embedding(config.evaluation.embedding)
    trained = read_train_summary(at.train_summary)
    splits = {"train": read_split(at.train), "val": read_split(at.val), "test": read_split(at.test)}
    context.run.dataset(at.test, "test", "test")
    with quiet_libraries():
        rows, answered, store = _rows(config, context, splits, str(trained["epoch"]))
    judged = _judge(config, context, splits["test"], answered)
    test = [row for row in rows if row["split"] == "test"]
    overall = {name: estimates([r for r in rows if r["split"] == name]) for name in splits}
    segments = by_segment(test, ("language", "category"))
    result = {
        "schema_version": 1,
        "model": trained["model"],
        "epoch": trained["epoch"],
        "same_train_split": trained.get("train_split") in (None, split_hash(at.train)),
        "evaluated_at": time.time(),
        "note": NOT_FACTS,
        "splits": {name: _plain(values) for name, values in overall.items()},
        "generalization_gap": overall["val"]["loss"].value - overall["train"]["loss"].value,
        "test": {name: _plain(values) for name, values in segments.items()},
        "flaws": _counted(test, "flaws"),
        "primary_flaws": _counted(test, "primary_flaws"),
        "batch_seconds": _batch_seconds(answered),
        "judge": judged,
    }
    write_whole(at.evaluation_rows, b"".join(orjson.dumps(row) + b"\n" for row in rows))
    write_json(at.evaluation, result)
    store.remove()
    card = write_card(at)
    shown = result_of(result, overall, segments, [at.evaluation, at.evaluation_rows, card])
    notes = notes_of(at)
    if trained.get("run"):  # not `eval/loss`, which is a curve there
        context.run.elsewhere(str(trained["run"]), notes.metrics)
    context.run.evaluated(str(trained["epoch"])[:12], notes)
    return shown


def read_train_summary(path: Path) -> dict[str, Any]:
    """What stage=train wrote beside the model. Raises MissingInputError when it is absent or broken."""
    summary = read_json(path)
    if summary is None or not {"epoch", "model"} <= set(summary):
        raise MissingInputError(f"{path} is not there or cannot be read; stage=train writes it", command("stage=train"))
    return summary


def _rows(
    config: Config, context: Context, splits: Mapping[str, list[Example]], epoch: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], AnswerStore]:
    """A row for every example scored, those of them that were answered, and where the answers are kept until then."""
    from zantara_exp.evaluation.generate import AnswerStore
    from zantara_exp.training.export import load_saved, weights_hash

    at = context.layout
    if weights_hash(at.model) != epoch:
        raise ZantaraError(
            f"the weights in {at.model} are not those that {at.train_summary.name} describes",
            command("stage=train", "force=true"),
        )
    model, tokenizer = load_saved(at.model)
    rows: list[dict[str, Any]] = []
    for name, examples in splits.items():
        chosen = spread(examples, config.evaluation.train_sample) if name == "train" else range(len(examples))
        rows += _scored(config, context, model, tokenizer, name, [examples[i] for i in chosen])
    store = AnswerStore(at.models / f".{config.model.output}.answers.jsonl")
    if not config.evaluation.generate_limit:
        return rows, [], store
    test = [row for row in rows if row["split"] == "test"]
    return rows, answer_rows(config, context, model, tokenizer, test, splits["test"], store, epoch), store


def _judge(
    config: Config, context: Context, test: Sequence[Example], answered: Sequence[dict[str, Any]]
) -> dict[str, Any] | None:
    """Have the answers judged, note it in their rows, and add it up; None without a judge."""
    if config.judge.name == "none":
        return None
    rows = [answered[i] for i in spread(answered, config.judge.pairs)]
    pairs = [Pair(test[row["index"]].prompt, row["answer"], row["reference"]) for row in rows]
    noise = [Pair(pairs[i].chat, pairs[i].primary, pairs[i].primary) for i in spread(pairs, config.judge.noise_pairs)]
    judged = judge_all(config, context, pairs, noise)
    for row, orders in zip(rows, judged.pairs, strict=True):
        row |= row_of(orders)
    return summary_of(config, judged)


def _scored(
    config: Config,
    context: Context,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    name: str,
    examples: Sequence[Example],
) -> list[dict[str, Any]]:
    split = encode_split(tokenizer, examples, config.trainer, name)
    if split.cut or split.dropped:
        context.say(
            f"evaluate: of {name}, {split.cut} examples longer than trainer.max_length={config.trainer.max_length} "
            f"are scored as far as that, and {split.dropped} are not scored"
        )
    scores: dict[int, Score] = {}
    with context.progress(f"scoring {name}", total=len(split.examples)) as progress:
        for index, scored in score(
            model, split.examples, config.evaluation.batch_size, int(tokenizer.pad_token_id or 0)
        ):
            scores[index] = scored
            progress.advance(1)
    rows = []
    for index, source in enumerate(split.sources):
        about, scored = examples[source], scores[index]
        row = {"split": name, "index": source, "conversation": about.conversation, "user": about.user}
        row |= {"language": about.language, "category": about.category}
        rows.append(row | {"tokens": scored.tokens, "correct": scored.correct, "loss_sum": scored.loss_sum})
    return rows


def _plain(values: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {name: value._asdict() for name, value in values.items()}


def _counted(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        for flaw in row.get(key, ()):
            counts[flaw] = counts.get(flaw, 0) + 1
    return dict(sorted(counts.items()))


def _batch_seconds(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """How long an answer took in its batch; what a user would wait is measured by stage=shadow."""
    if not rows:
        return {}
    import numpy as np

    p50, p95 = np.percentile([row["batch_seconds"] for row in rows], [50, 95])
    return {"p50": float(p50), "p95": float(p95)}
