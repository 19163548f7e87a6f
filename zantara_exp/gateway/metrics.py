"""What a gateway counts (Prometheus text) and notes (one JSON line per request); never content, never keys."""

from __future__ import annotations

import asyncio
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Protocol

import orjson

from zantara_exp.shadow.stats import Stats

_BOUNDS_MS = (0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 250, 1000)
_FLUSH_SECONDS = 0.25
_LINES_KEPT = 10_000
_BREAKER = ("closed", "half_open", "open")


class Rollout(Protocol):
    """What is asked of the rollout for its gauges."""

    @property
    def share(self) -> float:
        """Percent of users who are moved now."""

    @property
    def breaker(self) -> str:
        """State of the breaker of the candidate that users are served by."""

    @property
    def lost_lines(self) -> int:
        """Lines of the served log that were lost."""


class Histogram:
    """Counts of milliseconds in buckets."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS_MS) + 1)
        self._sum = 0.0

    def add(self, milliseconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(_BOUNDS_MS, milliseconds)] += 1
        self._sum += milliseconds

    def lines(self, name: str) -> Iterator[str]:
        """As Prometheus has it: cumulative buckets, in seconds."""
        total = 0
        for bound, amount in zip(_BOUNDS_MS, self._counts, strict=False):
            total += amount
            yield f'{name}_bucket{{le="{bound / 1000:g}"}} {total}'
        total += self._counts[-1]
        yield f'{name}_bucket{{le="+Inf"}} {total}'
        yield f"{name}_sum {self._sum / 1000:.6f}"
        yield f"{name}_count {total}"


class Metrics:
    """Of one gateway process."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        """By path and status; 499 is a client that went away."""
        self.unmirrored: Counter[str] = Counter()
        """Requests that could not be sampled, such as those that name no user."""
        self.unrouted: Counter[str] = Counter()
        """Requests that no candidate can answer while a rollout serves, by reason."""
        self.served: Counter[tuple[str, str, str, str]] = Counter()
        """Requests in an arm of the rollout: arm, who answered, the candidate's failure, the user's error."""
        self.in_flight = 0
        self.added = Histogram()
        self.candidate = Histogram()
        """Of the candidate asked for users, answers and failures."""

    def text(self, mirror: Stats, rollout: Rollout) -> str:
        """In the text format of Prometheus."""
        return "\n".join([*self._own(), *self._of_rollout(rollout), *_of_mirror(mirror), ""])

    def _own(self) -> Iterator[str]:
        yield from _head("zantara_gateway_requests_total", "counter", "Requests by path and status; 499: client gone.")
        for (path, status), amount in sorted(self.requests.items()):
            yield f'zantara_gateway_requests_total{{path="{path}",status="{status}"}} {amount}'
        yield from _head("zantara_gateway_in_flight", "gauge", "Requests under way.")
        yield f"zantara_gateway_in_flight {self.in_flight}"
        yield from _head("zantara_gateway_added_seconds", "histogram", "Time until the first byte, less the primary's.")
        yield from self.added.lines("zantara_gateway_added_seconds")
        yield from _head("zantara_gateway_unmirrored_total", "counter", "Requests that no sample can hold, by reason.")
        yield from _by_reason("zantara_gateway_unmirrored_total", self.unmirrored)

    def _of_rollout(self, rollout: Rollout) -> Iterator[str]:
        yield from _head("zantara_rollout_share_percent", "gauge", "Users of the routed categories who are moved.")
        yield f"zantara_rollout_share_percent {rollout.share:g}"
        name = "zantara_rollout_served_total"
        yield from _head(name, "counter", "Requests of both arms; arm=candidate answered by the primary: a fallback.")
        for (arm, by, failure, error), amount in sorted(self.served.items()):
            yield f'{name}{{arm="{arm}",answered_by="{by}",candidate_error="{failure}",error="{error}"}} {amount}'
        yield from _head("zantara_rollout_unrouted_total", "counter", "Requests that no candidate can answer.")
        yield from _by_reason("zantara_rollout_unrouted_total", self.unrouted)
        yield from _head("zantara_rollout_candidate_seconds", "histogram", "The candidate's time, asked for users.")
        yield from self.candidate.lines("zantara_rollout_candidate_seconds")
        yield from _breaker("zantara_rollout_breaker", rollout.breaker)
        yield from _head("zantara_rollout_lost_lines_total", "counter", "Lines of the served log that were lost.")
        yield f"zantara_rollout_lost_lines_total {rollout.lost_lines}"


def _of_mirror(stats: Stats) -> Iterator[str]:
    for name, value, what in (
        ("observed_total", stats.observed, "Requests that the mirror was shown."),
        ("sampled_total", stats.sampled, "Requests in the sample."),
        ("compared_total", stats.compared, "Comparisons in the log."),
        ("worker_restarts_total", stats.restarts, "Times that the mirror's worker was replaced."),
    ):
        yield from _head(f"zantara_mirror_{name}", "counter", what)
        yield f"zantara_mirror_{name} {value}"
    yield from _head("zantara_mirror_dropped_total", "counter", "Sampled requests that were lost, by reason.")
    yield from _by_reason("zantara_mirror_dropped_total", stats.dropped)
    for name, level, what in (
        ("enabled", int(stats.enabled), "1: shadow mode is on."),
        ("queue_depth", stats.queued, "Sampled requests that wait."),
        ("in_flight", stats.in_flight, "Calls to the candidate under way."),
        ("lag_seconds", stats.lag_seconds, "From a request to its comparison in the log, newest."),
    ):
        yield from _head(f"zantara_mirror_{name}", "gauge", what)
        yield f"zantara_mirror_{name} {level:g}"
    yield from _breaker("zantara_mirror_breaker", stats.breaker)


def _breaker(name: str, now: str) -> Iterator[str]:
    yield from _head(name, "gauge", "1 for the state that the candidate's breaker is in.")
    for state in _BREAKER:
        yield f'{name}{{state="{state}"}} {int(now == state)}'


def _head(name: str, kind: str, what: str) -> list[str]:
    return [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]


def _by_reason(name: str, counts: Mapping[str, int]) -> Iterator[str]:
    for reason, amount in sorted(counts.items()):
        yield f'{name}{{reason="{reason}"}} {amount}'


class AccessLog:
    """Lines for standard output, written a few times a second by a thread, so that a slow pipe delays nobody."""

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
            sys.stdout.write(b"".join(lines).decode())
            sys.stdout.flush()
