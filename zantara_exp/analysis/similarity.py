"""How alike two answers are: chrF, the F-score over character n-grams of one to six (Popovic 2015), 0 to 100.

chrF needs no model, reads any language, and does not reward length alone. It does not see meaning: two good answers
in other words score low, so the threshold is to be read against what the primary reaches against itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
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
    """Scores a random `scored` of the comparisons of a day, drawn by a hash of their id."""

    def __init__(self, scored: int, known: Mapping[str, float]) -> None:
        """`known`: scores of an earlier look, by comparison id."""
        self._scored, self._known = scored, known

    def scores(self, facts: pa.Table, texts: Callable[[list[dict[str, Any]]], list[tuple[str, str]]]) -> Any:
        """chrF per row of facts; NaN where the primary gave no answer to compare with, or the row was not drawn.

        `texts` reads the candidate's and the primary's answer of some rows. A candidate that failed where the primary
        answered scores 0: its user would have read nothing alike.
        """
        import numpy as np

        found = np.full(facts.num_rows, np.nan)
        below = min(1.0, self._scored / max(facts.num_rows, 1)) * 2**32
        both = facts["primary_ok"].to_numpy() & (hashes(facts["comparison_id"]) < below)
        drawn = np.flatnonzero(both)
        rows = facts.select(["comparison_id", "candidate_ok", "part", "place"]).take(drawn).to_pylist()
        found[drawn] = [0.0 if not row["candidate_ok"] else self._known.get(row["comparison_id"], -1.0) for row in rows]
        unknown = [number for number, score in zip(range(len(rows)), found[drawn], strict=True) if score < 0]
        pairs = texts([rows[number] for number in unknown])
        known = {pair: chrf(*pair) for pair in set(pairs)}
        found[drawn[unknown]] = [known[pair] for pair in pairs]
        return found
