"""Simulated users: who asks when, in which language, about what. They come and go as `gates.population` has it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from zantara_exp.config.gate import Traffic
from zantara_exp.gates.population import visits

LANGUAGES = ("it", "it", "it", "it", "en", "en", "en", "id", "id", "id")
"""40 % Italian, 30 % English, 30 % Indonesian: of ten users."""
CATEGORIES = ("greeting", "greeting", "greeting", "casual", "casual", "casual", "casual", "business", "business",
              "business")  # fmt: skip
SAID = {
    ("it", "greeting"): ("Ciao! Come stai oggi?", "Buongiorno, tutto bene?"),
    ("en", "greeting"): ("Hi there, how are you today?", "Good morning, how is it going?"),
    ("id", "greeting"): ("Halo, apa kabar hari ini?", "Selamat pagi, semoga harimu menyenangkan"),
    ("it", "casual"): ("Raccontami qualcosa di bello sulla tua giornata", "Che cosa ti piace fare quando piove?"),
    ("en", "casual"): ("Tell me something nice about your day", "What do you like to do when it rains?"),
    ("id", "casual"): ("Ceritakan sesuatu yang lucu dong", "Kamu suka makan apa kalau lagi hujan?"),
    ("it", "business"): ("Quanto costa un visto per investitori?",),
    ("en", "business"): ("How much does a work visa cost for a company?",),
    ("id", "business"): ("Berapa biaya visa kerja untuk perusahaan?",),
}
LANGUAGE_OF = {text: language for (language, _), texts in SAID.items() for text in texts}


class Ask(NamedTuple):
    """One request to come."""

    moment: datetime
    user: str
    text: str


def asks(first: datetime, days: int, per_day: int, rng: np.random.Generator) -> list[Ask]:
    """All requests of `days` days, in order of time."""
    at = visits(Traffic(comparisons_per_day=per_day), days, 1, rng)
    user = np.repeat(at.user, at.trials.astype(np.int64))
    when = np.repeat(at.day, at.trials.astype(np.int64)) + rng.random(user.size)
    category = rng.integers(len(CATEGORIES), size=user.size)
    variant = rng.random(user.size)
    found = []
    for place in np.argsort(when, kind="stable"):
        texts = SAID[LANGUAGES[user[place] % len(LANGUAGES)], CATEGORIES[category[place]]]
        moment = first + timedelta(days=float(when[place]))
        found.append(Ask(moment, f"user-{user[place]}", texts[int(variant[place] * len(texts))]))
    return found
