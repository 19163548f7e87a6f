"""Greeting, casual or business: declared patterns, so that anyone can see why a text is what it is.

A text that matches a business pattern is business. One that matches a greeting pattern, no casual one, and says
little else is a greeting. Everything else is casual. Conversations count by their content, not by their first "Ciao".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from zantara_exp.config.data import Dataset
from zantara_exp.config.schema import Config

_RANK = {"greeting": 0, "casual": 1, "business": 2}
_WORD = re.compile(r"\w+")


class Classifier:
    """Sorts texts into the plan's categories by the patterns of a config."""

    def __init__(self, dataset: Dataset) -> None:
        self._business = _compiled(dataset.patterns.get("business", ()))
        self._casual = _compiled(dataset.patterns.get("casual", ()))
        self._greeting = _compiled(dataset.patterns.get("greeting", ()))
        self._max_words = dataset.greeting_max_words

    def text(self, text: str) -> str:
        """Category of one message."""
        if self._business.search(text):
            return "business"
        rest, greetings = self._greeting.subn(" ", text)
        if greetings and not self._casual.search(rest) and len(_WORD.findall(rest)) <= self._max_words:
            return "greeting"
        return "casual"

    def conversation(self, questions: Iterable[str]) -> str:
        """Category of what a user said in all: the weightiest of its messages."""
        return max((self.text(question) for question in questions), key=_RANK.__getitem__, default="casual")


def _compiled(patterns: Sequence[str]) -> re.Pattern[str]:
    if not patterns:
        return re.compile(r"(?!)")  # matches nothing
    return re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)", re.IGNORECASE)


@lru_cache(maxsize=8)
def _cached(patterns: tuple[tuple[str, tuple[str, ...]], ...], max_words: int) -> Classifier:
    kept = {name: list(each) for name, each in patterns}
    return Classifier(Dataset(patterns=kept, greeting_max_words=max_words))


def classifier(dataset: Dataset) -> Classifier:
    """The classifier that a config describes."""
    patterns = tuple((name, tuple(each)) for name, each in sorted(dataset.patterns.items()))
    return _cached(patterns, dataset.greeting_max_words)


def classify(text: str, config: Config) -> str:
    """Category of one message: `greeting`, `casual` or `business`."""
    return classifier(config.dataset).text(text)
