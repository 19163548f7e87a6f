"""What the demo product's phrase tables hold, one instance per language, and the facts that all languages share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """Ways to ask one thing, and the one answer to it."""

    questions: tuple[str, ...]
    answer: str
    follow_ups: tuple[str, ...] = ()
    """The same asked as a second question, where what it is about has been named."""


@dataclass(frozen=True)
class Phrases:
    """One language of the demo."""

    names: tuple[str, ...]
    hello: Mapping[str, tuple[str, ...]]
    """Part of the day -> how users greet."""
    welcome: Mapping[str, str]
    """Part of the day -> how the answer greets."""
    intros: tuple[str, ...]
    """How users present themselves: {name}, {city}."""
    greeting_ends: tuple[str, ...]
    towns: Mapping[str, str]
    """Home town -> what it is answered with."""
    offer: str
    """How the answer to a greeting ends."""
    moods: tuple[str, ...]
    """How casual questions begin: {name}."""
    casual: Mapping[str, Topic]
    """Topic -> questions and answer: {area}."""
    area_life: Mapping[str, str]
    """Area -> what it is like, for casual answers."""
    openers: tuple[str, ...]
    """How business questions begin: {name}, {city}."""
    reasons: tuple[str, ...]
    """Why somebody asks."""
    thanks: tuple[str, ...]
    visa: Mapping[str, Topic]
    """Aspect -> questions and answer: {code} and the facts of VISAS."""
    nation: Topic
    """The visa on arrival by nationality: {nation}; answered by `on_arrival`."""
    nations: Mapping[str, bool]
    """Nationality -> whether the visa on arrival is for it."""
    on_arrival: Mapping[bool, str]
    rules: Mapping[str, Topic]
    """Company and tax: topic -> questions and fixed answer."""
    property: Mapping[str, Topic]
    """Topic -> questions and answer: {area}."""
    area_prices: Mapping[str, str]
    """Area -> what land costs there, for property answers."""
    contact: str
    """Contact details pushed on a user: dirt."""
    failure: str
    """What the product wrote when its model failed: dirt."""
    padding: str
    """What a rambling answer repeats: dirt."""
    details: Mapping[str, str]
    """Personal details that users write: {value}, by kind."""


@dataclass(frozen=True)
class Visa:
    """The invented facts of one visa: price in million rupiah, days."""

    price: int
    working_days: int
    stay_days: int
    extensions: int


VISAS: Mapping[str, Visa] = {
    "B1": Visa(1, 2, 30, 1),
    "C1": Visa(3, 5, 60, 2),
    "C2": Visa(4, 6, 60, 3),
    "D12": Visa(7, 8, 180, 4),
    "E23": Visa(14, 21, 365, 5),
    "E28A": Visa(18, 14, 730, 6),
    "E31A": Visa(11, 12, 365, 2),
    "E33G": Visa(13, 10, 365, 1),
}
AREAS = ("Canggu", "Ubud", "Sanur", "Uluwatu", "Seminyak", "Amed", "Lovina", "Sidemen")
