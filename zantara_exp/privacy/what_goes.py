"""What goes: which users, what is too old, and what was found of theirs on the way."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from html import unescape
from pathlib import Path
from typing import Any

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ConfigError, MissingInputError
from zantara_exp.dataset.user_hash import hash_key, hash_user

_TELLING = 40
"""Characters from which on a text is somebody's own; shorter ones, such as "good morning", many people write."""
_NAME = 6
"""Characters from which on an id is looked for in pages; a shorter one is a number like any other there."""
_WORD = re.compile(r"[\w-]+")


@dataclass
class Whose:
    """Decides of a record whether it goes, and remembers by what traces of it are found elsewhere."""

    users: frozenset[str]
    """Keyed hashes."""
    ids: frozenset[str]
    """The same users as the product knows them, as far as they were named so."""
    key: bytes
    before: datetime | None = None
    """What is older goes."""
    conversations: set[str] = field(default_factory=set)
    comparisons: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)

    def user_goes(self, user: object) -> bool:
        """Whether a keyed hash is one of them."""
        return user in self.users

    def id_goes(self, user_id: object) -> bool:
        """Whether a product's user id is one of them."""
        return user_id is not None and hash_user(str(user_id), self.key) in self.users

    def too_old(self, moment: object) -> bool:
        """Whether a time as it stands in a record lies before the retention; one that is none does not."""
        if self.before is None or not isinstance(moment, str):
            return False
        try:
            found = datetime.fromisoformat(moment)
        except ValueError:
            return False
        return (found if found.tzinfo else found.replace(tzinfo=UTC)) < self.before

    def goes(self, record: Mapping[str, Any]) -> bool:
        """Whether a record goes: of the dataset, an example, a line of a log, a complaint."""
        about = record.get("metadata")
        about = about if isinstance(about, Mapping) else {}
        name = about.get("conversation_id") or record.get("conversation_id") or record.get("conversation")
        return (
            self.user_goes(record.get("user") or about.get("user"))
            or ("user_id" in record and self.id_goes(record["user_id"]))
            or self.too_old(record.get("timestamp"))
            # examples have no time; prepare numbers names that stand twice
            or (self.before is not None and name is not None and str(name).rsplit("#", 1)[0] in self.conversations)
        )

    def learn(self, record: Mapping[str, Any]) -> None:
        """Remember what names a record that goes, and what its user said in it."""
        for found, name in ((self.conversations, "conversation_id"), (self.comparisons, "comparison_id")):
            if record.get(name):
                found.add(str(record[name]))
        said = record.get("messages")
        for turn in said if isinstance(said, list) else []:
            if isinstance(turn, Mapping) and turn.get("role") == "user":
                self._learn_text(turn.get("content"))
        self._learn_text(record.get("query"))

    def _learn_text(self, text: object) -> None:
        if isinstance(text, str) and len(text.strip()) >= _TELLING:
            self.texts.add(" ".join(text.split()))

    def traces_in(self, text: str) -> bool:
        """Whether a text of any format names one of the users or conversations, or quotes what they said."""
        plain = " ".join(unescape(text).replace("\\n", "\n").replace('\\"', '"').replace('""', '"').split())
        names = {*self.users, *self.comparisons, *(n for n in {*self.conversations, *self.ids} if len(n) >= _NAME)}
        if not names.isdisjoint(_WORD.findall(plain)):
            return True
        return any(part in plain for part in (*(n for n in names if not _WORD.fullmatch(n)), *self.texts))


def whose(config: Config) -> Whose:
    """What the config asks to remove.

    Raises ConfigError where it names nothing, MissingInputError without the file of users.
    """
    privacy = config.privacy
    ids = _ids(privacy.users_file)
    before = None
    if privacy.retention_days is not None:
        last = date.fromisoformat(config.as_of) if config.as_of else datetime.now(UTC).date()
        before = datetime.combine(last, time(), UTC) - timedelta(days=privacy.retention_days)
    if not (ids or privacy.users or before):
        raise ConfigError(
            "stage=forget: nothing is named to remove",
            "privacy.users_file=ids.txt, privacy.users=[0123456789abcdef] or privacy.retention_days=365",
        )
    key = hash_key(config)
    return Whose(frozenset({*privacy.users, *(hash_user(name, key) for name in ids)}), frozenset(ids), key, before)


def _ids(path: str | None) -> set[str]:
    if path is None:
        return set()
    if not Path(path).is_file():
        raise MissingInputError(f"privacy.users_file={path} is not there", "write the user ids into it, one a line")
    return {line.strip() for line in Path(path).read_text(encoding="utf-8-sig").splitlines() if line.strip()}


def who() -> str:
    """Who runs this, for the record."""
    return os.environ.get("USER") or os.environ.get("LOGNAME") or str(os.getuid())
