"""One answer under many different questions, such as one refusal to everything: found over all conversations.

A model would learn it as the answer to everything it does not know. A product may need some of it, so it is capped, not
removed (`dataset.same_answer_share`, `dataset.same_answer_least`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple

from zantara_exp.config.data import Dataset
from zantara_exp.dataset.duplicates import draw
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.turns import turns_of

SAME_ANSWER = "same_answer"
"""The reason."""
_PLACEHOLDER = re.compile(r"\[[A-Z_]+_\d+\]")
_WORD = re.compile(r"\w+")


class Same(NamedTuple):
    """One answer."""

    answer: str
    places: list[tuple[str, int]]
    """Conversation and turn of each different question that it stands under."""


class Said(NamedTuple):
    """A turn by its words alone, placeholders and case apart."""

    place: int
    answer: str
    question: str
    whole: str
    """The answer as it was written."""


def said_in(record: Record) -> list[Said]:
    """The turns of a conversation that are in order."""
    turns = enumerate(turns_of(record["messages"]))
    return [
        Said(place, _words(turn.answer), _words(turn.question), turn.answer) for place, turn in turns if turn.in_order
    ]


class Key(NamedTuple):
    """A turn by hashes of its words, which say nothing of them."""

    place: int
    answer: bytes
    question: bytes


def keys_in(record: Record) -> list[Key]:
    """The turns of a conversation that are in order; equal words have equal keys."""
    return [Key(said.place, _hash(said.answer), _hash(said.question)) for said in said_in(record)]


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def most_of(turns: int, dataset: Dataset) -> int:
    """Under how many different questions an answer may stand among so many turns."""
    return max(dataset.same_answer_least, round(dataset.same_answer_share * turns))


def same_answers(conversations: Iterable[Record], dataset: Dataset) -> tuple[list[Same], int]:
    """The answers that stand under more different questions than may be, the commonest first, and how many may be.

    Answers are one where their words are, placeholders apart; questions differ where their words do.
    """
    found: dict[str, Same] = {}
    asked: dict[str, set[str]] = defaultdict(set)
    turns = 0
    for record in conversations:
        turns += len(turns_of(record["messages"]))
        for said in said_in(record):
            if said.question not in asked[said.answer]:
                asked[said.answer].add(said.question)
                same = found.setdefault(said.answer, Same(said.whole, []))
                same.places.append((record["conversation_id"], said.place))
    most = most_of(turns, dataset)
    over = [same for same in found.values() if len(same.places) > most]
    return sorted(over, key=lambda same: -len(same.places)), most


def surplus(same: Iterable[Same], most: int, seed: int) -> Mapping[str, set[int]]:
    """Conversation -> turns to take out of it, drawn by their names, so that `most` of each answer stay."""
    over: dict[str, set[int]] = defaultdict(set)
    for each in same:
        for name, place in sorted(each.places, key=lambda at: draw(seed, f"{at[0]}/{at[1]}"))[most:]:
            over[name].add(place)
    return over


def _words(text: str) -> str:
    return " ".join(_WORD.findall(_PLACEHOLDER.sub(" ", text).casefold()))
