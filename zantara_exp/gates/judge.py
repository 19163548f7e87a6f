"""One look at one criterion's users: estimate, bounds and evidence, whatever the kind and method.

Every judge answers for the users as they are, or as they may become (`Outlook`): so the days to a decision are
forecast by the code that decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from zantara_exp.config.gate import Threshold
from zantara_exp.gates import eprocess, intervals
from zantara_exp.gates.detector import detector_path
from zantara_exp.gates.rules import Rule
from zantara_exp.gates.users import Users


@dataclass(frozen=True)
class Judged:
    """What a look saw, in the metric's own direction and unit."""

    estimate: float
    lower: float
    """Lower bound, at the level of the decision it serves; -inf where there is none."""
    upper: float
    effective: float
    """Effective sample: requests after weighing users, or users."""
    log_go: float = 0.0
    log_no_go: float = 0.0


@dataclass(frozen=True)
class Outlook:
    """The same users multiplied, and a little worse or better than they looked."""

    growth: float = 1.0
    """How many times as many users."""
    shift: float = 0.0
    """Added to the share of bad requests; for means and ratios, standard errors added to the estimate."""
    bounds: bool = True
    """Whether bounds are wanted; a forecast needs only the evidence."""


NOW = Outlook()


def judge(rule: Rule, users: Users, lost: float = 0.0, outlook: Outlook = NOW) -> Judged:
    """Judge at least one user; requests `lost` count as failures for GO and as successes for NO-GO."""
    kind, method = rule.criterion.kind, rule.criterion.method
    if kind in ("mean", "ratio"):
        return _judge_amount(rule, users, outlook)
    if kind == "non_inferiority":
        return _judge_difference(rule, users, lost, outlook)
    if method == "detector":
        return _judge_detector(rule, users)
    if method == "strict":
        return _judge_strict(rule, users, lost, outlook)
    return _judge_share(rule, users, lost, outlook)


def _judge_share(rule: Rule, users: Users, lost: float, outlook: Outlook) -> Judged:
    good, bad = good_and_bad(rule, users, outlook)
    lost *= outlook.growth
    exact = rule.criterion.method == "exact"
    p_go, p_no_go, level = rule.p0_go, rule.p0_no_go, rule.level_upper
    lower, upper, log_go, log_no_go = 0.0, 1.0, 0.0, 0.0
    if outlook.bounds:
        lower_of, upper_of = (
            (intervals.exact_lower, intervals.exact_upper) if exact else (eprocess.lower_bound, eprocess.upper_bound)
        )
        lower = float(lower_of(good, bad + lost, rule.alpha))
        upper = float(upper_of(good + lost, bad, level))
    if p_go:
        evidence = intervals.exact_log_evidence_go if exact else eprocess.log_evidence_go
        log_go = float(evidence(good, bad + lost, p_go))
    if p_no_go:
        evidence = intervals.exact_log_evidence_no_go if exact else eprocess.log_evidence_no_go
        log_no_go = float(evidence(good + lost, bad, p_no_go))
    estimate = good / (good + bad) if good + bad > 0 else 0.5
    return _shown(rule, Judged(estimate, lower, upper, good + bad, log_go, log_no_go))


def _shown(rule: Rule, judged: Judged) -> Judged:
    """A share of good requests as a share of what the metric counts."""
    if not rule.flipped:
        return judged
    turned = 1 - judged.estimate, 1 - judged.upper, 1 - judged.lower
    return Judged(*turned, judged.effective, judged.log_go, judged.log_no_go)


def _as_trials(rule: Rule, users: Users) -> tuple[eprocess.Floats, eprocess.Floats]:
    """Trials and good ones per user; for pairs only the discordant count."""
    if rule.criterion.kind == "paired":
        trials, wins = users.total + _other(users), users.total
    else:
        trials, wins = users.trials, users.total
    return trials, trials - wins if rule.flipped else wins


def good_and_bad(rule: Rule, users: Users, outlook: Outlook = NOW) -> tuple[float, float]:
    """Effective good and bad requests."""
    counts = eprocess.weighted_counts(*_as_trials(rule, users), rule.rho0)
    total = float(counts.good + counts.bad)
    bad = min(max(float(counts.bad) + outlook.shift * total, 0.0), total)
    return (total - bad) * outlook.growth, bad * outlook.growth


def _judge_strict(rule: Rule, users: Users, lost: float, outlook: Outlook) -> Judged:
    trials, good = _as_trials(rule, users)
    shares = np.clip(good / trials - outlook.shift, 0.0, 1.0)
    values, counts = np.unique(shares, return_counts=True)
    worst, best = np.append(values, 0.0), np.append(values, 1.0)
    # Lost requests belong to nobody: at worst each was another user's whole experience.
    weights = np.append(counts, lost) * outlook.growth
    p_go, p_no_go = rule.p0_go, rule.p0_no_go
    judged = Judged(
        estimate=float(shares.mean()),
        lower=eprocess.strict_lower_bound(worst, rule.alpha, weights) if outlook.bounds else 0.0,
        upper=eprocess.strict_upper_bound(best, rule.level_upper, weights) if outlook.bounds else 1.0,
        effective=shares.size * outlook.growth,
        log_go=eprocess.strict_evidence_go(worst, p_go, weights) if p_go else 0.0,
        log_no_go=eprocess.strict_evidence_no_go(best, p_no_go, weights) if p_no_go else 0.0,
    )
    return _shown(rule, judged)


