"""Labels by examples: a linear classifier over the characters of words, for categories and for languages.

A text is a vector: the sum of its words divided by the root of their number. A word is a vector of length 1, of itself
and its runs of 2 to 5 characters, with its begin and end marked. So an unknown word counts by its parts
("perpanjangannya"), and a text needs one sum over words, whose scores are cached. scikit-learn fits a few thousand
examples in seconds; the result is a table of numbers, which other processes read with numpy alone.
"""

from __future__ import annotations

import io
import json
import math
import re
import unicodedata
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zantara_exp.core.errors import ZantaraError
from zantara_exp.dataset.importing import json_lines
from zantara_exp.io.whole_files import write_whole
from zantara_exp.text.normal_form import one_form, pairs, parts_no_words

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]

TOKEN = re.compile(r"\w+|[^\w\s]")
_DIGIT = re.compile(r"\d")
_SHORTEST, _LONGEST = 2, 5
_WORD_CHARS = 40
"""Longer words are addresses or keys; their beginning says enough."""
_KEPT_WORDS = 30_000
_STRENGTH = 10.0
"""Inverse strength of the penalty: the one at which probabilities come true on folds left out."""


class Labelled(NamedTuple):
    """A text and what somebody says it is."""

    text: str
    label: str


def read(path: Path, key: str) -> list[Labelled]:
    """The lines {"text", "language", "category"} of a file that have the label `key`, their texts in one form.

    Raises MissingInputError where the file is not there, ZantaraError where a line holds no text or a label is no word.
    """
    rows = []
    for number, line in enumerate(json_lines(path), 1):
        if not isinstance(line, Mapping) or not isinstance(line.get("text"), str):
            raise ZantaraError(
                f"{path}, line {number} has no `text`", 'write {"text": "...", "language": "en", "category": "..."}'
            )
        label = line.get(key)
        if label is not None and not isinstance(label, str):
            raise ZantaraError(f"{path}, line {number}: {key} is {label!r}, no word", f'write "{key}": "..."')
        if label:
            rows.append(Labelled(one_form(line["text"]), label))
    return rows


class Judged(NamedTuple):
    """What a model says of a text."""

    probabilities: list[float]
    """In the order of the model's labels."""
    known: float
    """Share of its words, counted by letters, that stand in some example; 0 where it has none. Emoji are words."""


