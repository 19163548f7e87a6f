"""kind=review: people's labels of a random sample, at most one pair per user: one look, exact binomial.

What cannot be judged or is not labelled counts against GO, and not for NO-GO.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from zantara_exp.config.gate import Traffic
from zantara_exp.gates import intervals
from zantara_exp.gates.decision import UNDECIDED, CriterionDecision, View, missing
from zantara_exp.gates.evidence import Reviews
from zantara_exp.gates.kinds.kind import Kind, Outcomes, Planned, Rule, Seen, Weighed, outcomes
from zantara_exp.gates.kinds.words import reason_of
from zantara_exp.gates.methods import OneLook
from zantara_exp.gates.visits import Floats, Visits


class Review(Kind):
    """Good answers of a sample, which are equivalent or better."""

    name = "review"
    takes = Reviews
    methods = {"exact": OneLook}
    counted = "reviewed pairs"

    def evidence(self, rule: Rule, good: Floats, worse: Floats, size: int) -> Weighed:
        """Of `good` and `worse` answers, arrays of any one shape, in samples of `size`."""
        c, none = rule.criterion, np.zeros(np.shape(good))
        go = intervals.exact_log_evidence_go(good, size - good, c.go.value) if c.go.given else none
        no_go = intervals.exact_log_evidence_no_go(size - worse, worse, c.no_go.value) if c.no_go.given else none
        return Weighed(go, no_go)

    def simulate(
        self, rule: Rule, truth: float, at: Visits, traffic: Traffic, plan: Planned, rng: np.random.Generator
    ) -> Outcomes:
        """The one look of a whole review, which is done from the first day on."""
        good = rng.binomial(plan.review_size, truth, (at.simulations, 1)).astype(np.float64)
        weighed = self.evidence(rule, good, plan.review_size - good, plan.review_size)
        found = outcomes(rule, weighed, plan.review_size, plan.review_size >= rule.min_users)
        return Outcomes(*(np.repeat(flags, at.days, axis=1) for flags in found))

    def decide(self, rule: Rule, seen: Seen, last: int | None) -> CriterionDecision:
        """One look."""
        c, labels = rule.criterion, seen.go
        assert isinstance(labels, Reviews)  # noqa: S101  `criteria.decide` asks `takes`
        good, worse = labels.equivalent_or_better, labels.worse
        size = good + worse + labels.cannot_judge + labels.missing
        if size - labels.missing <= 0:
            return missing(rule.name, c, "no pair has been labelled by a reviewer yet")
        few = f"{size} reviewed pairs, {rule.min_users} are asked for" if size < rule.min_users else ""
        weighed = self.evidence(rule, np.array([[float(good)]]), np.array([[float(worse)]]), size)
        view = View(
            decision=outcomes(rule, weighed, size, not few).word(),
            estimate=good / size,
            lower=float(intervals.exact_lower(good, size - good, rule.alpha)),
            upper=float(intervals.exact_upper(size - worse, worse, rule.level_upper)),
            requests=size,
            users=size,
            effective=size,
            log_go=float(weighed.log_go[0, 0]) if c.go.given else None,
            log_no_go=float(weighed.log_no_go[0, 0]) if c.no_go.given else None,
        )
        reason = reason_of(rule, view, few)
        if view.decision == UNDECIDED and not few and c.go.given:
            needed = intervals.smallest_pass(size, c.go.value, rule.alpha)
            reason = f"{good} of {size} are equivalent or better; {needed or 'more pairs than that'} would show it"
        if labels.missing:
            reason += f"; {labels.missing} pairs are not labelled yet and count against"
        needs = rule.needed_go if c.go.given else None, rule.needed_no_go if c.no_go.given else None
        return CriterionDecision(rule.name, c, view.decision, reason, view, *needs)

    def planned(self, rule: Rule, size: int) -> Iterator[tuple[str, bool, str]]:
        """Whether the answers planned can show what is asked, and how often they would by chance."""
        what, go = f"{rule.name}: {size} reviews can show it", rule.criterion.go
        if not go.given:
            yield what, True, "no go threshold"
            return
        wanted, needed = f"{100 * go.value:g} %", intervals.smallest_pass(size, go.value, rule.alpha)
        if needed is None:
            more = next(n for n in range(size, 100_000) if intervals.smallest_pass(n, go.value, rule.alpha) is not None)
            detail = (
                f"{size} of {size} would not show more than {wanted} at alpha {rule.alpha:g}; {more} of {more} would"
            )
            yield what, False, f"{detail}: raise review.size or lower the threshold"
            return
        by_chance = review_power(rule, go.value, size)
        yield what, True, f"{needed} of {size} show more than {wanted}; by chance {by_chance:.3f}"

    def promise(self, rule: Rule, size: int) -> str:
        """How likely the review shows what is expected."""
        truth = rule.criterion.expected
        if truth is None or not rule.criterion.go.given:
            return ""
        more = reviews_needed(rule, truth, 0.8)
        enough = "" if more is None or more <= size else f", {more} with 80 %"
        share = f"{100 * review_power(rule, truth, size):.1f} %"
        return f"{rule.name}: {size} pairs show it with {share} if {truth:g} are good{enough}"


def reviews_needed(rule: Rule, truth: float, probability: float) -> int | None:
    """Smallest review, in tens, that shows what `rule` asks for with that probability; None beyond 2,000 answers."""
    for size in range(10, 2001, 10):
        if review_power(rule, truth, size) >= probability:
            return size
    return None


def review_power(rule: Rule, truth: float, size: int) -> float:
    """Probability that a review of `size` pairs passes, if `truth` of them are equivalent or better."""
    go = rule.criterion.go
    needed = intervals.smallest_pass(size, go.value, rule.alpha) if go.given else None
    if needed is None:
        return 0.0
    return math.exp(-float(intervals.exact_log_evidence_go(needed, size - needed, truth)))


KIND = Review()
