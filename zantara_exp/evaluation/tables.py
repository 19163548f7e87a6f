"""What stage=evaluate prints and records: a summary, a table by segment, metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zantara_exp.core.next_command import command
from zantara_exp.core.stage import StageResult, Table
from zantara_exp.evaluation.summary import Estimate

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
    "judged_equivalent": ("judged as good", ".0%", True),
}
"""Measure -> heading, format, whether its interval is printed; evaluation.json holds every interval."""


def result_of(outcome: Mapping[str, Any], splits: Segments, test: Segments, files: Sequence[Path]) -> StageResult:
    """The stage's result from what was measured."""
    return StageResult(
        summary=_summary(outcome, splits, test["all"]),
        metrics=_metrics(outcome, splits, test),
        tags={"epoch": str(outcome["epoch"])[:12]},
        tables=[_table(test), *judge_tables(outcome["judge"])],
        artifacts=files,
        next_command=command("stage=gate", "gate=training_judged" if outcome["judge"] else "gate=training"),
        not_reusable=bool(outcome["judge"] and outcome["judge"]["missing"]),
    )


def _summary(outcome: Mapping[str, Any], splits: Segments, test: Mapping[str, Estimate]) -> dict[str, str]:
    lines = {
        "model": f"{outcome['model']}, candidate {str(outcome['epoch'])[:12]}",
        "validation loss": f"{splits['val']['loss'].value:.3f}",
        "train loss": f"{splits['train']['loss'].value:.3f} (gap {outcome['generalization_gap']:+.3f})",
        "test loss": f"{test['loss'].value:.3f}, perplexity {_perplexity(test['loss'].value):.2f}",
        "token accuracy": f"{with_interval(test['token_accuracy'], '.1%')}  ({NOT_FACTS})",
    }
    if "exact_match" in test:
        lines["answers"] = (
            f"{test['exact_match'].examples} generated: exact match {with_interval(test['exact_match'], '.1%')}, "
            f"chrF {with_interval(test['chrf'], '.1f')}, ROUGE-L {test['rouge_l'].value:.2f}"
        )
        lines["language"] = (
            f"{test['language_match'].value:.1%} answered in the language of the question "
            f"(primary {test['primary_language_match'].value:.1%})"
        )
        lines["flaws"] = f"{_flaws(outcome['flaws'])} (primary: {_flaws(outcome['primary_flaws'])})"
        lines["length"] = (
            f"{test['answer_tokens'].value:.0f} tokens (primary {test['primary_tokens'].value:.0f}); a batch took "
            f"p50 {outcome['batch_seconds']['p50']:.2f} s, p95 {outcome['batch_seconds']['p95']:.2f} s "
            "(what a user waits is measured by stage=shadow)"
        )
    if "embedding" in test:
        lines["meaning"] = f"cosine {with_interval(test['embedding'], '.2f')} with the primary's answers"
    if outcome["judge"]:
        lines |= judge_lines(outcome["judge"], test.get("judged_equivalent"))
    return lines


def _flaws(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none seen"


def judge_lines(judged: Mapping[str, Any], equivalent: Estimate | None) -> dict[str, str]:
    """What the judge said, its noise floor and its cost, for a stage's summary."""
    floor = judged["noise_floor"]
    read = judged["pairs"] - judged["missing"]
    share = "no pair has a verdict"
    if equivalent:
        share = f"as good as the primary or better in {with_interval(equivalent, '.1%')} of {read} pairs"
    paid = "no price is known for it (cost.prices)" if judged["usd"] is None else f"USD {judged['usd']:.2f}"
    tokens = f"{judged['tokens_input']:,} tokens read, {judged['tokens_output']:,} written, {paid}"
    return {
        "judge": f"{judged['model']}: {share}; "
        f"{judged['missing']} without a verdict; in {judged['order_decided']} the order decided, which is a tie",
        "noise floor": f"the primary against itself: {floor['not_a_tie']} of {floor['pairs']} pairs not a tie in both "
        f"orders, {floor['single_preferences']} single preferences; {floor['missing']} without a verdict",
        "judge's cost": f"{judged['questions']} questions asked in this run, {tokens}",
    }


def judge_tables(judged: Mapping[str, Any] | None) -> list[Table]:
    """What it said by criterion; nothing without a judge."""
    if not judged:
        return []
    rows = [[name, *map(str, counts.values())] for name, counts in judged["by_criterion"].items()]
    return [Table("Judged, in both orders", ["criterion", "candidate better", "tie", "primary better"], rows)]


def with_interval(value: Estimate, form: str) -> str:
    """A value with its interval, in the format `form`."""
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
    columns = [name for name in _COLUMNS if name in test["all"] or name != "judged_equivalent"]
    for segment, values in test.items():
        if segment.count("=") > 1:
            continue  # language by category is in evaluation.json
        cells = [segment, str(values["loss"].examples), str(values["loss"].users)]
        rows.append(cells + [_cell(values.get(name), *_COLUMNS[name][1:]) for name in columns])
    headings = ["segment", "examples", "users", *(_COLUMNS[name][0] for name in columns)]
    return Table("Test split, with 95 % intervals clustered by user", headings, rows)


def _cell(value: Estimate | None, form: str, ranged: bool) -> str:
    if value is None:
        return "-"
    return with_interval(value, form) if ranged else f"{value.value:{form}}"
