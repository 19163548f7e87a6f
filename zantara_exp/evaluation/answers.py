"""Generated answers to the test split, measured one by one beside the recorded answers of the primary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zantara_exp.config.schema import Config
from zantara_exp.core.stage import Context
from zantara_exp.dataset.language import LanguageDetector, detector
from zantara_exp.evaluation.scores import chrf, exact_match, rouge_l
from zantara_exp.text.embedding import likeness
from zantara_exp.text.flaws import Flaws
from zantara_exp.training.data import Example

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from zantara_exp.evaluation.generate import Answer, AnswerStore


def spread(items: Sequence[Any], count: int) -> list[int]:
    """`count` indices at most, evenly spread."""
    if len(items) <= count:
        return list(range(len(items)))
    return [i * len(items) // count for i in range(count)]


def answer_rows(
    config: Config,
    context: Context,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict[str, Any]],
    test: Sequence[Example],
    store: AnswerStore,
    epoch: str,
) -> list[dict[str, Any]]:
    """Answer a spread part of the test rows and add what was measured to them; returns the rows answered."""
    from zantara_exp.evaluation.generate import answer_all

    asked = [rows[i] for i in spread(rows, config.evaluation.generate_limit)]
    examples = [test[row["index"]] for row in asked]
    size, longest = config.evaluation.batch_size, config.evaluation.max_new_tokens
    with context.progress("answering", total=len(asked)) as progress:
        answers = answer_all(model, tokenizer, examples, store, epoch, size, longest, progress)
    languages, flaws = detector(config), Flaws(config)
    for row, example, answer in zip(asked, examples, answers, strict=True):
        primary_tokens = len(tokenizer(example.answer, add_special_tokens=False)["input_ids"]) + 1
        row |= _measured(example, answer, languages, flaws) | {"primary_tokens": primary_tokens}
    _compare(asked, config.evaluation.embedding)
    return asked


def _measured(example: Example, answer: Answer, languages: LanguageDetector, flaws: Flaws) -> dict[str, Any]:
    found = flaws.of(answer.text, example.category, answer.finished)
    primary = flaws.of(example.answer, example.category)
    return {
        "answer": answer.text,
        "reference": example.answer,
        "answer_tokens": answer.tokens,
        "batch_seconds": answer.batch_seconds,
        "language_match": languages.detect(answer.text) == example.language,
        "primary_language_match": languages.detect(example.answer) == example.language,
        "flaws": found,
        "flawed": bool(found),
        "primary_flaws": primary,
        "primary_flawed": bool(primary),
    }


def _compare(rows: Sequence[dict[str, Any]], embedding: str | None) -> None:
    said, wanted = [row["answer"] for row in rows], [row["reference"] for row in rows]
    measured: dict[str, Sequence[float]] = {
        "exact_match": exact_match(said, wanted),
        "chrf": chrf(said, wanted),
        "rouge_l": rouge_l(said, wanted),
    }
    if embedding is not None:
        measured["embedding"] = likeness(embedding, said, wanted)
    for name, scores in measured.items():
        for row, value in zip(rows, scores, strict=True):
            row[name] = value
