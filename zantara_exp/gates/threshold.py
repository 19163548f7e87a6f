"""From which score on requests may move: the lowest threshold at which those moved are shown to be good enough.

Quality is the share of the moved requests that the candidate answers, and answers as well as the primary or better. It
is bounded from below on users who took no part in the score and in the order of the thresholds, each with one voice:

  answered   the mean over users of the share of their moved requests that succeed: a bet on bounded means, one look
             (`eprocess.strict_lower_bound`), with a tenth of alpha
  as good    people's labels, one request a user: the exact binomial bound, or with a judge's verdicts on more users the
             prediction-powered one (`zantara_exp.gates.prediction`), with the rest of alpha

and the product of both bounds has to exceed what is declared. The thresholds are tested in a fixed order, each at the
whole alpha, until one fails (fixed-sequence testing; Angelopoulos, Bates, Candes, Jordan & Lei, Learn then Test,
arXiv:2110.01052: family-wise control without a correction). Where the sequence begins the other users say, those of
the score: where what would move stands out most from the whole, however lenient a judge is. From there it goes from
strict to loose. All requests at once are tested apart, with a quarter of alpha: a score may know nothing, and all be
good. A share of requests cannot be bounded where a few users make most: its estimate can only withhold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from zantara_exp.gates import prediction
from zantara_exp.gates.eprocess import strict_lower_bound

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of the requests that the thresholds would move."""
_OF_ANSWERED = 0.1
"""Of alpha."""
_OF_WHOLE = 0.25
"""Of alpha, for the test of all requests at once."""
_FIRST_LOOK = 0.8
"""Of what is left of alpha, at each look: all looks at one candidate spend alpha together."""
_PRIOR = 4.0
"""Requests by which the choice of the first threshold shrinks to the whole."""
_POWER, _HOPED = 0.8, 2 / 3
"""What a forecast of labels goes by: how likely they show it, if the moved are so much of the way to faultless."""


@dataclass(frozen=True)
class Fresh:
    """Requests of users whom neither the score nor the order of the thresholds knows."""

    score: Floats
    user: Ints
    ok: Flags
    """Whether the candidate answered."""
    labelled: Ints
    """Rows that people judged, one of a user."""
    good: Flags
    """What they said of these."""
    pool: Ints
    """Rows that the judge saw beside these, one of a user."""
    called: Flags
    """What the judge says of `labelled`, then of `pool`; all good, and no pool, where no judge counts."""


@dataclass(frozen=True)
class Point:
    """One threshold."""

    threshold: float
    moved: float
    """Share of requests."""
    users: int
    """With requests that would move."""
    labels: int
    good: int
    answered: float
    """Lower bound on the mean over users of the share that succeeds."""
    estimate: float
    by_request: float
    """The estimate with each user's label weighing as many requests as the user would have moved."""
    passes: bool


@dataclass(frozen=True)
class Order:
    """The thresholds from strict to loose, and at which the tests begin."""

    thresholds: tuple[float, ...]
    start: int


def alpha_of(look: int, alpha: float) -> float:
    """What the look with that number, from 1 on, may spend."""
    return alpha * _FIRST_LOOK * (1.0 - _FIRST_LOOK) ** (look - 1)


def order(score: Floats, good: Flags, others: Floats) -> Order:
    """The order of the tests, by users who are not to be certified with; `others` are the scores of those who are.

    `score`: out of fold, of requests of which a judge or people said whether they were as `good`.
    """
    shares = np.array(SHARES)
    moved = score[:, None] >= np.quantile(score, 1.0 - shares, method="lower")
    count = moved.sum(axis=0)
    stands_out = ((moved & good[:, None]).sum(axis=0) - count * good.mean()) / (count + _PRIOR) * np.sqrt(count)
    marks = np.quantile(others, 1.0 - shares, method="lower")
    # The loosest moves whatever else comes; of alike scores there is one threshold.
    thresholds = (*dict.fromkeys(map(float, marks[marks > marks[-1]])), 0.0)
    at_start = marks[int(np.argmax(stands_out))]
    return Order(thresholds, next((at for at, mark in enumerate(thresholds) if mark <= at_start)))


