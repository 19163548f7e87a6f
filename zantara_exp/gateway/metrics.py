"""The gateway's counts, and `/metrics` by prometheus_client. They hold no content and no keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from zantara_exp.core import clock
from zantara_exp.endpoints.base import Reason
from zantara_exp.endpoints.breaker import State
from zantara_exp.gateway.dialects import CUT, DIALECTS
from zantara_exp.gateway.routes import NOWHERE
from zantara_exp.rollout.served import CANDIDATE, CLIENT_GONE, PRIMARY
from zantara_exp.shadow.record import BUDGET
from zantara_exp.traffic.movable import IMPATIENT, REASONS, STORED_CHAT, WITHOUT_ANSWER
from zantara_exp.traffic.not_mirrored import OUTSIDE, Seen
from zantara_exp.traffic.not_mirrored import REASONS as UNMIRRORED

if TYPE_CHECKING:
    from zantara_exp.gateway.routing import Routing
    from zantara_exp.shadow.mirror import ShadowMirror
    from zantara_exp.shadow.stats import Stats
    from zantara_exp.spans.sdk import Spans

_OF_MODELS = (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10, 15, 20, 30, 60, 120, 300)
"""Seconds; dense around the limits of gates, guardrails and `gateway.candidate_seconds`."""
_OF_OURS = (0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5, 5, 10, 60)

# Series with known labels are there from the start, at zero: Prometheus' `increase` does not count the event with which
# a series begins. Labels that only the primary decides, such as a rare status, begin with the first event.
_REQUESTS = tuple(
    product(
        (*(each.path for each in DIALECTS), "other"),
        (200, 400, 401, 403, 404, 413, 421, 429, 499, 500, 502, 503, 504, 529),
    )
)
_REFUSED = (*NOWHERE, "foreign_site")
_UNMIRRORED = tuple(reason for reason in UNMIRRORED if reason != OUTSIDE)  # that one is observed less sampled
_UNROUTED = (*REASONS, STORED_CHAT, IMPATIENT)
_SET_ASIDE = tuple(dict.fromkeys((*REASONS, *WITHOUT_ANSWER)))
_DROPPED = (
    "answered", BUDGET, "disabled", "disk", "log_full", "queue_full", "shutdown", "too_large", "unreadable",
    "unwritable", "worker_died",
)  # fmt: skip
_ERRORS = ("", "cut", "overloaded", "rate_limited", "refused", "server_error", "timeout", CLIENT_GONE)
_SERVED = (
    *product((PRIMARY,), (PRIMARY,), ("",), _ERRORS),
    *product((CANDIDATE,), (CANDIDATE,), ("",), ("", CUT, CLIENT_GONE)),
    *product((CANDIDATE,), (CANDIDATE,), Reason, (CUT, CLIENT_GONE)),  # broken off
    *product((CANDIDATE,), (PRIMARY,), Reason, _ERRORS),
)


class Metrics:
    """The counts of one process. They are plain counters: labelled ones of the library take three times as long."""

    def __init__(self, timeout_seconds: float) -> None:
        """`timeout_seconds`: the longest that a primary may take, which is the last bucket."""
        self.requests: Counter[tuple[str, int]] = Counter()
        """By path and status; 499 is a client that went away."""
        self.observed = 0
        """Requests that came by `POST /observe` instead of through the gateway."""
        self.unmirrored: Counter[str] = Counter()
        """Requests that could not be sampled, by reason."""
        self.refused: Counter[str] = Counter()
        """Requests that were not forwarded, by reason."""
        self.unrouted: Counter[str] = Counter()
        """Requests that a running rollout leaves to the primary, in no arm, by reason."""
        self.served: Counter[tuple[str, str, str, str]] = Counter()
        """Requests in an arm of the rollout: arm, who answered, the candidate's failure, the user's error."""
        self.in_flight = 0
        what = "Time until the first byte, less the primary's."
        self.added = _seconds("zantara_gateway_added_seconds", what, _OF_OURS, timeout_seconds)
        what = "The primary's time until its answer was over."
        self.primary = _seconds("zantara_gateway_primary_seconds", what, _OF_MODELS, timeout_seconds)
        """Answers and failures; not those for which the client did not wait."""
        what = "The candidate's time, asked for users."
        self.candidate = _seconds("zantara_rollout_candidate_seconds", what, _OF_MODELS, timeout_seconds)
        """Answers and failures."""
        what = "Time of a model until the first text of its stream; thoughts are none."
        self._first = _seconds("zantara_gateway_first_token_seconds", what, _OF_MODELS, timeout_seconds, "answered_by")
        self.first_token = {each: self._first.labels(each) for each in (PRIMARY, CANDIDATE)}

    def times(self) -> Iterator[Metric]:
        """The histograms."""
        for each in (self.added, self.primary, self.candidate, self._first):
            yield from each.collect()

    def seen(self, mirror: Stats) -> Seen:
        """How many requests came, and why some are not in the mirror's sample."""
        outside = mirror.observed - mirror.sampled
        unmirrored = {**self.unmirrored, **({OUTSIDE: outside} if outside > 0 else {})}
        return Seen(clock.now(), self.requests.total() + self.observed, mirror.sampled, unmirrored, dict(self.refused))


