"""Joins the retries of a client to one request, which is mirrored and logged once, after the last attempt.

The official SDKs of Anthropic and OpenAI ask again after 408, 409, 429, 5xx and a broken connection, and number their
attempts in X-Stainless-Retry-Count; other clients give all attempts one Idempotency-Key. A failed attempt of such a
client is kept until its next attempt comes, or until it is too late for one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

from zantara_exp.gateway.exchange import Exchange
from zantara_exp.rollout.served import CANDIDATE

_PATIENCE_SECONDS = 10.0
"""SDKs wait at most 8 s between two attempts, unless the server asks for more."""
_KEPT = 1000
"""How many failed attempts are kept at most."""
_TRIED_AGAIN = (408, 409, 429)


class Attempts:
    """Failed attempts that the client may repeat. Not for several threads."""

    def __init__(self, conclude: Callable[[Exchange], None]) -> None:
        """`conclude` is called once for each request, after its last attempt."""
        self._conclude = conclude
        self._failed: dict[bytes, tuple[Exchange, asyncio.TimerHandle]] = {}

    def begin(self, exchange: Exchange, body: bytes) -> bool:
        """Join this exchange to an earlier failed attempt at the same request; return whether there was one."""
        counted, key = exchange.header(b"x-stainless-retry-count"), exchange.header(b"idempotency-key")
        if counted is None and key is None:
            return False
        exchange.retried_as = _identity(exchange, key, body)
        before = self._failed.pop(exchange.retried_as, None)
        if before is not None:
            failed, timer = before
            timer.cancel()
            exchange.attempt, exchange.came = failed.attempt + 1, failed.waited_since
        elif counted is not None and counted.isdecimal():  # another replica had the one before, or it is long ago
            exchange.attempt = min(int(counted), 100) + 1
        return before is not None

    def end(self, exchange: Exchange) -> None:
        """Conclude the request, or wait for the next attempt at it."""
        if exchange.retried_as is None or not _may_be_tried_again(exchange) or len(self._failed) >= _KEPT:
            self._conclude(exchange)
            return
        timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._give_up, exchange.retried_as)
        older = self._failed.pop(exchange.retried_as, None)
        if older is not None:  # two equal requests at the same time: each counts
            older[1].cancel()
            self._conclude(older[0])
        self._failed[exchange.retried_as] = exchange, timer

    def close(self) -> None:
        """Conclude all failed attempts that are still kept."""
        for key in list(self._failed):
            self._give_up(key)

    def _give_up(self, key: bytes) -> None:
        exchange, timer = self._failed.pop(key)
        timer.cancel()
        self._conclude(exchange)


def _identity(exchange: Exchange, key: str | None, body: bytes) -> bytes:
    """A key that all attempts at one request share, and that no other user's request has."""
    asked = hashlib.sha256(exchange.path.encode())
    for name in (b"x-zantara-user", b"authorization", b"x-api-key", b"api-key"):
        asked.update(b"\n" + (exchange.header(name) or "").encode(errors="surrogatepass"))
    asked.update(b"\n" + (body if key is None else key.encode(errors="surrogatepass")))
    return asked.digest()


def _may_be_tried_again(exchange: Exchange) -> bool:
    """Whether clients repeat a request that ended so. A failure of the candidate is logged at once in any case."""
    if exchange.last or (exchange.turn is not None and exchange.turn.arm == CANDIDATE):
        return False
    return exchange.status >= 500 or exchange.status in _TRIED_AGAIN
