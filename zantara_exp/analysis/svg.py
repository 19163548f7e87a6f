"""Plots as inline SVG: colours from the page's CSS, so that they follow light and dark and print as they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

WIDTH, HEIGHT = 560, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 26
_NAMES = 90
_FINE = 0.001
"""A step that asks for a digit behind the point."""


@dataclass(frozen=True)
class Point:
    """One day: a value with its interval; None where nothing was measured."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Scale:
    """Maps values to the drawing's height."""

    low: float
    high: float

    def y(self, value: float) -> float:
        """Vertical position of a value, clipped to the plot."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


Say = Callable[[str], str]
"""Writes a text or number of ours in the page's language."""


def days(points: Sequence[Point], unit: str, thresholds: Sequence[float] = (), say: Say = str) -> Markup:
    """A line over days with its 95 % intervals as whiskers, and dashed thresholds. `unit` is "%" or "ms"."""
    known = [value for point in points for value in (point.value, point.low, point.high) if value is not None]
    if not known:
        return _nothing(say)
    scale = _scale([*known, *thresholds], unit)
    step = (WIDTH - _LEFT - _RIGHT) / max(len(points), 1)
    parts = [_grid(scale, unit, say)]
    parts += [_threshold(scale, value, unit, say) for value in thresholds]
    path: list[str] = []
    for index, point in enumerate(points):
        x = round(_LEFT + step * (index + 0.5), 1)
        if index % max(1, math.ceil(len(points) / 8)) == 0:
            parts.append(_day_tick(x, point.label))
        if point.value is None:
            path.append("")
            continue
        y = scale.y(point.value)
        path.append(f"{x},{y}")
        if point.low is not None and point.high is not None:
            parts.append(
                f'<line class="whisker" x1="{x}" x2="{x}" y1="{scale.y(point.low)}" y2="{scale.y(point.high)}"/>'
            )
        parts.append(
            f'<circle class="dot" cx="{x}" cy="{y}" r="3"><title>{escape(_title(point, unit, say))}</title></circle>'
        )
    parts.insert(1, _line(path))
    return _drawing(parts, say(f"by day, in {unit}"))


def lines(series: Mapping[str, Sequence[Point]], say: Say = str) -> Markup:
    """Several lines over the same days, from 0 to a threshold at 1, each named at its end."""
    scale = Scale(0, 1.25)
    parts = [_grid(scale, "", say, [0, 0.25, 0.5, 0.75]), _threshold(scale, 1.0, "", say)]
    taken: list[float] = []
    for number, (name, points) in enumerate(series.items()):
        step = (WIDTH - _LEFT - _RIGHT - _NAMES) / max(len(points), 1)
        places = [(round(_LEFT + step * (index + 0.5), 1), point) for index, point in enumerate(points)]
        path = [f"{x},{scale.y(point.value)}" if point.value is not None else "" for x, point in places]
        parts.append(_line(path, f"line s{number % 6}"))
        if number == 0:
            every = max(1, math.ceil(len(points) / 8))
            parts += [_day_tick(x, point.label) for x, point in places[::every]]
        ends = [scale.y(point.value) for point in points if point.value is not None]
        y = _free(ends[-1] if ends else scale.y(0), taken)
        parts.append(
            f'<text class="name s{number % 6}" x="{WIDTH - _RIGHT - _NAMES}" y="{y + 4}">{escape(name)}</text>'
        )
    return _drawing(parts, say("evidence by day"))


def _free(y: float, taken: list[float]) -> float:
    """The nearest height at or below `y` where a name meets no other."""
    while any(abs(y - other) < 13 for other in taken):
        y += 1
    taken.append(y)
    return y


def _day_tick(x: float, label: str) -> str:
    return f'<text class="tick" x="{x}" y="{HEIGHT - 8}" text-anchor="middle">{escape(label)}</text>'


