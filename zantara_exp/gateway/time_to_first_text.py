"""Finds the first text of a stream, also of a compressed one. Thoughts and the stream's head are no text."""

from __future__ import annotations

import zlib

from zantara_exp.gateway.dialects import Dialect, NotText

_KEPT = 4096
"""Bytes that are searched again with the next piece: the mark of a text may be cut in two."""
_AT_ONCE = 1_000_000
"""The most bytes that one piece is unpacked to; the first text lies within them."""


class FirstText:
    """The search in one stream, piece by piece."""

    def __init__(self, dialect: Dialect, coding: str) -> None:
        self._dialect = dialect
        self._unpack = None if coding == "identity" else zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._seen = b""

    def comes_with(self, chunk: bytes) -> bool:
        """Whether the first text is in this piece."""
        try:
            self._seen += chunk if self._unpack is None else self._unpack.decompress(chunk, _AT_ONCE)
            found = self._dialect.begins_text(self._seen)
        except (zlib.error, NotText):  # not a stream that we can read: no first text to be found
            return False
        self._seen = self._seen[-_KEPT:]
        return found
