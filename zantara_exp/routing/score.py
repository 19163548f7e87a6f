"""How likely the candidate is as good as the primary at a request, by what is known before anybody answers.

A request is a sum of weights: of its language, category, turns, hour and length, of its words, and of its runs of three
characters, each found by a hash in a table. scikit-learn fits the table (`zantara_exp.routing.learn`); here it is
plain numbers, some hundred microseconds a request. What is unsure of its category is not scored, and is not moved.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

BUCKETS = 4096
FEATURES = 1
"""Counts up when `features` finds something else in a request: weights of another version score nothing."""
_TEXT_CHARS = 1000
_MOST_TURNS, _HOURS = 6, 3
_LIGHT = 0.3
"""What says little by itself weighs as little as a word: few verdicts would fit its noise first."""
_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_RUN = 3


class Known(NamedTuple):
    """What is known of a request before anybody answers it."""

    text: str
    """The message, without personal data, as the log has it."""
    language: str | None
    category: str | None
    turns: int
    """Of the user, this one included."""
    hour: int
    """UTC."""


def features(known: Known) -> dict[int, float]:
    """Place in the table -> value. Words, and runs of characters, have length 1 together; every digit is a 0."""
    text = _DIGIT.sub("0", known.text[:_TEXT_CHARS].casefold())
    found = {
        _place(f"language={known.language}"): 1.0,
        _place(f"category={known.category}"): 1.0,
        _place(f"turns={min(max(known.turns, 1), _MOST_TURNS)}"): _LIGHT,
        _place(f"hours={known.hour // _HOURS}"): _LIGHT,
        _place("length"): math.log1p(len(known.text)) / 10.0,
    }
    words = _WORD.findall(text)
    marked = f" {' '.join(words)} "
    _add(found, Counter(f"w={word}" for word in words))
    _add(found, Counter(f"r={marked[at : at + _RUN]}" for at in range(len(marked) - _RUN + 1)))
    return found


def _add(found: dict[int, float], counts: Mapping[str, int]) -> None:
    length = math.sqrt(sum(count * count for count in counts.values())) or 1.0
    for name, count in counts.items():
        place = _place(name)
        found[place] = found.get(place, 0.0) + count / length


@lru_cache(1 << 16)
def _place(name: str) -> int:
    return crc32(name.encode("utf-8", "surrogatepass")) % BUCKETS


class Score:
    """What was fitted."""

    def __init__(self, bias: float, weights: Sequence[float]) -> None:
        self.bias, self.weights = bias, weights

    def of(self, known: Known) -> float:
        """Between 0 and 1; by itself no probability that anybody vouches for."""
        return self.of_features(features(known))

    def of_features(self, found: Mapping[int, float]) -> float:
        """The same of what `features` found."""
        weights = self.weights
        logit = self.bias + sum(weights[place] * value for place, value in found.items())
        return 1.0 / (1.0 + math.exp(-min(max(logit, -500.0), 500.0)))
