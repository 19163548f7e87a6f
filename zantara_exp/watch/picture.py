"""What the live page shows, as plain data: the log measured, the verdict as it would be now, and the rollout."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.analysis import money, plots, views
from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.page import day_plots, latencies, tiles
from zantara_exp.analysis.summary import Summary, summary
from zantara_exp.analysis.translation import Words
from zantara_exp.analysis.verdict import evidence_path, shown_verdict
from zantara_exp.config.candidates import one_of
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Table
from zantara_exp.watch.finding import Asked, pairs

if TYPE_CHECKING:
    from zantara_exp.io.event_log import EventLog

Picture = dict[str, Any]
_LEADS = {"language": "language", "category": "category", "day": "day", "kind": "reason"}
"""Columns whose names lead to the comparisons behind a row."""
_BEHIND = {"success": "failed", "timeout": "timeout", "latency_ms": "slow", "similar": "answered"}
"""What to read where a metric is not as it should be: a reason of `zantara_exp.watch.finding`."""
_MOST_ROWS = 60
"""Of a table: a log whose languages or kinds of failure are made up has thousands."""


def stamp(config: Config, layout: Layout) -> str:
    """Another text as soon as there is something new in the log, or in what was decided."""
    from zantara_exp.shadow.log import comparisons_of

    seen = [_mark(path) for path in (layout.looks, layout.verdict, layout.review_labels)]
    return "\n".join([*_parts(comparisons_of(config, layout)), *seen])


def rollout_stamp(config: Config, layout: Layout) -> str:
    """Another text as soon as somebody moved the rollout, or its users were served."""
    from zantara_exp.io.events import SERVED
    from zantara_exp.rollout.served_store import events_of
    from zantara_exp.shadow.switch import turned

    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    served = _parts(events_of(config, layout, SERVED), yesterday.isoformat())
    seen = [_mark(path) for path in (layout.looks, layout.verdict)]
    return "\n".join([*served, *seen, turned("show", config), _version(config, layout)])


def _parts(log: EventLog, since: str = "0001-01-01") -> list[str]:
    try:
        return [f"{part.name} {part.mark}" for part in log.parts(since)]
    finally:
        log.close()


def _mark(path: Path) -> str:
    return f"{path.stat().st_mtime_ns} {path.stat().st_size}" if path.is_file() else "none"


def _version(config: Config, layout: Layout) -> str:
    from contextlib import closing

    from zantara_exp.rollout.store import open_store

    try:
        with closing(open_store(config.rollout, layout)) as store:
            return str(store.read().version)
    except ZantaraError as error:
        return error.message


def measured(config: Config, layout: Layout) -> Picture:
    """What the log says, and the newest failures. What cannot be said now is said as `trouble`."""
    shown: Picture = {"at": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"}
    try:
        return {**shown, **_measured(config, layout), "failures": pairs(Asked(reason="failed"), config, layout)}
    except ZantaraError as error:
        return {**shown, "trouble": error.message, "hint": error.hint or ""}


def _measured(config: Config, layout: Layout) -> Picture:
    from zantara_exp.gates.record import Looks
    from zantara_exp.gates.stage import beside_now, judge

    words, several, config = Words("en"), config, one_of(config)
    layout = layout if config is several else Layout(config)
    with open_log(config, layout, date.fromisoformat(config.as_of) if config.as_of else None) as log:
        found = summary(log, config)
        until = log.until
    judged, seen = judge(config, layout, until)
    beside = beside_now(several, until)
    together = [] if beside is None else [_table(table) for table in beside.tables()]
    verdict = shown_verdict(judged, config.gate, Looks(layout.looks).all())
    days = [*found.days]
    return {
        "verdict": verdict.word,
        "sentence": verdict.sentence,
        "reasons": [[names, why] for names, why in verdict.reasons],
        "about": f"{', '.join(found.candidates)} beside {', '.join(found.models)} · candidate {found.epoch} · "
        f"{found.first} – {found.last}",
        "tiles": [*map(asdict, tiles(found, verdict.spread)), *_more_tiles(found)],
        "strips": [
            {**asdict(strip), "why": _why(judged.criteria, strip.name), "lead": _lead(config, strip.name)}
            for strip in verdict.strips
        ],
        "plots": [
            *({"title": each["title"], "plot": each["plot"]} for each in day_plots(found, config, words)),
            {"title": "How long an answer takes", "plot": latencies(found, config, words)},
            {"title": "Evidence towards GO", "plot": plots.evidence(evidence_path(config.gate, seen, days, words.day))},
        ],
        "tables": together + [_table(table) for table in _tables(found, config, verdict.standing)],
        "choices": {
            "day": [day.isoformat() for day in reversed(days)],
            "language": [*found.languages],
            "category": [*found.categories],
            "reason": ["failed", *found.faults, "slow", "answered"],
        },
    }


def _lead(config: Config, name: str) -> str:
    """Which comparisons stand behind a criterion; empty where none do."""
    return _BEHIND.get(config.gate.criteria[name].metric, "")


def _why(criteria: Sequence[Any], name: str) -> str:
    """Why a criterion is not decided, with the days to go."""
    item = next(each for each in criteria if each.name == name)
    if item.days is None:
        return str(item.reason)
    high = "a year or longer" if item.days.high is None else f"{item.days.high}"
    return f"{item.reason} ({item.days.low} to {high} more days)"


def _more_tiles(found: Summary) -> list[dict[str, str]]:
    """p50 of both, what the primary takes beside it, and what is movable."""
    ours, theirs = found.whole.latency, found.whole.primary_latency
    both = f"primary {views.milliseconds(theirs.quantile(0.5))}"
    return [
        {
            "name": "Latency p50",
            "value": views.milliseconds(ours.quantile(0.5)),
            "note": both,
            "of": "all answered requests",
        },
        {
            "name": "Primary's p95",
            "value": views.milliseconds(theirs.quantile(0.95)),
            "note": f"mean {views.milliseconds(theirs.mean)}",
            "of": "all answered requests",
        },
        {
            "name": "Cost so far",
            "value": views.dollars(found.spending.primary_usd),
            "note": f"the primary; {views.dollars(found.spending.candidate_usd)} with the candidate",
            "of": "only what would move",
        },
    ]


def _tables(found: Summary, config: Config, standing: Sequence[Table]) -> list[Table]:
    tables = [
        views.smell(found),
        *views.troubles(found),
        views.moves(found),
        *views.segments(found),
        views.candidates(found),
        views.table("Day by day", "day", {day: found.days[day] for day in reversed([*found.days])}),
        *money.tables(found, config)[:1],
        *standing,
    ]
    return [table for table in tables if table is not None]


def _table(table: Table) -> dict[str, Any]:
    """A table, with the filter that its first column leads to."""
    first = table.columns[0] if table.columns else ""
    return {
        "title": table.title,
        "columns": [*table.columns],
        "rows": [[*row] for row in table.rows[:_MOST_ROWS]],
        "more": max(0, len(table.rows) - _MOST_ROWS),
        "leads": _LEADS.get(first, ""),
    }


def rollout_now(config: Config, layout: Layout) -> dict[str, Any]:
    """As `stage=rollout rollout.action=status` says it, and whether shadow mode is on."""
    from contextlib import closing

    from zantara_exp.rollout.moves import seen_in
    from zantara_exp.rollout.store import open_store
    from zantara_exp.rollout.tables import result
    from zantara_exp.shadow.switch import turned

    asking = copy.copy(config)
    asking.rollout = replace(config.rollout, action="status")
    try:
        with closing(open_store(config.rollout, layout)) as store:
            state, trouble = seen_in(store)
        shadow = turned("show", config).removeprefix("shadow mode is ")
        said = result(asking, layout, state, trouble, datetime.now(UTC))
    except ZantaraError as error:
        return {"summary": {"state": error.message}, "tables": []}
    return {"summary": {**said.summary, "shadow mode": shadow}, "tables": [_table(table) for table in said.tables]}
