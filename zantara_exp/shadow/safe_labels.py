"""Makes an app's own words safe for the log: an id may be a phone number, a category may be anything."""

from __future__ import annotations

import re
from collections.abc import Collection

from zantara_exp.dataset.user_hash import written_id

_TRACE = re.compile(r"(?:[0-9a-f]{2}-)?(?!0{32})([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?)?")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent_of(said: str | None) -> str | None:
    """A valid W3C `traceparent` of a known version; None for anything else."""
    found = _TRACEPARENT.match(str(said or "").strip())
    return found[0] if found else None


def trace_id_of(said: str | None) -> str | None:
    """The trace id of a W3C `traceparent`, or of a trace id alone; None for anything else.

    Source: W3C Trace Context, 3.2.2.
    """
    found = _TRACE.fullmatch(str(said or "").strip())
    return found[1] if found else None


def fit_id(said: str | None, user: str, key: bytes) -> str | None:
    """An id in the form that may be logged, by the dataset's rule (`written_id`); None if none was given.

    `user` is the user as the product knows it.
    """
    given = "" if said is None else str(said)
    return written_id(given, user, key) if given else None


def known_category(said: str | None, categories: Collection[str]) -> str | None:
    """One of `categories`, in any capitalisation; None for any other word."""
    return _known(said, categories)


def known_language(said: str | None, languages: Collection[str]) -> str | None:
    """One of `languages`, in any capitalisation; None for any other word."""
    return _known(said, languages)


def _known(said: str | None, names: Collection[str]) -> str | None:
    if said is None:
        return None
    name = str(said).strip().casefold()
    return name if name in names else None
