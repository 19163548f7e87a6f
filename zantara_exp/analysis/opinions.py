"""What people and a judge said of single comparisons: counts, and the pairs behind them, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.log import ComparisonLog
from zantara_exp.analysis.pairs import Pair, shown_pair, texts
from zantara_exp.core.stage import Table

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from zantara_exp.dataset.redact import Redactor

WORSE, EQUIVALENT, CANNOT = "worse", "equivalent", "cannot_judge"
JUDGE, REVIEW = "judge", "review"


class Opinion(NamedTuple):
    """One word on one comparison."""

    by: str
    """The judge's model, or a reviewer's name."""
    kind: str
    """`judge` or `review`."""
    verdict: str
    why: str


Opinions = Mapping[str, Sequence[Opinion]]
"""By comparison."""


def table(facts: ir.Table, said: Opinions) -> Table | None:
    """How many pairs were found worse, by whom and where; None where nobody said anything of these comparisons."""
    about = {row["comparison_id"]: row for row in _known(facts, said, "language", "category")}
    counts: dict[tuple[str, str], Counter[str]] = {}
    for name, row in about.items():
        for kind in (REVIEW, JUDGE):
            if not (verdict := verdict_of(said[name], kind)):
                continue
            for segment in ("all", f"language={row['language']}", f"category={row['category']}"):
                counts.setdefault((kind, segment), Counter())[verdict] += 1
    first = sorted(counts.items(), key=lambda item: (item[0][0] == JUDGE, item[0][1] != "all", item[0][1]))
    rows = [
        [kind, segment, f"{found.total():,}", f"{found[WORSE]:,}", f"{100 * found[WORSE] / found.total():.1f} %"]
        for (kind, segment), found in first
    ]
    return Table("Found worse", ["by", "segment", "pairs", "worse", "share"], rows) if rows else None


def worst(log: ComparisonLog, facts: ir.Table, said: Opinions, count: int, redactor: Redactor) -> list[Pair]:
    """Up to `count` pairs that somebody found worse: those that people settled as worse first, then the judge's; of
    these, those on which opinions differ first."""
    named = [row for row in _known(facts, said) if any(each.verdict == WORSE for each in said[row["comparison_id"]])]
    named.sort(key=lambda row: (_order(said[row["comparison_id"]]), row["comparison_id"]))
    pairs = []
    for row in texts(log, named[:count], redactor):
        told = [(each.by, each.verdict, redactor.conversation().text(each.why)) for each in said[row["comparison_id"]]]
        pairs.append(replace(shown_pair(row), said=told))
    return pairs


def _known(facts: ir.Table, said: Opinions, *columns: str) -> list[dict[str, Any]]:
    """The facts of which something was said."""
    if not said:
        return []
    wanted = columns or ("part", "place", "day", "language", "category", "chrf", "embedding")
    found = facts.filter(facts.comparison_id.isin(sorted(said))).select("comparison_id", *wanted)
    rows: list[dict[str, Any]] = fetched(found).to_pylist()
    return rows


def verdict_of(found: Sequence[Opinion], kind: str) -> str:
    """What this kind said: worse where most of it did; empty where it said nothing."""
    words = [each.verdict for each in found if each.kind == kind and each.verdict != CANNOT]
    if not words:
        return ""
    return WORSE if 2 * words.count(WORSE) > len(words) else EQUIVALENT


def _order(found: Sequence[Opinion]) -> tuple[bool, bool, bool, int]:
    words = [each.verdict for each in found if each.verdict != CANNOT]
    worse = (verdict_of(found, REVIEW) != WORSE, verdict_of(found, JUDGE) != WORSE)
    return *worse, len({word == WORSE for word in words}) == 1, -words.count(WORSE)