class Page:
    """A collector of prometheus_client: gathers the numbers of `/metrics` when the page is asked for."""

    def __init__(self, metrics: Metrics, mirror: ShadowMirror, routing: Routing, spans: Spans | None) -> None:
        self._metrics, self._mirror, self._routing, self._spans = metrics, mirror, routing, spans

    def registry(self) -> CollectorRegistry:
        """What the library's encoders take."""
        disable_created_metrics()  # or each histogram gets a further series with its start time
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def collect(self) -> Iterator[Metric]:
        """The families, in the order of the page."""
        yield from self._of_gateway()
        yield from self._of_rollout()
        yield from self._of_mirror()

    def _of_gateway(self) -> Iterator[Metric]:
        own = self._metrics
        what = "Requests by path and status; 499: client gone."
        yield _counts("zantara_gateway_requests", what, ("path", "status"), _REQUESTS, own.requests)
        yield GaugeMetricFamily("zantara_gateway_in_flight", "Requests under way.", own.in_flight)
        yield from own.times()
        what = "Requests that no sample can hold, and attempts that others followed, by reason."
        yield _by_reason("zantara_gateway_unmirrored", what, _UNMIRRORED, own.unmirrored)

        yield CounterMetricFamily("zantara_gateway_observed", "Requests shown by POST /observe.", own.observed)
        what = "Requests that were sent to no provider, by reason."
        yield _by_reason("zantara_gateway_refused", what, _REFUSED, own.refused)
        what = "Spans of this process that the collector took, and that it did not."
        spans = {} if self._spans is None else {("sent",): self._spans.sent, ("lost",): self._spans.lost}
        yield _counts("zantara_gateway_spans", what, ("outcome",), (("sent",), ("lost",)), spans)

    def _of_rollout(self) -> Iterator[Metric]:
        own, rollout = self._metrics, self._routing
        what = "Users of the routed categories who are moved."
        yield GaugeMetricFamily("zantara_rollout_share_percent", what, rollout.share)
        what = "Requests of both arms; arm=candidate answered by the primary: a fallback."
        labels = ("arm", "answered_by", "candidate_error", "error")
        yield _counts("zantara_rollout_served", what, labels, _SERVED, own.served)
        what = "Requests that stay with the primary, in no arm."
        yield _by_reason("zantara_rollout_unrouted", what, _UNROUTED, own.unrouted)
        yield _breaker("zantara_rollout_breaker", rollout.breaker)
        what = "Lines of the served log that were lost."
        yield CounterMetricFamily("zantara_rollout_lost_lines", what, rollout.lost_lines)

    def _of_mirror(self) -> Iterator[Metric]:
        stats = self._mirror.stats
        yield CounterMetricFamily("zantara_mirror_observed", "Requests that the mirror was shown.", stats.observed)
        yield CounterMetricFamily("zantara_mirror_sampled", "Requests in the sample.", stats.sampled)
        yield CounterMetricFamily("zantara_mirror_compared", "Comparisons in the log.", stats.compared)
        what = "Sampled requests that nobody was asked about, by reason."
        yield _by_reason("zantara_mirror_set_aside", what, _SET_ASIDE, stats.set_aside)
        what = "Times that the mirror's worker was replaced."
        yield CounterMetricFamily("zantara_mirror_worker_restarts", what, stats.restarts)
        what = "Sampled requests that were lost, by reason."
        yield _by_reason("zantara_mirror_dropped", what, _DROPPED, stats.dropped)
        yield GaugeMetricFamily("zantara_mirror_enabled", "1: shadow mode is on.", int(stats.enabled))
        yield GaugeMetricFamily("zantara_mirror_queue_depth", "Sampled requests that wait.", stats.queued)
        yield GaugeMetricFamily("zantara_mirror_in_flight", "Calls to the candidate under way.", stats.in_flight)
        what = "From a request to its comparison in the log, newest."
        yield GaugeMetricFamily("zantara_mirror_lag_seconds", what, stats.lag_seconds)
        yield _breaker("zantara_mirror_breaker", stats.breaker)
        if others := self._mirror.others:
            yield from _of_others(others)


def _of_others(others: Mapping[str, Stats]) -> Iterator[Metric]:
    """The families of further candidates on the same sample."""
    what, of = "Comparisons in the log, by further candidate.", ("candidate",)
    yield _counts("zantara_candidate_compared", what, of, (), {(name,): each.compared for name, each in others.items()})
    what = "Sampled requests that were lost, by further candidate and reason."
    known = {(name, reason): each.dropped.get(reason, 0) for name, each in others.items() for reason in _DROPPED}
    yield _counts("zantara_candidate_dropped", what, (*of, "reason"), (), known)
    family = GaugeMetricFamily("zantara_candidate_breaker", "1 for the state of its breaker.", labels=(*of, "state"))
    for name, each in others.items():
        for state in State:
            family.add_metric((name, state), int(each.breaker == state))
    yield family


def _seconds(name: str, what: str, buckets: tuple[float, ...], longest: float, *labels: str) -> Histogram:
    """A histogram of times, with buckets up to `longest`."""
    shorter = [each for each in buckets if each < longest]
    return Histogram(name, what, labels, buckets=[*shorter, longest], registry=None)


def _counts(
    name: str, what: str, labels: Iterable[str], known: Iterable[tuple[object, ...]], counts: Mapping[Any, int]
) -> Metric:
    """A counter, which the library calls `<name>_total`; what is in `known` and not counted yet is 0."""
    family = CounterMetricFamily(name, what, labels=tuple(labels))
    for values, amount in {**dict.fromkeys(known, 0), **counts}.items():
        family.add_metric([str(value) for value in values], amount)
    return family


def _by_reason(name: str, what: str, known: Iterable[str], counts: Mapping[str, int]) -> Metric:
    found = {(reason,): amount for reason, amount in counts.items()}
    return _counts(name, what, ("reason",), [(reason,) for reason in known], found)


def _breaker(name: str, now: str) -> Metric:
    family = GaugeMetricFamily(name, "1 for the state that the candidate's breaker is in.", labels=("state",))
    for state in State:
        family.add_metric((state,), int(now == state))
    return family