def distributions(
    series: Sequence[tuple[str, Sequence[tuple[float, int]]]], limit: float | None = None, say: Say = str
) -> Markup:
    """Latency distributions on a log axis: per series its CSS class and (milliseconds, requests) pairs."""
    drawn = [(name, pairs) for name, pairs in series if pairs]
    if not drawn:
        return _nothing(say)
    low = math.log10(max(min(value for _, pairs in drawn for value, _ in pairs), 0.1))
    high = math.log10(max(max(value for _, pairs in drawn for value, _ in pairs), limit or 0.1)) + 0.02
    bins = 48
    width = (WIDTH - _LEFT - _RIGHT) / bins
    span = max(high - low, 0.2)
    shares = [(name, _binned(pairs, low, span, bins)) for name, pairs in drawn]
    scale = Scale(0, max(max(values) for _, values in shares) * 1.08)
    parts = [_grid(scale, "%", say, [scale.high / 1.08 * part for part in (0.5, 1.0)])]
    parts += [f'<path class="area {name}" d="{_area(values, scale, width)}"/>' for name, values in shares]
    parts += [_log_tick(value, low, span) for value in _log_ticks(low, low + span)]
    if limit is not None and low <= math.log10(limit) <= low + span:
        x = _log_x(limit, low, span)
        parts.append(f'<line class="limit" x1="{x}" x2="{x}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
        parts.append(f'<text class="limit-text" x="{x - 4}" y="{_TOP + 9}" text-anchor="end">{limit:g} ms</text>')
    return _drawing(parts, say("latency in milliseconds, log scale"))


def _nothing(say: Say) -> Markup:
    return Markup('<p class="quiet">{}</p>').format(say("Nothing was measured."))


def _drawing(parts: Sequence[str], label: str) -> Markup:
    body = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{body}</svg>')  # noqa: S704  # every text in it is escaped above


def _scale(values: Sequence[float], unit: str) -> Scale:
    low, high = min(values), max(values)
    if unit == "ms":
        return Scale(0, (high or 1) * 1.08)
    margin = max((high - low) * 0.06, 0.004)
    return Scale(max(0.0, low - margin), min(1.0, high + margin))


def _text(value: float, unit: str, step: float = 1.0) -> str:
    """A value, with as many digits as steps of this size need."""
    if unit == "%":
        whole = abs(step * 100 - round(step * 100)) < 1e-6
        return f"{value * 100:.{0 if whole else 1}f} %"
    return f"{value:,.0f}" if unit else f"{value:g}"


def _grid(scale: Scale, unit: str, say: Say, at: Sequence[float] | None = None) -> str:
    values = at if at is not None else _ticks(scale)
    step = min((after - before for before, after in pairwise(values)), default=1.0)
    parts = []
    for value in values:
        y = scale.y(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        text = say(_text(value, unit, step if at is None else 1.0))
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 3}" text-anchor="end">{text}</text>')
    return "".join(parts)


def _ticks(scale: Scale) -> list[float]:
    """Three to six round values within the scale."""
    span = scale.high - scale.low
    power = 10.0 ** math.floor(math.log10(span))
    step = next(power * part for part in (0.2, 0.25, 0.5, 1.0, 2.0) if span / (power * part) <= 6)
    first = math.ceil(scale.low / step - 1e-9)
    return [number * step for number in range(first, math.floor(scale.high / step + 1e-9) + 1)]


def _threshold(scale: Scale, value: float, unit: str, say: Say) -> str:
    y, shown = scale.y(value), say(_text(value, unit, value))
    text = f'<text class="limit-text" x="{WIDTH - _RIGHT}" y="{y - 4}" text-anchor="end">{shown}</text>'
    return f'<line class="limit" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>{text}'


def _line(path: Sequence[str], kind: str = "line") -> str:
    runs = " ".join(path).split("  ")  # a day without a value breaks the line
    return "".join(f'<polyline class="{kind}" points="{run.strip()}"/>' for run in runs if " " in run.strip())


def _title(point: Point, unit: str, say: Say) -> str:
    text = f"{point.label}: {say(_text(point.value or 0.0, unit, _FINE))}"
    if point.low is None or point.high is None:
        return text
    return f"{text} ({say(_text(point.low, unit, _FINE))} – {say(_text(point.high, unit, _FINE))})"


def _binned(pairs: Sequence[tuple[float, int]], low: float, span: float, bins: int) -> list[float]:
    counts = [0.0] * bins
    for value, count in pairs:
        place = int((math.log10(max(value, 0.1)) - low) / span * bins)
        counts[min(max(place, 0), bins - 1)] += count
    whole = sum(counts)
    return [count / whole for count in counts]


def _area(values: Sequence[float], scale: Scale, width: float) -> str:
    steps = [f"M{_LEFT},{HEIGHT - _BOTTOM}"]
    for index, value in enumerate(values):
        left, right = round(_LEFT + index * width, 1), round(_LEFT + (index + 1) * width, 1)
        steps.append(f"L{left},{scale.y(value)}L{right},{scale.y(value)}")
    return "".join(steps) + f"L{WIDTH - _RIGHT},{HEIGHT - _BOTTOM}Z"


def _log_ticks(low: float, high: float) -> list[float]:
    ticks = [10**power * lead for power in range(-1, 7) for lead in (1, 2, 5)]
    inside = [tick for tick in ticks if low <= math.log10(tick) <= high]
    return inside if len(inside) <= 9 else [tick for tick in inside if str(tick).lstrip("0.")[0] == "1"]


def _log_x(value: float, low: float, span: float) -> float:
    return round(_LEFT + (math.log10(value) - low) / span * (WIDTH - _LEFT - _RIGHT), 1)


def _log_tick(value: float, low: float, span: float) -> str:
    x = _log_x(value, low, span)
    return f'<text class="tick" x="{x}" y="{HEIGHT - 8}" text-anchor="middle">{value:g}</text>'
