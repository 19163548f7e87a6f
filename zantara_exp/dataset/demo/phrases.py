"""What a demo product's file of phrases holds, `conf/domain/demo/NAME.json`: what its users ask and are answered.

Questions vary; an answer is determined by what its question names (an item's code, a topic, a place, a home town), so
that a small model can learn it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.config import folders
from zantara_exp.config.domain import Domain
from zantara_exp.core.errors import ConfigError, MissingInputError
from zantara_exp.core.next_command import command
from zantara_exp.dataset.demo.forms import Form


@dataclass(frozen=True)
class Topic:
    """Ways to ask one thing, and the one answer to it."""

    questions: Sequence[str]
    answer: str = ""
    follow_ups: Sequence[str] = ()
    """The same asked as a second question, where what it is about has been named."""
    category: str = ""
    """Empty: that of its kind of question."""


@dataclass(frozen=True)
class Phrases:
    """One language of a demo."""

    share: float
    """Of the conversations, not of the users."""
    parts: Mapping[str, float]
    """Shares of `hello`, `talk` and `question`."""
    names: Sequence[str]
    hello: Mapping[str, Sequence[str]]
    """Part of the day -> how users begin."""
    welcome: Mapping[str, str]
    """Part of the day -> how the answer to that begins."""
    intros: Sequence[str]
    """How users present themselves: {name}, {city}."""
    hello_ends: Sequence[str]
    towns: Mapping[str, str]
    """Home town -> what it is answered with."""
    offer: str
    """How the answer to a hello ends."""
    moods: Sequence[str]
    """How small talk begins: {name}."""
    talk: Mapping[str, Topic]
    """Topic of small talk -> questions and answer: {area}."""
    place_life: Mapping[str, str]
    """Area -> what it is like, for small talk."""
    openers: Sequence[str]
    """How questions begin: {name}, {city}."""
    reasons: Sequence[str]
    """Why somebody asks."""
    thanks: Sequence[str]
    items: Mapping[str, Topic]
    """Aspect of an item -> questions and answer: {code} and the item's facts."""
    group: Topic
    """A question by who asks: {nation}; answered by `by_group`."""
    groups: Mapping[str, bool]
    by_group: Mapping[str, str]
    """`true` and `false` -> answer: {nation}."""
    fixed: Mapping[str, Topic]
    """Topic -> questions and fixed answer."""
    places: Mapping[str, Topic]
    """Topic -> questions and answer: {area}."""
    place_facts: Mapping[str, str]
    """Area -> how the answer ends."""
    contact: str
    """Contact details pushed on a user: dirt."""
    failure: str
    """What the product wrote when its model failed: dirt."""
    padding: str
    """What a rambling answer repeats: dirt."""
    details: Mapping[str, str]
    """How personal details are told, by kind: {value}, one of the product's `details`."""
    opening: str
    """A word that opens a chat: dirt repeats it."""


@dataclass(frozen=True)
class Product:
    """A demo product."""

    name: str
    utc_offset_hours: float
    categories: Mapping[str, str]
    """Category of a `hello` and of `talk`."""
    kinds: Mapping[str, Mapping[str, Any]]
    """Kind of question (items, groups, fixed, places) -> its `share` and `category`."""
    items: Mapping[str, Mapping[str, Any]]
    """Code -> facts."""
    areas: Sequence[str]
    details: Mapping[str, Sequence[Form]]
    """Personal details that users write, by kind."""
    short_answers: Sequence[str]
    """Dirt."""
    leak: str
    """Prompt text before an {answer}: dirt."""
    languages: Mapping[str, Phrases]
    digest: str
    """Changes with the file."""
    lightest_first: Sequence[str] = ()
    """The domain's categories."""


def product_of(domain: Domain) -> Product:
    """The demo of a domain. Raises MissingInputError where it has none, ConfigError where its file is no such thing."""
    if not domain.demo:
        raise MissingInputError(
            f"domain={domain.name or '?'} has no demo product (domain.demo)", command("source=postgres")
        )
    name = f"domain/demo/{domain.demo}.json"
    path = next((folder / name for folder in folders() if (folder / name).is_file()), None)
    if path is None:
        there = sorted({found.stem for folder in folders() for found in folder.glob("domain/demo/*.json")})
        raise ConfigError(
            f"domain.demo={domain.demo}: there is no {name} in conf/ or --config-dir (there: {', '.join(there)})",
            "name one of them, or null",
        )
    product = replace(_read(path, path.stat().st_mtime_ns), lightest_first=list(domain.categories))
    for side, told, known in (
        ("speaks", product.languages, domain.languages),
        ("asks about", _categories(product), domain.categories),
    ):
        if unknown := [each for each in told if each not in known]:
            raise ConfigError(
                f"{name} {side} {', '.join(unknown)}, which the domain does not declare (declared: {', '.join(known)})",
                "name it there as in the domain, or set domain.demo to another",
            )
    return product


def _categories(product: Product) -> set[str]:
    """Those that its conversations are of."""
    topics = [
        topic
        for said in product.languages.values()
        for group in (said.talk, said.items, said.fixed, said.places)
        for topic in group.values()
    ]
    named = {*product.categories.values(), *(kind["category"] for kind in product.kinds.values())}
    return named | {topic.category for topic in topics if topic.category}


@lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> Product:
    from hashlib import sha256

    content = path.read_bytes()
    try:
        made = orjson.loads(content)
        languages = {code: _phrases(said) for code, said in made.pop("languages").items()}
        details = {kind: [_form(each) for each in forms] for kind, forms in made.pop("details").items()}
        made.pop("about", None)
        return Product(path.stem, languages=languages, details=details, digest=sha256(content).hexdigest(), **made)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        wanted = ", ".join(field.name for field in fields(Phrases))
        raise ConfigError(
            f"{path.name} is no demo product: {error}; a language has {wanted}",
            command("stage=extract", note="once it is mended"),
        ) from error


def _phrases(said: dict[str, Any]) -> Phrases:
    topics = {
        name: {topic: Topic(**each) for topic, each in said[name].items()}
        for name in ("talk", "items", "fixed", "places")
    }
    return Phrases(**{**said, **topics, "group": Topic(**said["group"])})


def _form(said: str | dict[str, Any]) -> Form:
    return Form(said) if isinstance(said, str) else Form(**said)
