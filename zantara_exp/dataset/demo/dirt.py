"""Damages some of the demo's chats on purpose, in the ways that happen in production."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from zantara_exp.dataset.demo.chats import Chat
from zantara_exp.dataset.demo.phrases import Product

ANY_CHAT = {
    "too_short": 0.012,
    "too_long": 0.010,
    "error_text": 0.018,
    "wrong_language": 0.022,
    "degenerate": 0.010,
    "leaked_prompt": 0.006,
    "malformed": 0.012,
}
HELLO_ONLY = {"repeated_opening": 0.030, "contact": 0.035}
DUPLICATE_SHARE = 0.03


def dirt_for(chat: Chat, random: Random) -> str:
    """Which kind of dirt befalls a chat; mostly none, which is ""."""
    kinds = ANY_CHAT | (HELLO_ONLY if chat.opens else {})
    return random.choices([*kinds, ""], [*kinds.values(), 1 - sum(kinds.values())])[0]


def _repeated_opening(product: Product, chat: Chat, answer: str, random: Random) -> str:
    word = product.languages[chat.language].opening
    return f"{word}! {word}! {answer} {word} {random.choice(('e', 'a', '-'))} {word}!"


def _wrong_language(product: Product, chat: Chat, answer: str, random: Random) -> str:
    other = product.languages[random.choice([name for name in product.languages if name != chat.language])]
    return random.choice([topic.answer for topic in other.fixed.values()])


def _too_long(product: Product, chat: Chat, answer: str, random: Random) -> str:
    return " ".join([answer, *[product.languages[chat.language].padding] * 40])


def _degenerate(product: Product, chat: Chat, answer: str, random: Random) -> str:
    return random.choice(
        ("...", "........................", " ".join(answer.split()[:3] * 12), "- - - - - - - - - - - -")
    )


_ANSWERS: dict[str, Callable[[Product, Chat, str, Random], str]] = {
    "too_short": lambda product, chat, answer, random: random.choice(product.short_answers),
    "too_long": _too_long,
    "error_text": lambda product, chat, answer, random: product.languages[chat.language].failure,
    "wrong_language": _wrong_language,
    "degenerate": _degenerate,
    "leaked_prompt": lambda product, chat, answer, random: product.leak.format(answer=answer),
    "repeated_opening": _repeated_opening,
    "contact": lambda product, chat, answer, random: f"{answer} {product.languages[chat.language].contact}",
}


def soiled(product: Product, chat: Chat, kind: str, random: Random) -> Any:
    """The chat's messages as the database holds them, with one kind of dirt or none."""
    turns = list(chat.turns)
    if kind in _ANSWERS:
        turns[-1] = turns[-1]._replace(answer=_ANSWERS[kind](product, chat, turns[-1].answer, random))
    messages: list[Any] = []
    for turn in turns:
        messages += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]
    return _malformed(messages, random) if kind == "malformed" else messages


def _malformed(messages: list[Any], random: Random) -> Any:
    question, answer = messages[-2], messages[-1]
    return random.choice(
        [
            None,
            [],
            {"error": "timeout"},
            [question],
            [question, question, answer],
            [question, {"role": "assistant", "content": None}],
            [question, {"role": "assistant"}],
            [answer, question],
            [question["content"], answer["content"]],
            [question, {"role": "narrator", "content": answer["content"]}],
        ]
    )
