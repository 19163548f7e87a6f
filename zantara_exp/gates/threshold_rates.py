"""How often `threshold` certifies what is not as good as declared, and how often it finds what is: simulated.

A request is easy or hard, and its score tells which, with noise. 240 users fit, 900 others certify; of those people
judged 150, and a judge, who says what people say in 85 %, saw them and 240 more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zantara_exp.gates.eprocess import Floats
from zantara_exp.gates.threshold import Flags, Fresh, alpha_of, certified, order

_FITTING, _USERS, _LABELS, _POOL = 240, 900, 150, 240
_ANSWERED, _RIGHT = 0.995, 0.85
_EASY, _NOISE = 2 / 3, 0.2
_HOPED, _HARD = 2 / 3, 0.55
"""Where some are good: so much of the way to faultless is the easy part, and so much of what is declared the other."""
_MOST = 40
"""Requests of one user."""


class Drawn(NamedTuple):
    """One log."""

    quality: float
    """What is declared."""
    alpha: float
    """Over all looks; this is the first."""
    worst: bool
    """Whether all requests lie exactly at what is declared: each certificate is a wrong one."""
    seed: tuple[int, int]


def moved_in(log: Drawn) -> float:
    """Share of the requests that is certified at the first look; 0 without a certificate."""
    rng = np.random.default_rng(list(log.seed))
    easy = log.quality + _HOPED * (1.0 - log.quality)
    shares = np.array([easy, _HARD * log.quality])
    if log.worst:
        shares = np.full(2, log.quality / _ANSWERED)

    def asked(size: int) -> tuple[Floats, Flags]:
        """Scores, and whether they are answered as well."""
        hard = (rng.random(size) > _EASY).astype(np.int64)
        return 1.0 / (1.0 + np.exp(hard - 0.5 + _NOISE * rng.standard_normal(size))), rng.random(size) < shares[hard]

    def called(good: Flags) -> Flags:
        return np.asarray(good == (rng.random(good.size) < _RIGHT), dtype=bool)

    known, good = asked(_FITTING)
    said = called(good) & (rng.random(_FITTING) < _ANSWERED)
    counts = np.minimum(rng.zipf(2.0, _USERS), _MOST)
    user, first = np.repeat(np.arange(_USERS), counts), np.cumsum(counts) - counts
    score, good = asked(user.size)
    ok = rng.random(user.size) < _ANSWERED
    ok[first] = True  # what is labelled was answered
    labelled, pool = first[:_LABELS], first[_LABELS : _LABELS + _POOL]
    of_judge = called(good[np.concatenate([labelled, pool])])
    fresh = Fresh(score, user, ok, labelled, good[labelled], pool, of_judge)
    found = certified(fresh, order(known, said, score), log.quality, alpha_of(1, log.alpha))
    return 0.0 if found is None else found.moved
