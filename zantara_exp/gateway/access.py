"""One JSON line per request on standard output; never content, never keys."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from zantara_exp.core.terminal import forget_stdout

_FLUSH_SECONDS = 0.25
_LINES_KEPT = 10_000


class AccessLog:
    """Writes its lines to standard output in a thread, a few times a second: a slow pipe delays no request."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._lines: list[bytes] = []
        self._lost = 0

    def note(self, fields: Mapping[str, object]) -> None:
        """Note one request."""
        if not self._enabled:
            return
        if len(self._lines) >= _LINES_KEPT:
            self._lost += 1
            return
        head: dict[str, object] = {"time": datetime.now(UTC)}
        self._lines.append(orjson.dumps({**head, **fields}, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))

    async def run(self) -> None:
        """Write until cancelled, then what is left."""
        try:
            while True:
                await asyncio.sleep(_FLUSH_SECONDS)
                await asyncio.to_thread(self._write)
        finally:
            self._write()

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        if self._lost:
            lines.append(orjson.dumps({"lost_lines": self._lost}, option=orjson.OPT_APPEND_NEWLINE))
            self._lost = 0
        if lines:
            try:
                sys.stdout.write(b"".join(lines).decode())
                sys.stdout.flush()
            except BrokenPipeError:  # whoever read the lines has left; users and the mirror go on
                forget_stdout()
