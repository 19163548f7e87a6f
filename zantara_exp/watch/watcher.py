"""Looks for news in the background, and has one picture for all who watch: browsers never read the log."""

from __future__ import annotations

import threading
import time

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.errors import ZantaraError
from zantara_exp.layout import Layout
from zantara_exp.watch.live import gateway_now
from zantara_exp.watch.picture import picture, stamp

RESTS = 20
"""A picture that took a second of a processor is drawn again after so many seconds at the soonest."""


class Watcher:
    """The newest picture, and what waits for the next one."""

    def __init__(self, config: Config, layout: Layout, rests: float = RESTS) -> None:
        self._config, self._layout = config, layout
        self._rests = rests
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self.reading = threading.Lock()
        """Held while the log is open: one query at a time."""
        self.number = 0
        """Rises with every picture; 0 before the first."""
        self.shown = b""
        """The picture as JSON."""
        self.gateway = b"[]"
        """What a gateway here says of itself, as JSON."""

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def _run(self) -> None:
        known = None
        while not self._stop.is_set():
            taken = 0.0
            self.gateway = orjson.dumps(gateway_now(self._config.gateway))
            try:
                seen = stamp(self._config, self._layout)
            except ZantaraError as error:
                seen = error.message
            if seen != known:
                began, known = time.process_time(), seen
                self._draw()
                taken = time.process_time() - began
            self._stop.wait(max(self._config.watch.seconds, self._rests * taken))

    def _draw(self) -> None:
        with self.reading:
            try:
                drawn = picture(self._config, self._layout)
            except Exception as error:  # a page that stays up says what is broken
                drawn = {"trouble": f"{type(error).__name__}: {error}"}
        self.shown = orjson.dumps(drawn, default=str)
        self.number += 1
