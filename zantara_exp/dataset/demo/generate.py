"""The demo product's `conversations` table, row by row, from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from zantara_exp.config.data import Demo
from zantara_exp.dataset.conversations import Row
from zantara_exp.dataset.demo.chats import Chat, chat
from zantara_exp.dataset.demo.dirt import DUPLICATE_SHARE, dirt_for, soiled
from zantara_exp.dataset.demo.people import Person, people
from zantara_exp.dataset.demo.phrases import Product

VERSION = 2
"""Raised when the generator changes, so that databases filled by an older one are filled anew."""
_DRAWS = 1
"""Raised when other conversations are to be drawn; every figure in the docs changes with it."""
_HOURS = {"morning": (6, 11), "day": (11, 17), "evening": (17, 23)}
_MODELS = {"claude-haiku-4-5": 0.68, "claude-sonnet-4-5": 0.29, "gpt-5-mini": 0.03}
_LATENCY_MS = {"claude-haiku-4-5": (900, 28), "claude-sonnet-4-5": (1500, 42), "gpt-5-mini": (800, 25)}
"""Milliseconds until the first word, and milliseconds per token written."""
_PROMPT_TOKENS = 640
"""What production's own prompt adds to every call."""


def rows(product: Product, demo: Demo, seed: int) -> Iterator[Row]:
    """Yield the table's rows, oldest first; the same rows for the same settings and seed."""
    random = Random(f"{seed}/{_DRAWS}/demo")  # noqa: S311 - a demo, not a secret
    users = people(product, demo.users, random)
    weights = [user.weight for user in users]
    earlier: list[Row] = []
    for day, count in _per_day(demo, random):
        moments = sorted((_moment(day, product, random) for _ in range(count)), key=lambda moment: moment[0])
        for moment, part_of_day in moments:
            person = random.choices(users, weights)[0]
            row = _row(product, person, moment, part_of_day, random)
            if earlier and random.random() < DUPLICATE_SHARE:
                row = _again(random.choice(earlier[-200:]), row)
            earlier.append(row)
            yield row


def _per_day(demo: Demo, random: Random) -> Iterator[tuple[date, int]]:
    """Days and how many conversations fall on each: growing, less at weekends."""
    last = date.fromisoformat(demo.last_day)
    days = [last - timedelta(days=back) for back in range(demo.days - 1, -1, -1)]
    weights = [(0.7 + 0.6 * number / demo.days) * (0.8 if day.weekday() >= 5 else 1) for number, day in enumerate(days)]
    drawn = random.choices(range(demo.days), weights, k=demo.conversations)
    for number, day in enumerate(days):
        yield day, drawn.count(number)


def _moment(day: date, product: Product, random: Random) -> tuple[datetime, str]:
    """A time within the UTC day and the part of the day it is where the users live."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    while True:
        at = moment + timedelta(seconds=random.randrange(86_400), milliseconds=random.randrange(1000))
        hour = (at + timedelta(hours=product.utc_offset_hours)).hour
        for part, (begin, end) in _HOURS.items():
            if begin <= hour < end:
                return at, part


def _row(product: Product, person: Person, moment: datetime, part_of_day: str, random: Random) -> Row:
    made = chat(product, person, part_of_day, random)
    kind = dirt_for(made, random)
    messages = soiled(product, made, kind, random)
    return Row(
        id=UUID(int=random.getrandbits(128), version=4),
        user_id=person.user_id,
        session_id=f"s-{random.getrandbits(40):010x}",
        messages=messages,
        metadata=_metadata(product, made, kind, messages, random),
        created_at=moment,
    )


def _metadata(product: Product, made: Chat, kind: str, messages: Any, random: Random) -> dict[str, Any]:
    model = random.choices(list(_MODELS), list(_MODELS.values()))[0]
    answer = made.turns[-1].answer if kind == "malformed" else messages[-1]["content"]
    asked = sum(len(turn.question) + len(turn.answer) for turn in made.turns) - len(made.turns[-1].answer)
    written = max(1, round(len(answer) / 3.8))
    first, each = _LATENCY_MS[model]
    metadata: dict[str, Any] = {
        "model": model,
        "tokens_input": _PROMPT_TOKENS + round(asked / 3.8),
        "tokens_output": written,
        "latency_ms": round((first + each * written) * random.lognormvariate(0, 0.35)),
    }
    if random.random() < 0.7:
        wrong = random.random() < 0.1
        metadata["language"] = random.choice(list(product.languages)) if wrong else made.language
    if random.random() < 0.3:
        metadata["rating"] = (
            random.choices((1, 2, 3), (5, 3, 2))[0] if kind else random.choices((2, 3, 4, 5), (2, 10, 38, 50))[0]
        )
    return metadata


def _again(earlier: Row, row: Row) -> Row:
    """Somebody sends the same once more."""
    return Row(row.id, earlier.user_id, earlier.session_id, earlier.messages, earlier.metadata, row.created_at)
