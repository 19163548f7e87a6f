"""The kill switches of shadow mode: off within a second, without a restart.

SHADOW_MODE_ENABLED=false          in the environment of the process
echo off > .zantara/shadow_mode    the state file, for all processes that share `paths.state`
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "SHADOW_MODE_ENABLED"
_ON = ("true", "on", "1", "yes", "enabled")


class Switch:
    """Whether shadow mode is on. Neither switch set is on; a word that means neither on nor off is off."""

    def __init__(self, state: Path) -> None:
        self._file = state / "shadow_mode"

    def is_on(self) -> bool:
        """Look at both switches; costs a system call."""
        return _means_on(os.environ.get(VARIABLE, "")) and _means_on(self._noted())

    def _noted(self) -> str:
        try:
            return self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError):
            return "unreadable"


def _means_on(word: str) -> bool:
    return word.strip().lower() in ("", *_ON)
