"""What is not fit to learn from. Each filter asks one question of a conversation and answers with nothing, which
keeps it, or with the reason to drop it; `dataset.filters` lists their order, and the first refusal counts."""

# ruff: noqa: D102 - `Refusal` says what every filter's call answers

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from zantara_exp.config.data import Dataset
from zantara_exp.dataset.language import UNKNOWN, detector
from zantara_exp.dataset.messages import Message
from zantara_exp.dataset.records import Record

Refusal = str
"""Reason to drop a conversation; empty to keep it."""
Filter = Callable[[Record], Refusal]

_WORD = re.compile(r"[^\W\d_]+")
_LOOP_WORDS = 12
"""From this many words on an answer is asked whether it repeats itself."""
_LOOP_VARIETY = 0.34
"""Fewer different word pairs per pair than this is a loop."""


def answers(record: Record) -> Iterator[str]:
    """What the assistant said."""
    return (message["content"] for message in record["messages"] if message["role"] == "assistant")


def questions(record: Record) -> Iterator[str]:
    """What the user said."""
    return (message["content"] for message in record["messages"] if message["role"] == "user")


def answered(record: Record) -> Record:
    """The conversation up to its last answer: a closing "thank you" that nobody answered teaches nothing."""
    messages = record["messages"]
    last = max((number for number, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
    return record if last == len(messages) - 1 else {**record, "messages": messages[: last + 1]}


class Roles:
    """User and assistant take turns, the user first, the assistant last."""

    def __init__(self, dataset: Dataset) -> None:
        pass

    def __call__(self, record: Record) -> Refusal:
        messages: Sequence[Message] = record["messages"]
        wanted = ("user", "assistant")
        in_turn = all(message["role"] == wanted[number % 2] for number, message in enumerate(messages))
        return "" if in_turn and len(messages) % 2 == 0 and messages else "roles"


class Empty:
    """Everybody says something."""

    def __init__(self, dataset: Dataset) -> None:
        pass

    def __call__(self, record: Record) -> Refusal:
        return "" if all(message["content"].strip() for message in record["messages"]) else "empty"


class TooShort:
    """Answers have a minimum of characters."""

    def __init__(self, dataset: Dataset) -> None:
        self._least = dataset.min_answer_chars

    def __call__(self, record: Record) -> Refusal:
        return "too_short" if any(len(answer) < self._least for answer in answers(record)) else ""


class TooLong:
    """Answers and questions have a maximum of characters."""

    def __init__(self, dataset: Dataset) -> None:
        self._answer, self._question = dataset.max_answer_chars, dataset.max_question_chars

    def __call__(self, record: Record) -> Refusal:
        long_answer = any(len(answer) > self._answer for answer in answers(record))
        long_question = any(len(question) > self._question for question in questions(record))
        return "too_long" if long_answer or long_question else ""


class _Patterns:
    """Answers match none of some patterns."""

    reason = ""

    def __init__(self, patterns: Sequence[str]) -> None:
        joined = "|".join(f"(?:{pattern})" for pattern in patterns)
        self._pattern = re.compile(joined or r"(?!)", re.IGNORECASE)

    def __call__(self, record: Record) -> Refusal:
        return self.reason if any(self._pattern.search(answer) for answer in answers(record)) else ""


class ErrorText(_Patterns):
    """No answer is what the product writes when its model failed."""

    reason = "error_text"

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset.error_patterns)


class LeakedPrompt(_Patterns):
    """No answer holds the prompt or marks of the knowledge base."""

    reason = "leaked_prompt"

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset.leak_patterns)


class ContactInGreeting(_Patterns):
    """A greeting is answered with a greeting, not with a telephone number."""

    reason = "contact_in_greeting"

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset.contact_patterns)

    def __call__(self, record: Record) -> Refusal:
        return super().__call__(record) if record["metadata"]["category"] == "greeting" else ""


class RepeatedGreeting:
    """No answer says the same greeting three times."""

    def __init__(self, dataset: Dataset) -> None:
        self._words = {word.casefold() for word in dataset.greeting_words}

    def __call__(self, record: Record) -> Refusal:
        for answer in answers(record):
            said = [word.casefold() for word in _WORD.findall(answer)]
            if any(said.count(word) >= 3 for word in self._words.intersection(said)):
                return "repeated_greeting"
        return ""


class Degenerate:
    """Answers are made of words and do not go round in circles."""

    def __init__(self, dataset: Dataset) -> None:
        pass

    def __call__(self, record: Record) -> Refusal:
        return "degenerate" if any(map(self._broken, answers(record))) else ""

    @staticmethod
    def _broken(answer: str) -> bool:
        words = _WORD.findall(answer.casefold())
        if not words and not any(sign.isdigit() for sign in answer):
            return True
        if len(words) < _LOOP_WORDS:
            return False
        pairs = list(zip(words, words[1:], strict=False))
        return len(set(pairs)) < _LOOP_VARIETY * len(pairs)


class LanguageUnknown:
    """It is known which of the product's languages the user writes."""

    def __init__(self, dataset: Dataset) -> None:
        pass

    def __call__(self, record: Record) -> Refusal:
        return "language_unknown" if record["metadata"]["language"] == UNKNOWN else ""


class LanguageMismatch:
    """Every answer is in the user's language, where it is long enough to tell."""

    _WORDS = 4

    def __init__(self, dataset: Dataset) -> None:
        self._detector = detector(dataset)

    def __call__(self, record: Record) -> Refusal:
        language = record["metadata"]["language"]
        for answer in answers(record):
            if len(_WORD.findall(answer)) >= self._WORDS and self._detector.detect(answer) not in (language, UNKNOWN):
                return "language_mismatch"
        return ""


class LowRating:
    """No user rated it below the minimum."""

    def __init__(self, dataset: Dataset) -> None:
        self._least = dataset.min_rating

    def __call__(self, record: Record) -> Refusal:
        rating = record["metadata"]["rating"]
        return "low_rating" if rating is not None and rating < self._least else ""


_ALL: dict[str, Callable[[Dataset], Filter]] = {
    "roles": Roles,
    "empty": Empty,
    "too_short": TooShort,
    "too_long": TooLong,
    "error_text": ErrorText,
    "repeated_greeting": RepeatedGreeting,
    "contact_in_greeting": ContactInGreeting,
    "degenerate": Degenerate,
    "leaked_prompt": LeakedPrompt,
    "language_unknown": LanguageUnknown,
    "language_mismatch": LanguageMismatch,
    "low_rating": LowRating,
}


class Filters:
    """The filters a config lists, in its order."""

    def __init__(self, dataset: Dataset) -> None:
        self._filters = [_ALL[name](dataset) for name in dataset.filters]

    def refusal(self, record: Record) -> Refusal:
        """The first filter's reason to drop the conversation up to its last answer, or "" to keep it."""
        record = answered(record)
        return next((reason for ask in self._filters if (reason := ask(record))), "")
