"""Flaws of an answer that can be seen without a model: repetition, leaks, contacts in greetings."""

from __future__ import annotations

import re
from collections import Counter

from zantara_exp.answers import is_placeholder

_CONTACT = re.compile(
    r"https?://|www\.|\bwa\.me\b|whats\s?app|[\w.+-]+@[\w-]+\.\w+|(?:\+|\b00)\d[\d\s().-]{7,}\d|\b0\d{2,3}[\s.-]?\d{3,4}[\s.-]?\d{3,4}\b",
    re.IGNORECASE,
)
_FRAME = re.compile(
    r"<\|[^|>]{1,40}\|>|\[INST\]|<</?SYS>>|^(?:system|assistant|user)\s*:", re.IGNORECASE | re.MULTILINE
)
_WORD = re.compile(r"\w+")


def flaws(answer: str, category: str, system_prompt: str, finished: bool) -> list[str]:
    """Names of what is wrong: empty, cut_off, degenerate, leak, contact_in_greeting."""
    found = []
    if is_placeholder(answer):
        found.append("empty")
    if not finished:
        found.append("cut_off")
    if is_degenerate(answer):
        found.append("degenerate")
    if is_leak(answer, system_prompt):
        found.append("leak")
    if category == "greeting" and _CONTACT.search(answer):
        found.append("contact_in_greeting")
    return found


def is_degenerate(answer: str) -> bool:
    """One sentence three times, or one run of four words filling half of a longer answer."""
    sentences = Counter(s.strip().lower() for s in re.split(r"[.!?\n]+", answer) if s.strip())
    if sentences and max(sentences.values()) >= 3:
        return True
    words = _WORD.findall(answer.lower())
    runs = Counter(tuple(words[i : i + 4]) for i in range(len(words) - 3))
    return len(words) >= 16 and max(runs.values()) * 4 >= len(words) / 2 and max(runs.values()) >= 3


def is_leak(answer: str, system_prompt: str) -> bool:
    """A control token, a role header, or eight words in a row of the system prompt."""
    if _FRAME.search(answer):
        return True
    said, secret = (" ".join(_WORD.findall(text.lower())) for text in (answer, system_prompt))
    words = secret.split()
    return any(" ".join(words[i : i + 8]) in said for i in range(len(words) - 7))
