"""What of the traffic would move: the sampled requests and their cost, by what keeps them with the primary.

Counted over what each line notes (`traffic/movable.py`): requests that were compared, and those that were set aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from zantara_exp.analysis import cost
from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.facts import USAGE
from zantara_exp.analysis.log import ComparisonLog
from zantara_exp.config.schema import Config
from zantara_exp.gates.evidence import Moving

if TYPE_CHECKING:
    import ibis.expr.types as ir

_COLUMNS = (
    "epoch", "day", "scoped", "movable", "why_aside", "primary_model", *(f"primary_usage_{part}" for part in USAGE),
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """The sampled requests that one thing is noted of."""

    scoped: bool
    """Whether it is noted if they would move."""
    movable: bool
    why: str
    """What keeps them with the primary, or what became of them; empty for what was compared and would move."""
    requests: int
    priced: int
    """Of them, those whose cost is known."""
    usd: float
    """What the primary took for these."""


def parts(log: ComparisonLog, epoch: str, first: date, config: Config) -> list[Part]:
    """The requests of an epoch from its day `first`, the most frequent part first."""
    rows = log.facts.select(*_COLUMNS).union(log.aside.select(*_COLUMNS))
    return _parts(rows.filter((rows.epoch == epoch) & (rows.day >= first)), config)


def _parts(rows: ir.Table, config: Config) -> list[Part]:
    priced = cost.with_primary_usd(rows, config.cost)
    counted = priced.group_by("scoped", "movable", "why_aside").agg(
        requests=priced.count(), priced=priced.primary_usd.count(), usd=priced.primary_usd.sum()
    )
    found = [
        Part(row["scoped"], row["movable"], row["why_aside"], row["requests"], row["priced"], row["usd"] or 0.0)
        for row in fetched(counted).to_pylist()
    ]
    return sorted(found, key=lambda part: (not part.movable, -part.requests, part.why))


def moving(found: Sequence[Part]) -> Moving:
    """The parts in short."""
    scoped = [part for part in found if part.scoped]
    movable = [part for part in scoped if part.movable]
    return Moving(
        requests=sum(part.requests for part in scoped),
        movable=sum(part.requests for part in movable),
        usd=sum(part.usd for part in scoped) if any(part.priced for part in scoped) else None,
        movable_usd=sum(part.usd for part in movable),
        why_not={part.why: part.requests for part in scoped if not part.movable},
    )
