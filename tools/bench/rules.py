"""The rules that `scripts/bench gates` compares the gate with: what a team might look at daily.

Each rule answers, for every rollout and day, whether a look would say GO, given a horizon of 14 or 60 daily looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, ndtr

from tools.bench import spending
from tools.bench.shipped import ALPHA, P0
from zantara_exp.gates import intervals
from zantara_exp.gates.user_visits import Flags, Floats, Visits


@dataclass(frozen=True)
class Seen:
    """Simulated rollouts, and what the classical rules need of them."""

    at: Visits
    good: Floats

    @cached_property
    def requests(self) -> Floats:
        """Requests so far."""
        return self.at.by_day(self.at.trials)

    @cached_property
    def successes(self) -> Floats:
        """Successes so far."""
        return self.at.by_day(self.good)

    @cached_property
    def p_value(self) -> Floats:
        """Of the exact binomial test on all requests so far."""
        failures = self.requests - self.successes
        return np.exp(-intervals.exact_log_evidence_go(self.successes, failures, P0))

    @cached_property
    def z_score(self) -> Floats:
        """Of the score test on all requests so far."""
        n = np.maximum(self.requests, 1.0)
        return (self.successes - n * P0) / np.sqrt(n * P0 * (1.0 - P0))

    @cached_property
    def z_cluster_robust(self) -> Floats:
        """Wald test with the cluster-robust standard error; the binomial one at p0 before a failure is seen."""
        n = np.maximum(self.requests, 1.0)
        share = self.successes / n
        m, s = self.at.seen, self.at.so_far(self.good)
        ss, sm, mm = (self.at.summed(product) for product in (s * s, s * m, m * m))
        robust = np.maximum(ss - 2 * share * sm + share**2 * mm, 0.0) / n**2
        return (share - P0) / np.sqrt(np.where(robust > 1e-12, robust, P0 * (1.0 - P0) / n))


Decides = Callable[[Seen, int], Flags]


def _rolling(seen: Seen, horizon: int) -> Flags:
    def last_week(total: Floats) -> Floats:
        return total - np.pad(total, ((0, 0), (7, 0)))[:, : total.shape[1]]

    n, s = last_week(seen.requests), last_week(seen.successes)
    return (n >= 500) & (s > P0 * n)


def _daily_exact(seen: Seen, horizon: int) -> Flags:
    return seen.p_value <= ALPHA


def _bonferroni(seen: Seen, horizon: int) -> Flags:
    return seen.p_value <= ALPHA / horizon


@cache
def _levels(boundary: Callable[[float, int], Floats], horizon: int, days: int) -> Floats:
    """Nominal level at each look, none after the horizon."""
    levels = np.zeros(days)
    levels[:horizon] = 1.0 - ndtr(boundary(ALPHA, horizon))
    return levels


def _spending(boundary: Callable[[float, int], Floats], z_of: Callable[[Seen], Floats]) -> Decides:
    def decides(seen: Seen, horizon: int) -> Flags:
        return np.asarray(ndtr(-z_of(seen)) <= _levels(boundary, horizon, seen.at.days))

    return decides


def closed_form_evidence(good: ArrayLike, bad: ArrayLike, p0: float, a: float = 1, b: float = 1) -> Floats:
    """Log evidence for GO of another mixture, a beta(a, b) prior cut off below p0: a cross-check."""
    from scipy.stats import beta  # slow to import, and used in cross-checks only

    s, f = np.asarray(good, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    likelihood = betaln(a + s, b + f) - betaln(a, b) - s * np.log(p0) - f * np.log1p(-p0)
    return np.asarray(likelihood + beta.logsf(p0, a + s, b + f) - beta.logsf(p0, a, b))


def _request_e_process(seen: Seen, horizon: int) -> Flags:
    counts = seen.successes, seen.requests - seen.successes
    return np.asarray(closed_form_evidence(*counts, P0) >= -np.log(ALPHA))


CLASSICAL: dict[str, Decides] = {
    "rolling 7-day point estimate, n >= 500": _rolling,
    "exact binomial at 5 %, every day": _daily_exact,
    "Bonferroni over the looks": _bonferroni,
    "Lan-DeMets spending, O'Brien-Fleming": _spending(spending.lan_demets_obrien_fleming, lambda seen: seen.z_score),
    "Lan-DeMets spending, Pocock": _spending(spending.lan_demets_pocock, lambda seen: seen.z_score),
    "cluster-robust Wald, O'Brien-Fleming spending": _spending(
        spending.lan_demets_obrien_fleming, lambda seen: seen.z_cluster_robust
    ),
    "beta-binomial e-process on requests": _request_e_process,
}
