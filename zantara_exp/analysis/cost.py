"""What the primary and the candidate cost: a price list by tokens against a flat monthly fee, in US dollars.

Savings = 1 - the candidate's monthly cost / the primary's cost of the moved segment at the declared
`cost.monthly_requests`; euros by `cost.eur_usd`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zantara_exp.config.decision import Cost, Price

if TYPE_CHECKING:
    import ibis.expr.types as ir


def price_of(model: str, cost: Cost) -> Price | None:
    """The price that holds for a model: that of the longest part which its name contains; None if none does."""
    name = model.lower().replace(".", "-")
    parts = [part for part in cost.prices if part.lower().replace(".", "-") in name]
    return cost.prices[max(parts, key=len)] if parts else None


def priced(facts: ir.Table, cost: Cost) -> ir.Table:
    """The facts with `primary_usd`, null where the tokens were not counted or the model is not on the list."""
    import ibis

    models = facts.select("primary_model").distinct().to_pyarrow()["primary_model"].to_pylist()
    known = {model: price for model in sorted(models) if (price := price_of(model, cost)) is not None}
    if not known:
        return facts.mutate(primary_usd=ibis.null("float64"))
    read, written = facts.primary_tokens_input, facts.primary_tokens_output
    branches = [
        (facts.primary_model == model, (read * price.input + written * price.output) / 1e6)
        for model, price in known.items()
    ]
    return facts.mutate(primary_usd=ibis.cases(*branches, else_=ibis.null("float64")))


def candidate_usd_per_month(cost: Cost) -> float:
    """The flat fee in US dollars."""
    return cost.candidate_monthly_eur * cost.eur_usd


def candidate_usd_per_request(cost: Cost) -> float:
    """The flat fee spread over the declared monthly requests, in US dollars."""
    return candidate_usd_per_month(cost) / cost.monthly_requests


def primary_usd_per_month(usd_per_request: float, cost: Cost) -> float:
    """What the moved segment costs with the primary at the declared volume, in US dollars a month."""
    return usd_per_request * cost.monthly_requests


def savings(usd_per_request: float | None, cost: Cost) -> float | None:
    """Share of the primary's cost that would be saved; negative where the fee is higher, None where it is unknown."""
    if not usd_per_request:
        return None
    return 1 - candidate_usd_per_request(cost) / usd_per_request
