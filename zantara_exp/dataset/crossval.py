"""Measures labels by examples on the examples themselves, by leave-one-out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from zantara_exp.core.errors import ZantaraError
from zantara_exp.dataset.duplicates import Index, Sketch, jaccard
from zantara_exp.dataset.examples import TOKEN, Labelled, fit, plain

_NEAR = 0.5
"""Share of words at which two examples are copies of one another."""
_ASK_BELOW = 0.7
"""Share of that at which the index is asked: of short texts it misses pairs near its own threshold."""
_BINS = 10


class Left(NamedTuple):
    """What a model that had not seen a text, nor a copy of it, says of it."""

    label: str
    """Said by hand."""
    probabilities: dict[str, float]
    known: float
    """As in `examples.Judged`."""


def left_out(rows: Sequence[Labelled], folds: int = 5) -> list[Left]:
    """Each example judged by a model of the other folds; copies of one another are in one fold.

    Raises ZantaraError where a label has fewer examples, copies counted once, than there are folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    copies = _copies(rows)
    apart = Counter(label for label, _ in {(row.label, copy) for row, copy in zip(rows, copies, strict=True)})
    if rare := sorted(label for label, count in apart.items() if count < folds):
        raise ZantaraError(
            f"fewer than {folds} examples of {', '.join(rare)} that are no copies: they cannot be left out in turn",
            "add some",
        )
    found: dict[int, Left] = {}
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    for others, part in split.split(rows, [row.label for row in rows], copies):
        model = fit([rows[i] for i in others])
        for i in part:
            probabilities, known = model.judged(rows[i].text)
            found[int(i)] = Left(rows[i].label, dict(zip(model.labels, probabilities, strict=True)), known)
    return [found[i] for i in range(len(rows))]


def scored(rows: Iterable[Left]) -> dict[str, Any]:
    """`matrix` (said by hand -> labelled as -> count), `accuracy`, `macro` (the mean of the labels' own shares of right
    answers), and `calibration`: by how much the probability of the named label misses its share of right answers, on
    average over ten bins (expected calibration error). The same keys as `labels.confusion` has.
    """
    matrix: dict[str, Counter[str]] = defaultdict(Counter)
    sums = np.zeros((_BINS, 2))
    for row in rows:
        label, sure = max(row.probabilities.items(), key=lambda each: each[1])
        matrix[row.label][label] += 1
        sums[min(int(sure * _BINS), _BINS - 1)] += sure, label == row.label
    total = sum(counts.total() for counts in matrix.values())
    shares = [counts[label] / counts.total() for label, counts in matrix.items()]
    return {
        "matrix": {said: dict(counts.most_common()) for said, counts in sorted(matrix.items())},
        "accuracy": float(sums[:, 1].sum() / total),
        "macro": sum(shares) / len(shares),
        "calibration": float(np.abs(sums[:, 0] - sums[:, 1]).sum() / total),
    }


def _copies(rows: Sequence[Labelled]) -> list[int]:
    """A number per example; those that share most of their words have the same."""
    sets = [frozenset(map(plain, TOKEN.findall(row.text))) for row in rows]
    index = Index(_NEAR * _ASK_BELOW, Sketch(_NEAR * _ASK_BELOW).of(sets), sets.__getitem__)
    group: list[int] = []
    members: dict[int, list[int]] = defaultdict(list)
    for place, words in enumerate(sets):
        near = {group[other] for other in index.near(place) if jaccard(words, sets[other]) >= _NEAR}
        group.append(min(near, default=place))
        for other in near - {group[place]}:
            for member in members[other]:
                group[member] = group[place]
            members[group[place]] += members.pop(other)
        members[group[place]].append(place)
        index.add(place)
    return group
