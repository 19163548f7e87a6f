"""Simulated logs whose every request has a known quality: what is certified on them can be held against the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from zantara_exp.gates.threshold import Fresh, Point, certified, order
from zantara_exp.routing.learn import fitted, out_of_fold
from zantara_exp.routing.score import BUCKETS, Known, Score, features

FITTING = 240
TEXTS = 1500
"""Of either topic; a log's requests are drawn from them, so that what a threshold moves is known exactly."""


@dataclass(frozen=True)
class World:
    """What is true. Requests are of an easy topic or of a hard one, which their words tell with some noise."""

    easy: float = 0.93
    """Share of easy requests that the candidate answers as well as the primary."""
    hard: float = 0.45
    easy_share: float = 2 / 3
    answered: float = 0.995
    fit_easy: float | None = None
    """The same as `easy`, of the users on whom the score is fitted and who choose; None: no drift."""
    judge: tuple[float, float] | None = (0.85, 0.85)
    """How often a judge says what people say, of good answers and of others."""
    labels: int = 150
    users: int = 900
    heavy: int = 0
    """Requests of one user of those who certify, all of them answered badly."""
    quality: float = 0.8

    @property
    def fitting(self) -> World:
        """As the users who fit and choose know it."""
        easy = self.easy if self.fit_easy is None else self.fit_easy
        return World(easy, self.hard, self.easy_share, self.answered)


class Texts:
    """The requests there are: easy ones, then hard ones."""

    def __init__(self) -> None:
        rng = np.random.default_rng(3)
        own = [[f"{topic}{number}" for number in range(60)] for topic in ("easy", "hard")]
        common = [f"word{number}" for number in range(80)]
        self.found = [
            features(Known(" ".join(words), "en", "casual", 1, int(rng.integers(24))))
            for topic in (0, 1) for _ in range(TEXTS)
            for words in [[*rng.choice(own[topic], 3), *rng.choice(own[1 - topic], 1), *rng.choice(common, 4)]]
        ]  # fmt: skip

    @cached_property
    def matrix(self) -> csr_matrix:
        values = [value for each in self.found for value in each.values()]
        places = [place for each in self.found for place in each]
        return csr_matrix((values, places, np.cumsum([0, *map(len, self.found)])), shape=(len(self.found), BUCKETS))

    def scores(self, score: Score) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-(score.bias + self.matrix @ np.array(score.weights))))


def good_of(world: World, text: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.random(text.size) < np.where(text < TEXTS, world.easy, world.hard)


def drawn(world: World, size: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, TEXTS, size) + TEXTS * (rng.random(size) > world.easy_share)


def judged(world: World, good: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    right = world.judge or (1.0, 1.0)
    return np.where(rng.random(good.size) < np.where(good, right[0], right[1]), good, ~good)


@dataclass(frozen=True)
class Outcome:
    """Of one log."""

    point: Point | None
    truth: float
    """Quality of what the certified threshold would move; 1 without one."""
    moved: float
    """Share of all requests."""


def simulate(world: World, texts: Texts, seed: int, alpha: float = 0.04) -> Outcome:
    """One log: 240 users fit, the rest certify, some of them labelled, others seen by the judge alone."""
    rng = np.random.default_rng(seed)
    known = drawn(world, FITTING, rng)
    said = judged(world, good_of(world.fitting, known, rng), rng) & (rng.random(FITTING) < world.answered)
    found = [texts.found[at] for at in known]
    score = fitted(found, said.tolist())
    scores = texts.scores(score)
    crossed = np.array(out_of_fold(found, said.tolist(), [str(number) for number in range(FITTING)]))
    counts = np.minimum(rng.zipf(2.0, world.users), 40)
    if world.heavy:
        counts[0] = world.heavy
    user = np.repeat(np.arange(world.users), counts)
    text, first = drawn(world, user.size, rng), np.cumsum(counts) - counts
    good, ok = good_of(world, text, rng), rng.random(user.size) < world.answered
    if world.heavy:
        good[: world.heavy] = False
    ok[first] = True  # what is labelled was answered
    labelled, pool = first[: world.labels], first[world.labels : world.labels + 240]
    called = judged(world, good[np.concatenate([labelled, pool])], rng)
    if world.judge is None:
        pool, called = pool[:0], np.ones(labelled.size, bool)
    tests = order(crossed, said, scores[text])
    fresh = Fresh(scores[text], user, ok, labelled, good[labelled], pool, called)
    point = certified(fresh, tests, world.quality, alpha)
    if point is None:
        return Outcome(None, 1.0, 0.0)
    weight = np.repeat([world.easy_share, 1 - world.easy_share], TEXTS) * (scores >= point.threshold)
    each = np.repeat([world.easy, world.hard], TEXTS) * world.answered
    return Outcome(point, float((weight * each).sum() / weight.sum()), float(weight.sum() / TEXTS))
