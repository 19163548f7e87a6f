"""The same traffic's bill with every other model on the price lists: should it be moved to a candidate at all?

Counted by the tokens that the primary took in this log, caches included, at today's prices. Another model counts tokens
otherwise and answers with other lengths; whether it answers well enough is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from zantara_exp.analysis.cost import tokens_read
from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.facts import USAGE
from zantara_exp.config.schema import Config
from zantara_exp.cost.prices import Listed, price_of, priced_models

if TYPE_CHECKING:
    import ibis.expr.types as ir

SHOWN = 15


@dataclass(frozen=True)
class Offer:
    """One model's bill for a request of this traffic."""

    model: str
    provider: str
    usd: float
    """A request, on average."""
    in_log: bool
    """Whether it answered some of it."""


@dataclass(frozen=True)
class Market:
    """What there is, the cheapest first."""

    day: date
    """Whose prices these are."""
    offers: Sequence[Offer]

    @property
    def providers(self) -> list[str]:
        """Whose models answer in this log."""
        return sorted({offer.provider for offer in self.offers if offer.in_log})

    @property
    def shown(self) -> list[Offer]:
        """The cheapest, and those in the log."""
        return [offer for place, offer in enumerate(self.offers) if place < SHOWN or offer.in_log]

    def cheaper(self, usd: float) -> Offer | None:
        """The cheapest model of those who answer today, where it takes less than this for a request."""
        own = (offer for offer in self.offers if offer.provider in self.providers)
        return next((offer for offer in own if offer.usd < usd), None)


def market(facts: ir.Table, models: Iterable[str], config: Config, day: date) -> Market | None:
    """For the moved segment of `facts`, whose primaries are `models`; None where no token was counted."""
    moved = facts.filter(facts.category.isin(config.rollout.categories))
    known = priced_models(config.cost, day)
    mine = [price for name in models if (price := price_of(name, config.cost, day)) is not None]
    listed = {(price.provider, price.model): price for price in [*known, *mine]}
    starts = sorted({start for price in listed.values() for start, _ in price.tiers[1:]})
    brackets = _brackets(moved, starts)
    requests = sum(bracket.requests for bracket in brackets)
    if not requests:
        return None
    used = {(price.provider, price.model) for price in mine}
    offers = [
        Offer(price.model, price.provider, _usd(price, brackets, starts) / requests, key in used)
        for key, price in listed.items()
    ]
    # Sums of floats differ in their last digits from run to run, and the order of equals must not.
    return Market(day, sorted(offers, key=lambda offer: (float(f"{offer.usd:.9g}"), offer.model, offer.provider)))


@dataclass(frozen=True)
class _Bracket:
    """Requests that read more tokens than the first `beyond` of the starts of tiers, and their tokens."""

    beyond: int
    requests: int
    tokens: dict[str, float]


def _brackets(moved: ir.Table, starts: Sequence[int]) -> list[_Bracket]:
    import ibis

    counted = moved.filter(moved.primary_usage_input.notnull() & moved.primary_usage_output.notnull())
    read = tokens_read(counted, "primary")
    beyond = reduce(add, ((read > start).cast("int64") for start in starts), ibis.literal(0))
    rows = counted.mutate(beyond=beyond)
    sums = {part: rows[f"primary_usage_{part}"].fill_null(0.0).sum() for part in USAGE}
    found = fetched(rows.group_by("beyond").agg(requests=rows.count(), **sums)).to_pylist()
    return [_Bracket(int(row["beyond"]), row["requests"], {part: row[part] for part in USAGE}) for row in found]


def _usd(price: Listed, brackets: Sequence[_Bracket], starts: Sequence[int]) -> float:
    least = [0, *(start + 1 for start in starts)]
    return sum(float(price.rate(least[each.beyond]).usd(each.tokens)) for each in brackets)
