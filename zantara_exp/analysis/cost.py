"""What the primary and the candidate cost: a price list by tokens against a flat monthly fee, in US dollars.

Savings = 1 - the candidate's monthly cost / the primary's cost of the moved segment at the declared
`cost.monthly_requests`; euros by `cost.eur_usd`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zantara_exp.analysis.engine import fetched
from zantara_exp.config.decision import Cost
from zantara_exp.prices import candidate_usd_per_month, candidate_usd_per_request, price_of, usd_of_tokens

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["candidate_usd_per_month", "candidate_usd_per_request", "primary_usd_per_month", "priced", "savings"]


def priced(facts: ir.Table, cost: Cost) -> ir.Table:
    """The facts with `primary_usd`, null where the tokens were not counted or the model is not on the list."""
    import ibis

    models = fetched(facts.select("primary_model").distinct())["primary_model"].to_pylist()
    known = {model: price for model in sorted(models) if (price := price_of(model, cost)) is not None}
    if not known:
        return facts.mutate(primary_usd=ibis.null("float64"))
    read, written = facts.primary_tokens_input, facts.primary_tokens_output
    branches = [(facts.primary_model == model, usd_of_tokens(price, read, written)) for model, price in known.items()]
    return facts.mutate(primary_usd=ibis.cases(*branches, else_=ibis.null("float64")))


def primary_usd_per_month(usd_per_request: float, cost: Cost) -> float:
    """What the moved segment costs with the primary at the declared volume, in US dollars a month."""
    return usd_per_request * cost.monthly_requests


def savings(usd_per_request: float | None, cost: Cost) -> float | None:
    """Share of the primary's cost that would be saved; negative where the fee is higher, None where it is unknown."""
    if not usd_per_request:
        return None
    return 1 - candidate_usd_per_request(cost) / usd_per_request
