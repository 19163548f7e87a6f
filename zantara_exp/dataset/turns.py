"""Divides a conversation into turns: a question and its answer, which stay together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from zantara_exp.dataset.messages import Message
from zantara_exp.dataset.records import Record


class Turn(NamedTuple):
    """What a user wrote, and what was answered; in a chat out of order several messages of either, or none."""

    questions: tuple[Message, ...]
    answers: tuple[Message, ...]

    @property
    def in_order(self) -> bool:
        """Whether it is one question and one answer."""
        return len(self.questions) == len(self.answers) == 1

    @property
    def question(self) -> str:
        """What the user wrote, of a turn in order."""
        return self.questions[0]["content"]

    @property
    def answer(self) -> str:
        """What was answered, of a turn in order."""
        return self.answers[0]["content"]

    @property
    def texts(self) -> tuple[str, ...]:
        """What was said in it."""
        return tuple(message["content"] for message in self.messages)

    @property
    def messages(self) -> tuple[Message, ...]:
        """Its messages in order."""
        return self.questions + self.answers


def turns_of(messages: Sequence[Message]) -> list[Turn]:
    """The answered turns; a closing "thank you" that nobody answered is none, and system prompts are none."""
    turns, questions, answers = list[Turn](), list[Message](), list[Message]()
    for message in messages:
        if message["role"] == "assistant":
            answers.append(message)
        elif message["role"] == "user":
            if answers:
                turns.append(Turn(tuple(questions), tuple(answers)))
                questions, answers = [], []
            questions.append(message)
    return [*turns, Turn(tuple(questions), tuple(answers))] if answers else turns


def with_turns(record: Record, turns: Sequence[Turn]) -> Record:
    """The conversation with these turns alone."""
    return {**record, "messages": [message for turn in turns for message in turn.messages]}


def answered(record: Record) -> Record:
    """The conversation up to its last answer."""
    messages = record["messages"]
    last = max((number for number, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
    return record if last == len(messages) - 1 else {**record, "messages": messages[: last + 1]}


def answers(record: Record) -> Iterator[str]:
    """What the assistant said."""
    return (message["content"] for message in record["messages"] if message["role"] == "assistant")


def questions(record: Record) -> Iterator[str]:
    """What the user said."""
    return (message["content"] for message in record["messages"] if message["role"] == "user")
