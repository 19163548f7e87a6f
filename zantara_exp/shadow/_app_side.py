"""The app's side of the mirror: a bounded queue, a thread that feeds the worker process, and the counts.

The thread wakes a hundred times a second instead of being woken by `observe`: waking a thread from the app's event
loop costs more than all the rest of `observe`. A forked child has neither the thread nor the worker: it gets its own
with its first sampled request, and counts from zero. A program that ends without `close` waits as if it had called it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.ids import new_id
from zantara_exp.cost.usage import usage_of
from zantara_exp.shadow._worker_process import WorkerProcess
from zantara_exp.shadow.log import destination_of
from zantara_exp.shadow.record import Drops, Sampling, to_line
from zantara_exp.shadow.safe_labels import fit_id, known_category, known_language, trace_id_of, traceparent_of
from zantara_exp.shadow.stats import Stats
from zantara_exp.shadow.switch import Switch

_TICK_SECONDS = 0.01
_LOOK_SECONDS = 0.2
_RESTART_SECONDS = 1.0
_SLOWEST_RESTART_SECONDS = 60.0
_LAST_WORDS_SECONDS = 2.0
_BATCH = 64
_LARGEST = 4_000_000
"""Characters of one request; a longer one is no chat."""
_log = logging.getLogger(__name__)


class Item(NamedTuple):
    """One sampled request on its way to the worker."""

    request: Any
    history: tuple[Mapping[str, str], ...]
    answer: Any
    user: str
    sampling: Sampling
    at: float
    """Seconds since 1970."""
    size: int
    """Characters of text."""
    why_not: str = ""
    """Why the rollout would not move it, as far as the app's process knows."""
    bare: bool = False
    """Whether no model will be asked, so that its texts were left out."""
    seen: float = 0.0
    """When it was observed, on the clock of time.monotonic, which all processes of a machine share."""
    moved: bool = False
    """Whether `answer` is the candidate's in a rollout, and the primary has to be asked."""
    same: str = ""
    """An id that several candidates share for this request; empty if there is one candidate."""


