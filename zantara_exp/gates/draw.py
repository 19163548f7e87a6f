"""What a criterion measures on simulated traffic, if the truth were a given value.

    at = visits(traffic, days=60, simulations=500, rng)
    drawn = draw(rule, 0.98, at, traffic, rng)        # success at exactly 98 %

A truth is in the metric's own unit, as `expected` is: a share, a latency, the savings, the difference to a baseline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from zantara_exp.config.gate import Threshold, Traffic
from zantara_exp.gates.population import Floats, Ints, Visits, amounts, probabilities, successes, visits
from zantara_exp.gates.rules import Rule


@dataclass(frozen=True)
class Drawn:
    """One criterion's measurements, per row of `at`."""

    at: Visits
    counted: Floats
    """Requests that count: all, or the discordant ones of a paired comparison."""
    total: Floats
    """How many of them the metric counts; for means and ratios the sum of the values."""
    baseline: Floats | None = None
    """For ratios: the other arm's sum."""
    beyond: Floats | None = None
    """For quantiles: those under the limit of no_go, where that is another."""
    control: Drawn | None = None
    """For non-inferiority: other users, of the baseline."""

    def split(self, part: Ints, parts: int) -> Drawn:
        """The same measurements of users in `parts` rollouts for each one."""
        return replace(self, at=self.at.split(part, parts))


def draw(rule: Rule, value: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Drawn:
    """Measurements of `rule`'s metric on the traffic `at`, with the truth `value` in the metric's unit."""
    kind = rule.criterion.kind
    if kind == "mean":
        return Drawn(at, at.trials, amounts(at, value, traffic, rng))
    if kind == "ratio":
        # The candidate's cost is a flat fee spread over requests; the primary's depends on the request.
        return Drawn(at, at.trials, (1.0 - value) * at.trials, baseline=amounts(at, 1.0, traffic, rng))
    if kind == "non_inferiority":
        return _with_control(rule, value, at, traffic, rng)
    if kind == "paired":
        differing = rng.binomial(at.trials.astype(np.int64), traffic.discordant).astype(np.float64)
        share = counted_share(rule, value, traffic)
        wins = successes(replace(at, trials=differing), probabilities(share, traffic, at.users, rng), rng)
        return Drawn(at, differing, wins)
    share = counted_share(rule, value, traffic)
    good = successes(at, probabilities(share, traffic, at.users, rng), rng)
    return Drawn(at, at.trials, good, beyond=_beyond(rule, value, share, at.trials - good, traffic, rng, good))


def _beyond(
    rule: Rule, value: float, share: float, bad: Floats, traffic: Traffic, rng: np.random.Generator, good: Floats
) -> Floats | None:
    """Requests under the looser limit of no_go: the good ones, and some of the others."""
    c = rule.criterion
    if c.kind != "quantile" or not c.no_go.given or not c.go.given or c.no_go.value == c.go.value:
        return None
    looser = share_under(c.no_go.value, value, c.quantile, traffic)
    return np.asarray(good + rng.binomial(bad.astype(np.int64), (looser - share) / (1.0 - share) if share < 1 else 1.0))


def _with_control(rule: Rule, value: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Drawn:
    """A concurrent baseline arm of the same size; `value` is the metric's difference to it."""
    usual = traffic.baseline_bad if rule.flipped else 1.0 - traffic.baseline_bad
    share = min(max(usual + value, 0.0), 1.0)
    other = visits(traffic, at.days, at.simulations, rng)
    good = successes(other, probabilities(usual, traffic, other.users, rng), rng)
    control = Drawn(other, other.trials, good)
    total = successes(at, probabilities(share, traffic, at.users, rng), rng)
    return Drawn(at, at.trials, total, control=control)


def counted_share(rule: Rule, value: float, traffic: Traffic) -> float:
    """The truth `value` as the share of requests that the metric counts: for a quantile, those under the limit."""
    c = rule.criterion
    if c.kind == "quantile":
        return share_under(c.go.value if c.go.given else c.no_go.value, value, c.quantile, traffic)
    return value


def share_under(limit: float, quantile_value: float, quantile: float, traffic: Traffic) -> float:
    """Share of requests at or under `limit` where the quantile lies at `quantile_value`: values are log-normal."""
    sigma = math.sqrt(math.log1p(traffic.variation**2))
    return float(ndtr(ndtri(quantile) + math.log(limit / quantile_value) / sigma))


def at_threshold(rule: Rule, bound: Threshold) -> float:
    """The truth exactly at a threshold, margin included."""
    c = rule.criterion
    if c.kind != "non_inferiority":
        return bound.value
    worse = -c.margin if rule.flipped is False else c.margin
    return bound.value + worse


def truths(rule: Rule) -> list[float]:
    """A grid of truths from bad to good, in the metric's unit: at the thresholds, beyond them, and as expected."""
    c = rule.criterion
    good = c.go.upwards if c.go.given else not c.no_go.upwards
    marks = [] if c.expected is None else [c.expected]
    if c.no_go.given:
        worse = (0.0, -1.0) if c.go.given else (0.5, 0.0, -1.0, -2.0)
        marks += [_beyond_threshold(rule, at_threshold(rule, c.no_go), part, good) for part in worse]
    if c.go.given:
        marks += [_beyond_threshold(rule, at_threshold(rule, c.go), part, good) for part in (0.0, 0.25, 0.5, 0.75, 0.9)]
    unique = sorted({float(f"{mark:.6g}") for mark in marks})
    return unique if good else unique[::-1]


def _beyond_threshold(rule: Rule, mark: float, part: float, good: bool) -> float:
    """For a share `part` of the way from a threshold to perfection, or that much beyond it on the bad side."""
    c = rule.criterion
    of_one = good and 0.0 < mark < 1.0  # such as the mean accuracy of tokens
    if c.kind == "quantile" or (c.kind == "mean" and not of_one):
        return mark * (1.0 + (0.4 if good else -0.4) * part)
    if c.kind == "non_inferiority":
        return mark + (2.0 if good else -2.0) * part * max(c.margin, 0.01)
    end = 1.0 if good else 0.0
    return min(max(mark + (end - mark) * part, 0.01), 0.999)
