"""stage=evaluate: the trained model on the held-out splits.

    python -m zantara_exp stage=evaluate
    python -m zantara_exp stage=evaluate evaluation.generate_limit=0     (no generated answers: seconds)

Reads the model and the splits, writes evaluation.json and evaluation.jsonl (one line per example) beside the model.
Teacher-forced scores cover all of the validation and test splits and a sample of the train split; answers are
generated for a bounded, evenly spread part of the test split and held against the recorded answers of the primary.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.dataset.language import LanguageDetector, detector
from zantara_exp.errors import MissingInputError, ZantaraError
from zantara_exp.evaluation.flaws import flaws
from zantara_exp.evaluation.show import NOT_FACTS, result_of
from zantara_exp.evaluation.summary import Estimate, by_segment, estimates
from zantara_exp.stage import Context, StageResult
from zantara_exp.training.data import Example, read_split
from zantara_exp.training.encode import encode_split
from zantara_exp.training.quiet import quiet_libraries
from zantara_exp.training.scoring import Score, score

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from zantara_exp.evaluation.generate import Answer


def evaluate(config: Config, context: Context) -> StageResult:
    """Score the model under `paths.models` on the splits.

    Raises MissingInputError without a model or splits, ZantaraError for a model that cannot be loaded.
    """
    at = context.layout
    trained = read_train_summary(at.train_summary)
    splits = {"train": read_split(at.train), "val": read_split(at.val), "test": read_split(at.test)}
    context.run.dataset(at.test, "test", "test")
    with quiet_libraries():
        rows, asked = _rows(config, context, splits, str(trained["epoch"]))
    test = [row for row in rows if row["split"] == "test"]
    overall = {name: estimates([r for r in rows if r["split"] == name]) for name in splits}
    segments = by_segment(test, ("language", "category"))
    result = {
        "schema_version": 1,
        "model": trained["model"],
        "epoch": trained["epoch"],
        "evaluated_at": time.time(),
        "note": NOT_FACTS,
        "splits": {name: _plain(values) for name, values in overall.items()},
        "generalization_gap": overall["val"]["loss"].value - overall["train"]["loss"].value,
        "test": {name: _plain(values) for name, values in segments.items()},
        "flaws": _flaw_counts(test),
    }
    _write(at.evaluation_rows, b"".join(orjson.dumps(row) + b"\n" for row in rows))
    _write(at.evaluation, orjson.dumps(result, option=orjson.OPT_INDENT_2))
    asked.remove()
    return result_of(result, overall, segments, [at.evaluation, at.evaluation_rows])


def read_train_summary(path: Path) -> dict[str, Any]:
    """What stage=train wrote beside the model. Raises MissingInputError when it is absent or broken."""
    try:
        summary: dict[str, Any] = orjson.loads(path.read_bytes())
        summary["epoch"], summary["model"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise MissingInputError(
            f"{path} is not there or cannot be read; stage=train writes it", "python -m zantara_exp stage=train"
        ) from error
    return summary


def _rows(
    config: Config, context: Context, splits: Mapping[str, list[Example]], epoch: str
) -> tuple[list[dict[str, Any]], Any]:
    from zantara_exp.evaluation.generate import AnswerStore
    from zantara_exp.training.export import load_saved, weights_hash

    at = context.layout
    if weights_hash(at.model) != epoch:
        raise ZantaraError(
            f"the weights in {at.model} are not those that {at.train_summary.name} describes",
            "python -m zantara_exp stage=train force=true",
        )
    model, tokenizer = load_saved(at.model)
    rows: list[dict[str, Any]] = []
    for name, examples in splits.items():
        chosen = _spread(examples, config.evaluation.train_sample) if name == "train" else range(len(examples))
        rows += _scored(config, context, model, tokenizer, name, [examples[i] for i in chosen])
    store = AnswerStore(at.models / f".{config.model.output}.answers.jsonl")
    limit = config.evaluation.generate_limit
    if limit:
        _answer(
            config, context, model, tokenizer, [r for r in rows if r["split"] == "test"], splits["test"], store, epoch
        )
    return rows, store


def _spread(items: Sequence[Any], count: int) -> list[int]:
    """`count` indices at most, evenly spread."""
    if len(items) <= count:
        return list(range(len(items)))
    return [i * len(items) // count for i in range(count)]


def _scored(
    config: Config,
    context: Context,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    name: str,
    examples: Sequence[Example],
) -> list[dict[str, Any]]:
    split = encode_split(tokenizer, examples, config.trainer, name)
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


def _answer(
    config: Config,
    context: Context,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict[str, Any]],
    test: Sequence[Example],
    store: Any,
    epoch: str,
) -> None:
    from zantara_exp.evaluation.generate import answer_all

    asked = [rows[i] for i in _spread(rows, config.evaluation.generate_limit)]
    examples = [test[row["index"]] for row in asked]
    size, longest = config.evaluation.batch_size, config.evaluation.max_new_tokens
    with context.progress("answering", total=len(asked)) as progress:
        answers = answer_all(model, tokenizer, examples, store, epoch, size, longest, progress)
    languages = detector(config.dataset)
    for row, example, answer in zip(asked, examples, answers, strict=True):
        row |= _judged(example, answer, languages)
    _compare(asked)


def _judged(example: Example, answer: Answer, languages: LanguageDetector) -> dict[str, Any]:
    system = next((m["content"] for m in example.messages if m["role"] == "system"), "")
    found = flaws(answer.text, example.category, system, answer.finished)
    return {
        "answer": answer.text,
        "reference": example.answer,
        "answer_tokens": answer.tokens,
        "language_match": languages.detect(answer.text) == example.language,
        "flaws": found,
        "flawed": bool(found),
    }


def _compare(rows: Sequence[dict[str, Any]]) -> None:
    from tempfile import TemporaryDirectory

    from zantara_exp.evaluation.modules.chrf.chrf import Chrf
    from zantara_exp.evaluation.modules.exact_match.exact_match import ExactMatch
    from zantara_exp.evaluation.modules.rouge_l.rouge_l import RougeL

    said, wanted = [row["answer"] for row in rows], [row["reference"] for row in rows]
    with TemporaryDirectory() as scratch:
        for name, module in (("exact_match", ExactMatch), ("chrf", Chrf), ("rouge_l", RougeL)):
            metric = module(keep_in_memory=True, cache_dir=scratch)
            scores = metric.compute(predictions=said, references=wanted)["scores"]
            for row, value in zip(rows, scores, strict=True):
                row[name] = value


def _plain(values: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {name: value._asdict() for name, value in values.items()}


def _flaw_counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        for flaw in row.get("flaws", ()):
            counts[flaw] = counts.get(flaw, 0) + 1
    return dict(sorted(counts.items()))


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
