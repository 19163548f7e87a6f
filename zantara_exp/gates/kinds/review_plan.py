"""What a review that is planned can show: exactly for labels alone, simulated where a judge counts beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from zantara_exp.config.gate import Traffic
from zantara_exp.gates import intervals
from zantara_exp.gates.kinds.kind import Rule
from zantara_exp.gates.kinds.labels import Right, at_looks, drawn, looks_of, of_go, planned_judge
from zantara_exp.gates.looks import crossed
from zantara_exp.gates.user_visits import Floats

_LARGEST = 2000
_JUDGES = {
    "guesses": Right(0.5, 0.5),
    "is right in 75 %": Right(0.75, 0.75),
    "in 85 %": Right(0.85, 0.85),
    "in 95 %": Right(0.95, 0.95),
    "always": Right(1.0, 1.0),
    "is lenient": Right(0.98, 0.4),
    "is strict": Right(0.6, 0.98),
    "is mostly wrong": Right(0.2, 0.2),
}
"""What `stage=check` measures false passes with."""
_SIMULATIONS, _SEED = 1000, 7
_SURE = 2.8
"""Standard errors that the worst of these judges must exceed alpha by: one sound gate in fifty would be blamed."""


def checked(rule: Rule, size: int) -> Iterator[tuple[str, bool, str]]:
    """Whether the answers planned can show what is asked, and how often they would by chance."""
    what, go = f"{rule.name}: {size} reviews can show it", rule.criterion.go
    if not go.given:
        yield what, True, "no go threshold"
        return
    looks, wanted = looks_of(rule.criterion, size), f"{100 * go.value:g} %"
    asked = of_go(rule, looks).needed
    if asked[-1] > looks[-1]:
        more = next(n for n in range(size, 100_000) if intervals.smallest_pass(n, go.value, rule.alpha) is not None)
        detail = f"{size} of {size} would not show more than {wanted} at alpha {rule.alpha:g}; {more} of {more} would"
        yield what, False, f"{detail}: raise review.size or lower the threshold"
        return
    counts = ", ".join(f"{count} of {look}" for count, look in zip(asked, looks, strict=True) if count <= look)
    yield what, True, f"{counts} show more than {wanted}; by chance {review_power(rule, go.value, size):.3f}"
    if rule.criterion.judge:
        yield _with_judges(rule, looks)


def _with_judges(rule: Rule, looks: tuple[int, ...]) -> tuple[str, bool, str]:
    """How often labels beside a judge's verdicts pass by chance, whatever the judge is like."""
    users, truth = Traffic().judged_users, rule.criterion.go.value
    shares = {name: _by_look(rule, looks, truth, right, users)[-1] for name, right in _JUDGES.items()}
    error = math.sqrt(rule.alpha * (1.0 - rule.alpha) / _SIMULATIONS)
    told = ", ".join(f"{name} {share:.3f}" for name, share in shares.items())
    sound = max(shares.values()) <= rule.alpha + _SURE * error
    return f"{rule.name}: false pass, with a judge", sound, f"who {told}; +- {error:.3f}, alpha {rule.alpha:g}"


def _by_look(rule: Rule, looks: tuple[int, ...], truth: float, right: Right | None, users: int) -> Floats:
    """The share of simulated reviews that have passed by each look."""
    labels = drawn(looks, truth, _SIMULATIONS, np.random.default_rng(_SEED), right, users)
    return np.asarray(at_looks(rule, labels, looks).passes.mean(axis=0))


def promise(rule: Rule, size: int, traffic: Traffic) -> str:
    """How likely the review shows what is expected; empty where nothing is."""
    truth = rule.criterion.expected
    if truth is None or not rule.criterion.go.given:
        return ""
    looks = looks_of(rule.criterion, size)
    if len(looks) > 1:
        alone = f"{rule.name}: shown by {_shares(looks, crossed(looks, of_go(rule, looks).needed, truth))}"
        right, given = planned_judge(rule, traffic), f"if {truth:g} are good"
        if right is None:
            return f"{alone} {given}"
        by = _shares(looks, _by_look(rule, looks, truth, right, traffic.judged_users))
        return f"{alone} {given}; with a judge right in {100 * right.of_good:g} % by {by}"
    more = reviews_needed(rule, truth, 0.8)
    enough = "" if more is None or more <= size else f", {more} with 80 %"
    share = f"{100 * review_power(rule, truth, size):.1f} %"
    return f"{rule.name}: {size} pairs show it with {share} if {truth:g} are good{enough}"


def _shares(looks: tuple[int, ...], by: Floats) -> str:
    return ", ".join(f"{look} with {100 * share:.0f} %" for look, share in zip(looks, by, strict=True))


def reviews_needed(rule: Rule, truth: float, probability: float) -> int | None:
    """Smallest review, in tens, that shows what `rule` asks for with that probability; None beyond 2,000 answers."""
    for size in range(10, _LARGEST + 1, 10):
        if review_power(rule, truth, size) >= probability:
            return size
    return None


def review_power(rule: Rule, truth: float, size: int) -> float:
    """Probability that a review of `size` pairs passes at some look, if `truth` of them are equivalent or better."""
    if not rule.criterion.go.given:
        return 0.0
    looks = looks_of(rule.criterion, size)
    return float(crossed(looks, of_go(rule, looks).needed, truth)[-1])
