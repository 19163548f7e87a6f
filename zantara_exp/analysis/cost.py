"""What primary and candidate cost, in US dollars a request: tokens by their prices, or as `endpoint.billing` declares.

Savings = 1 - the candidate's cost / the primary's cost of the moved segment; what is paid by the month is spread over
`cost.monthly_requests`, as `zantara_exp.analysis.volume` has it; euros by `cost.eur_usd`.
"""

from __future__ import annotations

from datetime import date
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.facts import USAGE
from zantara_exp.config.decision import Cost
from zantara_exp.config.schema import Config
from zantara_exp.cost import billing
from zantara_exp.cost.prices import Listed, price_of

if TYPE_CHECKING:
    import ibis.expr.types as ir


_NO_WORK = ("bad_request", "breaker_open", "overloaded", "rate_limited", "refused", "too_large", "unauthorized")
"""Failures of calls that no worker began on. Any other, such as one that we gave up, was worked on for a time: where
nobody says how long, its cost is not known."""


def priced(facts: ir.Table, config: Config) -> ir.Table:
    """The facts with `primary_usd` and `candidate_usd`, null where they are not known.

    A request that the candidate failed is answered by the primary after all, and paid twice.
    """
    table = with_primary_usd(facts, config.cost)
    share = billing.usd_per_request(config.endpoint, config.cost)
    return table.mutate(candidate_usd=candidate_usd(table, config, share))


def candidate_usd(table: ir.Table, config: Config, share: float) -> ir.Value:
    """The same column of a table that has `primary_usd`, with that share of what is paid by the month a request."""
    import ibis

    again = ibis.cases((~table.candidate_ok, table.primary_usd), else_=0.0)
    return _candidate_usd(table, config, share) + again


def with_primary_usd(facts: ir.Table, cost: Cost) -> ir.Table:
    """The facts with `primary_usd`, null where it is not known."""
    return facts.mutate(primary_usd=_usd_of_tokens(facts, "primary", cost))


def _candidate_usd(facts: ir.Table, config: Config, share: float) -> ir.Value:
    import ibis

    endpoint, cost = config.endpoint, config.cost
    each = ibis.literal(share)
    logged = facts.candidate_billed_usd
    if endpoint.billing == billing.TOKENS:
        own = _usd_of_tokens(facts, "candidate", cost)
        own = ibis.cases((~facts.candidate_ok, own.fill_null(0.0)), else_=own)
    elif endpoint.billing == billing.SECONDS:
        second = billing.usd_per_hour(endpoint, cost) / 3600
        seconds = facts.candidate_billed_seconds  # the greatest of a null and a number is the number, to DuckDB
        own = ibis.cases((seconds.notnull(), ibis.greatest(seconds * second, each)), else_=ibis.null("float64"))
        own = ibis.cases((facts.candidate_fault.isin(_NO_WORK), own.fill_null(each)), else_=own)
    else:
        own = each
    if not endpoint.fallback:
        return own
    elsewhere = facts.candidate_provider.isin(endpoint.fallback) & logged.notnull()
    fixed = each if endpoint.billing in (billing.FLAT, billing.HOURS) else ibis.literal(0.0)
    return ibis.cases((elsewhere, fixed + logged), else_=own)


def _usd_of_tokens(facts: ir.Table, side: str, cost: Cost) -> ir.Value:
    """What a side's tokens take, by the model and the day."""
    import ibis

    nothing = ibis.null("float64")
    model, parts = facts[f"{side}_model"], {part: facts[f"{side}_usage_{part}"] for part in USAGE}
    parts |= {part: parts[part].fill_null(0.0) for part in USAGE if part.startswith("cache")}
    read = tokens_read(facts, side)
    branches = []
    for name, prices in _prices(facts, side, cost).items():
        for price, days in prices.items():
            here = model == name if len(prices) == 1 else (model == name) & facts.day.isin(days)
            steps = [(read > start, rate.usd(parts)) for start, rate in reversed(price.tiers[1:])]
            first = price.tiers[0][1].usd(parts)
            branches.append((here, ibis.cases(*steps, else_=first) if steps else first))
    return ibis.cases(*branches, else_=nothing) if branches else nothing


def _prices(facts: ir.Table, side: str, cost: Cost) -> dict[str, dict[Listed, list[date]]]:
    """Of each model that has one, its prices and the days on which they hold."""
    found: dict[str, dict[Listed, list[date]]] = {}
    for model, day in _models(facts, side):
        if (price := price_of(model, cost, day)) is not None:
            found.setdefault(model, {}).setdefault(price, []).append(day)
    return found


def _models(facts: ir.Table, side: str) -> list[tuple[str, date]]:
    """The models of a side, with each of their days."""
    name = f"{side}_model"
    rows = fetched(facts.select(name, "day").distinct().order_by(name, "day")).to_pylist()
    return [(row[name], row["day"]) for row in rows]


def unpriced(facts: ir.Table, side: str, cost: Cost) -> list[str]:
    """Models of a side that no price list knows."""
    return sorted({model for model, day in _models(facts, side) if price_of(model, cost, day) is None})


def tokens_read(facts: ir.Table, side: str) -> ir.Value:
    """All tokens that a side read, whoever had them cached."""
    cached = (facts[f"{side}_usage_{part}"].fill_null(0.0) for part in USAGE if part.startswith("cache"))
    return reduce(add, cached, facts[f"{side}_usage_input"])


def savings(primary_usd: float | None, candidate_usd: float | None) -> float | None:
    """Share of the primary's cost of a request that would be saved; negative where the candidate costs more."""
    if not primary_usd or candidate_usd is None:
        return None
    return 1 - candidate_usd / primary_usd
