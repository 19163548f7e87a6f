"""Looks for news in the background, and has one picture for all who watch: browsers never read the log.

Two threads: the log is measured by one, which takes minutes where it is large; what can end an incident, the rollout
and what a gateway says of itself, is told by the other and waits for nobody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.watch.live import gateway_now
from zantara_exp.watch.picture import measured, rollout_now, rollout_stamp, stamp

_log = logging.getLogger(__name__)


class Watcher:
    """The newest of each thing that is told (`told`), and what looks for newer ones."""

    def __init__(self, config: Config, layout: Layout, rests: float | None = None) -> None:
        self._config, self._layout = config, layout
        self._rests = 100 / config.watch.core_percent if rests is None else rests
        """Seconds from picture to picture, for each second of a processor that one takes."""
        self._stop = threading.Event()
        self.reading = threading.Lock()
        """Held while somebody looks for comparisons: one question at a time."""
        self.number = 0
        """Rises with every picture; 0 before the first."""
        self.told: dict[str, bytes] = {}
        """By kind (`picture`, `rollout`, `gateway`): the newest, as JSON. What was told is replaced, never changed."""

    def start(self) -> None:
        """Begin to look."""
        for looks in (self._measure, self._follow):
            threading.Thread(target=looks, name=f"watcher{looks.__name__}", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether it looks no more."""
        return self._stop.is_set()

    def _measure(self) -> None:
        known = None
        while not self._stop.is_set():
            taken, seen = 0.0, _marked(stamp, self._config, self._layout)
            if seen != known:
                began, known = time.process_time(), seen
                self._draw()
                taken = time.process_time() - began
            self._stop.wait(max(self._config.watch.seconds, self._rests * taken))

    def _draw(self) -> None:
        self._tell("picture", measured, self._config, self._layout)
        self.number += 1

    def _follow(self) -> None:
        known = None
        while not self._stop.is_set():
            taken = 0.0
            self._tell("gateway", gateway_now, self._config.gateway)
            seen = _marked(rollout_stamp, self._config, self._layout)
            if seen != known:
                began, known = time.thread_time(), seen
                self._tell("rollout", rollout_now, self._config, self._layout)
                taken = time.thread_time() - began
            self._stop.wait(max(self._config.watch.seconds, min(self._rests * taken, _ROLLOUT_AT_LEAST)))

    def _tell(self, kind: str, look: Callable[..., Any], *of: Any) -> None:
        try:
            found = look(*of)
        except Exception as error:  # a page that stays up says what is broken
            _log.exception("%s cannot be shown", kind)
            found = {"trouble": f"{type(error).__name__}: {error}"}
        self.told = {**self.told, kind: orjson.dumps(found, default=str)}


_ROLLOUT_AT_LEAST = 30.0
"""Seconds. However much a look at the guardrails costs: who watches a rollout sees it end."""


def _marked(look: Callable[[Config, Layout], str], config: Config, layout: Layout) -> str:
    """What `look` says; an error's words where it cannot: they, too, are news once they change."""
    try:
        return look(config, layout)
    except ZantaraError as error:
        return error.message
    except Exception as error:  # a disk or a database that is away for a while ends no page
        return f"{type(error).__name__}: {error}"
