"""What messages are about: a small clustering, fitted on the search half only, so that the other half confirms it too.

Within a language, character n-grams weighed by TF-IDF, and k-means. A topic is named by words that its messages have
more than others, and that several users wrote, of texts without personal data: no name of a topic is one person's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FITTED, _FEWEST = 5_000, 200
"""Messages that a language's topics are fitted on: at most, and at least."""
_NAMED_BY = 3
_WORD = re.compile(r"[^\W\d_]{4,}")


def topics(
    texts: Sequence[str], language: NDArray[np.str_], user: NDArray[np.int64], fitted_on: NDArray[np.bool_], count: int,
    min_users: int, seed: int,
) -> NDArray[np.str_]:  # fmt: skip
    """The topic of each text; empty in a language of which there are too few."""
    found = np.full(len(texts), "", dtype=object)
    for each in sorted({*language.tolist()}) if count else []:
        mine = np.flatnonzero(language == each)
        learnt = mine[fitted_on[mine]]
        if learnt.size >= _FEWEST:
            found[mine] = [f"{each}: {name}" for name in _named(texts, mine, learnt, user, count, min_users, seed)]
    return found.astype(np.str_)


def _named(
    texts: Sequence[str], mine: NDArray[np.int64], learnt: NDArray[np.int64], user: NDArray[np.int64], count: int,
    min_users: int, seed: int,
) -> list[str]:  # fmt: skip
    from sklearn.cluster import KMeans
    from sklearn.feature_extraction.text import TfidfVectorizer

    learnt = np.random.default_rng(seed).permutation(learnt)[:_FITTED]
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=5, max_features=5_000, sublinear_tf=True)
    fitted = grams.fit_transform([texts[row] for row in learnt])
    means = KMeans(count, n_init=1, random_state=seed).fit(fitted)
    names = _names([texts[row] for row in learnt], user[learnt], means.labels_, min_users)
    labels = means.predict(grams.transform([texts[row] for row in mine]))
    return [names.get(int(label), f"topic {label}") for label in labels]


def _names(texts: Sequence[str], user: NDArray[np.int64], label: NDArray[np.int64], min_users: int) -> dict[int, str]:
    """By topic the words that its users write more often than the others, each of several users."""
    users: dict[str, dict[int, set[int]]] = {}
    for text, whose, of in zip(texts, user.tolist(), label.tolist(), strict=True):
        for word in {*_WORD.findall(re.sub(r"\[[A-Z_]+_\d+\]", " ", text).lower())}:
            users.setdefault(word, {}).setdefault(of, set()).add(whose)
    found = {}
    for of in sorted({*label.tolist()}):
        known = [(word, len(by[of]), sum(map(len, by.values()))) for word, by in users.items() if of in by]
        often = sorted((-here * here / total, word) for word, here, total in known if here >= min_users)
        if often:
            found[of] = " ".join(word for _, word in often[:_NAMED_BY])
    return {of: name if [*found.values()].count(name) == 1 else f"{name} {of}" for of, name in found.items()}
