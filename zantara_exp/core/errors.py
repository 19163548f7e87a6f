"""The errors a user can cause. They end a command with one message, never with a traceback.

ZantaraError            exit status 1
  ConfigError           exit status 2: the config does not compose or contradicts itself
  MissingInputError     a file that an earlier stage writes is not there
  MissingRequirementError  something the machine lacks: a package, a GPU, a variable, a service
"""

from __future__ import annotations


class ZantaraError(Exception):
    """Expected trouble. `message` says what is wrong with which value, `hint` what to do next."""

    exit_status = 1

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  next: {self.hint}"


class ConfigError(ZantaraError):
    """The config does not compose or contradicts itself."""

    exit_status = 2


class MissingInputError(ZantaraError):
    """A file that an earlier stage writes is not there."""


class MissingRequirementError(ZantaraError):
    """The machine lacks a package, a GPU, an environment variable or a reachable service."""
