"""What counts as an answer: one definition for the log, the report, the gate and the evaluation."""

from __future__ import annotations

import re

PLACEHOLDER = r"^[\s.…]*$"
"""Dots and blanks only: a reply, but no answer. Read alike by Python's `re` and by RE2."""
LONGEST_PLACEHOLDER = 16
"""In characters; the pattern is looked for only where it can fit."""


def is_placeholder(text: str) -> bool:
    """Whether a reply is empty, or dots and blanks only."""
    return len(text) <= LONGEST_PLACEHOLDER and re.search(PLACEHOLDER, text) is not None