class Link:
    """Passes sampled requests to the worker and counts what is lost on the way."""

    def __init__(self, config: Config, switch: Switch, key: bytes) -> None:
        """`key`: the key of the hashes of ids."""
        self.observed = 0
        self.enabled = switch.is_on()
        self._config, self._switch, self._key = config, switch, key
        self._deadline: float | None = None
        self._empty()
        self._start()
        _links.add(self)

    def _empty(self) -> None:
        """Start from zero, in a process where neither thread nor worker runs."""
        self._queue: deque[Item] = deque()
        # Two counters, each written by one thread only: with a lock around one counter `observe` would have to wait.
        self._offered = self._taken = 0
        self._sampled = 0
        self._dropped: Counter[str] = Counter()
        self._passed_on: Counter[str] = Counter()
        """The part of the losses that a worker was told."""
        self._unwritten: Counter[str] = Counter()
        """Losses that workers which died had not written to the log."""
        self._worker = WorkerProcess(self._config)
        self._pending = b""
        self._next_start = self._next_look = 0.0
        self._pause = _RESTART_SECONDS / 2
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                # No daemon thread: Python waits for it at the end of a program that does not call `close`.
                self._thread = threading.Thread(target=self._run, name="shadow-mirror", daemon=False)
                self._thread.start()
                self._end_with_celery()

    def _end_with_celery(self) -> None:
        """Close when Celery ends a process of its pool: Celery uses os._exit, which waits for no thread."""
        signals = sys.modules.get("celery.signals")
        if signals is not None:
            signals.worker_process_shutdown.connect(self._pool_ends)

    def _pool_ends(self, **_: object) -> None:
        self.close()

    def forked(self) -> None:
        """In a forked child: drop the parent's worker, which would otherwise outlive the parent."""
        self._worker.abandon()
        self.observed, self.enabled = 0, True  # whether it is on, the thread finds out before it passes anything on
        self._empty()

    def offer(self, item: Item) -> None:
        """Queue a request; drop and count it if the queue is full."""
        if self._thread is None:
            self._start()
        self._sampled += 1
        shadow = self._config.shadow
        if self._deadline is not None:
            self.drop("shutdown")
        elif item.size > _LARGEST:
            self.drop("too_large")
        elif len(self._queue) >= shadow.queue_requests or self._offered - self._taken + item.size > shadow.queue_bytes:
            self.drop("queue_full")
        else:
            self._offered += item.size
            self._queue.append(item)

    def lose(self, reason: str) -> None:
        """Count a sampled request that cannot be compared."""
        self._sampled += 1
        self.drop(reason)

    def drop(self, reason: str, amount: int = 1) -> None:
        """Count sampled requests that were lost, here and in the log."""
        if amount:
            self._dropped[reason] += amount

    def stats(self) -> Stats:
        """The mirror's counts and state."""
        said, lost = self._worker.said, Counter(self._dropped)
        lost.update(said.lost)
        queued = len(self._queue)
        return Stats(
            self.enabled, self.observed, self._sampled, said.compared, dict(lost), queued,
            said.in_flight, said.breaker, self._worker.restarts, said.lag_seconds, said.spooled,
            said.breakers, dict(said.set_aside),
        )  # fmt: skip

    def close(self, deadline_seconds: float | None = None) -> None:
        """Stop taking requests, hand over the queue, and wait for the worker to finish until the deadline."""
        self.finish(deadline_seconds)
        assert self._deadline is not None  # noqa: S101  it is set now
        if self._thread is None:
            self._finish(self._deadline)
        else:
            self._thread.join()

    def finish(self, deadline_seconds: float | None = None) -> None:
        """The same, without waiting for it."""
        seconds = self._config.shadow.drain_seconds if deadline_seconds is None else deadline_seconds
        if self._deadline is None:
            self._deadline = time.monotonic() + seconds

    def _run(self) -> None:
        while self._deadline is None or (self._unfinished() and time.monotonic() < self._deadline):
            if not threading.main_thread().is_alive():  # the program, or this child of it, ends
                self.finish()
            try:
                self._tick()
            except Exception:  # the mirror may fail, the app may not; the queue stays bounded, and losses are counted
                _log.exception("the mirror's thread met an error and goes on")
                time.sleep(_RESTART_SECONDS)
            time.sleep(_TICK_SECONDS)
        self._finish(self._deadline)

    def _unfinished(self) -> bool:
        return bool(self._queue or self._pending or self._unwritten or self._dropped - self._passed_on)

    def _tick(self) -> None:
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            self._look_at_switch()
        if not self._worker.alive:
            self._restart(now)
        self._worker.listen()
        if not self._pending:
            self._pending = self._next_frames()
        if self._pending:
            self._pending = self._pending[self._worker.send(self._pending) :]
        if self._pending or self._queue:
            lost = self._dropped - self._passed_on + self._unwritten
            self._worker.announce(len(self._queue) + lost.total())

    def _look_at_switch(self) -> None:
        on = self._switch.is_on() and self._worker.said.allowed
        if on != self.enabled:
            _log.warning("shadow mode is switched %s", "on" if on else "off")
            self.enabled = on
            self._worker.switch(on)
        if not on:
            self._discard("disabled")

    def _discard(self, reason: str) -> None:
        lost = 0
        with contextlib.suppress(IndexError):
            while True:
                self._taken += self._queue.popleft().size
                lost += 1
        self.drop(reason, lost)

    def _restart(self, now: float) -> None:
        if now < self._next_start:
            return
        # A worker that dies again and again would keep a core busy, so each next start waits twice as long.
        died_soon = now - self._next_start < _SLOWEST_RESTART_SECONDS
        self._pause = min(2 * self._pause, _SLOWEST_RESTART_SECONDS) if died_soon else _RESTART_SECONDS
        self._next_start = now + self._pause
        self._unwritten.update(self._worker.unwritten)
        self._pending = b""
        if self._worker.unanswered:
            _log.warning("the mirror's worker died; %d sampled requests are lost", self._worker.unanswered)
        self.drop("worker_died", self._worker.unanswered)
        self._worker.start(self.enabled)

    def _next_frames(self) -> bytes:
        frames = []
        drops = self._summed_drops()
        if drops:
            self._worker.told += drops
            frames.append(orjson.dumps({"drops": drops}))
        with contextlib.suppress(IndexError):
            while len(frames) < _BATCH:
                item = self._queue.popleft()
                self._taken += item.size
                frame = self._frame(item)
                if frame is not None:
                    frames.append(frame)
        return b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)

    def _summed_drops(self) -> Counter[str]:
        """Take the losses that the log does not have yet."""
        dropped, again = Counter(self._dropped), self._unwritten
        drops = dropped - self._passed_on + again
        self._passed_on, self._unwritten = dropped, Counter()
        return drops

    def _frame(self, item: Item) -> bytes | None:
        try:
            frame = orjson.dumps(self._fields(item))
        except Exception:  # the app may hand over anything: no texts, numbers that JSON lacks, look-alikes
            self.drop("unreadable")
            return None
        self._worker.asked += 1
        return frame

    def _fields(self, item: Item) -> dict[str, Any]:
        request, user = item.request, str(item.request.user_id)
        given, fresh = fit_id(request.request_id, user, self._key), item.same or new_id()
        # An app may give one id to a whole trace or to retries; without a new id they would be one comparison.
        request_id = f"{given}.{fresh[:16]}" if given else fresh
        return {
            "request_id": request.request_id if item.moved else request_id,
            "conversation_id": fit_id(request.conversation_id, user, self._key),
            "user": item.user,
            "timestamp": datetime.fromtimestamp(item.at, UTC),
            "message": request.message,
            "history": item.history,
            "memory_context": request.memory_context,
            "system_prompt": request.system_prompt,
            "category": known_category(request.category, self._config.domain.categories),
            "language": known_language(request.language, self._config.dataset.languages),
            "sampling": item.sampling,
            "primary": replace(item.answer, usage=usage_of(item.answer.usage)),
            "why_not": item.why_not,
            "bare": item.bare,
            "seen": item.seen,
            "moved": item.moved,
            "attempt": request.attempt,
            "trace_id": trace_id_of(request.traceparent),
            "traceparent": traceparent_of(request.traceparent),
        }

    def _finish(self, deadline: float) -> None:
        self._discard("shutdown")
        self._worker.stop(deadline)
        self.drop("shutdown", self._worker.unanswered)
        drops = self._summed_drops() + self._worker.unwritten
        if drops:  # the worker is gone and cannot log them itself
            now = datetime.now(UTC)
            with contextlib.suppress(ZantaraError, OSError):
                log = destination_of(self._config)
                log.append(now.date().isoformat(), [to_line(Drops(self._worker.epoch, now, drops))])
                log.close(_LAST_WORDS_SECONDS)
            _log.warning("%d sampled requests were lost at shutdown", sum(drops.values()))


_links: weakref.WeakSet[Link] = weakref.WeakSet()


def _forked() -> None:
    for link in list(_links):
        link.forked()


os.register_at_fork(after_in_child=_forked)
