"""Simulated users: who asks when, in which language, about what. They come and go as `gates.population` has it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np

from zantara_exp.config.domain import Domain
from zantara_exp.config.gate import Traffic
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ConfigError
from zantara_exp.core.next_command import command
from zantara_exp.dataset.category import classifier
from zantara_exp.gates.population import visits

_OF_TEN = 10
_MOVABLE = 7
"""Of ten requests, how many are about what may move."""


class Ask(NamedTuple):
    """One request to come."""

    moment: datetime
    user: str
    text: str


class Speakers:
    """What a domain's users say. Raises ConfigError where it has no sample to say, or one that is sorted otherwise."""

    def __init__(self, config: Config) -> None:
        domain = config.domain
        self._sort = classifier(config)
        others = [name for name in domain.categories if name not in domain.moves]
        self.languages = _shared_out(domain)
        self.categories = [*_some(domain.moves, _MOVABLE), *_some(others or domain.moves, _OF_TEN - _MOVABLE)]
        self._samples = domain.samples
        for language in self.languages:
            if len(domain.replies.get(language, ())) < 2:
                raise ConfigError(f"domain.replies.{language}: the rehearsal needs two answers", _MENDED)
            for category in dict.fromkeys(self.categories):
                for text in self.texts(language, category):
                    self._asks_about(text, f"domain.samples.{language}.{category}", category)

    def texts(self, language: str, category: str) -> Sequence[str]:
        """What is asked about a category in a language."""
        texts = self._samples.get(language, {}).get(category)
        if not texts:
            raise ConfigError(f"domain.samples.{language}.{category}: the rehearsal needs a question of it", _MENDED)
        return texts

    def _asks_about(self, text: str, key: str, category: str) -> None:
        """What is not sure to move stays with the primary, and a rehearsal of it would wait for evidence in vain."""
        told = self._sort.conversation([text])
        if told.category != category or not told.sure:
            how = told.category if told.sure else f"{told.category}, but not surely"
            raise ConfigError(f"{key}: '{text}' is sorted as {how}; ask what is {category} for sure", _MENDED)


_MENDED = command("stage=rehearsal", note="once it is there")


def asks(speakers: Speakers, first: datetime, days: int, per_day: int, rng: np.random.Generator) -> list[Ask]:
    """All requests of `days` days, in order of time."""
    at = visits(Traffic(comparisons_per_day=per_day), days, 1, rng)
    user = np.repeat(at.user, at.trials.astype(np.int64))
    when = np.repeat(at.day, at.trials.astype(np.int64)) + rng.random(user.size)
    category = rng.integers(_OF_TEN, size=user.size)
    variant = rng.random(user.size)
    found = []
    for place in np.argsort(when, kind="stable"):
        texts = speakers.texts(speakers.languages[user[place] % _OF_TEN], speakers.categories[category[place]])
        moment = first + timedelta(days=float(when[place]))
        found.append(Ask(moment, f"user-{user[place]}", texts[int(variant[place] * len(texts))]))
    return found


def _shared_out(domain: Domain) -> list[str]:
    """The languages of ten users, as near the domain's mix as ten allow."""
    shares = domain.mix.language or dict.fromkeys(domain.languages, 1 / len(domain.languages))
    edges = np.cumsum(list(shares.values()))
    return [list(shares)[int(np.searchsorted(edges, (place + 0.5) / _OF_TEN * edges[-1]))] for place in range(_OF_TEN)]


def _some(names: Sequence[str], count: int) -> list[str]:
    return sorted(islice(cycle(names), count), key=list(names).index) if names else []
