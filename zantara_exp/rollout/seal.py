"""A state as it lies in a store: signed, and not older than what was there before.

What does not verify is a state that cannot be read: the primary answers everyone, and a rollback puts a new one in its
place. No key is needed for that: a rolled-back state that nobody could sign serves nobody either.
"""

from __future__ import annotations

import time
from contextlib import suppress

import orjson

from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import given
from zantara_exp.core.signature import STATE, Keys, experiment_of
from zantara_exp.rollout.state import ROLLED_BACK, State, dump, load, unreadable

_MOST_VERSIONS = 2**53


class Seal:
    """Signs what one store writes, and believes what it reads. Remembers the newest version that it saw."""

    def __init__(self, keys: Keys, where: str, experiment: str | None = None) -> None:
        """`where`: what a user calls the place; `experiment`: whose rollout it is, as a rule this command's."""
        self.keys, self._where = keys, where
        self._experiment = given().experiment if experiment is None else experiment
        self._newest = 0

    def opened(self, text: bytes, newest: int = 0) -> State:
        """The state. Raises UnreadableStateError where it is none, or not to be believed.

        `newest`: a version that is known to have been there.
        """
        state, document = load(text), orjson.loads(text)
        if why := self.keys.trouble(STATE, document):
            raise unreadable(f"{self._where}: {why}")
        theirs = experiment_of(document)
        if theirs and self._experiment and theirs != self._experiment:
            raise unreadable(f"{self._where}: it is of experiment={theirs}, and this is experiment={self._experiment}")
        before = max(newest, self._newest)
        if state.version < before:
            raise unreadable(
                f"{self._where}: an older state was put back, version {state.version}, where version {before} was"
            )
        self._newest = state.version
        return state

    def sealed(self, state: State) -> bytes:
        """The state as it is to be written. Raises ZantaraError where nothing can sign it and it is no rollback."""
        text = dump(state)
        try:
            signed = self.keys.sign(STATE, orjson.loads(text), self._experiment)
        except (ZantaraError, OSError):
            if state.phase != ROLLED_BACK:
                raise
            return text
        return orjson.dumps(signed, option=orjson.OPT_INDENT_2) + b"\n"

    def wrote(self, state: State) -> State:
        """Remember a state that is written, and return it: who wrote it takes no older one back either."""
        self._newest = max(self._newest, state.version)
        return state

    def after(self, seen: State | None, there: bytes = b"", newest: int = 0) -> int:
        """The version that follows. After a state that cannot be read it is larger than any that was counted."""
        if seen is not None:
            return seen.version + 1
        claimed = 0
        with suppress(ValueError, KeyError, TypeError):
            claimed = int(orjson.loads(there)["state"]["version"])
        known = [each for each in (claimed, newest, self._newest) if each < _MOST_VERSIONS]
        return max([int(time.time()), *known]) + 1
