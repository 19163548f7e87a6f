"""Plots as plain data, which `zantara_exp/page/plots.js` draws: in the report and on the live page alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Plot = dict[str, Any]
Say = Callable[[str], str]
"""Writes a text of ours in the page's language."""
_BINS = 48


@dataclass(frozen=True)
class Point:
    """One day, or another place on the axis: a value with its interval; None where nothing was measured."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None


def days(
    points: Sequence[Point], name: str, unit: str, limits: Sequence[float] = (), say: Say = str, axis: str = "day"
) -> Plot | None:
    """A line over days, or over another `axis`, with intervals, and dashed limits; None: nothing was measured.

    `unit` is "%" or "ms".
    """
    if all(point.value is None for point in points):
        return None
    return {
        "kind": "days",
        "name": say(name),
        "axis": say(axis),
        "unit": unit,
        "labels": [point.label for point in points],
        "values": [point.value for point in points],
        "low": [point.low for point in points],
        "high": [point.high for point in points],
        "limits": sorted(set(limits)),
    }


def evidence(series: Mapping[str, Sequence[Point]], say: Say = str) -> Plot | None:
    """Evidence of each criterion by day, from 0 to what a pass needs, at 1."""
    if not series:
        return None
    labels = [point.label for point in next(iter(series.values()))]
    lines = [{"name": name, "values": [point.value for point in points]} for name, points in series.items()]
    return {"kind": "evidence", "axis": say("day"), "labels": labels, "series": lines}


def spread(
    series: Sequence[tuple[str, Sequence[tuple[float, int]]]], limit: float | None = None, say: Say = str
) -> Plot | None:
    """Latency distributions on a log axis, from pairs of milliseconds and requests, as shares by bin."""
    known = [(name, pairs) for name, pairs in series if pairs]
    if not known:
        return None
    low = math.log10(max(min(value for _, pairs in known for value, _ in pairs), 0.1))
    high = math.log10(max(max(value for _, pairs in known for value, _ in pairs), limit or 0.1)) + 0.02
    span = max(high - low, 0.2)
    at = [10 ** (low + span * (place + 0.5) / _BINS) for place in range(_BINS)]
    shares = [{"name": say(name), "values": _binned(pairs, low, span)} for name, pairs in known]
    return {"kind": "spread", "axis": "ms", "at": at, "series": shares, "limits": [] if limit is None else [limit]}


def _binned(pairs: Sequence[tuple[float, int]], low: float, span: float) -> list[float]:
    counts = [0] * _BINS
    for value, count in pairs:
        place = int((math.log10(max(value, 0.1)) - low) / span * _BINS)
        counts[min(max(place, 0), _BINS - 1)] += count
    whole = sum(counts)
    return [count / whole for count in counts]


def interval(
    estimate: float | None,
    bounds: tuple[float | None, float | None],
    go: float | None,
    no_go: float | None,
    unit: str,
) -> Plot | None:
    """An estimate with its bounds against what GO and NO-GO ask for; None where there is neither estimate nor bound.

    A bound that is none, or infinite, reaches to the end of the axis.
    """
    low, high, middle = (finite(value) for value in (*bounds, estimate))
    if low is None and high is None and middle is None:
        return None
    return {"kind": "interval", "estimate": middle, "low": low, "high": high, "go": go, "no_go": no_go, "unit": unit}


def finite(value: float | None) -> float | None:
    """The value, where it is a number that can be drawn."""
    return value if value is not None and math.isfinite(value) else None
