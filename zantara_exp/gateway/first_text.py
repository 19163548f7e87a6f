"""When the first text of a stream comes: not a thought, not the stream's head; in a compressed one as well."""

from __future__ import annotations

import zlib

from zantara_exp.gateway.dialects import Dialect, NotText

_KEPT = 4096
"""Bytes that are looked at again with the next piece: what marks the text may be cut in two."""
_AT_ONCE = 1_000_000
"""Bytes that one piece is unpacked to at most; a stream that packs more has its first text in them."""


class FirstText:
    """Of one stream, as it passes."""

    def __init__(self, dialect: Dialect, coding: str) -> None:
        self._dialect = dialect
        self._unpack = None if coding == "identity" else zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._seen = b""

    def comes_with(self, chunk: bytes) -> bool:
        """Whether this piece brings it."""
        try:
            self._seen += chunk if self._unpack is None else self._unpack.decompress(chunk, _AT_ONCE)
            found = self._dialect.begins_text(self._seen)
        except (zlib.error, NotText):  # a stream of some other kind: it has no first text that could be told
            return False
        self._seen = self._seen[-_KEPT:]
        return found
