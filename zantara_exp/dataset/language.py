"""Which of the product's languages a text is in, or `unknown`.

py3langid's classifier, asked about all languages that it knows, decides whether a longer text is in one of the
configured languages, and in which. Short texts are decided by whole words from the config and by their script.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from zantara_exp.config.languages import NAMES, SAME_TO_READ
from zantara_exp.config.schema import Config
from zantara_exp.dataset import scripts
from zantara_exp.dataset.language_scores import likely
from zantara_exp.text.normal_form import words_in

UNKNOWN = "unknown"
_SHORT = 3
"""Texts of at most this many words are decided by words, where they hold any."""
_ENOUGH_TO_BE_FOREIGN, _FOREIGN = 6, 0.9
"""Words from which on, and probability above which, a text is in a neighbour of the product's languages, as seen among
these alone: of 605 real chats in Spanish, Portuguese, French and Malay 583 were found so, and 1 of 5,424 of the
product's own."""
_NONE_OF_OURS = ((6, 0.95), (4, 0.99))
"""The same, for being in none of the product's languages, among all that are known. With it 333 of 346 real chats in
Spanish, Portuguese and French were in none of a product's three, without it 277; of 2,629 in the three, the same 3."""
_NOISE = {
    (address, mail): re.compile(
        "|".join([r"\[[A-Z_]+_\d+\]", *address * [r"https?://\S+"], *mail * [r"\S+@\S+"], r"[\d_]+", "```.*?```"]),
        re.DOTALL,
    )
    for address in (False, True)
    for mail in (False, True)
}
"""Placeholders, addresses, numbers and code say nothing about the language. Without what a text cannot hold they are
found in a third of the time."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_MAX_CHARS = 4000
_HALF = 0.5
_MAIN = 2
"""Letters of the codes of ISO 639-1: varieties and small languages, which have longer ones, are asked for by name."""


class Heard(NamedTuple):
    """What a text is in."""

    language: str
    """One of the product's, or UNKNOWN where it says too little or is in another."""
    foreign: str
    """The other language that it is likeliest in; "" where it is in none, or too short to tell."""


class LanguageDetector:
    """Decides between a few languages.

    A text of some length that is in another language is `unknown`: Spanish is no Italian. `neighbours` are close to
    them, and take less to be told. Raises ConfigError for a language that py3langid does not know.
    """

    def __init__(
        self,
        languages: Iterable[str],
        min_confidence: float,
        words: Mapping[str, Iterable[str]],
        neighbours: Iterable[str] = (),
    ) -> None:
        self._languages = list(languages)
        self._ours = frozenset(self._languages)
        self._min_confidence = min_confidence
        self._words = {name: {word.casefold() for word in words.get(name, ())} for name in self._languages}
        near = [name for name in neighbours if name not in self._ours]
        same = {name for group in SAME_TO_READ if not self._ours.isdisjoint(group) for name in group}
        far = [name for name in NAMES if len(name) == _MAIN and name not in {*self._ours, *near, *same}]
        self._likely = likely((*self._languages, *near, *far))
        order = self._likely.languages
        self._places = [order.index(name) for name in dict.fromkeys(self._languages)]
        self._near = [order.index(name) for name in near]
        self._scripts = scripts.fitting(self._languages)

    def detect(self, text: str) -> str:
        """Return the language, or `unknown` where the text says too little or is in another."""
        return self.heard([text])[0].language

    def heard(self, texts: Sequence[str]) -> list[Heard]:
        """What each text is in; many at once take a tenth of the time that they take one by one."""
        plain = [_plain(text) for text in texts]
        found = self._likely.of(plain).tolist()
        return [self._heard(text, row) for text, row in zip(plain, found, strict=True)]

    def _heard(self, plain: str, probabilities: Sequence[float]) -> Heard:
        if (script := scripts.mostly_in(plain)) and script not in self._scripts:
            return Heard(UNKNOWN, self._likeliest(probabilities))
        most = max(probabilities)
        best = self._likely.languages[probabilities.index(most)]
        if best in self._ours and self._is_sure(most, probabilities) and _has_words(plain, _SHORT + 1):
            return Heard(best, "")  # as most are: what is below would say the same
        words = _WORD.findall(plain)
        if self._is_foreign(len(words) if plain.isascii() else words_in(plain), probabilities):
            return Heard(UNKNOWN, self._likeliest(probabilities))
        return Heard(self._language(words, probabilities), "")

    def _is_sure(self, most: float, probabilities: Sequence[float]) -> bool:
        """Whether the likeliest language is one of ours, and leaves no other a chance."""
        among = sum([probabilities[place] for place in self._places])
        return most > _HALF and most / among >= self._min_confidence

    def _likeliest(self, probabilities: Sequence[float]) -> str:
        """Of the languages that are none of the product's."""
        others = ((each, name) for each, name in zip(probabilities, self._likely.languages, strict=True))
        return max((each, name) for each, name in others if name not in self._ours)[1]

    def _is_foreign(self, words: int, probabilities: Sequence[float]) -> bool:
        ours = [probabilities[place] for place in self._places]
        if any(words >= least and 1 - sum(ours) > sure for least, sure in _NONE_OF_OURS):
            return True
        near = [probabilities[place] for place in self._near]
        return words >= _ENOUGH_TO_BE_FOREIGN and max(near, default=0) > _FOREIGN * (sum(ours) + sum(near))

    def _language(self, words: Sequence[str], probabilities: Sequence[float]) -> str:
        if not words:
            return UNKNOWN
        if len(words) <= _SHORT and (told := self._by_words(words)):
            return told
        ours = {self._likely.languages[place]: probabilities[place] for place in self._places}
        among = sum(ours.values())
        best = max(ours, key=ours.__getitem__)
        if among and ours[best] / among >= self._min_confidence:
            return best
        return self._by_words(words) or UNKNOWN

    def _by_words(self, words: Sequence[str]) -> str:
        """The language of most of the words that are known; one that two languages have says nothing."""
        hits = Counter(name for word in words for name in self._only_in(word.casefold()))
        (best, most), *rest = hits.most_common(2) or [("", 0)]
        return "" if rest and rest[0][1] == most else best

    def _only_in(self, word: str) -> list[str]:
        found = [name for name, known in self._words.items() if word in known]
        return found if len(found) == 1 else []


def _has_words(text: str, least: int) -> bool:
    return sum(1 for _ in islice(_WORD.finditer(text), least)) == least


def _plain(text: str) -> str:
    """Without what says nothing about the language, a space between two words."""
    text = text[:_MAX_CHARS]
    return " ".join(_NOISE["://" in text, "@" in text].sub(" ", text).split())


def detector(config: Config) -> LanguageDetector:
    """The detector that a config describes."""
    words = {code: language.words for code, language in config.domain.languages.items()}
    dataset = config.dataset
    return LanguageDetector(dataset.languages, dataset.language_min_confidence, words, config.domain.neighbours)
