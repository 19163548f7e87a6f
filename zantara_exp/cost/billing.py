"""How an endpoint is paid, declared as `endpoint.billing`.

flat      `cost.candidate_monthly_eur` a month, whatever is asked
tokens    by the price of its model (`zantara_exp.cost.prices`)
seconds   of a worker of `endpoint.gpu`, as the job reports them: execution, delay (a cold start is paid for) and idle;
          `endpoint.minimum_workers` are paid for all month, and their seconds are not paid for again
hours     `endpoint.machines` of `endpoint.gpu`, all month

What is paid by the month is spread over `cost.monthly_requests`. A bill is written by the declared number; money is
judged by what `zantara_exp.analysis.volume` makes of it, which stands in its place (`another_volume`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from zantara_exp.config.decision import Cost
from zantara_exp.config.traffic import Endpoint
from zantara_exp.core.errors import ConfigError
from zantara_exp.cost.prices import charge_by_tokens
from zantara_exp.cost.usage import Billed, Usage

DAYS_A_MONTH = 365.25 / 12
HOURS_A_MONTH = DAYS_A_MONTH * 24
FLAT, TOKENS, SECONDS, HOURS = "flat", "tokens", "seconds", "hours"


def flat_usd_per_request(cost: Cost) -> float:
    """A request's share of the flat fee, in US dollars."""
    return cost.candidate_monthly_eur * cost.eur_usd / cost.monthly_requests


def usd_per_month(endpoint: Endpoint, cost: Cost) -> float:
    """What is paid whatever is asked, in US dollars."""
    if endpoint.billing == FLAT:
        return cost.candidate_monthly_eur * cost.eur_usd
    machines = {SECONDS: endpoint.minimum_workers, HOURS: endpoint.machines}.get(endpoint.billing, 0)
    return machines * HOURS_A_MONTH * usd_per_hour(endpoint, cost) if machines else 0.0


def usd_per_request(endpoint: Endpoint, cost: Cost) -> float:
    """A request's share of what is paid whatever is asked."""
    return usd_per_month(endpoint, cost) / cost.monthly_requests


def usd_per_hour(endpoint: Endpoint, cost: Cost) -> float:
    """The price of the endpoint's machine. Raises ConfigError where it is not declared."""
    price = cost.gpu_usd_hour.get(endpoint.gpu or "")
    if price is None:
        raise ConfigError(
            f"endpoint.billing={endpoint.billing} of {endpoint.name}: endpoint.gpu={endpoint.gpu} has no price "
            f"(cost.gpu_usd_hour has {', '.join(sorted(cost.gpu_usd_hour)) or 'none'})",
            "'+cost.gpu_usd_hour={L4: 0.68}' endpoint.gpu=L4, with what your provider takes",
        )
    return price


def bill(
    endpoint: Endpoint, cost: Cost, model: str, usage: Usage, seconds: float | None, day: date, counted: bool
) -> Billed:
    """What one call costs. `counted`: it answered, or began to; of another failure only the seconds are known."""
    if endpoint.billing == SECONDS:
        return _by_seconds(endpoint, cost, seconds)
    if not counted:
        return Billed(seconds=seconds)
    if endpoint.billing == TOKENS:
        return charge_by_tokens(model, usage, cost, day) or Billed()
    return Billed(usd_per_request(endpoint, cost), _basis(endpoint, cost), seconds=seconds)


def another_volume(endpoint: Endpoint, cost: Cost, monthly_requests: int) -> Callable[[float], float]:
    """From what an answer of the candidate is billed by the declared volume to what it is by another; US dollars."""
    declared, other = usd_per_request(endpoint, cost), usd_per_month(endpoint, cost) / monthly_requests
    if endpoint.billing == SECONDS:  # a share of the machines that are always on is the least an answer takes
        return lambda usd: max(usd, other)
    return lambda usd: usd + other - declared


def together(bills: Sequence[Billed]) -> Billed:
    """Of several calls for one answer: each is paid. Unknown where the last one's, which answered, is."""
    if len(bills) == 1 or bills[-1].usd is None:
        return bills[-1]
    paid = [each for each in bills if each.usd is not None]
    seconds = [each.seconds for each in bills if each.seconds is not None]
    return Billed(
        sum(each.usd or 0.0 for each in paid),
        " + ".join(each.basis for each in paid if each.basis),
        bills[-1].price_date,
        sum(seconds) if seconds else None,
    )


def _by_seconds(endpoint: Endpoint, cost: Cost, seconds: float | None) -> Billed:
    if seconds is None:
        return Billed()
    price = usd_per_hour(endpoint, cost)
    usd = max(seconds * price / 3600, usd_per_request(endpoint, cost))
    return Billed(usd, f"{seconds:g} s of {endpoint.gpu} at USD {price:g} an hour", seconds=seconds)


def _basis(endpoint: Endpoint, cost: Cost) -> str:
    paid = f"EUR {cost.candidate_monthly_eur:g} a month"
    if endpoint.billing == HOURS:
        paid = f"{endpoint.machines} x {endpoint.gpu} at USD {usd_per_hour(endpoint, cost):g} an hour all month"
    return f"{paid} over {cost.monthly_requests} requests"
