"""The queries: facts summed by day, language, category and model, and per user and day for the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from zantara_exp.analysis.cost import priced, tokens_read
from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.metrics import SUMS, Counts, Latencies, added
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.next_command import command

if TYPE_CHECKING:
    import ibis.expr.types as ir

DIMENSIONS = ("epoch", "day", "language", "category", "primary_model", "candidate_model", "candidate_provider")


@dataclass(frozen=True)
class Cell:
    """The counts of one combination of dimensions."""

    epoch: str
    day: date
    language: str
    category: str
    primary_model: str
    candidate_model: str
    candidate_provider: str
    counts: Counts


def cells(facts: ir.Table, config: Config) -> list[Cell]:
    """Facts summed over every combination of dimensions; all numbers of the report come from these few rows."""
    import pyarrow as pa

    table = priced(facts, config)
    summed = table.group_by(*DIMENSIONS).agg(**_sums(table, config.engine.similar_chrf))
    sums = fetched(summed.order_by(*DIMENSIONS))
    made = [_counts(row) for row in sums.select(SUMS).to_pylist()]
    numbered = sums.select(DIMENSIONS).append_column("cell", pa.array(range(sums.num_rows), pa.int64()))
    for side, name in (("candidate", "latency"), ("primary", "primary_latency")):
        _fill_latencies([getattr(counts, name) for counts in made], table, side, numbered)
    names = sums.select(DIMENSIONS).to_pylist()
    return [Cell(**row, counts=counts) for row, counts in zip(names, made, strict=True)]


def _counts(row: Mapping[str, Any]) -> Counts:
    counts = Counts()
    for name, value in row.items():
        setattr(counts, name, value or 0)
    return counts


def _fill_latencies(latencies: Sequence[Latencies], table: ir.Table, side: str, numbered: Any) -> None:
    """Put one side's histogram into each cell: hundreds of thousands of buckets, so by column and not by row."""
    bucket, taken = table[f"{side}_bucket"], table[f"{side}_latency_ms"]
    measured = table.filter(bucket.notnull()).group_by(*DIMENSIONS, bucket=bucket)
    found = fetched(measured.agg(requests=bucket.count(), total=taken.sum()))
    rows = found.join(numbered, keys=list(DIMENSIONS)).sort_by("cell")
    cells, totals = rows["cell"].to_numpy(), rows["total"].to_numpy()
    buckets, requests = rows["bucket"].to_pylist(), rows["requests"].to_pylist()
    ends = np.searchsorted(cells, np.arange(len(latencies)), side="right").tolist()
    for latency, start, end in zip(latencies, [0, *ends], ends, strict=False):
        latency.buckets.update(dict(zip(buckets[start:end], requests[start:end], strict=True)))
        latency.total += float(totals[start:end].sum())


def _sums(table: ir.Table, similar_chrf: float) -> dict[str, ir.Value]:
    tokens = {f"{side}_tokens_input": tokens_read(table, side) for side in ("primary", "candidate")}
    tokens |= {f"{side}_tokens_output": table[f"{side}_usage_output"] for side in ("primary", "candidate")}
    return {
        "requests": table.count(),
        "answered": table.candidate_ok.sum(),
        "timeouts": table.candidate_timeout.sum(),
        "primary_answered": table.primary_ok.sum(),
        "scored": table.chrf.count(),
        "similar": (table.chrf >= similar_chrf).sum(),
        "chrf": table.chrf.sum(),
        "embedded": table.embedding.count(),
        "embedding": table.embedding.sum(),
        "unmeasured": (table.candidate_ok & table.candidate_latency_ms.isnull()).sum(),
        **{name: amount.sum() for name, amount in tokens.items()},
        "estimated": table.primary_estimated.sum(),
        "priced": table.primary_usd.count(),
        "primary_usd": table.primary_usd.sum(),
        "billed": table.candidate_usd.count(),
        "candidate_usd": table.candidate_usd.sum(),
        "timed": table.candidate_seconds.count(),
        "seconds": table.candidate_seconds.sum(),
    }


def by(found: list[Cell], name: Callable[[Cell], Any]) -> dict[Any, Counts]:
    """Cells added up by what `name` says of them, in order."""
    groups: dict[Any, list[Counts]] = {}
    for cell in found:
        groups.setdefault(name(cell), []).append(cell.counts)
    return {key: added(groups[key]) for key in sorted(groups)}


def newest_epoch(facts: ir.Table) -> tuple[str, date]:
    """The epoch of the newest comparison, and that epoch's first day. Raises MissingInputError without comparisons."""
    epochs = fetched(facts.group_by("epoch").agg(last=facts.timestamp.max(), first=facts.day.min())).to_pylist()
    if not epochs:
        raise MissingInputError("the days looked at hold no comparison of the candidate", command("stage=shadow"))
    newest = max(epochs, key=lambda row: (row["last"], row["epoch"]))
    return newest["epoch"], newest["first"]


def faults(facts: ir.Table) -> dict[str, int]:
    """Failures of the candidate by kind, the most frequent first."""
    failed = facts.filter(~facts.candidate_ok)
    rows = fetched(failed.group_by("candidate_fault").agg(requests=failed.count())).to_pylist()
    rows.sort(key=lambda row: (-row["requests"], row["candidate_fault"]))
    return {row["candidate_fault"]: row["requests"] for row in rows}


def user_days(facts: ir.Table, **measures: ir.Value) -> Any:
    """The measures per user, day, slot of ten minutes, language and category: a pyarrow table in a fixed order."""
    slot = (facts.timestamp.epoch_seconds() % 86_400 // 600).cast("int64").name("slot")
    keys = ("user", "day", slot, "language", "category")
    ordered = ("user", "day", "slot", "language", "category")
    return fetched(facts.group_by(*keys).agg(**measures).order_by(*ordered))
