"""An answer's way to somebody who hears it as it comes; one that does not come in pieces is heard by nobody.

What was handed out stands: no other endpoint is asked after it, and whoever asked learns how the answer ended from
`chat` as ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple


class Piece(NamedTuple):
    """Text of an answer, in its order."""

    text: str
    model: str
    """As the answer names it."""


Take = Callable[[Piece], Awaitable[None]]


class Hearer(NamedTuple):
    """Who hears an answer."""

    take: Take
    seconds: float
    """How long the whole answer may take once its first piece is there, in the place of the endpoint's own limit."""


class Listening:
    """Passes pieces on to a hearer, and knows how long its endpoint has been silent."""

    def __init__(self, hearer: Hearer | None) -> None:
        self.begun = False
        """Whether something was handed out."""
        self.hearer = None if hearer is None else Hearer(self._pass_on, hearer.seconds)
        """Whom to give to the endpoint."""
        self._to = hearer
        self._since: float | None = time.perf_counter()

    @property
    def silent_seconds(self) -> float:
        """Since the endpoint was asked, or gave its last piece."""
        return 0.0 if self._since is None else time.perf_counter() - self._since

    async def _pass_on(self, piece: Piece) -> None:
        assert self._to is not None  # noqa: S101  nobody else is given this method
        self.begun, self._since = True, None  # a hearer that is slow is not the endpoint's silence
        await self._to.take(piece)
        self._since = time.perf_counter()


class Pieces:
    """What has come of a streamed answer. Blanks are held back until a word comes: alone they are no answer."""

    def __init__(self, model: str, hearer: Hearer | None, deadline: asyncio.Timeout) -> None:
        """`deadline` is the call's; from the first piece on it is what the hearer allows."""
        self.first_at: float | None = None
        """When the first text came, on the clock of time.perf_counter."""
        self.counted: Mapping[str, Any] = {}
        """The usage that the stream has reported so far, as its API has it."""
        self._model, self._hearer, self._deadline = model, hearer, deadline
        self._began = asyncio.get_running_loop().time()
        self._ends: float | None = None
        self._all: list[str] = []
        self._held = ""

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self._all)

    @property
    def heard(self) -> bool:
        """Whether something was handed out."""
        return self._ends is not None

    async def add(self, text: str) -> None:
        """Note a piece, and hand it out."""
        if not text:
            return
        self.first_at = self.first_at or time.perf_counter()
        self._all.append(text)
        if self._hearer is None:
            return
        self._held += text
        if self._ends is not None or self._held.strip():
            held, self._held = self._held, ""
            await self._hand_out(held, self._hearer)

    async def _hand_out(self, text: str, hearer: Hearer) -> None:
        """The time that this takes is not the endpoint's."""
        clock = asyncio.get_running_loop().time
        handed = clock()
        self._deadline.reschedule(None)
        await hearer.take(Piece(text, self._model))
        self._ends = (self._ends or self._began + hearer.seconds) + clock() - handed
        self._deadline.reschedule(self._ends)
