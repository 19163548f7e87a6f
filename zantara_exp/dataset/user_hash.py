"""User ids leave the database only as a keyed hash: the same user has the same hash, which does not tell who it is.

An id of a conversation may contain a user's id, such as `whatsapp:+39...`; then it is hashed too.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingRequirementError, ZantaraError
from zantara_exp.core.own_key import own_key

KEY_VARIABLE = "ZANTARA_HASH_KEY"
MIN_BYTES = 16
_HEX = r"(?=[0-9]*[a-f])[0-9a-f]{16}"
_KINDS = "[a-z]|chat|conv(?:ersation)?|dialog(?:ue)?|sess(?:ion)?|thread|ticket|msg|message|req(?:uest)?|turn|row|line"
_NOBODYS = re.compile(
    rf"(?:[0-9a-f]{{32}}|[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}|{_HEX}|(?:(?:{_KINDS})[-_]?)?[0-9]{{1,8}})"
    rf"(?:\.{_HEX})?(?::[0-9]{{1,3}}){{0,2}}",
    re.IGNORECASE,
)
"""UUIDs, our own hashes, numbers too short for a phone, with the name of a kind of thing before them (`chat-1042`);
each with the endings the comparison log gives. Any other word may be a name."""
_TELLING = 4
"""A user id shorter than this stands in other ids by chance."""


def hash_user(user_id: str, key: bytes) -> str:
    """HMAC-SHA256 of the user id, its first 64 bits as hexadecimal digits."""
    return hmac.digest(key, user_id.encode("utf-8", "surrogatepass"), "sha256")[:8].hex()


def user_of(row: Mapping[str, Any], key: bytes) -> str:
    """The keyed hash of a row's user; sources that are hashed already say so by `hashed`."""
    return str(row["user"]) if row.get("hashed") else hash_user(str(row["user"]), key)


def written_id(conversation_id: str, user_id: str, key: bytes) -> str:
    """An id of a conversation or request as it may be written: itself, or its keyed hash where it may tell whose it is.

    Dataset, comparison log and what was served ask here, so that they join.
    """
    tells = user_id == conversation_id or (len(user_id) >= _TELLING and user_id in conversation_id)
    return conversation_id if _NOBODYS.fullmatch(conversation_id) and not tells else hash_user(conversation_id, key)


def hash_key(config: Config) -> bytes:
    """The key of the hash: ZANTARA_HASH_KEY, or for embedded data a key made once under `paths.state`.

    Raises MissingRequirementError where real data are read without a key.
    """
    given = os.environ.get(KEY_VARIABLE, "").encode()
    if given:
        if len(given) < MIN_BYTES:
            raise ZantaraError(f"{KEY_VARIABLE} is shorter than {MIN_BYTES} characters", _HOW)
        return given
    own = Path(config.paths.state) / "hash_key"
    embedded_log = config.source.kind == "shadow_log" and own.exists()  # the demo's log has the demo's key
    if config.source.kind != "embedded" and not embedded_log:
        raise MissingRequirementError(
            f"{KEY_VARIABLE} is not set: users of source={config.source.kind} are hashed with a key of your own", _HOW
        )
    return own_key(own)


_HOW = f'export {KEY_VARIABLE}="$(openssl rand -hex 32)", and keep it: another key makes other users of the same'
