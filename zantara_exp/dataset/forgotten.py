"""Users who were forgotten: their keyed hashes, so that a later extract does not bring them back.

`forgotten.json` holds `{"version": 1, "key": "<which key>", "users": ["<hashed user>", ...]}`. Under another key the
hashes would match nobody, so reading the file with another key is an error.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

import orjson

from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.dataset import records

VERSION = 1


def mark_of(key: bytes) -> str:
    """Tells keys apart and tells nothing about them."""
    return hmac.digest(key, b"zantara-exp: which key", "sha256")[:8].hex()


def forgotten_users(layout: Layout, key: bytes | None) -> frozenset[str]:
    """The users to refuse; none where nobody was forgotten. Without a key it is not asked which one they are under.

    Raises ZantaraError where the list is broken, or was made under another key.
    """
    if not layout.forgotten.exists():
        return frozenset()
    try:
        found = orjson.loads(layout.forgotten.read_bytes())
        users, mark = frozenset(map(str, found["users"])), str(found["key"])
    except (ValueError, KeyError, TypeError) as broken:
        raise ZantaraError(
            f"{layout.forgotten} is no list of forgotten users: {broken}",
            "restore it: without it users who asked to be forgotten would come back",
        ) from broken
    if key is not None and users and mark != mark_of(key):
        raise ZantaraError(
            f"{len(users)} users were forgotten under another hash key than today's, which would not know them",
            command("stage=rekey", note="with both keys in the environment; docs/data-protection.md"),
        )
    return users


def save(layout: Layout, key: bytes, users: Iterable[str]) -> None:
    """Write the list."""
    records.write_json(layout.forgotten, {"version": VERSION, "key": mark_of(key), "users": sorted(set(users))})
