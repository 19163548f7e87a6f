"""Numbers as people read them, and the tables that page and terminal share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zantara_exp import billing
from zantara_exp.analysis.log import GONE, BadLine
from zantara_exp.analysis.metrics import Counts
from zantara_exp.analysis.summary import Summary
from zantara_exp.config.schema import Config
from zantara_exp.stage import Table

NOTHING = "–"


@dataclass(frozen=True)
class Tile:
    """One number at the top of the page."""

    name: str
    value: str
    note: str


def percent(share: float | None, digits: int = 1) -> str:
    """0.987 -> 98.7 %."""
    return NOTHING if share is None else f"{share * 100:.{digits}f} %"


def milliseconds(value: float | None) -> str:
    """1234.5 -> 1,234 ms; below ten with one digit."""
    if value is None:
        return NOTHING
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def dollars(value: float | None) -> str:
    """0.0012 -> USD 0.0012; two digits from one dollar on."""
    if value is None:
        return NOTHING
    return f"USD {value:,.2f}" if abs(value) >= 1 else f"USD {value:.2g}"


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
            "set shadow.aa_percent."
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
        tables.append(table("By epoch (only the newest is evidence)", "epoch", found.epochs))
    if found.noise.requests:
        tables.append(table("Noise floor: the primary against itself", "arm", {"A/A": found.noise}))
    return tables


def costs(found: Summary, config: Config) -> Table:
    """The moved segment's cost."""
    spent = found.spending
    rows = [
        [
            "primary, requests in the log with a known cost",
            f"{spent.priced:,}",
            dollars(spent.usd_per_request),
            dollars(spent.primary_usd),
        ],
        [
            "primary, a month",
            f"{config.cost.monthly_requests:,}",
            dollars(spent.usd_per_request),
            dollars(spent.primary_monthly),
        ],
        [
            f"candidate, a month ({_billing(config)})",
            f"{config.cost.monthly_requests:,}",
            dollars(spent.candidate_each),
            dollars(spent.candidate_monthly),
        ],
        [
            f"candidate, the {spent.days} day{'s' if spent.days > 1 else ''} so far",
            f"{spent.requests:,}",
            dollars(spent.candidate_usd / spent.requests if spent.requests else None),
            dollars(spent.candidate_usd),
        ],
        ["saved", "", "", percent(spent.savings)],
    ]
    segment = " and ".join(config.rollout.categories)
    return Table(f"The moved segment: {segment}", ["", "requests", "each", "cost"], rows)


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


def cost_notes(found: Summary, config: Config) -> list[str]:
    """What the cost rests on."""
    spent = found.spending
    return [
        *(f"Price list: {price}." for price in spent.prices),
        f"The segment took {spent.tokens_input:,.0f} tokens in and {spent.tokens_output:,.0f} out. "
        f"The month assumes {config.cost.monthly_requests:,} requests. {config.cost.eur_usd:g} USD per EUR.",
        *_measured(found, config),
        *cost_gaps(found),
    ]


def _billing(config: Config) -> str:
    endpoint = config.endpoint
    if endpoint.billing == billing.FLAT:
        return f"EUR {config.cost.candidate_monthly_eur:g} flat, the plan's assumption"
    return "tokens" if endpoint.billing == billing.TOKENS else f"{endpoint.billing} of {endpoint.gpu}"


def _measured(found: Summary, config: Config) -> list[str]:
    """A flat fee, held against the work that the log measured."""
    spent, cost = found.spending, config.cost
    if config.endpoint.billing != billing.FLAT or not spent.seconds_each:
        return []
    hours = spent.seconds_each * cost.monthly_requests / 3600
    prices = ", ".join(f"{name} {price:g}" for name, price in cost.gpu_usd_hour.items())
    return [
        f"EUR {cost.candidate_monthly_eur:g} flat is an assumption: the log measured {spent.seconds_each:.2f} s of "
        f"work a request, {hours:,.1f} hours a month one after the other, so that the fee pays "
        f"{dollars(billing.usd_per_month(config.endpoint, cost) / hours)} an hour (cost.gpu_usd_hour: {prices})."
    ]


def cost_gaps(found: Summary) -> list[str]:
    """What of the cost is not known, or not counted."""
    spent, gaps = found.spending, []
    if spent.estimated:
        gaps.append(
            f"The tokens of {spent.estimated:,} of {spent.requests:,} requests are estimated from their texts: "
            "their streams held no usage."
        )
    if spent.priced < spent.requests:
        gaps.append(f"{spent.requests - spent.priced:,} requests have no known cost: tokens or price are missing.")
    if spent.unpriced:
        names = ", ".join(f"{name} ({count:,} requests)" for name, count in spent.unpriced.items())
        gaps.append(f"No price is known for {names}: declare it in cost.prices, or the name's own in cost.aliases.")
    return gaps


def troubles(found: Summary) -> list[Table]:
    """Failures, what was lost, and lines that could not be read."""
    tables = []
    if found.faults:
        rows = [[kind, f"{count:,}", percent(count / found.whole.requests, 2)] for kind, count in found.faults.items()]
        tables.append(Table("Failures of the candidate", ["kind", "requests", "share"], rows))
    if found.drops or found.doubles:
        how = {GONE: "was in the log when it was looked at earlier"}
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
