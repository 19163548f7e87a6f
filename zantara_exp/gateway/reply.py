"""The candidate's answer on its way to a moved user.

gateway.stream=whole   sent when it is whole: until then the primary can still answer instead
gateway.stream=live    streamed as it comes: once the first words are sent, the primary cannot take over
"""

from __future__ import annotations

import time

from zantara_exp.endpoints.base import Answer
from zantara_exp.endpoints.streaming import Piece
from zantara_exp.gateway.dialects import Dialect
from zantara_exp.gateway.exchange import Exchange, Send
from zantara_exp.gateway.routing import Turn


class Reply:
    """The answer of one exchange, in the shape of the API that was called."""

    def __init__(self, exchange: Exchange, turn: Turn, dialect: Dialect, send: Send) -> None:
        self._exchange, self._turn, self._dialect, self._send = exchange, turn, dialect, send
        self._stream = dialect.stream(turn.chat)

    async def take(self, piece: Piece) -> None:
        """Send a piece on."""
        start = b""
        if not self._turn.begun:
            await self._begin(None)
            start = self._stream.start(piece.model)
        await self._body(start + self._stream.piece(piece.text), more=True)

    async def end(self, answer: Answer) -> bool:
        """Send the rest of the answer, or its error. False: nothing was sent, so the primary has to answer."""
        if self._turn.begun:
            last = self._stream.end(answer) if answer.error is None else self._stream.broken()
        elif answer.error is None:
            last = self._dialect.written(self._turn.chat, answer)
            await self._begin(len(last))
        else:
            return False
        self._exchange.finished = True
        await self._body(last, more=False)
        return True

    async def _begin(self, length: int | None) -> None:
        self._turn.begun = True
        self._exchange.status, self._exchange.streamed = 200, self._turn.chat.stream
        headers = self._dialect.headers(self._turn.chat, length)
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        self._exchange.first_byte_at = time.perf_counter()

    async def _body(self, body: bytes, more: bool) -> None:
        self._exchange.bytes_out += len(body)
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
