"""What goes wrong in production, done to the demo's chats on purpose."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from zantara_exp.dataset.demo.chats import Chat
from zantara_exp.dataset.demo.people import LANGUAGES

ANY_CHAT = {
    "too_short": 0.012,
    "too_long": 0.010,
    "error_text": 0.018,
    "wrong_language": 0.022,
    "degenerate": 0.010,
    "leaked_prompt": 0.006,
    "malformed": 0.012,
}
GREETING_ONLY = {"repeated_greeting": 0.030, "contact": 0.035}
DUPLICATE_SHARE = 0.03


def dirt_for(chat: Chat, random: Random) -> str:
    """Which kind of dirt befalls a chat; mostly none, which is ""."""
    kinds = ANY_CHAT | (GREETING_ONLY if chat.category == "greeting" else {})
    return random.choices([*kinds, ""], [*kinds.values(), 1 - sum(kinds.values())])[0]


def _repeated_greeting(chat: Chat, _: str, answer: str, random: Random) -> str:
    word = {"it": "Ciao", "en": "Hello", "id": "Halo"}[chat.language]
    return f"{word}! {word}! {answer} {word} {random.choice(('e', 'a', '-'))} {word}!"


def _wrong_language(chat: Chat, _: str, answer: str, random: Random) -> str:
    other = LANGUAGES[random.choice([name for name in LANGUAGES if name != chat.language])]
    return random.choice([topic.answer for topic in other.rules.values()])


_ANSWERS: dict[str, Callable[[Chat, str, str, Random], str]] = {
    "too_short": lambda chat, question, answer, random: random.choice(("Ok.", "Ok!", "Si.", "Yes", "Ya.")),
    "too_long": lambda chat, question, answer, random: " ".join([answer, *[LANGUAGES[chat.language].padding] * 40]),
    "error_text": lambda chat, question, answer, random: LANGUAGES[chat.language].failure,
    "wrong_language": _wrong_language,
    "degenerate": lambda chat, question, answer, random: random.choice(
        ("...", "........................", " ".join(answer.split()[:3] * 12), "- - - - - - - - - - - -")
    ),
    "leaked_prompt": lambda chat, question, answer, random: (
        f"[CONTEXT] Source: kb/visa_2025.md chunk 17. You are ZANTARA. {answer}"
    ),
    "repeated_greeting": _repeated_greeting,
    "contact": lambda chat, question, answer, random: f"{answer} {LANGUAGES[chat.language].contact}",
}


def soiled(chat: Chat, kind: str, random: Random) -> Any:
    """The chat's messages as the database holds them, with one kind of dirt or none."""
    turns = list(chat.turns)
    if kind in _ANSWERS:
        question, answer = turns[-1]
        turns[-1] = question, _ANSWERS[kind](chat, question, answer, random)
    messages: list[Any] = []
    for question, answer in turns:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
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
