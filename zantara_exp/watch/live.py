"""What a gateway on this machine says of itself now: its queue, drops, breaker, and the time it adds."""

from __future__ import annotations

import http.client
import math
from collections.abc import Iterable
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from zantara_exp.analysis.views import milliseconds
from zantara_exp.config.gateway import Gateway

_ask = build_opener(ProxyHandler({})).open
"""This machine is asked directly, whatever proxy the environment names."""
_SECONDS = 1.0
_MOST_BYTES = 1_000_000
_GAUGES = {
    "zantara_mirror_queue_depth": "wait for the candidate",
    "zantara_mirror_in_flight": "asked of the candidate now",
    "zantara_gateway_in_flight": "requests under way",
    "zantara_rollout_share_percent": "percent of users moved",
    "zantara_mirror_compared_total": "compared since it started",
}
_BREAKERS = {"zantara_mirror_breaker": "breaker of the mirror", "zantara_rollout_breaker": "breaker of the rollout"}
_DROPPED = "zantara_mirror_dropped_total"
_ADDED = "zantara_gateway_added_seconds"


def gateway_now(terms: Gateway) -> list[tuple[str, str]]:
    """Name and value of each; empty where no gateway answers at `gateway.port`."""
    from prometheus_client.parser import text_string_to_metric_families

    asked = Request(f"http://127.0.0.1:{terms.port}/metrics", headers={"Accept": "text/plain"})  # noqa: S310  # loopback
    try:
        with _ask(asked, timeout=_SECONDS) as reply:
            text = reply.read(_MOST_BYTES).decode("utf-8", "replace")
        return shown([sample for family in text_string_to_metric_families(text) for sample in family.samples])
    except (OSError, ValueError, LookupError, http.client.HTTPException):  # something else answers at that port
        return []


def shown(samples: Iterable[Any]) -> list[tuple[str, str]]:
    """The few of its metrics that say how it is."""
    found: list[tuple[str, str]] = []
    added: list[tuple[float, float]] = []
    for name, labels, value, *_ in samples:
        if name in _GAUGES:
            found.append((_GAUGES[name], f"{value:,.0f}"))
        elif name in _BREAKERS and value == 1:
            found.append((_BREAKERS[name], labels["state"]))
        elif name == _DROPPED and value:
            found.append((f"dropped: {labels['reason']}", f"{value:,.0f}"))
        elif name == f"{_ADDED}_bucket":
            added.append((float(labels["le"]), value))
    for share in (0.5, 0.95):
        if (limit := _quantile(added, share)) is not None:
            found.append((f"added latency, p{share * 100:.0f} at most", milliseconds(limit * 1000)))
    return found


def _quantile(buckets: list[tuple[float, float]], share: float) -> float | None:
    """The upper end of the bucket in which it lies, over all label sets; None where there is none."""
    counts: dict[float, float] = {}
    for limit, count in buckets:
        counts[limit] = counts.get(limit, 0.0) + count
    whole = max(counts.values(), default=0.0)
    within = [limit for limit, count in counts.items() if whole and count >= share * whole and math.isfinite(limit)]
    return min(within, default=None)
