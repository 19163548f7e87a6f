"""kind=count: a quantity known exactly, such as the number of open critical bugs, compared as it is."""

from __future__ import annotations

from zantara_exp.config.gate import Criterion, Threshold
from zantara_exp.gates.decision import FAIL, PASS, UNDECIDED, CriterionDecision, View
from zantara_exp.gates.evidence import Number
from zantara_exp.gates.intervals import exact_upper
from zantara_exp.gates.kinds.kind import Kind, Rule, Seen


class Count(Kind):
    """No chance plays a part, so nothing is estimated or simulated."""

    name = "count"
    takes = Number
    random = False

    def decide(self, rule: Rule, seen: Seen, last: int | None) -> CriterionDecision:
        """NO-GO first; without go it passes unless refuted."""
        c, number = rule.criterion, seen.go
        assert isinstance(number, Number)  # noqa: S101  `criteria.decide` asks `takes`
        value = number.value
        met = next(((bound, sense) for bound, sense in ((c.no_go, FAIL), (c.go, PASS)) if _meets(value, bound)), None)
        bound, decision = met or ((c.go, UNDECIDED) if c.go.given else (c.no_go, PASS))
        reason = f"{self.shown(value)} is {'' if met else 'not '}{self.words_of(c, bound)}"
        reason += _excluded(rule, number) if decision == PASS else ""
        view = View(decision, value, value, value, 0.0, 0, 0.0, None, None)
        return CriterionDecision(rule.name, c, decision, reason, view, None, None)

    def figure(self, value: float) -> str:
        """A whole number, or a difference."""
        return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"

    def threshold(self, criterion: Criterion, bound: Threshold) -> str:
        """As it is."""
        return f"{bound.value:g}"


def _excluded(rule: Rule, number: Number) -> str:
    """What a count of a sample says about all there are: exact (Clopper & Pearson 1934), at the criterion's alpha."""
    if not 0 <= number.value <= number.sample or not number.sample:
        return ""
    most = float(exact_upper(number.value, number.sample - number.value, rule.alpha))
    return f"; {number.value:g} of {number.sample} at random excludes only more than {100 * most:.1f} % of all"


def _meets(value: float, bound: Threshold) -> bool:
    gap = value - bound.value if bound.given else 0.0
    return {"above": gap > 0, "below": gap < 0, "at_least": gap >= 0, "at_most": gap <= 0}.get(bound.side, False)


KIND = Count()
