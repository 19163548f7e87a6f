"""What an app says of its requests, made fit for a log: an id may be a phone number, a category may be anything."""

from __future__ import annotations

import re
from collections.abc import Collection

from zantara_exp.config.data import CATEGORIES
from zantara_exp.dataset.users import hash_user

_NOBODYS = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|([a-z]-?)?[0-9]{1,6}(:[0-9]{1,3})?", re.IGNORECASE
)
"""UUIDs, and numbers too short for a phone: `c-1042:1`."""


_TRACE = re.compile(r"(?:[0-9a-f]{2}-)?(?!0{32})([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?)?")


def trace_id_of(said: str | None) -> str | None:
    """The trace id of a W3C `traceparent`, or of a trace id alone; None for anything else.

    Source: W3C Trace Context, 3.2.2.
    """
    found = _TRACE.fullmatch(str(said or "").strip())
    return found[1] if found else None


def fit_id(said: str | None, user: str, key: bytes) -> str | None:
    """An id as it may stand in a log; None where none was given.

    A UUID and a short number stay, anything else becomes its keyed hash, the same for the same id; so does an id that
    holds `user`, the user as the product knows it.
    """
    given = "" if said is None else str(said)
    if not given:
        return None
    return given if _NOBODYS.fullmatch(given) and user not in given else hash_user(given, key)


def known_category(said: str | None) -> str | None:
    """A category of the plan, however it is capitalised; None for any other word, as if nothing had been said."""
    return _known(said, CATEGORIES)


def known_language(said: str | None, languages: Collection[str]) -> str | None:
    """One of `languages`, however it is capitalised; None for any other word."""
    return _known(said, languages)


def _known(said: str | None, names: Collection[str]) -> str | None:
    if said is None:
        return None
    name = str(said).strip().casefold()
    return name if name in names else None
