"""Fits the score: logistic regression on what people and a judge said of requests, and on requests that failed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np

from zantara_exp.routing.score import BUCKETS, Score

_FOLDS = 4
_STRENGTH = 0.3
"""Inverse strength of the penalty."""


def fitted(requests: Sequence[Mapping[int, float]], good: Sequence[bool]) -> Score:
    """The score of requests, by their features; where all are alike, one that is the same for all."""
    share = (sum(good) + 0.5) / (len(good) + 1.0)
    if all(good) or not any(good):
        return Score(math.log(share / (1.0 - share)), [0.0] * BUCKETS)
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    values = [value for each in requests for value in each.values()]
    places = [place for each in requests for place in each]
    matrix = csr_matrix((values, places, np.cumsum([0, *map(len, requests)])), shape=(len(requests), BUCKETS))
    regression = LogisticRegression(C=_STRENGTH, solver="liblinear", random_state=0)
    regression.fit(matrix, list(good))
    return Score(float(regression.intercept_[0]), np.round(regression.coef_[0], 6).tolist())


def out_of_fold(requests: Sequence[Mapping[int, float]], good: Sequence[bool], users: Sequence[str]) -> list[float]:
    """Each request's score by what was said of other users' requests."""
    fold = [crc32(user.encode()) % _FOLDS for user in users]
    scores = [0.0] * len(requests)
    for left_out in set(fold):
        rest = [at for at, each in enumerate(fold) if each != left_out]
        score = fitted([requests[at] for at in rest], [good[at] for at in rest])
        for at, each in enumerate(fold):
            if each == left_out:
                scores[at] = score.of_features(requests[at])
    return scores
