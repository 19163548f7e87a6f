"""What one log says of several candidates: the numbers of each, and of each two the requests that both were asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import combinations
from typing import TYPE_CHECKING

from zantara_exp.analysis.evidence import days_of_users
from zantara_exp.analysis.log import ComparisonLog, open_log
from zantara_exp.analysis.page import latency_limit
from zantara_exp.analysis.summary import summary
from zantara_exp.config.candidates import candidates
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.layout import Layout
from zantara_exp.gates.evidence import Against, Beside, UserDays

if TYPE_CHECKING:
    import ibis.expr.types as ir

_REQUEST = ("user", "timestamp", "language", "category", "primary_answer")
"""One request whoever answers it: the sample notes the same moment and the same answer of the primary for all."""


def beside(config: Config, until: date | None) -> list[Beside | Against]:
    """The candidates in order, and then each two of them."""
    each = [_measured(name, own, until) for name, own in candidates(config).items()]
    try:
        with open_log(config, Layout(config), until) as log:
            return [*each, *_each_two(log, [of for of in each if of.epoch], config)]
    except MissingInputError:
        return [*each]


def _measured(name: str, config: Config, until: date | None) -> Beside:
    """Of all its days, as the verdict beside it, also where a report is about the last week."""
    config = replace(config, report=replace(config.report, name="daily", since=None))
    try:
        with open_log(config, Layout(config), until) as log:
            found = summary(log, config)
    except MissingInputError:
        return Beside(name, "", 0)
    whole, spent = found.whole, found.spending
    p95, month = whole.latency.quantile(0.95), spent.candidate_monthly
    costs = (month, spent.primary_monthly, spent.savings)
    return Beside(name, found.epoch, whole.requests, whole.success, p95, whole.similar_share, *costs)


def _each_two(log: ComparisonLog, known: list[Beside], config: Config) -> Iterator[Against]:
    limit = latency_limit(config)
    for first, second in combinations(known, 2):
        both = _both(log, first.epoch, second.epoch, config.engine.similar_chrf, limit)
        measures = ["success", *(["fast"] if limit is not None else []), "similar"]
        for metric in measures:
            yield Against(first.name, second.name, metric, _differing(both, metric))


def _both(log: ComparisonLog, first: str, second: str, similar: float, limit: float | None) -> ir.Table:
    """The requests that both were asked, with what each made of them; one that is not told from another is left out."""

    def of(epoch: str, place: str) -> ir.Table:
        facts = log.facts.filter(log.facts.epoch == epoch)
        fast = (facts.candidate_latency_ms <= (limit or 0.0)).fill_null(False)
        said = {"success": facts.candidate_ok, "fast": fast, "similar": facts.chrf >= similar}
        named = {f"{metric}_{place}": value.any() for metric, value in said.items()}
        once = facts.group_by(_REQUEST).agg(count=facts.count(), **named)
        return once.filter(once["count"] == 1).drop("count")

    return of(first, "first").join(of(second, "second"), _REQUEST)


def _differing(both: ir.Table, metric: str) -> UserDays | None:
    """How many both were measured on, and which of the two alone did well."""
    known = both.filter(both[f"{metric}_first"].notnull() & both[f"{metric}_second"].notnull())
    one, other = known[f"{metric}_first"], known[f"{metric}_second"]
    known = known.mutate(day=known.timestamp.date())
    return days_of_users(known, known.count(), (one & ~other).sum(), (other & ~one).sum())
