"""Labels of a review as arrays, looked at as they come in, with or without a judge's verdicts beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zantara_exp.config.gate import Criterion, Traffic
from zantara_exp.gates import intervals, prediction
from zantara_exp.gates.evidence import CANNOT, GOOD, OPEN, WORSE, Judgements, Reviews
from zantara_exp.gates.kinds.kind import Outcomes, Rule, Weighed, outcomes
from zantara_exp.gates.looks import Bounds, bounds, schedule
from zantara_exp.gates.user_visits import Floats, Ints

_MAY_BE_UNSEEN = 0.02
"""Share of the labelled pairs that a judge need not have seen; each counts as one that cannot be judged."""
_ALIKE = 4.0
"""Standard errors that the sample may differ by from what the judge saw: more, by chance, once in 16,000 samples."""


@dataclass(frozen=True)
class Labels:
    """What people said by each look; arrays of (rollouts, looks, parts).

    A judge makes two parts: of the pairs that it calls not good, and of those that it calls good.
    """

    good: Floats
    worse: Floats
    pairs: Floats
    share: Floats | None = None
    """Of all that a judge saw, those that it calls good; arrays of (rollouts, looks). None: no judge counts."""
    saw: float = 0.0
    """How many users' pairs it saw."""

    @property
    def sizes(self) -> Ints:
        """Labels by each look; an array of looks."""
        return np.asarray(self.pairs[0].sum(-1).astype(np.int64))

    @property
    def alone(self) -> Labels:
        """The same labels without the judge."""
        good, worse, pairs = (of.sum(-1, keepdims=True) for of in (self.good, self.worse, self.pairs))
        return Labels(good, worse, pairs)

    def looks(self, first: int, last: int) -> Labels:
        """The looks from `first` to before `last`."""
        good, worse, pairs = (of[:, first:last] for of in (self.good, self.worse, self.pairs))
        return Labels(good, worse, pairs, None if self.share is None else self.share[:, first:last], self.saw)

    def judged(self, of: Floats) -> prediction.Judged | None:
        """`good` or `worse` beside the judge's verdicts."""
        return None if self.share is None else prediction.Judged(of, self.pairs, self.share, self.saw)


def looks_of(criterion: Criterion, size: int) -> tuple[int, ...]:
    """At how many labelled pairs a sample of `size` is looked at."""
    return schedule(criterion.look_at, size) if criterion.look_at else (size,)


def of_go(rule: Rule, looks: tuple[int, ...]) -> Bounds:
    """What GO asks of good answers."""
    return bounds(looks, rule.criterion.go.value, rule.alpha)


def of_no_go(rule: Rule, looks: tuple[int, ...]) -> Bounds:
    """What NO-GO asks of worse answers."""
    return bounds(looks, 1.0 - rule.criterion.no_go.value, rule.alpha_no_go)


def evidence(rule: Rule, labels: Labels, looks: tuple[int, ...]) -> Weighed:
    """Log evidence at the first of the planned `looks`."""
    c, none = rule.criterion, np.zeros(labels.good.shape[:2])
    go = _log_go(labels, c.go.value, of_go(rule, looks), rule.alpha) if c.go.given else none
    if not c.no_go.given:
        return Weighed(go, none)
    return Weighed(go, _log_no_go(labels, c.no_go.value, of_no_go(rule, looks), rule.alpha_no_go))


def at_looks(rule: Rule, labels: Labels, looks: tuple[int, ...]) -> Outcomes:
    """What each look shows, and what an earlier one has shown."""
    found = outcomes(rule, evidence(rule, labels, looks), labels.sizes, labels.sizes >= rule.min_users)
    passes, fails = (np.logical_or.accumulate(flags, axis=1) for flags in found)
    if not rule.criterion.go.given:
        passes = found.passes
    return Outcomes(passes & ~fails, fails)


def _log_go(labels: Labels, p0: float, of: Bounds, alpha: float) -> Floats:
    """Log evidence that more than `p0` are good, less what looking more than once costs."""
    if (judged := labels.judged(labels.good)) is not None:
        return prediction.log_evidence(judged, p0) + math.log(of.even / alpha)
    good, pairs = labels.good.sum(-1), labels.pairs.sum(-1)
    return intervals.exact_log_evidence_go(good, pairs - good, p0) + math.log(of.level / alpha)


def _log_no_go(labels: Labels, p0: float, of: Bounds, alpha: float) -> Floats:
    """Log evidence that fewer than `p0` are not worse."""
    if (judged := labels.judged(labels.worse)) is not None:
        return prediction.log_evidence(judged, 1.0 - p0) + math.log(of.even / alpha)
    worse, pairs = labels.worse.sum(-1), labels.pairs.sum(-1)
    return intervals.exact_log_evidence_no_go(pairs - worse, worse, p0) + math.log(of.level / alpha)


class Measured(NamedTuple):
    """What one look at one review measured: shares of good answers."""

    estimate: float
    lower: float
    upper: float


