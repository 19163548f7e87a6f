"""Schema of data protection: whose chats go, how long chats are kept, and how the hash key changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zantara_exp.config.fields import setting

_HASH = re.compile(r"[0-9a-f]{16}")


@dataclass
class Privacy:
    """Config node `privacy`: what stage=forget removes, and what stage=rekey does (docs/data-protection.md)."""

    users_file: str | None = setting(
        None, "stage=forget: a file with the user ids to remove, as the product knows them, one a line."
    )
    users: list[str] = setting(
        [],
        "stage=forget: users to remove by keyed hash; ids themselves go into users_file: commands are recorded.",
    )
    retention_days: int | None = setting(
        None, "stage=forget: remove what is older than so many days before `as_of` (default: today).", ge=1, le=36500
    )
    unreadable: str = setting(
        "keep", "stage=forget: log lines that nobody can read, so that whose they are is not known. blank: their "
        "text goes, and they still count as lost.", choices=["keep", "blank"],
    )  # fmt: skip
    reason: str = setting("", "Noted in the record of removals, such as the number of a request. No personal data.")
    dry_run: bool = setting(False, "Count what would be removed or rehashed, and change nothing.")
    old_key_env: str = setting(
        "ZANTARA_HASH_KEY_OLD", "stage=rekey: environment variable with the key in use so far; ZANTARA_HASH_KEY is new."
    )
    unmatched: str = setting(
        "refuse", "stage=rekey: users whose ids the source does not hold any more. refuse: change nothing; keep: they "
        "stay under the old hash; remove: what is theirs goes.", choices=["refuse", "keep", "remove"],
    )  # fmt: skip

    def rules(self) -> Iterator[tuple[str, str]]:
        """Users are named by hash, because a command line and a config are recorded."""
        if not all(_HASH.fullmatch(user) for user in self.users):
            yield (
                "users",
                "must be keyed hashes (16 digits 0-9a-f); ids go into a file: privacy.users_file=ids.txt",
            )
