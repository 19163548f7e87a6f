"""What users were served while a rollout runs: one line per request of a category that is rolled out, both arms.

    <paths.logs>/served_YYYY-MM-DD.jsonl      rollout.state=file
    table zantara_served                      rollout.state=postgres, for gateways on several machines

The comparison log says how the candidate would have done; this log says how it did, beside the users who still have the
primary at the same time. It holds no content: a text is used only to detect its language.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

CANDIDATE, PRIMARY = "candidate", "primary"
"""Names of the two arms, and of who answers."""
CLIENT_GONE = "client_gone"
"""`error` of a request whose client did not wait for the answer."""
SCHEMA_VERSION = 2
_TICK_SECONDS = 0.25
_LAST_SECONDS = 5.0
"""How long the end waits for the database; the rest stays in the spool."""
_KEPT = 20_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """One request of a moved category, and who answered it."""

    timestamp: datetime
    """When it came in; UTC, with a zone."""
    request_id: str
    user: str
    """Keyed hash, as in the comparison log."""
    category: str
    language: str | None
    epoch: str
    """The candidate's epoch, as in the comparison log and the rollout's state."""
    share: float
    """Percent of users who had the candidate at that moment."""
    arm: str
    """`candidate`: the router chose it for this user; `primary`: the control, at the same time."""
    answered_by: str
    """In the candidate's arm, `primary` is a fallback."""
    candidate_error: str | None
    """Why the candidate did not answer whole: the comparison log's reasons. None: it did, or it was not asked."""
    error: str | None
    """Why the user got no answer, or half of one (`cut`); None if there was a whole answer."""
    latency_ms: float
    """Milliseconds until the answer was whole or failed, a failed candidate's time included."""
    ttft_ms: float | None
    """Milliseconds until the first byte of the answer."""
    candidate_ms: float | None
    """Milliseconds until the candidate's answer was whole or given up; None in the control."""
    model: str | None = None
    """The model that answered; the tokens are its too."""
    tokens_input: int | None = None
    tokens_output: int | None = None
    usd: float | None = None
    """US dollars of the answer, a failed call of the candidate included; None: not known, or version 1."""
    conversation_id: str | None = None
    estimated: bool = False
    """Whether tokens and cost are partly estimated from texts: the stream counted none, or broke off."""
    schema_version: int = SCHEMA_VERSION

    @property
    def fallback(self) -> bool:
        """Whether the primary answered instead of the candidate."""
        return self.arm == CANDIDATE and self.answered_by == PRIMARY


def to_line(served: Served) -> bytes:
    """One line of JSON, newline included."""
    fields = {name: getattr(served, name) for name in _NAMES} | {"timestamp": served.timestamp.astimezone(UTC)}
    return orjson.dumps(fields, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


def from_line(line: bytes | str) -> Served:
    """The line's record. Raises ValueError, KeyError or TypeError for a wrong line."""
    body: Mapping[str, Any] = orjson.loads(line)
    if body["schema_version"] not in (1, SCHEMA_VERSION):
        raise ValueError(f"schema_version {body['schema_version']} is not known")
    known = {name: body[name] for name in _NAMES if name in body}
    return Served(**{**known, "timestamp": datetime.fromisoformat(body["timestamp"]).astimezone(UTC)})


_NAMES = tuple(Served.__dataclass_fields__)

Append = Callable[[Sequence[Served]], tuple[int, OSError | None]]
"""Appends lines, oldest first; returns how many were kept, and the error that stopped the others."""


class ServedLog:
    """Takes lines without waiting and appends them in a thread; lines that cannot be kept are counted in `lost`."""

    def __init__(self, append: Append, close: Callable[[float], None], detect: Callable[[str], str]) -> None:
        """`close` closes the destination, within a deadline in seconds; `detect` returns the language of a text.

        All three run in the thread.
        """
        self.lost = 0
        self._keep, self._let_go, self._detect = append, close, detect
        self._new: deque[tuple[Served, str]] = deque()
        self._waiting: list[Served] = []
        self._troubled = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="served-log", daemon=True)
        self._thread.start()

    def note(self, line: Served, text: str) -> None:
        """Queue one line; `text` is the user's message, from which an unknown language is detected."""
        if len(self._new) + len(self._waiting) < _KEPT:
            self._new.append((line, text))
        else:
            self.lost += 1

    def close(self, deadline_seconds: float = 10.0) -> None:
        """Append what is left, with one more attempt; the rest is lost and counted."""
        self._closing.set()
        self._thread.join(deadline_seconds)

    def _run(self) -> None:
        while not self._closing.wait(_TICK_SECONDS):
            self._append()
        self._append()
        self.lost += len(self._waiting)
        if self.lost:
            _log.warning("%d lines of the served log were lost", self.lost)
        self._let_go(_LAST_SECONDS)

    def _append(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._waiting.append(self._with_language(*self._new.popleft()))
        if not self._waiting:
            return
        try:
            done, why = self._keep(self._waiting)
        except Exception as error:  # after any error of the disk users are still answered
            done, why = 0, OSError(0, type(error).__name__)
        del self._waiting[:done]
        if self._waiting and not self._troubled:
            reason = why.strerror if why is not None else "no room"
            _log.warning("the served log cannot be written (%s); up to %d lines wait", reason, _KEPT)
        self._troubled = bool(self._waiting)

    def _with_language(self, line: Served, text: str) -> Served:
        if line.language is not None or not text:
            return line
        try:
            return replace(line, language=self._detect(text))
        except Exception:  # texts may be anything; a line without a language is better than none
            return line
