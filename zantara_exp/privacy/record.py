"""The record of removals: what went, how much of it, when and by whom. Hashes of samples; no content, no ids.

That somebody was removed can be shown all the same: the line holds a digest of each user under the hash key, salted
anew by every removal. Who has the id and the key can make it again; nobody else learns from it who that was, nor that
two lines are about the same one.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from zantara_exp.core.layout import Layout
from zantara_exp.dataset.forgotten import mark_of
from zantara_exp.privacy.what_goes import who


def note(layout: Layout, kind: str, facts: Mapping[str, object]) -> None:
    """Append one line; it is on the disk when this returns."""
    layout.removals.parent.mkdir(parents=True, exist_ok=True)
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    line = orjson.dumps({"at": at, "by": who(), "what": kind, **facts}) + b"\n"
    with layout.removals.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def proof(users: Iterable[str], key: bytes) -> dict[str, object]:
    """What shows later that these users, keyed hashes, were removed."""
    salt = secrets.token_hex(16)
    return {"key": mark_of(key), "salt": salt, "users": sorted(_digest(user, salt, key) for user in users)}


def _digest(user: str, salt: str, key: bytes) -> str:
    return hmac.digest(key, f"zantara-exp: removed {salt} {user}".encode(), "sha256")[:16].hex()


class Earlier(NamedTuple):
    """A removal that was noted, of some of the users that are asked about."""

    at: str
    reason: str
    users: int

    def __str__(self) -> str:
        return f"{self.users} of them on {self.at}" + (f" ({self.reason})" if self.reason else "")


def earlier(layout: Layout, users: Iterable[str], key: bytes) -> Iterator[Earlier]:
    """The removals of any of these users, the oldest first; of before a key was changed, none is known again."""
    asked = list(users)
    for line in layout.removals.read_bytes().splitlines() if layout.removals.is_file() else []:
        try:
            noted = orjson.loads(line)
            salt, digests = noted["proof"]["salt"], set(noted["proof"]["users"])
            found = Earlier(str(noted["at"]), str(noted["reason"]), 0)
        except (ValueError, KeyError, TypeError):
            continue  # of an older version, of a retention, or torn
        if count := sum(_digest(user, salt, key) in digests for user in asked):
            yield found._replace(users=count)
