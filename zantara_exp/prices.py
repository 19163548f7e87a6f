"""What an answer costs, in US dollars: by tokens and a price list, or its share of a flat monthly fee.

The one definition for endpoints, the comparison log, the report and the gate.
"""

from __future__ import annotations

from typing import NamedTuple

from zantara_exp.config.decision import Cost, Price


class Charge(NamedTuple):
    """What one answer costs, and what that rests on."""

    usd: float
    basis: str


def price_of(model: str, cost: Cost) -> Price | None:
    """The price that holds for a model: that of the longest part which its name contains; None if none does."""
    name = model.lower().replace(".", "-")
    parts = [part for part in cost.prices if part.lower().replace(".", "-") in name]
    return cost.prices[max(parts, key=len)] if parts else None


def usd_of_tokens(price: Price, read: float, written: float) -> float:
    """US dollars of so many tokens; numbers, or columns of numbers."""
    return (read * price.input + written * price.output) / 1e6


def candidate_usd_per_month(cost: Cost) -> float:
    """The flat fee in US dollars."""
    return cost.candidate_monthly_eur * cost.eur_usd


def candidate_usd_per_request(cost: Cost) -> float:
    """The flat fee spread over the declared monthly requests, in US dollars."""
    return candidate_usd_per_month(cost) / cost.monthly_requests


def charge_by_tokens(model: str | None, read: int | None, written: int | None, cost: Cost) -> Charge | None:
    """None where the tokens were not counted or the model is not on the price list: unknown is not free."""
    price = price_of(model or "", cost)
    if price is None or read is None or written is None:
        return None
    return Charge(usd_of_tokens(price, read, written), f"USD {price.input:g} / {price.output:g} a million tokens")


def charge_by_flat_fee(cost: Cost) -> Charge:
    """An answer's share of the candidate's fee at the declared volume."""
    basis = f"EUR {cost.candidate_monthly_eur:g} a month over {cost.monthly_requests} requests"
    return Charge(candidate_usd_per_request(cost), basis)
