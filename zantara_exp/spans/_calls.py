"""Calls of models, where an endpoint makes them: it says what it calls and how that ended, whoever looks on.

Whoever wants them seen says around them where they belong (`within`); elsewhere nothing is noted, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

from zantara_exp.cost.usage import Usage

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from zantara_exp.spans.sdk import ModelCall, Spans

ROLE = "zantara.role"
"""Attribute: `primary`, `candidate` (asked for a user), `mirrored` (asked beside the primary), `aa` (its A/A arm)."""
GIVEN_UP = "given_up"
"""`error.type` of a call whose end nobody waited for."""


class Called(NamedTuple):
    """A call of a model, before it is made."""

    provider: str
    """As the conventions name it."""
    model: str | None = None
    host: str | None = None
    port: int | None = None
    stream: bool = False
    method: str = ""
    """Of a call that asks no chat; empty for one that does."""


class Ended(NamedTuple):
    """How a call ended."""

    error: str | None = None
    """Why there is no whole answer: the reasons of the comparison log, `client_gone`, `given_up`."""
    model: str | None = None
    usage: Usage = Usage()
    finish_reason: str | None = None
    first_text_seconds: float | None = None
    """Until the first text of a stream."""


class Around(NamedTuple):
    """Where calls belong that are made now."""

    spans: Spans
    parent: Context
    attributes: Mapping[str, str]


_around: ContextVar[Around | None] = ContextVar("around", default=None)
_call: ContextVar[ModelCall | None] = ContextVar("call", default=None)


@contextmanager
def within(around: Around | None) -> Iterator[None]:
    """Whatever is called in here, and in tasks that begin in here, belongs there; None: nowhere."""
    before = _around.set(around)
    try:
        yield
    finally:
        _around.reset(before)


@contextmanager
def in_role(role: str) -> Iterator[None]:
    """Calls are made in another role."""
    around = _around.get()
    with within(None if around is None else around._replace(attributes={**around.attributes, ROLE: role})):
        yield


@contextmanager
def call(called: Called) -> Iterator[ModelCall | None]:
    """The span of a call; None where nobody looks on. One that is left without an end was given up."""
    around = _around.get()
    if around is None:
        yield None
        return
    begun = around.spans.call(called, around.parent, around.attributes)
    before = _call.set(begun)
    try:
        yield begun
    finally:
        _call.reset(before)
        begun.end(Ended(GIVEN_UP))


def call_headers() -> dict[str, str]:
    """What a call's request says of its trace."""
    begun = _call.get()
    return {} if begun is None else begun.headers


def note_status(status: int) -> None:
    """The HTTP status that a call was answered with."""
    begun = _call.get()
    if begun is not None:
        begun.answered(status)
