"""Statistics, criteria and the verdict. This package knows numbers, not logs, and needs neither Hydra nor MLflow.

    >>> import numpy as np
    >>> from zantara_exp.gates import Criterion, Gate, Threshold, UserDays, judge_gate
    >>> gate = Gate("mine", {"success": Criterion("success", go=Threshold(above=0.98), no_go=Threshold(below=0.95))})
    >>> users, two = np.arange(600), np.full(600, 2.0)
    >>> day, slot = 20_000 + users % 20, users % 144  # slots of ten minutes
    >>> evidence = UserDays(user=users, day=day, trials=two, total=two, slot=slot)
    >>> verdict = judge_gate(gate, {"success": evidence})
    >>> verdict.verdict, verdict.criteria[0].view.users
    ('GO', 600)
    >>> print(verdict.criteria[0].reason)
    shown to be above 98 %: measured 100.00 % of requests, at least 99.19 %

The error rates: `stage=power` for a gate's own traffic, `scripts/bench gates` for the table in docs.
"""

from __future__ import annotations

from zantara_exp.config.gate import Criterion, Gate, Threshold, Traffic
from zantara_exp.gates.criteria import decide
from zantara_exp.gates.decision import CriterionDecision
from zantara_exp.gates.evidence import Evidence, Missing, Number, Reviews, UserDays
from zantara_exp.gates.junit import junit_xml
from zantara_exp.gates.kinds.kind import Rule, Seen
from zantara_exp.gates.rules import gate_hash, resolve
from zantara_exp.gates.verdict import Verdict, judge_gate

__all__ = [
    "Criterion",
    "CriterionDecision",
    "Evidence",
    "Gate",
    "Missing",
    "Number",
    "Reviews",
    "Rule",
    "Seen",
    "Threshold",
    "Traffic",
    "UserDays",
    "Verdict",
    "decide",
    "gate_hash",
    "judge_gate",
    "junit_xml",
    "resolve",
]
