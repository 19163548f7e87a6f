"""Decides simulated rollouts by a gate's own rules, all looks of all rollouts at once.

What `clustered.decide_users` does for one look at one rollout: evidence, minimum users, the veto window, and NO-GO in
declared segments, as arrays of (simulations, days). Simulated requests are never lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates import eprocess, paths
from zantara_exp.gates.detector import detector_path
from zantara_exp.gates.draw import Drawn
from zantara_exp.gates.paths import Floats, Ints
from zantara_exp.gates.rules import Rule

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Outcomes:
    """For each rollout and day: whether a look passes the criterion, and whether it ends in NO-GO."""

    passes: Flags
    fails: Flags


def decide_paths(rule: Rule, drawn: Drawn, horizon: int, segments: Sequence[Ints] = ()) -> Outcomes:
    """Decide one criterion on every day of every rollout.

    `segments` gives each user's segment, one array per declared dimension; `horizon` is the day (from 1) of the last
    planned look of a method that may look only so often.
    """
    c = rule.criterion
    log_go, log_no_go, users = evidence_paths(rule, drawn)
    fails = _fails(rule, log_no_go, users)
    passes = users >= max(rule.min_users, 1)
    if c.go.given:
        passes &= log_go >= rule.needed_go
        passes &= _window_agrees(rule, drawn)
    for codes in segments if c.no_go.given and rule.segments else ():
        parts = int(codes.max(initial=0)) + 1
        _, against, some = evidence_paths(rule, drawn.split(codes, parts))
        fails |= _fails(rule, against, some).reshape(-1, parts, drawn.at.days).any(axis=1)
    if c.method == "exact":
        passes, fails = (_at_looks(flags, horizon, c.looks) for flags in (passes, fails))
    return Outcomes(passes & ~fails, fails)


def decide_reviews(
    rule: Rule, value: float, size: int, simulations: int, days: int, rng: np.random.Generator
) -> Outcomes:
    """The one look of a human review of `size` pairs, `value` of them equivalent or better in truth."""
    good = rng.binomial(size, value, simulations).astype(np.float64)
    counts, none = eprocess.Counts(good, size - good), np.zeros(simulations)
    log_go = paths.exact_log_evidence(counts, rule.p0_go, "go") if rule.p0_go else none
    log_no_go = paths.exact_log_evidence(counts, rule.p0_no_go, "no_go") if rule.p0_no_go else none
    fails = log_no_go >= rule.needed_no_go
    enough = size >= rule.min_users
    passes = ~fails & enough & ((log_go >= rule.needed_go) | (not rule.criterion.go.given))
    return Outcomes(*(np.repeat(flags[:, None], days, axis=1) for flags in (passes, fails)))


def _fails(rule: Rule, log_no_go: Floats, users: Ints) -> Flags:
    if not rule.criterion.no_go.given:
        return np.zeros(log_no_go.shape, dtype=bool)
    return (users >= rule.min_users_no_go) & (log_no_go >= rule.needed_no_go)


def _at_looks(flags: Flags, horizon: int, looks: int) -> Flags:
    """What was seen at the planned looks, evenly spaced up to the horizon, stands until the next."""
    seen = np.zeros_like(flags)
    for look in range(1, looks + 1):
        day = min(max(1, round(horizon * look / looks)), flags.shape[1]) - 1
        seen[:, day:] = flags[:, day, None]
    return seen


def evidence_paths(rule: Rule, drawn: Drawn) -> tuple[Floats, Floats, Ints]:
    """Log evidence for GO and for NO-GO, and distinct users, as `judge` has them at each look."""
    kind, method, at = rule.criterion.kind, rule.criterion.method, drawn.at
    if kind in ("mean", "ratio"):
        return _amount(rule, drawn)
    if kind == "non_inferiority":
        return _difference(rule, drawn)
    if method == "detector":
        return _detector(rule, drawn)
    good = drawn.counted - drawn.total if rule.flipped else drawn.total
    beyond = good if drawn.beyond is None else drawn.beyond
    if method == "strict":
        return _strict(rule, drawn, good, beyond)
    counts = paths.weighted(at, drawn.counted, good, rule.rho0)
    other = counts if beyond is good else paths.weighted(at, drawn.counted, beyond, rule.rho0)
    none = np.zeros((at.simulations, at.days))
    if method == "exact":
        log_go = paths.exact_log_evidence(counts, rule.p0_go, "go") if rule.p0_go else none
        log_no_go = paths.exact_log_evidence(other, rule.p0_no_go, "no_go") if rule.p0_no_go else none
    else:
        log_go = eprocess.log_evidence_go(counts.good, counts.bad, rule.p0_go) if rule.p0_go else none
        log_no_go = eprocess.log_evidence_no_go(other.good, other.bad, rule.p0_no_go) if rule.p0_no_go else none
    return log_go, log_no_go, paths.users_seen(at)


def _strict(rule: Rule, drawn: Drawn, good: Floats, beyond: Floats) -> tuple[Floats, Floats, Ints]:
    at, width = drawn.at, rule.criterion.first_days
    cells, shares = paths.first_days(at, good, width)
    none = np.zeros((at.simulations, at.days))
    log_go = paths.strict_log_evidence(at, cells, shares, rule.p0_go, "go") if rule.p0_go else none
    log_no_go = none
    if rule.p0_no_go:
        shares = paths.first_days(at, beyond, width)[1]
        log_no_go = paths.strict_log_evidence(at, cells, shares, rule.p0_no_go, "no_go")
    return log_go, log_no_go, paths.complete_users(at, cells)


def _detector(rule: Rule, drawn: Drawn) -> tuple[Floats, Floats, Ints]:
    """Users are observed once each, by their first day; the highest value so far is what alarms."""
    at = drawn.at
    good = drawn.counted - drawn.total if rule.flipped else drawn.total
    start = at.day[at.first]
    order = np.lexsort((start, at.owner))
    first_share = (good[at.first] / drawn.counted[at.first])[order]
    seen = np.bincount(at.owner, minlength=at.simulations)
    place = np.arange(order.size) - np.repeat(np.cumsum(seen) - seen, seen)
    shares = np.ones((at.simulations, int(seen.max(initial=1))))
    shares[at.owner[order], place] = first_share
    highest = np.maximum.accumulate(detector_path(shares, rule.p0_no_go or 0.5), axis=1)
    users = paths.users_seen(at)
    last = np.maximum(users - 1, 0)
    log_no_go = np.where(users > 0, np.take_along_axis(highest, last, axis=1), 0.0)
    return np.zeros(log_no_go.shape), log_no_go, users


def _amount(rule: Rule, drawn: Drawn) -> tuple[Floats, Floats, Ints]:
    c, at, users = rule.criterion, drawn.at, paths.users_seen(drawn.at)

    def evidence(threshold: float, upwards: bool, level: float) -> Floats:
        if drawn.baseline is not None:
            gains = at.so_far((1.0 - threshold) * drawn.baseline - drawn.total)
            z = paths.distance(at, np.ones(at.trials.size), gains, 0.0)
        else:
            z = paths.mean_distance(at, drawn.total, threshold, rule.rho0)
        z = z if upwards else -z
        if c.method == "exact":
            return paths.student_log_evidence(z, users)
        return paths.sequence_log_evidence(z, users, level)

    none = np.zeros(users.shape)
    log_go = evidence(c.go.value, c.go.upwards, rule.alpha) if c.go.given else none
    log_no_go = evidence(c.no_go.value, c.no_go.upwards, rule.alpha_no_go) if c.no_go.given else none
    return log_go, log_no_go, users


def _difference(rule: Rule, drawn: Drawn) -> tuple[Floats, Floats, Ints]:
    """The baseline's bound, shifted by the margin, is what the candidate must beat or fall short of."""
    c, control = rule.criterion, drawn.control
    assert control is not None  # noqa: S101  draw() always gives one
    sides = [paths.weighted(d.at, d.counted, d.counted - d.total if rule.flipped else d.total, rule.rho0)
             for d in (drawn, control)]  # fmt: skip
    sign = -1.0 if rule.flipped else 1.0
    users = np.minimum(paths.users_seen(control.at), paths.users_seen(drawn.at))
    log_go = log_no_go = np.zeros(users.shape)
    if c.go.given:
        p0 = eprocess.upper_bound(*sides[1], rule.alpha) + sign * c.go.value - c.margin
        log_go = _within(eprocess.log_evidence_go(*sides[0], np.clip(p0, 1e-9, 1 - 1e-9)), p0)
    if c.no_go.given:
        p0 = eprocess.lower_bound(*sides[1], rule.alpha_no_go) + sign * c.no_go.value - c.margin
        log_no_go = _within(eprocess.log_evidence_no_go(*sides[0], np.clip(p0, 1e-9, 1 - 1e-9)), p0)
    return log_go, log_no_go, users


