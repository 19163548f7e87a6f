"""What reviewers said, as assessments of traces: MLflow's own UI shows pair, verdict, rubric and comment.

The answers are called A and B, as on the page. The verdicts speak of the candidate, and with them a pair can be seen
through: they are sent when a reviewer has finished, and whoever still has to review should do that first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zantara_exp.review.labels import Label, adjudicated, blind
from zantara_exp.review.sample import Item, Sample

SETTLED = "settled"
_OURS = "zantara-exp"
Trace = dict[str, object]


def assessed(sample: Sample, labels: Sequence[Label], adjudicator: str) -> tuple[str, list[Trace]]:
    """The group and its traces, as `RunRecord.traces` takes them: one per pair that somebody judged."""
    settled = adjudicated(labels, adjudicator)
    traces: list[Trace] = []
    for item in sample.items:
        mine = [label for label in labels if label.pair == item.number]
        if mine:
            traces.append(_trace(item, mine, settled[item.number]))
    return f"review:{sample.hash}", traces


def _trace(item: Item, labels: Sequence[Label], settled: str) -> Trace:
    said = [assessment for label in labels for assessment in _said(item, label)]
    result = {"name": SETTLED, "value": settled, "rationale": "", "source": _OURS, "source_type": "CODE"}
    return {
        "key": str(item.number),
        "inputs": {"question": item.question, **({"context": item.context} if item.context else {})},
        "outputs": {"A": item.answer_a, "B": item.answer_b},
        "tags": {"language": item.language, "category": item.category},
        "assessments": [*said, result],
    }


def _said(item: Item, label: Label) -> list[Mapping[str, object]]:
    """One reviewer's word: the verdict about the candidate, and which side deserves what, by its letter."""
    answer = blind(label, item)
    sides = {**answer.rubric, "critical_bug": answer.critical}
    values = {"verdict": label.verdict, **{name: given or "neither" for name, given in sides.items()}}
    return [
        {
            "name": name,
            "value": value,
            "rationale": label.comment if name == "verdict" else "",
            "source": label.reviewer,
            "source_type": "HUMAN",
        }
        for name, value in values.items()
    ]
