"""Passes the request target (path and query of the first line) on byte for byte.

ASGI and yarl do not tell an empty query (`/v1/models?`) from none, so the target is taken from the HTTP parser.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from yarl import URL

if TYPE_CHECKING:
    from zantara_exp.gateway.exchange import Event

_TARGET = "zantara.target"
_HEAD_BYTES = 262_144
_HEAD_SECONDS = 60.0
"""The longest that the head of a request may take, from its first byte on."""


def keeping_targets() -> type[asyncio.Protocol]:
    """Uvicorn's HTTP protocol, which also keeps each target and limits the time and size of a head."""
    # httptools and not h11, which accepts paths that name another host.
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class KeepingTargets(HttpToolsProtocol):
        scope: Any  # a dictionary that the application may extend
        in_head = True

        head_bytes = 0
        """Bytes of the head so far."""
        head_timer: asyncio.TimerHandle | None = None

        def data_received(self, data: bytes) -> None:
            if self.in_head:
                self.head_bytes += len(data)
                if self.head_timer is None:
                    self.head_timer = self.loop.call_later(_HEAD_SECONDS, self.transport.close)
            super().data_received(data)
            if self.in_head and self.head_bytes > _HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response(f"The request line and headers are longer than {_HEAD_BYTES} bytes.")

        def on_headers_complete(self) -> None:
            self.scope[_TARGET] = self.url
            self._head_is_over()
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self.in_head = True
            super().on_message_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head_is_over()
            super().connection_lost(exc)

        def _head_is_over(self) -> None:
            self.in_head, self.head_bytes = False, 0
            if self.head_timer is not None:
                self.head_timer.cancel()
                self.head_timer = None

    return KeepingTargets


def target_of(scope: Event) -> str:
    """The target; from ASGI's path and query if the target names a host, or another protocol was used."""
    kept: bytes = scope.get(_TARGET, b"")
    if kept.startswith(b"/"):
        return kept.decode("latin-1")
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return (path.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")


def address(upstream: URL, prefix: str, target: str) -> URL:
    """The upstream's URL with the target appended; nothing is quoted, resolved or left out."""
    return upstream.with_path(f"{upstream.raw_path.rstrip('/')}{prefix}{target}", encoded=True)
