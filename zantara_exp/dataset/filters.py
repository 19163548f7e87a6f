"""Filters for what a model should not learn. `dataset.filters` lists them in order. Most judge one turn, a question and
its answer, and remove only the bad turn; some judge the whole conversation.
"""

# ruff: noqa: D102 - `TurnFilter` and `ChatFilter` say what every filter's call answers

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from zantara_exp.config.schema import Config
from zantara_exp.dataset.language import UNKNOWN, Heard, detector
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.turns import Turn, turns_of, with_turns
from zantara_exp.text.flaws import Flaws

Refusal = str
"""Reason to drop a turn or a conversation; empty to keep it."""
TurnFilter = Callable[[Turn, Record], Refusal]
"""Asked of each turn that is in order, with its conversation."""
ChatFilter = Callable[[Record], Refusal]
"""Asked of a conversation."""

_WORD = re.compile(r"[^\W\d_]+")
_AT_ONCE = 200
"""Conversations whose answers' languages are told together."""


class Sifted(NamedTuple):
    """What the filters say of a conversation."""

    reason: Refusal
    """Why nothing of it is left; "" where something is."""
    dropped: dict[int, Refusal]
    """Place of a turn that goes -> why; of a conversation of which something is left."""


class TooShort:
    """Answers have a minimum of characters."""

    def __init__(self, config: Config) -> None:
        self._least = config.dataset.min_answer_chars

    def __call__(self, turn: Turn, record: Record) -> Refusal:
        return "too_short" if len(turn.answer) < self._least else ""


class TooLong:
    """Answers and questions have a maximum of characters."""

    def __init__(self, config: Config) -> None:
        self._answer, self._question = config.dataset.max_answer_chars, config.dataset.max_question_chars

    def __call__(self, turn: Turn, record: Record) -> Refusal:
        return "too_long" if len(turn.answer) > self._answer or len(turn.question) > self._question else ""


class Flawed:
    """An answer has none of the flaws that the evaluation of a model looks for as well."""

    def __init__(self, name: str, flaws: Flaws) -> None:
        self._name, self._flaws = name, flaws

    def __call__(self, turn: Turn, record: Record) -> Refusal:
        return self._name if self._flaws.has(self._name, turn.answer, record["metadata"]["category"]) else ""


class Empty(Flawed):
    """Everybody says something."""

    def __call__(self, turn: Turn, record: Record) -> Refusal:
        return super().__call__(turn, record) if turn.question.strip() else "empty"


class LanguageMismatch:
    """An answer is in the user's language, where it is long enough to tell."""

    _WORDS = 4

    def __init__(self, config: Config) -> None:
        self._detector = detector(config)
        self._heard: dict[str, Heard] = {}

    def hear(self, answers: Iterable[str]) -> None:
        """Tell the languages of answers that will be asked about, at once: it takes a tenth of the time."""
        texts = [answer for answer in dict.fromkeys(answers) if self._is_long_enough(answer)]
        self._heard = dict(zip(texts, self._detector.heard(texts), strict=True))

    def __call__(self, turn: Turn, record: Record) -> Refusal:
        if not self._is_long_enough(turn.answer):
            return ""
        heard = self._heard.get(turn.answer) or self._detector.heard([turn.answer])[0]
        other = heard.foreign or heard.language not in (record["metadata"]["language"], UNKNOWN)
        return "language_mismatch" if other else ""

    def _is_long_enough(self, answer: str) -> bool:
        return sum(1 for _ in islice(_WORD.finditer(answer), self._WORDS)) == self._WORDS


class LanguageUnknown:
    """It is known which of the product's languages the user writes."""

    def __init__(self, config: Config) -> None:
        pass

    def __call__(self, record: Record) -> Refusal:
        return "language_unknown" if record["metadata"]["language"] == UNKNOWN else ""


class LowRating:
    """No user rated it below the minimum."""

    def __init__(self, config: Config) -> None:
        self._least = config.dataset.min_rating

    def __call__(self, record: Record) -> Refusal:
        rating = record["metadata"]["rating"]
        return "low_rating" if rating is not None and rating < self._least else ""


_OF_CHATS: dict[str, Callable[[Config], ChatFilter]] = {"language_unknown": LanguageUnknown, "low_rating": LowRating}
_OF_TURNS: dict[str, Callable[[Config], TurnFilter]] = {"too_short": TooShort, "too_long": TooLong}
_ROLES = "roles"
"""User and assistant take turns: what is out of order is no turn that anything else can be asked of."""


class Filters:
    """The filters a config lists, in its order."""

    def __init__(self, config: Config) -> None:
        flaws = Flaws(config)
        self._chats = {name: made(config) for name, made in _OF_CHATS.items() if name in config.dataset.filters}
        self._turns: dict[str, TurnFilter] = {"empty": Empty("empty", flaws)}
        self._turns |= {name: Flawed(name, flaws) for name in flaws.names - {"empty"}}
        self._mismatch = LanguageMismatch(config)
        self._turns |= {name: made(config) for name, made in _OF_TURNS.items()} | {"language_mismatch": self._mismatch}
        self._order = [name for name in config.dataset.filters if name != _ROLES]

    def sift_all(self, records: Sequence[Record]) -> list[Sifted]:
        """As `sift`, of many: they are sifted in a fraction of the time that they take one by one."""
        sifted = list[Sifted]()
        for begin in range(0, len(records), _AT_ONCE):
            some = records[begin : begin + _AT_ONCE]
            if "language_mismatch" in self._order:
                turns = (turn for record in some for turn in turns_of(record["messages"]))
                self._mismatch.hear(turn.answer for turn in turns if turn.in_order)
            sifted += map(self.sift, some)
        return sifted

    def sift(self, record: Record) -> Sifted:
        """Which turns of a conversation go; what no answer follows is no turn, and goes with nothing said."""
        turns = dict(enumerate(turns_of(record["messages"])))
        dropped = {place: _ROLES for place, turn in turns.items() if not turn.in_order}
        for name in self._order:
            if (ask := self._chats.get(name)) and (reason := ask(record)):
                return Sifted(reason, {})
            if (judge := self._turns.get(name)) is not None:
                left = {place: turn for place, turn in turns.items() if place not in dropped}
                dropped |= {place: reason for place, turn in left.items() if (reason := judge(turn, record))}
            if len(dropped) == len(turns):
                break
        if len(dropped) == len(turns):
            commonest = Counter(dropped.values()).most_common(1)
            return Sifted(commonest[0][0] if commonest else _ROLES, {})
        return Sifted("", dropped)

    def refusal(self, record: Record) -> Refusal:
        """Why nothing is left of a conversation, or "" where something is."""
        return self.sift(record).reason


def left_of(record: Record, sifted: Sifted) -> Record | None:
    """What the filters leave of a conversation."""
    if sifted.reason:
        return None
    if not sifted.dropped:
        return record
    turns = enumerate(turns_of(record["messages"]))
    return with_turns(record, [turn for place, turn in turns if place not in sifted.dropped])
