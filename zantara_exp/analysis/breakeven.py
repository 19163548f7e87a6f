"""From how many requests a month on the candidate is cheaper: what it costs as a function of the volume.

What is paid by the month is spread over the requests; what an answer takes of its own, and what the primary takes for
requests that the candidate failed, does not depend on how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from zantara_exp.analysis import cost
from zantara_exp.analysis.engine import fetched
from zantara_exp.config.schema import Config
from zantara_exp.cost import billing

if TYPE_CHECKING:
    import ibis.expr.types as ir

_FACTORS = (0.0, 1 / 16, 1 / 4, 1.0, 4.0, 16.0)
"""Shares of the monthly fee a request at which the cost is measured, against the judged one; between them is linear."""

_ROUNDED = 1e-9
"""Share of a cost by which two sums of the same prices may differ."""


@dataclass(frozen=True)
class Curve:
    """Cost of a request of the moved segment against requests a month, in US dollars."""

    primary: float
    monthly: float
    """What the candidate takes a month, whatever is asked."""
    points: tuple[tuple[float, float], ...]
    """A request's share of that, from 0 on, and the candidate's cost of a request."""

    def candidate(self, requests: float) -> float:
        """The candidate's cost of a request, at so many requests a month."""
        share = self.monthly / requests
        (x0, y0), (x1, y1) = next((pair for pair in self._pieces() if share <= pair[1][0]), self._pieces()[-1])
        return y0 + (y1 - y0) * (share - x0) / (x1 - x0) if x1 > x0 else y0

    def saved(self, requests: float) -> float:
        """Share of the primary's cost that is saved."""
        return 1.0 - self.candidate(requests) / self.primary

    @property
    def cheaper_always(self) -> bool:
        """Whether it costs less at any volume."""
        return not self.monthly and self.points[0][1] < self.primary

    @property
    def break_even(self) -> float | None:
        """Requests a month above which the candidate costs less; None where no volume is the one."""
        if not self.monthly or self.primary - self.points[0][1] <= _ROUNDED * self.primary:
            return None
        pieces = self._pieces()
        (x0, y0), (x1, y1) = next((pair for pair in pieces if pair[1][1] >= self.primary), pieces[-1])
        return self.monthly / (x0 + (self.primary - y0) * (x1 - x0) / (y1 - y0)) if y1 > y0 else None

    def _pieces(self) -> list[tuple[tuple[float, float], tuple[float, float]]]:
        return list(pairwise(self.points)) or [(self.points[0], self.points[0])]


def curve(facts: ir.Table, primary: float | None, config: Config) -> Curve | None:
    """For the moved segment of `facts`, at `config`'s volume and around it; None where a cost is not known."""
    each, monthly = (
        billing.usd_per_request(config.endpoint, config.cost),
        billing.usd_per_month(config.endpoint, config.cost),
    )
    shares = [factor * each for factor in _FACTORS] if each else [0.0]
    moved = facts.filter(facts.category.isin(config.rollout.categories))
    table = cost.with_primary_usd(moved, config.cost)
    means = {f"at_{place}": cost.candidate_usd(table, config, share).mean() for place, share in enumerate(shares)}
    found = list(fetched(table.agg(**means)).to_pylist()[0].values())
    if not primary or any(value is None for value in found):
        return None
    return Curve(primary, monthly, tuple(zip(shares, found, strict=True)))
