"""Numbers as people read them, and the tables that page and terminal share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zantara_exp.analysis.log import GONE, BadLine
from zantara_exp.analysis.metrics import Counts
from zantara_exp.analysis.summary import Summary
from zantara_exp.config.schema import Config
from zantara_exp.core.stage import Table
from zantara_exp.shadow.record import BUDGET
from zantara_exp.text.wording import usd

NOTHING = "–"


@dataclass(frozen=True)
class Tile:
    """One number at the top of the page."""

    name: str
    value: str
    note: str
    of: str
    """Which requests it counts."""


def steady(value: float) -> float:
    """Without the last digits, in which sums of floats differ from run to run, and with them what is shown."""
    return float(f"{value:.12g}")


def percent(share: float | None, digits: int = 1) -> str:
    """0.987 -> 98.7 %."""
    return NOTHING if share is None else f"{steady(share * 100):.{digits}f} %"


def milliseconds(value: float | None) -> str:
    """1234.5 -> 1,234 ms; below ten with one digit."""
    if value is None:
        return NOTHING
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def dollars(value: float | None) -> str:
    """0.0012 -> USD 0.0012; two digits from one dollar on."""
    if value is None:
        return NOTHING
    return usd(steady(value))


def table(title: str, first: str, groups: Mapping[Any, Counts]) -> Table:
    """One row of numbers per group."""
    columns = [first, "requests", "success", "timeouts", "mean", "p50", "p95", "p99", "similar", "chrF"]
    rows = [[str(name), *_numbers(counts)] for name, counts in groups.items()]
    if any(counts.embedded for counts in groups.values()):
        columns.append("embedding")
        rows = [[*row, _cosine(counts.mean_embedding)] for row, counts in zip(rows, groups.values(), strict=True)]
    return Table(title, columns, rows)


def weeks(found: Summary) -> Table:
    """The days reported beside as many before them."""
    return table(
        "This week beside the week before", "week", {"this week": found.whole, "the week before": found.before}
    )


def candidates(found: Summary) -> Table | None:
    """This candidate beside the last one; None where there was no other."""
    if found.previous is None:
        return None
    name, counts = found.previous
    return table("This candidate beside the last one", "candidate", {found.epoch: found.whole, name: counts})


def similar_note(found: Summary, config: Config) -> str:
    """What counts as similar, and what the primary itself reaches: an answer in other words may be as good."""
    noise = found.noise
    said = (
        f"Two answers count as similar from chrF {config.engine.similar_chrf:g} on: a declared choice "
        "(engine.similar_chrf). "
    )
    if not noise.scored:
        return said + (
            "There is no A/A comparison in these days, so it is not known how often the primary itself would reach it: "
            "set primary.aa_percent."
        )
    return said + (
        f"The primary against itself reaches it in {percent(noise.similar_share)} of {noise.scored:,} comparisons, "
        f"with a mean of {noise.mean_chrf or 0:.0f}: more than that no candidate can be asked for."
    )


def _cosine(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def _numbers(counts: Counts) -> list[str]:
    taken = counts.latency
    return [
        f"{counts.requests:,}",
        percent(counts.success),
        percent(counts.timeout_share),
        *(milliseconds(value) for value in (taken.mean, *(taken.quantile(share) for share in (0.5, 0.95, 0.99)))),
        percent(counts.similar_share),
        NOTHING if counts.mean_chrf is None else f"{counts.mean_chrf:.0f}",
    ]


def segments(found: Summary) -> list[Table]:
    """By language, category and primary model; by epoch where the log has more than one."""
    tables = [
        table("By language", "language", found.languages),
        table("By category", "category", found.categories),
        table("By the model that answered", "primary", found.models),
    ]
    if len(found.candidates) > 1:
        tables.append(table("By candidate and endpoint", "candidate", found.candidates))
    if len(found.epochs) > 1:
        tables.append(table("By candidate (only the newest is evidence)", "candidate", found.epochs))
    if found.noise.requests:
        tables.append(table("Noise floor: the primary against itself", "arm", {"A/A": found.noise}))
    return tables


def moves(found: Summary) -> Table | None:
    """What of the traffic a rollout would move, and what keeps the rest; None where no line notes it."""
    scoped = [part for part in found.parts if part.scoped]
    if not scoped:
        return None
    requests, usd = sum(part.requests for part in scoped), sum(part.usd for part in scoped)
    rows = []
    for part in scoped:
        what = ("would move" if part.movable else "stays with the primary") + (f": {part.why}" if part.why else "")
        paid, share = dollars(part.usd) if part.priced else NOTHING, part.usd / usd if usd else None
        rows.append([what, f"{part.requests:,}", percent(part.requests / requests), paid, percent(share)])
    return Table(
        "What a rollout would move, and what not", ["", "requests", "share", "the primary's cost", "of the cost"], rows
    )


def troubles(found: Summary) -> list[Table]:
    """Failures, what was lost, and lines that could not be read."""
    tables = []
    if found.faults:
        rows = [[kind, f"{count:,}", percent(count / found.whole.requests, 2)] for kind, count in found.faults.items()]
        tables.append(Table("Failures of the candidate", ["kind", "requests", "share"], rows))
    if found.drops or found.doubles:
        how = {GONE: "was in the log when it was looked at earlier"}
        how |= {BUDGET: "sampled, not asked: the day's money is spent"}
        rows = [
            [reason, f"{count:,}", how.get(reason, "sampled, then lost by the mirror")]
            for reason, count in found.drops.items()
        ]
        if found.doubles:
            rows.append(["double", f"{found.doubles:,}", "stood in the log more than once, counted once"])
        if found.unmeasured:
            rows.append(["coverage", percent(found.coverage, 2), "of the sampled requests are in the numbers"])
        tables.append(Table("Not measured", ["reason", "requests", "meaning"], rows))
    if found.bad:
        tables.append(_bad_lines(found.bad))
    return tables


def smell(found: Summary) -> Table | None:
    """What to look at before believing the numbers."""
    if not found.smells:
        return None
    return Table(
        "Look at this before you believe the numbers", ["what", "why"], [[item.what, item.why] for item in found.smells]
    )


def _bad_lines(bad: Sequence[BadLine]) -> Table:
    """Unreadable lines by reason, with where the first of each stands."""
    first = {line.reason: line for line in reversed(bad)}
    counts = Counter(line.reason for line in bad)
    rows = [
        [reason, f"{count:,}", f"{first[reason].file}, line {first[reason].line}"]
        for reason, count in counts.most_common()
    ]
    return Table("Lines that could not be read (all in quarantine.jsonl)", ["reason", "lines", "first"], rows)