class Model:
    """What was fitted: labels in alphabetical order, and for each feature one weight per label."""

    def __init__(self, labels: Sequence[str], features: Sequence[str], weights: Floats, intercept: Floats) -> None:
        """`weights` is features x labels, `intercept` one number per label."""
        self.labels = tuple(labels)
        self._features = features
        self._index = {feature: row for row, feature in enumerate(features)}
        self._weights, self._intercept = weights, intercept
        self._bias: list[float] = intercept.tolist()
        self._scores = lru_cache(_KEPT_WORDS)(self._score)

    def probabilities(self, text: str) -> dict[str, float]:
        """Label -> probability; they add up to 1. A text without a word has those of no evidence."""
        return dict(zip(self.labels, self.judged(text).probabilities, strict=True))

    def batch(self, texts: Iterable[str]) -> NDArray[np.float64]:
        """Probabilities of many texts, texts x labels."""
        return np.array([self.judged(text).probabilities for text in texts]).reshape(-1, len(self.labels))

    def judged(self, text: str) -> Judged:
        """What the examples say of a text, in one pass over its words."""
        tokens = _tokens(text)
        if not tokens:
            return Judged(_softmax(self._bias), 0.0)
        *sums, known, words = map(sum, zip(*map(self._scores, tokens), strict=True))
        scale = 1 / math.sqrt(len(tokens))
        logits = [bias + each * scale for bias, each in zip(self._bias, sums, strict=True)]
        return Judged(_softmax(logits), known / words if words else 0.0)

    def _score(self, token: str) -> tuple[float, ...]:
        """Of one token: its sum of weights per label, its length if an example holds it, its length if it is a word."""
        word = plain(token)
        score = np.zeros(len(self.labels))
        for feature, value in _features(word).items():
            row = self._index.get(feature)
            if row is not None:
                score += value * self._weights[row]
        is_word = token[0].isalnum() or unicodedata.category(token[0])[0] == "S"
        length = float(len(token)) if is_word else 0.0
        return (*score.tolist(), length if f"={word}" in self._index else 0.0, length)

    def save(self, path: Path) -> None:
        """Write the table, whole or not at all. Raises OSError where it cannot."""
        table = io.BytesIO()
        names = {"labels": list(self.labels), "features": list(self._features)}
        text = np.frombuffer(json.dumps(names).encode(), dtype=np.uint8)
        np.savez(table, names=text, weights=self._weights, intercept=self._intercept)
        write_whole(path, table.getvalue())

    @classmethod
    def load(cls, path: Path) -> Model | None:
        """What `save` wrote; None where there is no such file, or no whole one."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as table:
                names = json.loads(table["names"].tobytes())
                return cls(names["labels"], names["features"], table["weights"], table["intercept"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def fitted(rows: Sequence[Labelled], folder: Path) -> Model:
    """The model of these examples: read from the folder where it was kept under their hash, else fitted and kept.

    Raises ZantaraError where the examples have fewer than two labels, OSError where the folder cannot be written.
    """
    path = folder / f"examples-{_hash(rows)}.npz"
    model = Model.load(path)
    if model is None:
        model = fit(rows)
        model.save(path)
    return model


def fit(rows: Sequence[Labelled]) -> Model:
    """Fit anew: logistic regression, each label weighing the same however many examples it has.

    Raises ZantaraError where the examples have fewer than two labels.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    labels = sorted({row.label for row in rows})
    if len(labels) < 2:
        raise ZantaraError(
            f"the {len(rows)} examples have {' '.join(labels) or 'no label'} alone: a classifier needs two labels",
            "add examples of another",
        )
    counted = [_of_text(row.text) for row in rows]
    features = sorted(set().union(*counted))
    index = {feature: column for column, feature in enumerate(features)}
    regression = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=1000)
    with threadpool_limits(1):  # a third of the time that two take, and the same numbers on every machine
        regression.fit(_matrix(counted, index), [row.label for row in rows])
    weights, intercept = regression.coef_, regression.intercept_
    if len(weights) == 1:  # of two labels scikit-learn gives the second one's alone
        weights, intercept = np.vstack([-weights, weights]) / 2, np.concatenate([-intercept, intercept]) / 2
    return Model(labels, features, weights.T.astype(np.float32), intercept.astype(np.float32))


def _hash(rows: Sequence[Labelled]) -> str:
    """Of the examples and of this file: other code would make other weights of them."""
    read = blake2b(Path(__file__).read_bytes(), digest_size=8)
    read.update(json.dumps(rows).encode())
    return read.hexdigest()


def _tokens(text: str) -> list[str]:
    found = TOKEN.findall(text)
    return [part for token in found for part in pairs(token)] if parts_no_words(text) else found


def plain(token: str) -> str:
    """Without case and accents, which people leave out; every digit is a 0."""
    apart = unicodedata.normalize("NFKD", token[:_WORD_CHARS].casefold())
    return _DIGIT.sub("0", "".join(each for each in apart if not unicodedata.combining(each)))


def _features(word: str) -> dict[str, float]:
    marked = f"<{word}>"
    runs = Counter(
        marked[start : start + length]
        for length in range(_SHORTEST, _LONGEST + 1)
        for start in range(len(marked) - length + 1)
    )
    length = math.sqrt(sum(count * count for count in runs.values())) or 1.0
    return {f"={word}": 1.0} | {run: count / length for run, count in runs.items()}


def _of_text(text: str) -> dict[str, float]:
    tokens = _tokens(text)
    sums: dict[str, float] = defaultdict(float)
    for token in tokens:
        for feature, value in _features(plain(token)).items():
            sums[feature] += value
    return {feature: value / math.sqrt(len(tokens)) for feature, value in sums.items()}


def _matrix(counted: Sequence[Mapping[str, float]], index: Mapping[str, int]) -> csr_matrix:
    from scipy.sparse import csr_matrix

    values = [value for each in counted for value in each.values()]
    columns = [index[feature] for each in counted for feature in each]
    ends = np.cumsum([0, *map(len, counted)])
    return csr_matrix((values, columns, ends), shape=(len(counted), len(index)))


def _softmax(logits: Sequence[float]) -> list[float]:
    most = max(logits)
    powers = [math.exp(each - most) for each in logits]
    total = sum(powers)
    return [each / total for each in powers]
