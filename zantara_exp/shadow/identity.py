"""User ids as the dataset hashes them, so that the log's users are the dataset's users."""

from __future__ import annotations

import logging
import os
from functools import cache

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.user_hash import KEY_VARIABLE
from zantara_exp.dataset.user_hash import hash_user as hash_with
from zantara_exp.shadow.reader import HashUser

_log = logging.getLogger(__name__)


def hash_user(layout: Layout) -> HashUser:
    """The keyed hash of user ids: ZANTARA_HASH_KEY, or the key that embedded data made under `paths.state`.

    The key is looked up when the first id is hashed; without one that raises MissingRequirementError.
    """

    @cache
    def key() -> bytes:
        given = os.environ.get(KEY_VARIABLE, "").encode()
        own = layout.state / "hash_key"
        if given:
            return given
        if own.is_file():
            return own.read_bytes().strip()
        raise MissingRequirementError(
            f"{KEY_VARIABLE} is not set: the log holds user ids that have to be hashed",
            hint=f"export {KEY_VARIABLE}=...   (the key that the dataset was extracted with)",
        )

    return lambda user_id: hash_with(user_id, key())


def only_here(config: Config) -> str:
    """A warning about hashing live users here, with the fix; empty if ZANTARA_HASH_KEY is set.

    The generated key is on one machine only: replicas on other machines would give the same people other hashes.
    """
    if os.environ.get(KEY_VARIABLE):
        return ""
    own = Layout(config).state / "hash_key"
    return (
        f"{KEY_VARIABLE} is not set: users are hashed with the key in {own}, so replicas on other machines hash them "
        f"otherwise; export {KEY_VARIABLE} with what that file holds wherever a mirror or gateway runs"
    )


@cache
def warn_once(trouble: str) -> None:
    """Log the warning once in this process."""
    _log.warning("%s", trouble)
