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

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zantara_exp.config.gate import Criterion, Gate, Threshold, Traffic
    from zantara_exp.gates.criteria import decide
    from zantara_exp.gates.decision import CriterionDecision
    from zantara_exp.gates.evidence import Evidence, Missing, Number, Reviews, UserDays
    from zantara_exp.gates.identity import gate_hash
    from zantara_exp.gates.junit import junit_xml
    from zantara_exp.gates.kinds.kind import Rule, Seen
    from zantara_exp.gates.rules import resolve
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


if not TYPE_CHECKING:
    _MODULES = {
        "zantara_exp.config.gate": ("Criterion", "Gate", "Threshold", "Traffic"),
        "zantara_exp.gates.criteria": ("decide",),
        "zantara_exp.gates.decision": ("CriterionDecision",),
        "zantara_exp.gates.evidence": ("Evidence", "Missing", "Number", "Reviews", "UserDays"),
        "zantara_exp.gates.junit": ("junit_xml",),
        "zantara_exp.gates.kinds.kind": ("Rule", "Seen"),
        "zantara_exp.gates.identity": ("gate_hash",),
        "zantara_exp.gates.rules": ("resolve",),
        "zantara_exp.gates.verdict": ("Verdict", "judge_gate"),
    }

    def __getattr__(name: str) -> object:
        """Import a name when it is asked for: a rollback, which needs a word of `decision`, must not wait for scipy."""
        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(module), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
