"""The comparisons behind a number: filtered by what facts say, searched in their texts, without personal data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.log import ComparisonLog, open_log
from zantara_exp.analysis.page import latency_limit, legible
from zantara_exp.analysis.pairs import cut, marked, texts
from zantara_exp.analysis.tables import newest_epoch
from zantara_exp.analysis.views import milliseconds
from zantara_exp.config.candidates import one_of
from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout

if TYPE_CHECKING:
    import ibis.expr.types as ir

PAGE = 20
"""Pairs that are shown at once."""
_SEARCHED = 1_000
"""The newest comparisons whose texts a search reads."""
_LONGEST_SEARCH = 200
_TAKEN = ("primary_latency_ms", "candidate_latency_ms")
_SHOWN_OF = ("comparison_id", "part", "place", "timestamp", "language", "category", "chrf", "candidate_fault", *_TAKEN)


@dataclass(frozen=True)
class Asked:
    """Which comparisons; what is empty asks for nothing."""

    day: date | None = None
    hour: int | None = None
    """UTC."""
    language: str = ""
    category: str = ""
    reason: str = ""
    """A kind of failure, `failed` for any, `answered`, or `slow`: over the limit that the gate declares."""
    search: str = ""
    after: int = 0
    """How many to pass over."""


def asked(given: Mapping[str, str]) -> Asked:
    """From the page's fields. Raises ValueError, with what is valid, for what is none."""
    day, hour, after = given.get("day", ""), given.get("hour", ""), given.get("after", "") or "0"
    if hour and not (hour.isascii() and hour.isdecimal() and int(hour[:3]) < 24):
        raise ValueError(f"hour={hour!r} is none; valid are 0 to 23")
    if not (after.isascii() and after.isdecimal() and len(after) < 9):
        raise ValueError(f"after={after!r} is no number")
    try:
        of_day = date.fromisoformat(day) if day else None
    except ValueError:
        raise ValueError(f"day={day!r} is none; write it as YYYY-MM-DD") from None
    named = {name: given.get(name, "") for name in ("language", "category", "reason")}
    search = given.get("search", "").strip()[:_LONGEST_SEARCH]
    return Asked(of_day, int(hour) if hour else None, **named, search=search, after=int(after))


def pairs(asked: Asked, config: Config, layout: Layout) -> dict[str, Any]:
    """One page of pairs of the newest epoch, newest first, and how many there are.

    Raises MissingInputError where nothing is evidence.
    """
    from zantara_exp.dataset.redact import redactor_of

    config = one_of(config)
    with open_log(config, layout, date.fromisoformat(config.as_of) if config.as_of else None) as log:
        log.check_evidence(log.facts)
        epoch, _ = newest_epoch(log.facts)
        facts = _matching(log.facts.filter(log.facts.epoch == epoch), asked, latency_limit(config))
        many = facts.count()
        of = int(fetched(many.as_table()).column(0)[0].as_py())
        newest = facts.select(*_SHOWN_OF).order_by([facts.timestamp.desc(), facts.comparison_id])
        redactor, note = redactor_of(config.dataset), ""
        if asked.search:
            rows = _read(log, newest.limit(_SEARCHED), redactor)
            found = [row for row in rows if _holds(row, asked.search)]
            if of > _SEARCHED:
                note = f"searched in the newest {_SEARCHED:,} of {of:,}"
            of, rows = len(found), found[asked.after : asked.after + PAGE]
        else:
            rows = _read(log, newest.limit(PAGE, offset=asked.after), redactor)
    return {"of": of, "after": asked.after, "note": note, "pairs": [_shown(row) for row in rows]}


def _matching(facts: ir.Table, asked: Asked, limit: float | None) -> ir.Table:
    if asked.day is not None:
        facts = facts.filter(facts.day == asked.day)
    if asked.hour is not None:
        facts = facts.filter(facts.timestamp.epoch_seconds() % 86_400 // 3_600 == asked.hour)
    for name in ("language", "category"):
        if value := getattr(asked, name):
            facts = facts.filter(facts[name] == value)
    if asked.reason in ("failed", "answered"):
        return facts.filter(facts.candidate_ok == (asked.reason == "answered"))
    if asked.reason == "slow":
        return facts.filter(facts.candidate_latency_ms > (0.0 if limit is None else limit))
    return facts.filter(facts.candidate_fault == asked.reason) if asked.reason else facts


def _read(log: ComparisonLog, facts: ir.Table, redactor: Any) -> list[dict[str, Any]]:
    return texts(log, fetched(facts).to_pylist(), redactor)


def _holds(row: Mapping[str, Any], words: str) -> bool:
    said = (row["query"], row["primary_response"], row["candidate_response"])
    return any(words.casefold() in (text or "").casefold() for text in said)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """The answers as markup: escaped, with what differs in <mark>."""
    primary, candidate = marked(cut(row["primary_response"]), cut(row["candidate_response"]))
    alike = "not scored" if row["chrf"] is None else f"chrF {row['chrf']:.0f}"
    about = [f"{row['timestamp']:%Y-%m-%d %H:%M:%S}", row["language"], row["category"], alike]
    about += [f"{name.split('_')[0]} {milliseconds(row[name])}" for name in _TAKEN if row[name] is not None]
    if row["candidate_fault"]:
        about.append(f"failed: {row['candidate_fault']}")
    return {
        "about": [legible(part) for part in about],
        "query": legible(cut(row["query"])),
        "primary": legible(str(primary)),
        "candidate": legible(str(candidate)),
    }