def measured(rule: Rule, labels: Labels, looks: tuple[int, ...]) -> Measured:
    """Of one look: estimate, and bounds at the level of the looks; the upper one is of answers that are not worse."""
    go = of_go(rule, looks) if rule.criterion.go.given else Bounds((), rule.alpha, rule.alpha)
    no_go = of_no_go(rule, looks) if rule.criterion.no_go.given else go
    good, worse = labels.judged(labels.good), labels.judged(labels.worse)
    if good is not None and worse is not None:
        share = float(prediction.estimate(good)[0, 0])
        return Measured(share, prediction.lower(good, go.even), 1.0 - prediction.lower(worse, no_go.even))
    right, wrong, size = (float(of.sum()) for of in (labels.good, labels.worse, labels.pairs))
    lower = float(intervals.exact_lower(right, size - right, go.level))
    return Measured(right / size, lower, float(intervals.exact_upper(size - wrong, wrong, no_go.level)))


def usable(criterion: Criterion, reviews: Reviews, labelled: int) -> tuple[Judgements | None, str]:
    """The judge that counts beside the first `labelled` pairs, or None and why one that was asked does not."""
    judged = reviews.judged
    if not criterion.judge or judged is None:
        return None, ""
    if judged.refused:
        return None, judged.refused
    unseen = judged.in_order[:labelled].count(OPEN)
    if unseen > _MAY_BE_UNSEEN * labelled:
        return None, f"it has not seen {unseen} of the first {labelled} pairs"
    seen = len(judged.in_order) - judged.in_order.count(OPEN)
    called, share = judged.in_order.count(GOOD) / seen, judged.share
    if abs(called - share) > _ALIKE * math.sqrt(share * (1.0 - share) / seen) + 1.0 / seen:
        return None, f"it calls {100 * called:.0f} % of the sample good and {100 * share:.0f} % of all that it saw"
    return judged, ""


def labels_at(due: tuple[int, ...], reviews: Reviews, judged: Judgements | None) -> Labels:
    """The labels of one review by each look that is due."""
    if judged is None:
        parts = [reviews.first(look) for look in due]
        counts = [[(part.equivalent_or_better, part.worse, part.size) for part in parts]]
        good, worse, pairs = np.moveaxis(np.array(counts, dtype=np.float64), -1, 0)
        return Labels(good[..., None], worse[..., None], pairs[..., None])
    said = [CANNOT if seen == OPEN else label for label, seen in zip(reviews.in_order, judged.in_order, strict=True)]
    letters, calls = np.array(said), np.array(list(judged.in_order)) == GOOD
    parts_of = np.stack([~calls, calls], -1)
    good, worse, pairs = (
        np.cumsum(parts_of & flags[:, None], axis=0)[None, np.array(due) - 1].astype(np.float64)
        for flags in (letters == GOOD, letters == WORSE, letters != "")
    )
    return Labels(good, worse, pairs, np.full(good.shape[:-1], judged.share), float(judged.users))


def agreement(reviews: Reviews, judged: Judgements, labelled: int) -> float:
    """Of the first pairs, those of which the judge says what people say: good, or not."""
    both = zip(reviews.in_order[:labelled], judged.in_order[:labelled], strict=True)
    return sum((label == GOOD) == (call == GOOD) for label, call in both) / labelled


class Right(NamedTuple):
    """How often a simulated judge says what people say."""

    of_good: float
    of_others: float


def planned_judge(rule: Rule, traffic: Traffic) -> Right | None:
    """The judge that is planned with, where one is."""
    right = traffic.judge_right
    return Right(right, right) if rule.criterion.judge and right is not None else None


def drawn(
    looks: tuple[int, ...], truth: float, simulations: int, rng: np.random.Generator, right: Right | None, users: int
) -> Labels:
    """Simulated labels, of which `truth` are good and the others worse; beside a judge's verdicts where one is `right`.

    It sees a pair of each of `users` users, those of the sample among them.
    """
    shape, steps = (simulations, len(looks)), np.diff(looks, prepend=0)
    good = rng.binomial(steps, truth, shape)
    if right is None:
        goods, bads = (of.cumsum(axis=1).astype(np.float64)[..., None] for of in (good, steps - good))
        return Labels(goods, bads, goods + bads)
    goods, bads = (
        _parted(of, chance, rng) for of, chance in ((good, right.of_good), (steps - good, 1 - right.of_others))
    )
    others = max(users - looks[-1], 0)
    called = rng.binomial(others, truth * right.of_good + (1.0 - truth) * (1.0 - right.of_others), (simulations, 1))
    saw = others + looks[-1]
    share = (called + (goods + bads)[:, -1:, 1]) / saw
    return Labels(goods, bads, goods + bads, np.broadcast_to(share, shape), float(saw))


def _parted(pairs: Ints, called_good: float, rng: np.random.Generator) -> Floats:
    calls = rng.binomial(pairs, called_good)
    return np.stack([pairs - calls, calls], -1).cumsum(axis=1).astype(np.float64)
