"""The report as one HTML page: its own script alone, no outside asset, light and dark, and it prints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib.resources import files
from typing import Any

from markupsafe import Markup, escape

from zantara_exp.analysis import money, plots, views
from zantara_exp.analysis.facts import BUCKET_RATIO
from zantara_exp.analysis.metrics import Counts, Latencies, wilson
from zantara_exp.analysis.pairs import Pair
from zantara_exp.analysis.summary import Summary
from zantara_exp.analysis.translation import Words
from zantara_exp.analysis.verdict import VerdictView
from zantara_exp.config.schema import Config
from zantara_exp.core.stage import Table
from zantara_exp.page.drawing import plots_data, plots_script, plots_style
from zantara_exp.page.guard import policy
from zantara_exp.traffic import certified_routing

_TEXT_COLUMNS = ("kind", "reason", "meaning", "first", "what", "why", "decision", "segment", "model", "provider", "by")
_TONES = {"pass": "passes", "fail": "fails", "undecided": "open", "missing": "open", "too thin": "open"}
_TURNS = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_CONTROLS = [code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"]
_UNPRINTABLE = dict.fromkeys([*_TURNS, *_CONTROLS], "\ufffd")


_ALL, _ANSWERED, _MOVED = "all sampled requests", "all answered requests", "only what would move"


@dataclass(frozen=True)
class _Cell:
    text: str
    kind: str
    """CSS classes: `text` for words, set to the left, and the tone of a decision."""


@dataclass(frozen=True)
class _Grid:
    title: str
    columns: Sequence[_Cell]
    rows: Sequence[Sequence[_Cell]]


def page(
    found: Summary,
    verdict: VerdictView,
    path: Mapping[str, Sequence[plots.Point]],
    pairs: Sequence[Pair],
    worse: tuple[Table | None, Table | None, Sequence[Pair]],
    provenance: Mapping[str, str],
    config: Config,
    beside: Sequence[Table] = (),
    routing: Mapping[str, Any] | None = None,
) -> str:
    """The whole page; `path` is the evidence for GO by criterion and day, `worse` what was found worse, slices, pairs,
    `beside` several candidates side by side, `routing` what stage=certify found.

    Everything that came from a chat, a log or a config is escaped by the template.
    """
    from jinja2 import Environment, StrictUndefined

    words = Words(config.report.language)
    grid = partial(_grid, words)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=_printable)
    environment.filters["code"] = _code
    source = files("zantara_exp.analysis").joinpath("report.html.jinja").read_text(encoding="utf-8")
    board = _Board()
    text = environment.from_string(source).render(
        _=words,
        language=config.report.language,
        weekly=config.report.name == "weekly",
        verdict=verdict,
        first=found.first,
        last=found.last,
        epoch=found.epoch,
        candidate=_names(found.candidates),
        primaries=_names(found.models),
        plot=board.place,
        tiles=tiles(found, verdict.spread),
        days=grid(views.table("", "day", found.days)),
        weeks=[grid(views.weeks(found))] if found.before.requests else [],
        day_plots=day_plots(found, config, words),
        smell=[grid(table) for table in (views.smell(found),) if table is not None],
        strips=[(strip, _TONES.get(strip.decision, "")) for strip in verdict.strips],
        evidence=plots.evidence(path, words),
        distribution=latencies(found, config, words),
        segments=[
            grid(table)
            for table in (*beside, views.candidates(found), views.moves(found), *views.segments(found))
            if table is not None
        ],
        costs=[grid(table) for table in money.tables(found, config)],
        cost_notes=money.cost_notes(found, config),
        troubles=[grid(table) for table in views.troubles(found)],
        pairs=pairs,
        quality=None if worse[0] is None else grid(worse[0]),
        slices=None if worse[1] is None else grid(worse[1]),
        worst=worse[2],
        routing=None if routing is None else _routing(routing, words),
        provenance=list(provenance.items()),
        criteria=[grid(table) for table in verdict.tables],
        standing=[grid(table) for table in verdict.standing],
        similar_note=views.similar_note(found, config),
    )
    return _with_plots(text, board)


class _Board:
    """The page's plots, numbered as the template places them."""

    def __init__(self) -> None:
        self.plots: list[plots.Plot] = []

    def place(self, plot: plots.Plot) -> int:
        """The number by which the page's script finds it."""
        self.plots.append(plot)
        return len(self.plots) - 1


def _with_plots(text: str, board: _Board) -> str:
    """With script, style and data of plots, which the template must not touch, and the policy that allows them alone.

    The marks are comments, which no escaped text can hold.
    """
    for mark, put in (
        ("<!--plots style-->", plots_style()),
        ("<!--plots data-->", plots_data(board.plots)),
        ("<!--plots script-->", plots_script()),
    ):
        text = text.replace(mark, put, 1)
    return text.replace("<!--policy-->", policy(text, connect="'none'"), 1)


def legible(text: str) -> str:
    """Text without control characters and without marks that turn the writing direction; markup stays markup."""
    return text.translate(_UNPRINTABLE)


def _printable(value: Any) -> Any:
    """Text without control characters and without marks that turn the writing direction; numbers keep their unit."""
    if not isinstance(value, str):
        return value
    return legible(value).replace(" %", "\xa0%").replace(" ms", "\xa0ms").replace("USD ", "USD\xa0")