def _within(evidence: Floats, p0: Floats) -> Floats:
    return np.where((p0 > 0) & (p0 < 1), evidence, 0.0)


def _window_agrees(rule: Rule, drawn: Drawn) -> Flags | bool:
    """The veto of the last days, as `clustered` computes it."""
    c = rule.criterion
    if c.window is None:
        return True
    at, total = paths.last_days(drawn.at, drawn.total, int(c.window.rstrip("d")))
    m, s = at.seen, at.so_far(total)
    users = paths.summed(at, (m > 0.5).astype(np.float64))
    if c.kind == "ratio" and drawn.baseline is not None:
        _, baseline = paths.last_days(drawn.at, drawn.baseline, int(c.window.rstrip("d")))
        top, below = paths.summed(at, s), paths.summed(at, at.so_far(baseline))
        estimate = 1.0 - top / np.maximum(below, 1e-300)
    else:
        weights = eprocess.user_weights(np.maximum(m, 0.0), rule.rho0)
        share = np.divide(s, m, out=np.zeros_like(m), where=m > 0.5)
        top, below = paths.summed(at, weights * share), paths.summed(at, weights)
        estimate = top / np.maximum(below, 1e-300)
    bound = c.quantile if c.kind == "quantile" else c.go.value
    beyond = estimate > bound if c.go.upwards or c.kind == "quantile" else estimate < bound
    return beyond & (users >= c.window_min_users - 0.5)
