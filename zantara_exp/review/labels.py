"""Labels: what reviewers said of the candidate, unblinded only after they said it; one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from zantara_exp.core.errors import ZantaraError
from zantara_exp.io.whole_files import write_whole
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
    items = {item.number: item for item in sample.shown}
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

    def merged(known: list[Label]) -> Iterable[Label]:
        return {(label.sample, label.pair, label.reviewer): label for label in [*known, *new]}.values()

    return change(path, merged)


def withdraw(path: Path, sample: str, pair: int, reviewer: str) -> None:
    """Take a reviewer's word on a pair back."""
    gone = (sample, pair, reviewer)
    change(path, lambda known: [label for label in known if (label.sample, label.pair, label.reviewer) != gone])


def change(path: Path, edit: Callable[[list[Label]], Iterable[Label]]) -> list[Label]:
    """Put what `edit` makes of the labels on file in their place, while nobody else changes them; the labels now.

    Raises ZantaraError, and changes nothing, when a line on file cannot be read.
    """
    with _locked(path):
        known = load(path)
        edited = list(edit(known))
        if edited != known:
            rewrite(path, edited)
    return edited


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    # beside the file, which is replaced: a lock on it would be held on what is no longer there
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def rewrite(path: Path, labels: Iterable[Label]) -> None:
    """Put these labels in the place of those on file; `change` is for whoever has read them before."""
    text = "".join(f"{json.dumps(asdict(label), ensure_ascii=False)}\n" for label in labels).encode()
    write_whole(path, text)


def load(path: Path) -> list[Label]:
    """The labels on file; none without a file. Raises ZantaraError at a line that is no label: it may tell of a bug.

    Only a newline ends a line: a comment may hold other characters that end one elsewhere, such as U+2028.
    """
    if not path.is_file():
        return []
    labels = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if line.strip():
            try:
                labels.append(_label(line))
            except (ValueError, TypeError, RecursionError) as error:
                raise ZantaraError(
                    f"{path.name}, line {number}, is no label: what was said there is not known",
                    "correct the line or take it from a backup; nothing is written to the file until then",
                ) from error
    return labels


def _label(line: bytes) -> Label:
    label = Label(**json.loads(line.decode("utf-8")))
    names = label.sample, label.comparison_id, label.reviewer, label.verdict, label.comment
    if not all(isinstance(name, str) for name in names) or type(label.pair) is not int:
        raise TypeError("a value of another type")
    if label.verdict not in (BETTER, EQUIVALENT, WORSE, CANNOT):
        raise ValueError("no verdict")
    return label
