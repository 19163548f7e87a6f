"""One plain sentence of why a decision is what it is."""

from __future__ import annotations

from zantara_exp.gates.decision import FAIL, PASS, View
from zantara_exp.gates.kinds.kind import Rule


def reason_of(rule: Rule, view: View, hindrance: str = "") -> str:
    """Why `view.decision` is what it is; `hindrance` stood in the way of a pass before its evidence was weighed."""
    c, kind, decision = rule.criterion, rule.kind, view.decision
    if own := rule.method.sentence(decision, kind.words_of(c, c.no_go)):
        return own
    go_bound, no_go_bound = kind.bounds(rule, view)
    if decision == FAIL:
        return f"shown {kind.to_be} {kind.words_of(c, c.no_go)}: {no_go_bound}"
    if decision == PASS:
        if not c.go.given:
            return f"not refuted: nothing shows {kind.it} {kind.words_of(c, c.no_go)}"
        return f"shown {kind.to_be} {kind.words_of(c, c.go)}: {go_bound}"
    if hindrance:
        return hindrance
    if c.go.given and kind.out_of_reach(rule, view):
        return f"{no_go_bound}: {kind.words_of(c, c.go)} is out of reach unless the candidate changes"
    return f"not shown {kind.to_be} {kind.words_of(c, c.go)} yet: {go_bound}"
