"""The words of a decision: values, thresholds and one plain sentence of why."""

from __future__ import annotations

import math
from collections.abc import Mapping

from zantara_exp.config.gate import Criterion, Threshold
from zantara_exp.gates.decision import FAIL, PASS
from zantara_exp.gates.judge import Judged
from zantara_exp.gates.rules import Rule


def shown(value: float | None, kind: str) -> str:
    """A value of a metric as a person reads it."""
    if value is None or not math.isfinite(value):
        return "-"
    if kind == "mean":
        return f"{value:.4g}"
    if kind == "count":
        return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"
    percent = 100 * value
    digits = 2 if abs(percent) > 99 or (0 < abs(percent) < 1) else 1
    return f"{percent:.{digits}f} %"


_SIGNS = {"above": ">", "below": "<", "at_least": ">=", "at_most": "<="}


def shown_threshold(criterion: Criterion, bound: Threshold) -> str:
    """`> 98 %`, or `p95 < 1500`."""
    if not bound.given:
        return ""
    if criterion.kind == "quantile":
        return f"p{100 * criterion.quantile:g} {_SIGNS[bound.side]} {bound.value:g}"
    if criterion.kind in ("mean", "count"):
        return f"{_SIGNS[bound.side]} {bound.value:g}"
    if criterion.kind == "non_inferiority":
        worse = -criterion.margin if bound.upwards == bool(criterion.go.given) else criterion.margin
        return f"{_SIGNS[bound.side]} {100 * (bound.value + worse):+g} %"
    return f"{_SIGNS[bound.side]} {100 * bound.value:g} %"


def words_of(criterion: Criterion, bound: Threshold) -> str:
    """`above 98 %`: the threshold as part of a sentence."""
    text = shown_threshold(criterion, bound)
    names: Mapping[str, str] = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}
    for sign, word in names.items():
        if sign in text:
            return text.replace(sign, word)
    return text


def reason_of(rule: Rule, judged: Judged, decision: str, hindrance: str = "") -> str:
    """Why `decision` is what it is; `hindrance` is what stood in the way of a pass before its evidence was weighed."""
    c = rule.criterion
    go_bound, no_go_bound = _bounds(rule, judged)
    to_be = "to have" if c.kind == "quantile" else "to be"
    if decision == FAIL:
        if c.method == "detector":
            return f"alarm: users' experience turned {words_of(c, c.no_go)}"
        return f"shown {to_be} {words_of(c, c.no_go)}: {no_go_bound}"
    if decision == PASS and c.method == "detector":
        return f"no alarm: nothing turned {words_of(c, c.no_go)}"
    if decision == PASS:
        if not c.go.given:
            return f"not refuted: nothing shows {'a' if c.kind == 'quantile' else 'it'} {words_of(c, c.no_go)}"
        return f"shown {to_be} {words_of(c, c.go)}: {go_bound}"
    if hindrance:
        return hindrance
    if _out_of_reach(rule, judged):
        return f"{no_go_bound}: {words_of(c, c.go)} is out of reach unless the candidate changes"
    return f"not shown {to_be} {words_of(c, c.go)} yet: {go_bound}"


def _bounds(rule: Rule, judged: Judged) -> tuple[str, str]:
    """The bound that GO needs and the one that NO-GO needs, in words."""
    c = rule.criterion
    low, high = f"at least {shown(judged.lower, c.kind)}", f"at most {shown(judged.upper, c.kind)}"
    if c.kind == "quantile":
        return f"{low} of requests keep the limit", f"{high} of requests keep the limit"
    upwards = c.go.upwards if c.go.given else not c.no_go.upwards
    measured = f"measured {shown(judged.estimate, c.kind)}"
    return (f"{measured}, {low}", f"{measured}, {high}") if upwards else (f"{measured}, {high}", f"{measured}, {low}")


def _out_of_reach(rule: Rule, judged: Judged) -> bool:
    """Whether the bound on the other side excludes what GO asks for."""
    c = rule.criterion
    if not c.go.given:
        return False
    if c.kind == "quantile":
        return judged.upper < c.quantile
    worse = c.margin if c.kind == "non_inferiority" else 0.0
    return judged.upper < c.go.value - worse if c.go.upwards else judged.lower > c.go.value + worse
