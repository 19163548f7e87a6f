"""The requests of a log as `gates.slices` looks at them: what each is about, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.log import ComparisonLog
from zantara_exp.analysis.opinions import JUDGE, REVIEW, WORSE, Opinions, verdict_of
from zantara_exp.analysis.page import latency_limit
from zantara_exp.config.gate import slots_of
from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.failed_requests import failures, read_comparisons
from zantara_exp.dataset.redact import redactor_of
from zantara_exp.gates.evidence import SLOTS
from zantara_exp.gates.slices import HOUR, Requests
from zantara_exp.slices.topics import topics
from zantara_exp.traffic.confirmed_slices import of_search_half

FAILED, FOUND_WORSE = "failed", "worse"
"""A request failed where there is no answer, or a late one, or one with a flaw; worse is what people or a judge say."""


@dataclass(frozen=True)
class Traffic:
    """The requests of one candidate."""

    requests: Mapping[str, Requests]
    """By measure; of `worse` those of which somebody said something."""
    ids: Mapping[str, list[str]]
    """Their comparisons."""


def traffic(log: ComparisonLog, epoch: str, said: Opinions, config: Config, layout: Layout) -> Traffic:
    """What the log holds of `epoch`; `said`: what people and a judge said of its comparisons."""
    facts = log.facts.filter(log.facts.epoch == epoch)
    columns = ("comparison_id", "user", "language", "category", "candidate_ok", "candidate_latency_ms")
    hours = (facts.timestamp.epoch_seconds() // 600).cast("int64").name("slot")
    rows = fetched(facts.select(*columns, hours).order_by("comparison_id")).to_pydict()
    mine = {item.comparison_id: item for item in read_comparisons(config, layout) if item.epoch == epoch}
    seen = (failure for failure in failures(mine.values(), config, layout) if failure.flaws)
    flawed, limit = {failure.item.comparison_id for failure in seen}, latency_limit(config) or np.inf
    ids = rows["comparison_id"]
    taken = np.array([np.nan if each is None else each for each in rows["candidate_latency_ms"]], dtype=np.float64)
    failed = ~np.array(rows["candidate_ok"], dtype=bool) | (taken > limit)
    failed |= np.array([each in flawed for each in ids], dtype=bool)
    found = _requests(rows, [mine[each].query if each in mine else "" for each in ids], failed, config)
    words = [verdict_of(said.get(each, ()), REVIEW) or verdict_of(said.get(each, ()), JUDGE) for each in ids]
    told = np.array([bool(word) for word in words], dtype=bool)
    worse = _only(replace(found, bad=np.array([word == WORSE for word in words], dtype=bool)), told)
    named = [each for each, known in zip(ids, told, strict=True) if known]
    return Traffic({FAILED: found, FOUND_WORSE: worse}, {FAILED: ids, FOUND_WORSE: named})


def _requests(rows: Mapping[str, list[Any]], queries: list[str], failed: NDArray[np.bool_], config: Config) -> Requests:
    names, user = np.unique(np.array(rows["user"], dtype=np.str_), return_inverse=True)
    searched = np.array([of_search_half(name) for name in names.tolist()], dtype=bool)[user]
    language, category = (np.array(rows[name], dtype=np.str_) for name in ("language", "category"))
    clean = redactor_of(config.dataset)
    texts = [clean.text(query) for query in queries] if config.slices.topics else queries
    medium, long = config.slices.lengths
    sizes = np.array([len(query) for query in queries])
    terms = config.slices
    parts = {
        "language": language,
        "category": category,
        "length": np.where(sizes < medium, "short", np.where(sizes < long, "medium", "long")),
        "topic": topics(texts, language, user, searched, terms.topics, terms.min_users, config.seed),
    }
    slot = np.array(rows["slot"], dtype=np.int64)
    if terms.hours:
        parts[HOUR] = _parts_of_day(slot % SLOTS // (SLOTS // 24), terms.hours)
    block = slot // max(slots_of(config.gate.time_block), 1)
    return Requests(user.astype(np.int64), block, failed, searched, parts, slot // SLOTS)


def _parts_of_day(hour: NDArray[np.int64], length: int) -> NDArray[np.str_]:
    """`06-12` and the like, UTC."""
    begun = hour // length * length
    return np.array([f"{each:02d}-{each + length:02d}" for each in range(24)], dtype=np.str_)[begun]


def _only(at: Requests, kept: NDArray[np.bool_]) -> Requests:
    parts = {name: column[kept] for name, column in at.parts.items()}
    day = None if at.day is None else at.day[kept]
    return Requests(at.user[kept], at.block[kept], at.bad[kept], at.searched[kept], parts, day)
