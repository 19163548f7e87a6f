"""The demo's users: names, languages, and how much they write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from zantara_exp.dataset.demo.phrases import Product

_SECOND_LANGUAGE_SHARE = 0.06
_TAIL = 0.75
"""Exponent of how activity falls with rank: a few users write a lot, most write a few times."""


@dataclass(frozen=True)
class Person:
    """A user."""

    user_id: str
    language: str
    name: str
    town: str
    weight: float
    languages: Sequence[str]
    """Of the product."""

    def speaks_now(self, random: Random) -> str:
        """The language of one conversation: nearly always the user's own."""
        if random.random() < _SECOND_LANGUAGE_SHARE:
            return random.choice(sorted(self.languages))
        return self.language


def people(product: Product, count: int, random: Random) -> list[Person]:
    """Make users up; the first ones write most."""
    made = []
    shares = {code: phrases.share for code, phrases in product.languages.items()}
    written = dict.fromkeys(shares, 0.0)
    for rank in range(count):
        weight = (rank + 3) ** -_TAIL
        language = min(written, key=lambda each: written[each] / shares[each])
        written[language] += weight
        phrases = product.languages[language]
        name, town = random.choice(phrases.names), random.choice(list(phrases.towns))
        made.append(Person(f"user-{random.getrandbits(32):08x}", language, name, town, weight, list(shares)))
    return made
