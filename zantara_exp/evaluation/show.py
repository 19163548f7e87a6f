"""What stage=evaluate prints and records: a summary, a table by segment, metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zantara_exp.evaluation.summary import Estimate
from zantara_exp.stage import StageResult, Table

NOT_FACTS = "token accuracy says how well the wording was learnt; it is not factual accuracy"

Segments = Mapping[str, Mapping[str, Estimate]]

_COLUMNS = {
    "loss": ("loss", ".3f", False),
    "token_accuracy": ("token accuracy", ".1%", True),
    "exact_match": ("exact", ".0%", False),
    "chrf": ("chrF", ".1f", True),
    "rouge_l": ("ROUGE-L", ".2f", False),
    "language_match": ("language", ".0%", False),
    "flawed": ("flawed", ".0%", False),
}
"""Measure -> heading, format, whether its interval is printed; evaluation.json holds every interval."""


def result_of(outcome: Mapping[str, Any], splits: Segments, test: Segments, files: Sequence[Path]) -> StageResult:
    """The stage's result from what was measured."""
    return StageResult(
        summary=_summary(outcome, splits, test["all"]),
        metrics=_metrics(outcome, splits, test),
        tags={"epoch": str(outcome["epoch"])[:12]},
        tables=[_table(test)],
        artifacts=files,
        next_command="python -m zantara_exp stage=gate gate=training",
    )


def _summary(outcome: Mapping[str, Any], splits: Segments, test: Mapping[str, Estimate]) -> dict[str, str]:
    lines = {
        "model": f"{outcome['model']}, epoch {str(outcome['epoch'])[:12]}",
        "validation loss": f"{splits['val']['loss'].value:.3f}",
        "train loss": f"{splits['train']['loss'].value:.3f} (gap {outcome['generalization_gap']:+.3f})",
        "test loss": f"{test['loss'].value:.3f}, perplexity {_perplexity(test['loss'].value):.2f}",
        "token accuracy": f"{_with_interval(test['token_accuracy'], '.1%')}  ({NOT_FACTS})",
    }
    if "exact_match" in test:
        lines["answers"] = (
            f"{test['exact_match'].examples} generated: exact match {_with_interval(test['exact_match'], '.1%')}, "
            f"chrF {_with_interval(test['chrf'], '.1f')}, ROUGE-L {test['rouge_l'].value:.2f}"
        )
        lines["language"] = f"{test['language_match'].value:.1%} answered in the language of the question"
        flaws = ", ".join(f"{name} {count}" for name, count in outcome["flaws"].items())
        lines["flaws"] = flaws or "none seen (empty, cut off, degenerate, leak, contact in a greeting)"
    return lines


def _with_interval(value: Estimate, form: str) -> str:
    if value.users < 2:
        return f"{value.value:{form}} [one user]"
    return f"{value.value:{form}} [{value.low:{form}}, {value.high:{form}}]"


def _perplexity(loss: float) -> float:
    return math.exp(loss) if loss < 700 else math.inf


def _metrics(outcome: Mapping[str, Any], splits: Segments, test: Segments) -> dict[str, float]:
    found = {f"test/{name}": value.value for name, value in test["all"].items()}
    found["test/perplexity"] = _perplexity(test["all"]["loss"].value)
    found["eval/loss"] = splits["val"]["loss"].value
    found["eval/token_accuracy"] = splits["val"]["token_accuracy"].value
    found["eval/generalization_gap"] = float(outcome["generalization_gap"])
    for segment, values in test.items():
        if segment.count("=") == 1:
            found |= {f"test/{name}/{segment.partition('=')[2]}": value.value for name, value in values.items()}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _table(test: Segments) -> Table:
    rows = []
    for segment, values in test.items():
        if segment.count("=") > 1:
            continue  # language by category is in evaluation.json
        cells = [segment, str(values["loss"].examples), str(values["loss"].users)]
        for name, (_, form, ranged) in _COLUMNS.items():
            shown = (
                (_with_interval(values[name], form) if ranged else f"{values[name].value:{form}}")
                if name in values
                else "-"
            )
            cells.append(shown)
        rows.append(cells)
    headings = ["segment", "examples", "users", *(heading for heading, _, _ in _COLUMNS.values())]
    return Table("Test split, with 95 % intervals clustered by user", headings, rows)
