"""The demo's users: who they are, what they speak, how much they write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from zantara_exp.dataset.demo.english import ENGLISH
from zantara_exp.dataset.demo.indonesian import INDONESIAN
from zantara_exp.dataset.demo.italian import ITALIAN
from zantara_exp.dataset.demo.phrases import Phrases

LANGUAGES: dict[str, Phrases] = {"it": ITALIAN, "en": ENGLISH, "id": INDONESIAN}
LANGUAGE_SHARES = {"it": 0.43, "en": 0.29, "id": 0.28}
"""Of the conversations, not of the users."""
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

    def speaks_now(self, random: Random) -> str:
        """The language of one conversation: nearly always the user's own."""
        if random.random() < _SECOND_LANGUAGE_SHARE:
            return random.choice(sorted(LANGUAGES))
        return self.language


def people(count: int, random: Random) -> list[Person]:
    """Make users up; the first ones write most."""
    made = []
    written = dict.fromkeys(LANGUAGE_SHARES, 0.0)
    for rank in range(count):
        weight = (rank + 3) ** -_TAIL
        language = min(written, key=lambda each: written[each] / LANGUAGE_SHARES[each])
        written[language] += weight
        phrases = LANGUAGES[language]
        name, town = random.choice(phrases.names), random.choice(list(phrases.towns))
        made.append(Person(f"user-{random.getrandbits(32):08x}", language, name, town, weight))
    return made


def _digits(random: Random, count: int) -> str:
    return "".join(random.choice("0123456789") for _ in range(count))


def _nik(random: Random) -> str:
    born = f"{random.randint(1, 28):02d}{random.randint(1, 12):02d}{random.randint(60, 99):02d}"
    return f"5171{random.randint(1, 4):02d}{born}{random.randint(1, 9999):04d}"


def _npwp(random: Random) -> str:
    digits = _digits(random, 15)
    return f"{digits[:2]}.{digits[2:5]}.{digits[5:8]}.{digits[8]}-{digits[9:12]}.{digits[12:]}"


def _phone(random: Random) -> str:
    if random.random() < 0.6:
        return f"+62 81{random.randint(1, 9)} {_digits(random, 4)} {_digits(random, 4)}"
    return f"+39 34{random.randint(0, 9)} {random.randint(2, 9)}{_digits(random, 6)}"


DETAILS: dict[str, Callable[[Random, str], str]] = {
    "email": lambda random, name: f"{name.lower()}.{_digits(random, 3)}@example.org",
    "phone": lambda random, _: _phone(random),
    "passport": lambda random, _: f"Y{random.choice('ABCDE')}{_digits(random, 7)}",
    "nik": lambda random, _: _nik(random),
    "npwp": lambda random, _: _npwp(random),
}
"""Personal details that users write, by kind; all invented."""