def _judge_detector(rule: Rule, users: Users) -> Judged:
    trials, good = _as_trials(rule, users)
    shares = good / trials
    p0 = rule.p0_no_go
    highest = float(detector_path(shares, p0).max()) if p0 else 0.0
    return _shown(rule, Judged(float(shares.mean()), -math.inf, math.inf, shares.size, 0.0, highest))


def _judge_amount(rule: Rule, users: Users, outlook: Outlook) -> Judged:
    """A mean per request, or savings 1 - total/baseline."""
    c, n = rule.criterion, users.count * outlook.growth
    radius = intervals.student_radius if c.method == "exact" else intervals.sequence_radius
    below, above = (rule.alpha, rule.level_upper) if _upwards(rule) else (rule.level_upper, rule.alpha)
    if c.kind == "ratio":
        baseline = _other(users)
        estimate = 1.0 - float(users.total.sum() / baseline.sum()) if baseline.sum() > 0 else math.nan
        lower = intervals.fieller(users.total, baseline, radius(n, below), outlook.growth)[0]
        upper = intervals.fieller(users.total, baseline, radius(n, above), outlook.growth)[1]
    else:
        weights = eprocess.user_weights(users.trials, rule.rho0)
        estimate, error = intervals.cluster_mean(weights, users.total / users.trials)
        error /= math.sqrt(outlook.growth)
        lower, upper = estimate - radius(n, below) * error, estimate + radius(n, above) * error
    log_go = _amount_evidence(rule, users, c.go, rule.alpha, outlook)
    log_no_go = _amount_evidence(rule, users, c.no_go, rule.alpha_no_go, outlook)
    return Judged(estimate, lower, upper, n, log_go, log_no_go)


def _amount_evidence(rule: Rule, users: Users, bound: Threshold, level: float, outlook: Outlook) -> float:
    if not bound.given:
        return 0.0
    z = (_distance(rule, users, bound.value) + outlook.shift) * math.sqrt(outlook.growth)
    z = z if bound.upwards else -z
    n = users.count * outlook.growth
    if rule.criterion.method == "exact":
        return intervals.student_log_evidence(z, n)
    return intervals.sequence_log_evidence(z, n, level)


def _other(users: Users) -> eprocess.Floats:
    return np.zeros_like(users.total) if users.baseline is None else users.baseline


def _upwards(rule: Rule) -> bool:
    c = rule.criterion
    return c.go.upwards if c.go.given else not c.no_go.upwards


def _distance(rule: Rule, users: Users, threshold: float) -> float:
    """How many cluster-robust standard errors the metric lies above the threshold: free of the unit."""
    if rule.criterion.kind == "ratio":
        gains = (1.0 - threshold) * _other(users) - users.total
        gap, error = intervals.cluster_mean(np.ones(users.count), gains)
    else:
        weights = eprocess.user_weights(users.trials, rule.rho0)
        mean, error = intervals.cluster_mean(weights, users.total / users.trials)
        gap = mean - threshold
    if error == 0.0 or math.isinf(error):
        return math.copysign(math.inf, gap) if error == 0.0 and gap else 0.0
    return gap / error


def _judge_difference(rule: Rule, users: Users, lost: float, outlook: Outlook) -> Judged:
    """The candidate's share less the baseline's: the baseline's bound at alpha/2, shifted by the margin, is p0."""
    c, control = rule.criterion, users.control or Users(np.zeros(0), np.zeros(0))
    good, bad = good_and_bad(rule, users, outlook)
    base_good, base_bad = good_and_bad(rule, control, replace(outlook, shift=0.0))
    lost *= outlook.growth
    floor = float(eprocess.lower_bound(base_good, base_bad, rule.alpha_no_go))
    ceiling = float(eprocess.upper_bound(base_good, base_bad, rule.alpha))
    sign = -1.0 if rule.flipped else 1.0
    log_go = log_no_go = 0.0
    if c.go.given and 0 < (p0 := ceiling + sign * c.go.value - c.margin) < 1:
        log_go = float(eprocess.log_evidence_go(good, bad + lost, p0))
    if c.no_go.given and 0 < (p0 := floor + sign * c.no_go.value - c.margin) < 1:
        log_no_go = float(eprocess.log_evidence_no_go(good + lost, bad, p0))
    lower = float(eprocess.lower_bound(good, bad + lost, rule.alpha)) - ceiling
    upper = float(eprocess.upper_bound(good + lost, bad, rule.alpha_no_go)) - floor
    sizes = good + bad, base_good + base_bad
    estimate = good / sizes[0] - base_good / sizes[1] if min(sizes) > 0 else 0.0
    if rule.flipped:
        estimate, lower, upper = -estimate, -upper, -lower
    return Judged(estimate, lower, upper, min(sizes), log_go, log_no_go)