def in_order(alpha: float) -> float:
    """What the tests in their order may spend of what a look may."""
    return alpha * (1.0 - _OF_WHOLE)


def certified(of: Fresh, tests: Order, quality: float, alpha: float) -> Point | None:
    """All requests where they pass; else the last threshold that does in its order, up to the first that does not."""
    whole = at(of, tests.thresholds[-1], quality, alpha * _OF_WHOLE)
    if whole.passes:
        return whole
    found = None
    for threshold in tests.thresholds[tests.start :]:
        point = at(of, threshold, quality, in_order(alpha))
        if not point.passes:
            break
        found = point
    return found


def at(of: Fresh, threshold: float, quality: float, alpha: float) -> Point:
    """What users who are not known show about one threshold."""
    moved = of.score >= threshold
    asked = np.bincount(of.user[moved], minlength=int(of.user.max(initial=0)) + 1)
    done = np.bincount(of.user[moved & of.ok], minlength=asked.size)
    shares = done[asked > 0] / asked[asked > 0]
    mine = moved[of.labelled]
    good, labels = of.good[mine], int(mine.sum())
    if not labels:
        return Point(threshold, float(moved.mean()), shares.size, 0, 0, 0.0, 0.0, 0.0, False)
    answered, judged = strict_lower_bound(shares, _OF_ANSWERED * alpha), _judged(of, moved)
    weight = asked[of.user[of.labelled[mine]]]
    by_request = float((weight * good).sum() / weight.sum() * of.ok[moved].mean())
    wanted = quality / max(answered, quality)
    shown = wanted < 1.0 and float(prediction.log_evidence(judged, wanted)) >= -math.log((1.0 - _OF_ANSWERED) * alpha)
    return Point(
        threshold, float(moved.mean()), shares.size, labels, int(good.sum()), answered,
        float(prediction.estimate(judged) * shares.mean()), by_request, shown and by_request >= quality,
    )  # fmt: skip


def lower(of: Fresh, point: Point, quality: float, alpha: float) -> float:
    """Lower bound on the quality of what a threshold moves; where the test passes it is at least what is declared.

    The prediction-powered bound stands before the first share that is not excluded, which may lie before the test's.
    """
    judged = _judged(of, of.score >= point.threshold)
    found = point.answered * prediction.lower(judged, (1.0 - _OF_ANSWERED) * alpha) if point.labels else 0.0
    return max(found, quality) if point.passes else min(found, quality)


def _judged(of: Fresh, moved: Flags) -> prediction.Judged:
    """The labels of moved requests, beside what the judge says; one that calls all good says nothing."""
    mine = moved[of.labelled]
    called, good = of.called[: mine.size][mine], of.good[mine]
    seen = np.concatenate([called, of.called[mine.size :][moved[of.pool]]])
    parts = np.stack([~called, called])
    counts = (parts & good).sum(axis=1).astype(np.float64), parts.sum(axis=1).astype(np.float64)
    return prediction.Judged(*counts, np.asarray(seen.mean()), float(seen.size))


def fewest(quality: float, alpha: float) -> int:
    """Labels of moved requests below which not even all of them good would show it."""
    return math.ceil(math.log((1.0 - _OF_ANSWERED) * alpha) / math.log(quality))


def needed(moved: float, quality: float, alpha: float, truth: float | None = None) -> int | None:
    """About how many labels show it in four cases of five, if so large a share of them is of moved requests.

    `truth`: their quality, where something is known of it; None comes back where no number of labels would show it.
    """
    truth = quality + _HOPED * (1.0 - quality) if truth is None else truth
    if truth <= quality or not moved:
        return None
    spread = float(ndtri(1.0 - alpha)) * math.sqrt(quality * (1.0 - quality))
    spread += float(ndtri(_POWER)) * math.sqrt(truth * (1.0 - truth))
    return math.ceil(max(fewest(quality, alpha), (spread / (truth - quality)) ** 2) / moved)