def _code(text: str) -> Markup:
    """Escaped, with commands as such: a terminal shows them in `backticks`."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped right here


def _grid(words: Words, table: Table) -> _Grid:
    kinds = ["text" if column in _TEXT_COLUMNS else "" for column in table.columns]
    said = words.table(table)
    rows = [
        [
            _Cell(shown, f"{kind} {_TONES.get(cell, '')}".strip())
            for shown, cell, kind in zip(line, row, kinds, strict=True)
        ]
        for line, row in zip(said.rows, table.rows, strict=True)
    ]
    return _Grid(said.title, [_Cell(*column) for column in zip(said.columns, kinds, strict=True)], rows)


def _names(names: Mapping[str, Any]) -> str:
    return ", ".join(names)


def tiles(found: Summary, spread: float) -> list[views.Tile]:
    """The numbers at the top; `spread`: how many times fewer requests latencies are worth, as users repeat."""
    whole, spent = found.whole, found.spending
    between = whole.latency.interval(0.95, spread)
    shown = f"95 %: {between[0]:,.0f} to {between[1]:,.0f} ms" if between else "nothing answered"
    return [
        views.Tile("Success", views.percent(whole.success), f"{whole.answered:,} of {whole.requests:,} requests", _ALL),
        views.Tile("Latency p95", views.milliseconds(whole.latency.quantile(0.95)), shown, _ANSWERED),
        views.Tile(
            "Latency mean",
            views.milliseconds(whole.latency.mean),
            f"primary {views.milliseconds(whole.primary_latency.mean)}",
            _ANSWERED,
        ),
        views.Tile(
            "Similar answers",
            views.percent(whole.similar_share),
            f"{whole.similar:,} of {whole.scored:,} compared",
            _ALL,
        ),
        views.Tile(
            "Savings",
            views.percent(spent.savings),
            f"{views.dollars(spent.candidate_monthly)} for {views.dollars(spent.primary_monthly)} a month",
            _MOVED,
        ),
        views.Tile("Users", f"{found.users:,}", f"the busiest sent {views.percent(found.largest_user)}", _ALL),
    ]


def day_plots(found: Summary, config: Config, words: Words) -> list[dict[str, Any]]:
    """Success, p95 and similar answers by day: title and plot each."""
    drawn, limit = partial(_day_plot, words, found.days), latency_limit(config)
    return [
        drawn("Success", "%", _success, _bounds(config, "success")),
        drawn("95th percentile of latency", "ms", _p95, [limit] if limit else []),
        drawn("Similar answers", "%", _similar, _bounds(config, "similar")),
    ]


def _routing(said: Mapping[str, Any], words: Words) -> tuple[str, plots.Plot | None, _Grid]:
    """In short, the curve (quality by the share moved, each with its lower bound), and the table."""
    points = [
        plots.Point(f"{100 * each['moved']:.0f}\xa0%", each["estimate"], each["lower"], each["estimate"])
        for each in said["curve"]
        if each["labels"]
    ]
    curve = plots.days(points, "quality", "%", [said["quality"]], words, "moved")
    return certified_routing.in_short(said), curve, _grid(words, certified_routing.shown(said))


def latencies(found: Summary, config: Config, words: Words) -> plots.Plot | None:
    """How long both sides take to answer."""
    sides = [("candidate", _spread(found.whole.latency)), ("primary", _spread(found.whole.primary_latency))]
    return plots.spread(sides, latency_limit(config), words)


def _day_plot(
    words: Words, days: Mapping[date, Counts], title: str, unit: str, point: Any, thresholds: Sequence[float]
) -> dict[str, Any]:
    points = [plots.Point(words.day(day), *point(counts)) for day, counts in days.items()]
    return {"title": title, "plot": plots.days(points, title, unit, thresholds, words)}


def _success(counts: Counts) -> tuple[float | None, ...]:
    return counts.success, *(wilson(counts.answered, counts.requests) or (None, None))


def _similar(counts: Counts) -> tuple[float | None, ...]:
    return counts.similar_share, *(wilson(counts.similar, counts.scored) or (None, None))


def _p95(counts: Counts) -> tuple[float | None, ...]:
    return counts.latency.quantile(0.95), *(counts.latency.interval(0.95) or (None, None))


def _spread(latency: Latencies) -> list[tuple[float, int]]:
    return [(float(BUCKET_RATIO ** (bucket + 0.5)), count) for bucket, count in sorted(latency.buckets.items())]


def _bounds(config: Config, metric: str) -> list[float]:
    """The thresholds the gate declares for a share."""
    criteria = [item for item in config.gate.criteria.values() if item.metric == metric]
    return [bound for item in criteria for threshold in (item.go, item.no_go) for bound in threshold.given.values()]


def latency_limit(config: Config) -> float | None:
    """The limit that the gate declares for a latency quantile, in milliseconds."""
    from zantara_exp.gates.kinds import kind_named

    criteria = [item for item in config.gate.criteria.values() if item.metric == "latency_ms" and item.go.given]
    limits = [kind_named(item.kind).limits(item)[0] for item in criteria]
    return next((limit for limit in limits if limit is not None), None)
