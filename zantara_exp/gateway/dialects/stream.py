"""Writes the candidate's answer as a stream: all at once if it is whole, or piece by piece as it comes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from zantara_exp.cost.usage import Usage
from zantara_exp.endpoints.base import Answer

if TYPE_CHECKING:
    from zantara_exp.gateway.dialects.base import Chat

BROKEN_OFF = "the answer broke off"
"""The error that a client gets if the candidate broke off its answer."""
_NOTHING = Usage()


class Stream(ABC):
    """One answer of the candidate as a stream: its start, its pieces, and its end or that it broke off."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def start(self, model: str, usage: Usage = _NOTHING) -> bytes:
        """What comes before the first piece; `usage` as far as it is known by then."""
        return self._framed(self._start(model, usage))

    def piece(self, text: str) -> bytes:
        """Some text."""
        return self._framed(self._piece(text))

    def end(self, answer: Answer) -> bytes:
        """What comes after the last piece; the answer's text is that of all of them."""
        return self._framed(self._end(answer))

    def broken(self) -> bytes:
        """The end of an answer that broke off, as this API says it."""
        return self._framed(self._broken())

    def _framed(self, events: Iterator[Mapping[str, Any]]) -> bytes:
        return b"".join(map(named_event, events))

    @abstractmethod
    def _start(self, model: str, usage: Usage) -> Iterator[Mapping[str, Any]]: ...

    @abstractmethod
    def _piece(self, text: str) -> Iterator[Mapping[str, Any]]: ...

    @abstractmethod
    def _end(self, answer: Answer) -> Iterator[Mapping[str, Any]]: ...

    @abstractmethod
    def _broken(self) -> Iterator[Mapping[str, Any]]: ...


def named_event(event: Mapping[str, Any]) -> bytes:
    """One event of a stream whose events have names."""
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), orjson.dumps(event))
