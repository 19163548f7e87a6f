"""How alike two answers are: chrF, the F-score over character n-grams of one to six (Popovic 2015), 0 to 100.

chrF needs no model, reads any language, and does not reward length alone. It does not see meaning: two good answers
in other words score low, so the threshold is to be read against what the primary reaches against itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from sacrebleu.metrics import CHRF

_LONGEST = 4_000
"""Characters of an answer that are compared: a 1 MB answer must not hold up the report."""


@cache
def _metric() -> CHRF:
    from sacrebleu.metrics import CHRF

    return CHRF()


def chrf(candidate: str, primary: str) -> float:
    """chrF2 of the candidate's answer against the primary's, 0 to 100, as sacrebleu computes it."""
    return float(_metric().sentence_score(candidate[:_LONGEST], [primary[:_LONGEST]]).score)


def hashes(texts: Any) -> Any:
    """A number per text, the same on every day and machine: two texts share one once in four thousand million."""
    import numpy as np

    return np.fromiter(map(zlib.crc32, texts.cast("binary").to_pylist()), np.int64, len(texts))


class Scorer:
    """Scores a random `scored` of `rows` comparisons, drawn by a hash of their id.

    What is known from an earlier look is not scored again.
    """

    def __init__(self, scored: int, rows: int, known: Mapping[str, float]) -> None:
        self._below = min(1.0, scored / max(rows, 1)) * 2**32
        self._known = known
        self._pairs: dict[tuple[str, str], float] = {}

    def scores(self, batch: pa.RecordBatch) -> list[float | None]:
        """chrF per row; None where the primary gave no answer to compare with, or the row was not drawn.

        A candidate that failed where the primary answered scores 0: its user would have read nothing alike.
        """
        import pyarrow as pa

        scores: list[float | None] = [None] * batch.num_rows
        drawn = (hashes(batch["comparison_id"]) < self._below).nonzero()[0].tolist()
        names = ("comparison_id", "primary_ok", "candidate_ok", "primary_response", "candidate_response")
        places = pa.array(drawn, pa.int64())
        columns = (batch[name].take(places).to_pylist() for name in names)
        for row, texts in zip(drawn, zip(*columns, strict=True), strict=True):
            scores[row] = self._score(*texts)
        return scores

    def _score(self, key: str, primary_ok: bool, candidate_ok: bool, primary: str, candidate: str) -> float | None:
        if not primary_ok:
            return None
        if not candidate_ok:
            return 0.0
        if key in self._known:
            return self._known[key]
        pair = (candidate, primary)
        if pair not in self._pairs:
            self._pairs[pair] = chrf(candidate, primary)
        return self._pairs[pair]
