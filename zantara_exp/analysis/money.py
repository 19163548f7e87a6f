"""What the page and the terminal say of money: what it costs, at which volume, and what others would take."""

from __future__ import annotations

from zantara_exp.analysis.cost import savings
from zantara_exp.analysis.summary import Spending, Summary
from zantara_exp.analysis.views import dollars, percent, steady
from zantara_exp.analysis.volume import Volume
from zantara_exp.config.schema import Config
from zantara_exp.core.stage import Table
from zantara_exp.cost import billing
from zantara_exp.text.wording import agreed, counted


def tables(found: Summary, config: Config) -> list[Table]:
    """What it costs, at other volumes, and with other models."""
    more = against_volume(found), offers(found, config)
    return [costs(found, config), *(table for table in more if table is not None)]


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
            f"{spent.volume.judged:,}",
            dollars(spent.usd_per_request),
            dollars(spent.primary_monthly),
        ],
        [
            f"candidate, a month ({_billing(config)})",
            f"{spent.volume.judged:,}",
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


def cost_notes(found: Summary, config: Config) -> list[str]:
    """What the cost rests on."""
    spent = found.spending
    return [
        *(f"Price list: {price}." for price in spent.prices),
        f"The segment took {spent.tokens_input:,.0f} tokens in and {spent.tokens_output:,.0f} out. "
        f"The month counts {spent.volume.judged:,} requests. {config.cost.eur_usd:g} USD per EUR.",
        volume_note(spent.volume),
        *_break_even(spent),
        *_market_notes(spent),
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
    spent, declared = found.spending, config.cost
    if config.endpoint.billing != billing.FLAT or not spent.seconds_each:
        return []
    hours = spent.seconds_each * spent.volume.judged / 3600
    prices = ", ".join(f"{name} {price:g}" for name, price in declared.gpu_usd_hour.items())
    return [
        f"EUR {declared.candidate_monthly_eur:g} flat is an assumption: the log measured {spent.seconds_each:.2f} s of "
        f"work a request, {hours:,.1f} hours a month one after the other, so that the fee pays "
        f"{dollars(billing.usd_per_month(config.endpoint, declared) / hours)} an hour (cost.gpu_usd_hour: {prices})."
    ]


def volume_note(by: Volume) -> str:
    """Requests a month: what is declared, what was measured, and which of them decides."""
    if by.measured is None:
        return f"The volume is not measured: {by.lacks}. {by.declared:,} requests a month are declared."
    found = by.measured
    measured = (
        f"Measured: {found.estimate:,.0f} requests a month, {found.low:,.0f} to {found.high:,.0f} with 95 % "
        f"confidence, from {counted(by.days, 'complete day')} and {counted(by.users, 'user')}."
    )
    if not by.contradicted:
        return f"{measured} The declared {by.declared:,} agree with that."
    return (
        f"{measured} The declared {by.declared:,} contradict that (cost.monthly_requests): the verdict and all that is "
        f"said here of a month go by {by.judged:,}, the end that is worse for the candidate."
    )


def against_volume(found: Summary) -> Table | None:
    """What is saved at other volumes; None where a cost is not known."""
    by, curve = found.spending.volume, found.spending.curve
    if curve is None:
        return None
    at = {"a quarter": by.judged / 4, "half": by.judged / 2, "twice": by.judged * 2, "four times": by.judged * 4}
    at["declared"] = by.declared
    if by.measured is not None:
        at |= {"measured": by.measured.estimate, "at least": by.measured.low, "at most": by.measured.high}
    if curve.break_even is not None:
        at["break-even"] = curve.break_even
    rows = [
        [
            what, f"{steady(requests):,.0f}", dollars(curve.candidate(requests) * requests),
            dollars(curve.primary * requests),
            _saved(curve.saved(requests)),
        ]
        for what, requests in sorted(at.items(), key=lambda item: (steady(item[1]), item[0]))
    ]  # fmt: skip
    columns = ["what", "requests a month", "the candidate's cost", "the primary's cost", "saved"]
    return Table("What is saved at other volumes", columns, rows)


def _break_even(spent: Spending) -> list[str]:
    curve = spent.curve
    if curve is None:
        return []
    if curve.cheaper_always:
        return ["The candidate is paid for what it is asked only, and is cheaper at any volume."]
    if curve.break_even is None:
        return ["The candidate is cheaper at no volume: what a request takes beyond the fee is more than the primary."]
    return [f"The candidate is cheaper from {steady(curve.break_even):,.0f} requests a month on."]


def offers(found: Summary, config: Config) -> Table | None:
    """The same traffic's bill with other models; None where no token was counted."""
    spent = found.spending
    if spent.market is None:
        return None
    rows = [
        (offer.usd, offer.model, offer.provider, "in the log" if offer.in_log else "") for offer in spent.market.shown
    ]
    if spent.candidate_each is not None:
        rows.append(
            (spent.candidate_each, ", ".join(found.candidates), "", f"the candidate ({config.endpoint.billing})")
        )
    if spent.usd_per_request is not None:
        rows.append((spent.usd_per_request, ", ".join(found.models), "", "what is paid today"))
    shown = [
        [
            model,
            provider,
            what,
            dollars(usd * 1000),
            dollars(usd * spent.volume.judged),
            _less(usd, spent.usd_per_request),
        ]
        for usd, model, provider, what in sorted(rows, key=lambda row: (steady(row[0]), *row[1:]))
    ]
    columns = ["model", "provider", "what", "a thousand", "a month", "saved"]
    return Table("The same traffic with other models", columns, shown)


def _less(usd: float, today: float | None) -> str:
    return _saved(savings(today, usd))


def _saved(share: float | None) -> str:
    """Nought is nought, whatever its sign."""
    return percent(None if share is None else round(share, 9) + 0.0)


def _market_notes(spent: Spending) -> list[str]:
    market, each = spent.market, spent.candidate_each
    if market is None:
        return []
    notes = [
        f"Other models are billed by this log's own tokens, caches included, at the prices of {market.day}. They count "
        "tokens otherwise and answer with other lengths; whether they answer well enough, and which of them were "
        "retired, the price lists do not say."
    ]
    if each is None or not market.providers:
        return notes
    whose, best = " and ".join(market.providers), market.cheaper(each)
    if best is None:
        return [f"No listed model of {whose} is cheaper than the candidate.", *notes]
    return [
        f"Should this traffic move at all? {best.model} of {best.provider}, whose models answer today, would take "
        f"{dollars(best.usd * spent.volume.judged)} a month, the candidate {dollars(each * spent.volume.judged)}.",
        *notes,
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
        have = agreed(spent.requests - spent.priced, "request has", "requests have")
        gaps.append(f"{have} no known cost: tokens or price are missing.")
    if spent.unpriced:
        names = ", ".join(f"{name} ({counted(count, 'request')})" for name, count in spent.unpriced.items())
        gaps.append(f"No price is known for {names}: declare it in cost.prices, or the name's own in cost.aliases.")
    return gaps
