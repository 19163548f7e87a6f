"""What the primary and the candidate cost: a price list by tokens against a flat monthly fee, in US dollars.

Savings = 1 - the candidate's monthly cost / the primary's cost of the moved segment at the declared
`cost.monthly_requests`; euros by `cost.eur_usd`.
"""

from __future__ import annotations

from datetime import date
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.facts import USAGE
from zantara_exp.config.decision import Cost
from zantara_exp.prices import Listed, candidate_usd_per_month, candidate_usd_per_request, price_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = [
    "candidate_usd_per_month",
    "candidate_usd_per_request",
    "primary_usd_per_month",
    "priced",
    "savings",
    "tokens_read",
    "unpriced",
]


def priced(facts: ir.Table, cost: Cost) -> ir.Table:
    """The facts with `primary_usd`, null where the tokens were not counted or the model has no price."""
    return facts.mutate(primary_usd=_usd_of_tokens(facts, "primary", cost))


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
    name = f"{side}_model"
    found: dict[str, dict[Listed, list[date]]] = {}
    for row in fetched(facts.select(name, "day").distinct().order_by(name, "day")).to_pylist():
        if (price := price_of(row[name], cost, row["day"])) is not None:
            found.setdefault(row[name], {}).setdefault(price, []).append(row["day"])
    return found


def unpriced(facts: ir.Table, side: str, cost: Cost) -> list[str]:
    """Models of a side that no price list knows."""
    known = _prices(facts, side, cost)
    names = fetched(facts.select(f"{side}_model").distinct())[f"{side}_model"].to_pylist()
    return sorted(set(names) - set(known))


def tokens_read(facts: ir.Table, side: str) -> ir.Value:
    """All tokens that a side read, whoever had them cached."""
    cached = (facts[f"{side}_usage_{part}"].fill_null(0.0) for part in USAGE if part.startswith("cache"))
    return reduce(add, cached, facts[f"{side}_usage_input"])


def primary_usd_per_month(usd_per_request: float, cost: Cost) -> float:
    """What the moved segment costs with the primary at the declared volume, in US dollars a month."""
    return usd_per_request * cost.monthly_requests


def savings(usd_per_request: float | None, cost: Cost) -> float | None:
    """Share of the primary's cost that would be saved; negative where the fee is higher, None where it is unknown."""
    if not usd_per_request:
        return None
    return 1 - candidate_usd_per_request(cost) / usd_per_request
