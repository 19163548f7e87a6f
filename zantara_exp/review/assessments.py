"""What reviewers said, as assessments of traces: MLflow's own UI shows pair, verdict, rubric and comment.

The answers are called A and B, as on the page. The verdicts speak of the candidate, and with them a pair can be seen
through: they are sent when a reviewer has finished, and whoever still has to review should do that first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zantara_exp.config.decision import Review
from zantara_exp.review.adjudication import Panel, reads
from zantara_exp.review.labels import Label, blind
from zantara_exp.review.sample import Item, Sample

SETTLED = "settled"
_OPEN = "open"
_OURS = "zantara-exp"
Trace = dict[str, object]


def assessed(sample: Sample, found: Panel, terms: Review) -> tuple[str, list[Trace]]:
    """The group and its traces, as `RunRecord.traces` takes them: one per pair that somebody judged."""
    traces: list[Trace] = []
    for item in sample.items:
        mine = [label for label in found.labels if label.pair == item.number]
        if mine:
            trace = _trace(item, mine, found.settled.get(item.number, _OPEN))
            traces.append({**trace, **_work(item, mine, found, terms)})
    return f"review:{sample.hash}", traces


def _work(item: Item, labels: Sequence[Label], found: Panel, terms: Review) -> Trace:
    """Who is asked to judge a pair, and who did so last, once it is settled."""
    named = [name for name in terms.reviewers if reads(terms, name, item.language)]
    asked = [terms.adjudicator] if item.number in found.disputed else named or [label.reviewer for label in labels]
    return {"asked": asked, "done_by": labels[-1].reviewer if item.number in found.settled else ""}


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
