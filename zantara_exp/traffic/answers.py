"""What counts as an answer: one definition for the log, the report, the gate and the evaluation."""

from __future__ import annotations

import re

PLACEHOLDER = r"^[\s.…]*$"
"""Dots and blanks only: a reply, but no answer. Read alike by Python's `re` and by RE2."""
LONGEST_PLACEHOLDER = 16
"""In characters; the pattern is looked for only where it can fit."""

_BROKEN_OFF = (
    "abort",
    "cancel",
    "content_filter",
    "error",
    "fail",
    "malformed",
    "pause",
    "recitation",
    "refusal",
    "safety",
)
"""How finish reasons begin of an answer that is no whole one: vLLM's, OpenAI's, Anthropic's and Google's."""


def broken_off(finish_reason: str | None) -> bool:
    """Whether a model's answer was ended before it was over. At its limit of tokens (`length`) it counts as whole."""
    return finish_reason is not None and finish_reason.lower().startswith(_BROKEN_OFF)


def is_placeholder(text: str) -> bool:
    """Whether a reply is empty, or dots and blanks only."""
    return len(text) <= LONGEST_PLACEHOLDER and re.search(PLACEHOLDER, text) is not None
