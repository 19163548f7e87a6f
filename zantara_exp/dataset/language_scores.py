"""py3langid's model for many texts at once: the same probabilities as one by one, in a fraction of the time.

Its automaton reads a text byte by byte and waits for memory at each byte. Its state depends only on the last bytes, as
many as its longest feature has. So the texts are cut into pieces that are read in parallel, each beginning that many
bytes earlier.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zantara_exp.core.errors import ConfigError

REACH = 6
"""Bytes of the longest feature."""
_END = b"\xff"
"""Stands in no UTF-8: from anywhere the automaton goes back to its begin."""
_AT_ONCE = 1000
"""Texts; their number times that of the features has to stay below 2^31."""
_STEP_COSTS = 1000
"""Bytes whose walk takes as long as a step takes besides."""


class Likely:
    """How likely texts are in each of a few languages."""

    def __init__(self, model: Any) -> None:
        """`model` is a LanguageIdentifier with `norm_probs`, restricted to the languages."""
        classes = list(model.nb_classes)
        self.languages: list[str] = list(dict.fromkeys(classes))
        """In the order of the columns that `of` returns."""
        self._column = [self.languages.index(name) for name in classes]
        self._next = np.asarray(model.tk_nextmove)
        self._row = np.asarray(model.tk_row, dtype=np.int64) << 8
        self._feature = np.asarray(model.tk_output, dtype=np.int32)
        self._weights = np.ascontiguousarray(model.nb_ptc, dtype=np.float32)
        self._prior = np.asarray(model.nb_pc, dtype=np.float32)

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Probabilities, texts x languages; of a text without any feature they are all the same."""
        if len(texts) > _AT_ONCE:
            return np.concatenate([self.of(texts[at : at + _AT_ONCE]) for at in range(0, len(texts), _AT_ONCE)])
        if not texts:
            return np.zeros((0, len(self.languages)), dtype=np.float32)
        encoded = [_encoded(text) for text in texts]
        scores = np.zeros((len(texts), len(self._prior)), dtype=np.float32)
        self._add(scores, encoded)
        lengths = np.fromiter(map(len, encoded), np.float32, len(encoded))
        scores /= np.sqrt(np.maximum(lengths, 1))[:, None]
        np.exp(scores - scores.max(axis=1, keepdims=True), out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        if len(self.languages) == len(self._column):
            return scores
        merged = np.zeros((len(texts), len(self.languages)), dtype=np.float32)  # a language of two scripts has two
        for place, column in enumerate(self._column):
            merged[:, column] += scores[:, place]
        return merged

    def _add(self, scores: NDArray[np.float32], encoded: Sequence[bytes]) -> None:
        """Add the logarithms of the likelihoods of the texts that have features."""
        features = self._feature.take(self._walked(b"".join(text + _END for text in encoded)))
        has = features >= 0
        size = len(self._weights)
        first = np.arange(0, len(encoded) * size, size, dtype=np.int32)  # narrow numbers are sorted in half the time
        features += np.repeat(first, [len(each) + 1 for each in encoded])
        keys, counts = np.unique(features[has], return_counts=True)
        if not len(keys):
            return
        of_text, of_feature = np.divmod(keys, size)
        weighed = self._weights.take(of_feature, axis=0)
        weighed *= np.log1p(counts.astype(np.float32))[:, None]
        begins = np.flatnonzero(np.diff(of_text, prepend=-1))
        scores[of_text[begins]] = np.add.reduceat(weighed, begins, axis=0) + self._prior

    def _walked(self, data: bytes) -> NDArray[np.int64]:
        """The state of the automaton behind each byte."""
        length = max(1, round((len(data) / _STEP_COSTS * REACH) ** 0.5))
        pieces = -(-len(data) // length)
        padded = np.frombuffer(_END * REACH + data + _END * (pieces * length - len(data)), dtype=np.uint8)
        side_by_side = np.lib.stride_tricks.sliding_window_view(padded, length + REACH)[::length]
        columns = side_by_side.T.astype(np.int64)
        state = np.zeros(pieces, dtype=np.int64)
        states = np.empty((length, pieces), dtype=np.int64)
        for step, column in enumerate(columns):
            column += self._row.take(state)
            state = self._next.take(column)
            if step >= REACH:
                states[step - REACH] = state
        return states.T.ravel()[: len(data)]


def _encoded(text: str) -> bytes:
    """As the model was trained."""
    text = text.lower() if text.isupper() else text
    return unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")


@lru_cache(maxsize=8)
def likely(languages: tuple[str, ...]) -> Likely:
    """The model restricted to a few languages; raises ConfigError for one that it does not know."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    if unknown := set(languages) - set(model.labels):
        raise ConfigError(
            f"dataset.languages, domain.neighbours: py3langid does not know {', '.join(sorted(unknown))}",
            f"choose among {', '.join(sorted(model.labels))}",
        )
    model.set_languages(list(languages))
    return Likely(model)
