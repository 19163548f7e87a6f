"""Which of the product's languages a text is in, or `unknown`.

py3langid's classifier, restricted to the configured languages. Texts too short for it ("Ciao") are decided by whole
words from the config. Never by substrings: "the person" contains the Italian "per".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from zantara_exp.config.data import Dataset
from zantara_exp.errors import ConfigError

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNKNOWN = "unknown"
_SHORT = 3
"""Texts of at most this many words are decided by words, where they hold any."""
_NOISE = re.compile(r"\[[A-Z_]+_\d+\]|https?://\S+|\S+@\S+|[\d_]+|```.*?```", re.DOTALL)
"""Placeholders, addresses, numbers and code say nothing about the language."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_MAX_CHARS = 4000


class LanguageDetector:
    """Decides between a few languages.

    Raises ConfigError for a language that py3langid does not know.
    """

    def __init__(self, languages: Iterable[str], min_confidence: float, words: Mapping[str, Iterable[str]]) -> None:
        self._languages = list(languages)
        self._min_confidence = min_confidence
        self._words = {name: {word.casefold() for word in words.get(name, ())} for name in self._languages}
        self._identifier = _identifier(tuple(self._languages))

    def detect(self, text: str) -> str:
        """Return the language, or `unknown` where the text says too little."""
        plain = _NOISE.sub(" ", text[:_MAX_CHARS])
        words = [word.casefold() for word in _WORD.findall(plain)]
        if not words:
            return UNKNOWN
        if len(words) <= _SHORT and (told := self._by_words(words)):
            return told
        language, confidence = self._identifier.classify(" ".join(plain.split()))
        if confidence >= self._min_confidence:
            return str(language)
        return self._by_words(words) or UNKNOWN

    def _by_words(self, words: list[str]) -> str:
        hits = {name: sum(word in known for word in words) for name, known in self._words.items()}
        best = max(hits.values(), default=0)
        winners = [name for name, count in hits.items() if count == best]
        return winners[0] if best and len(winners) == 1 else ""


@lru_cache(maxsize=8)
def _identifier(languages: tuple[str, ...]) -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    made = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    if unknown := set(languages) - set(made.labels):
        raise ConfigError(
            f"dataset.languages: py3langid does not know {', '.join(sorted(unknown))}",
            f"choose among {', '.join(sorted(made.labels))}",
        )
    made.set_languages(list(languages))
    return made


def detector(dataset: Dataset) -> LanguageDetector:
    """The detector that a config describes."""
    return LanguageDetector(dataset.languages, dataset.language_min_confidence, dataset.language_words)
