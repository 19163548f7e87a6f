"""Labels: what reviewers said of the candidate, unblinded only after they said it; one JSON object a line."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from zantara_exp.review.sample import Item, Sample
from zantara_exp.review.sheet import Answer

BETTER, EQUIVALENT, WORSE, CANNOT = "better", "equivalent", "worse", "cannot_judge"


@dataclass(frozen=True)
class Label:
    """One reviewer's word on one pair."""

    sample: str
    pair: int
    comparison_id: str
    reviewer: str
    verdict: str
    """The candidate is better, equivalent or worse than the primary, or cannot_judge."""
    critical_bug: bool
    """The candidate's answer has a bug that must not reach a user."""
    rubric: dict[str, bool] = field(default_factory=dict)
    """Whether the candidate's answer is natural, appropriate, warm, not robotic."""
    comment: str = ""
    blind: bool = True
    primary_bug: bool = False
    primary_rubric: dict[str, bool] = field(default_factory=dict)


def unblinded(answers: Iterable[Answer], sample: Sample, reviewer: str) -> list[Label]:
    """Blind answers as labels of the candidate."""
    items = {item.number: item for item in sample.items}
    labels = []
    for answer in answers:
        item = items[answer.number]
        verdicts = {"same": EQUIVALENT, "cannot": CANNOT, item.candidate: BETTER}
        labels.append(
            Label(
                sample=sample.hash,
                pair=item.number,
                comparison_id=item.comparison_id,
                reviewer=reviewer,
                verdict=verdicts.get(answer.better, WORSE),
                critical_bug=item.candidate in answer.critical,
                rubric={name: item.candidate in sides for name, sides in answer.rubric.items()},
                comment=answer.comment,
                primary_bug=_other(item) in answer.critical,
                primary_rubric={name: _other(item) in sides for name, sides in answer.rubric.items()},
            )
        )
    return labels


def _other(item: Item) -> str:
    return "B" if item.candidate == "A" else "A"


def blind(label: Label, item: Item) -> Answer:
    """What a reviewer said, as they said it: for showing it to them again."""
    better = {EQUIVALENT: "same", CANNOT: "cannot", BETTER: item.candidate}.get(label.verdict, _other(item))
    rubric = {
        name: _sides(item, label.rubric.get(name, False), label.primary_rubric.get(name, False))
        for name in label.rubric
    }
    return Answer(item.number, better, _sides(item, label.critical_bug, label.primary_bug), rubric, label.comment)


def _sides(item: Item, candidate: bool, primary: bool) -> str:
    """The sides that something holds for, as a part of `AB`."""
    holds = {item.candidate: candidate, _other(item): primary}
    return "".join(side for side in "AB" if holds[side])


def merge(path: Path, new: Sequence[Label]) -> list[Label]:
    """Add labels to the file; a reviewer's later word on a pair replaces the earlier one."""
    kept = {(label.sample, label.pair, label.reviewer): label for label in [*load(path), *new]}
    rewrite(path, kept.values())
    return list(kept.values())


def withdraw(path: Path, sample: str, pair: int, reviewer: str) -> None:
    """Take a reviewer's word on a pair back."""
    gone = (sample, pair, reviewer)
    rewrite(path, [label for label in load(path) if (label.sample, label.pair, label.reviewer) != gone])


def rewrite(path: Path, labels: Iterable[Label]) -> None:
    """Put these labels in the place of those on file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    lines = [json.dumps(asdict(label), ensure_ascii=False) for label in labels]
    waiting.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    os.replace(waiting, path)


def load(path: Path) -> list[Label]:
    """The labels on file; none without a file. A line that is no label is left out: it cannot pass a gate."""
    if not path.is_file():
        return []
    labels = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            label = Label(**json.loads(line))
        except (ValueError, TypeError):
            continue
        if label.verdict in (BETTER, EQUIVALENT, WORSE, CANNOT):
            labels.append(label)
    return labels


def adjudicated(labels: Sequence[Label], adjudicator: str) -> dict[int, str]:
    """One verdict per pair: the adjudicator's, else the majority's; where there is none, `cannot_judge`.

    Better and equivalent count as one vote, since the criterion asks for "equivalent or better".
    """
    by_pair: dict[int, list[Label]] = {}
    for label in labels:
        by_pair.setdefault(label.pair, []).append(label)
    return {pair: _settled(found, adjudicator) for pair, found in sorted(by_pair.items())}


def _settled(labels: Sequence[Label], adjudicator: str) -> str:
    for label in labels:
        if label.reviewer == adjudicator:
            return label.verdict
    votes = Counter(EQUIVALENT if label.verdict == BETTER else label.verdict for label in labels)
    winner, most = votes.most_common(1)[0]
    if 2 * most <= len(labels):
        return CANNOT
    if winner == EQUIVALENT and all(label.verdict in (BETTER, WORSE, CANNOT) for label in labels):
        return BETTER
    return winner


def agreement(labels: Sequence[Label]) -> float | None:
    """Krippendorff's alpha (2011) of better-or-equivalent, worse, cannot judge: 1 is agreement, 0 is chance.

    None where no pair has two labels. With no variation at all it is undefined in theory; here it is 1.
    """
    by_pair: dict[int, Counter[str]] = {}
    for label in labels:
        word = EQUIVALENT if label.verdict == BETTER else label.verdict
        by_pair.setdefault(label.pair, Counter())[word] += 1
    units = [votes for votes in by_pair.values() if votes.total() > 1]
    if not units:
        return None
    whole = sum(units, Counter[str]())
    everyone = whole.total()
    observed = sum((v.total() ** 2 - sum(c * c for c in v.values())) / (v.total() - 1) for v in units) / everyone
    expected = (everyone**2 - sum(count * count for count in whole.values())) / (everyone * (everyone - 1))
    return 1.0 if expected == 0 else 1 - observed / expected
