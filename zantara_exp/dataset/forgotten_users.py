"""Keeps forgotten users out of an extract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from zantara_exp.dataset.user_hash import user_of


class Refusal:
    """Leaves out the conversations of users who asked to be forgotten: no trace of them but the count."""

    def __init__(self, users: frozenset[str], key: bytes) -> None:
        self.users = users
        self._key = key
        self.count = 0

    def others(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
        """The rows of all others."""
        for row in rows:
            if self.users and row["user"] and user_of(row, self._key) in self.users:
                self.count += 1
            else:
                yield row
