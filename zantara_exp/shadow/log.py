"""The writer of the comparison log: whole lines, redacted text, one writer per process.

`write` only puts the item into a bounded queue; a thread of its own redacts, appends and syncs: to daily files, or
with `log=postgres` to a spool that is sent to the database. Several processes may share a folder: each append holds
the file's lock. A process killed inside an append leaves at most a torn last line, which the next append, of any
process, moves to the quarantine.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.io.daily_files import DailyFiles, Destination
from zantara_exp.io.database import LOG
from zantara_exp.io.event_log import EventLog
from zantara_exp.io.events import COMPARISONS
from zantara_exp.shadow.record import Comparison, Drops, to_line

_BATCH = 256
_log = logging.getLogger(__name__)

Redact = Callable[[str], str]
NewRedact = Callable[[], Redact]
"""Makes the redactor of one comparison: equal values in its texts get equal placeholders."""


def destination_of(config: Config) -> Destination:
    """Where `config.log` writes lines. Raises MissingRequirementError or OSError if a spool cannot be opened."""
    layout, megabyte = Layout(config), 1_000_000
    if config.log.kind == "jsonl":
        return DailyFiles(layout.logs, COMPARISONS, config.log.rotate_mb * megabyte)
    from zantara_exp.io.spool import Spool
    from zantara_exp.io.table import Table

    table = Table(COMPARISONS, config.log.url_env, LOG)
    return Spool(layout.log_spool, table, config.log.flush_seconds, config.log.spool_mb * megabyte)


def comparisons_of(config: Config, layout: Layout) -> EventLog:
    """The log as readers see it: the files of this machine and, with log=postgres, the table of all machines.

    Raises MissingRequirementError without the database's URL.
    """
    if config.log.kind == "jsonl":
        return EventLog(COMPARISONS, layout.logs)
    from zantara_exp.io.table import Table

    for copy in (*layout.logs.glob("shadow_comparison_*.postgres.jsonl"), layout.logs / "postgres.json"):
        copy.unlink(missing_ok=True)  # earlier versions copied the table to files
    return EventLog(COMPARISONS, layout.logs, Table(COMPARISONS, config.log.url_env, LOG), layout.log_spool)


def log_of(config: Config, epoch: str, tell_drops: bool = True) -> ComparisonLog:
    """The writer that the config asks for. Raises as `destination_of` and `redactor_of`."""
    from zantara_exp.dataset.redact import redactor_of

    redactor = redactor_of(config.dataset)
    return ComparisonLog(
        destination_of(config),
        epoch,
        lambda: redactor.conversation().text,
        config.log.flush_seconds,
        tell_drops=tell_drops,
    )


def check_log(config: Config) -> None:
    """Raise ZantaraError if `destination_of` would fail, without opening anything."""
    if config.dataset.names:
        from zantara_exp.dataset.names import check_models

        check_models(config.dataset.names)
    if config.log.kind == "postgres":
        from zantara_exp.io.address import database_url

        database_url(config.log.url_env, *LOG)
        spool = Layout(config).log_spool
        try:
            spool.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ZantaraError(
                f"log=postgres: {spool} cannot be made: {error.strerror}",
                hint="paths.state=DIR that this account may write, or check the rights and the room on its disk",
            ) from error


class ComparisonLog:
    """Appends comparisons. Errors of the disk are counted and logged as warnings, never raised."""

    def __init__(
        self,
        destination: Destination,
        epoch: str,
        new_redact: NewRedact,
        flush_seconds: float = 1.0,
        capacity: int = 10_000,
        tell_drops: bool = True,
    ) -> None:
        """Without `tell_drops` losses are counted but not logged, for callers that will ask for the same again."""
        self.by_arm: Counter[str] = Counter()
        """Comparisons in the log, by arm."""
        self.lost: Counter[str] = Counter()
        """Losses of this process, by reason."""
        self.reported: Counter[str] = Counter()
        """The losses that are in the log already."""
        self._destination, self._epoch, self._new_redact = destination, epoch, new_redact
        self._flush_seconds, self._tell_drops = flush_seconds, tell_drops
        self._queue: queue.Queue[Comparison] = queue.Queue(capacity)
        self._unreported: Counter[str] = Counter()
        self._guard = threading.Lock()
        self._warned = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="comparison-log", daemon=True)
        self._thread.start()

    def write(self, item: Comparison, wait: bool = False) -> bool:
        """Queue one comparison. False, and counted as lost, if the queue is full and `wait` is not set."""
        try:
            self._queue.put(item, block=wait)
        except queue.Full:
            self.drop("log_full")
            return False
        return True

    def drop(self, reason: str, amount: int = 1) -> None:
        """Count sampled requests that did not become comparisons; the next line logs the count."""
        with self._guard:
            self.lost[reason] += amount
            if self._tell_drops:
                self._unreported[reason] += amount

    @property
    def written(self) -> int:
        """Comparisons in the log."""
        return self.by_arm.total()

    @property
    def waiting(self) -> int:
        """Comparisons in the spool of this machine that are not in the database yet; 0 without a database."""
        return self._destination.waiting

    def close(self, deadline_seconds: float = 30.0) -> None:
        """`finish`, then send the spool to the database. What is not sent by the deadline stays in the spool."""
        deadline = time.monotonic() + deadline_seconds
        self.finish(deadline_seconds)
        self._destination.close(max(0.0, deadline - time.monotonic()))

    def finish(self, deadline_seconds: float = 30.0) -> None:
        """Write and sync the queue. What is left at the deadline counts as lost."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join(deadline_seconds)
        left = self._queue.qsize()
        if left:
            self.drop("shutdown", left)
            _log.warning("%d comparisons were not written before the deadline of %g s", left, deadline_seconds)

    def _run(self) -> None:
        next_sync = time.monotonic() + self._flush_seconds
        while True:
            last_round = self._closing.is_set()
            self._append_all(self._take())
            if time.monotonic() >= next_sync or last_round:
                self._report_drops()
                self._destination.sync()
                next_sync = time.monotonic() + self._flush_seconds
            if last_round and self._queue.empty():
                return

    def _take(self) -> list[Comparison]:
        """A batch of queued items at most; waits briefly for the first."""
        items: list[Comparison] = []
        with contextlib.suppress(queue.Empty):
            items.append(self._queue.get(timeout=min(0.05, self._flush_seconds)))
            while len(items) < _BATCH:
                items.append(self._queue.get_nowait())
        return items

    def _append_all(self, items: list[Comparison]) -> None:
        by_day: dict[str, list[tuple[bytes, Counter[str], str]]] = {}
        for item in items:
            drops = self._take_drops()
            line = self._line(replace(item, dropped=dict(drops)))
            if line is None:
                self._give_back(drops)
            else:
                by_day.setdefault(_day(item.timestamp), []).append((line, drops, item.arm))
        for day, lines in by_day.items():
            done = self._append(day, [line for line, _, _ in lines])
            for _, drops, arm in lines[:done]:
                self.by_arm[arm] += 1
                self.reported.update(drops)
            for _, drops, _ in lines[done:]:
                self._give_back(drops)
                self.drop("disk")

    def _line(self, item: Comparison) -> bytes | None:
        """The redacted line; None, and counted as lost, if the item cannot be redacted or encoded."""
        try:
            return to_line(redacted(item, self._new_redact()))
        except Exception as error:  # after any error: unredacted text must not be written, and the writer has to go on
            self.drop("unwritable")
            _log.warning("a comparison could not be redacted or encoded (%s) and is lost", type(error).__name__)
            return None

    def _take_drops(self) -> Counter[str]:
        with self._guard:
            taken, self._unreported = self._unreported, Counter()
        return taken

    def _give_back(self, drops: Counter[str]) -> None:
        with self._guard:
            self._unreported.update(drops)

    def _report_drops(self) -> None:
        drops = self._take_drops()
        if not drops:
            return
        now = datetime.now(UTC)
        if not self._append(_day(now), [to_line(Drops(self._epoch, now, dict(drops)))]):
            self._give_back(drops)
        else:
            self.reported.update(drops)

    def _append(self, day: str, lines: list[bytes]) -> int:
        """Append to a day's file; return how many of the lines were written."""
        done, why = self._destination.append(day, lines)
        if why is not None and not self._warned:
            _log.warning("the comparison log cannot be written (%s); comparisons are being lost", why.strerror)
        self._warned = why is not None
        return done


def redacted(item: Comparison, redact: Redact) -> Comparison:
    """The comparison with personal data redacted in every text."""
    messages = [{**message, "content": redact(message["content"])} for message in item.messages]
    return replace(
        item,
        messages=messages,
        query=messages[-1]["content"] if messages else redact(item.query),
        primary=replace(item.primary, response=redact(item.primary.response)),
        candidate=replace(item.candidate, response=redact(item.candidate.response)),
    )


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()
