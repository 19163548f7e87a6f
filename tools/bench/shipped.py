"""The criteria of the shipped gate (`conf/gate/go_no_go.yaml`) as `scripts/bench gates` varies them.

What is varied is config; whatever decides is the gate's own code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from zantara_exp.config import CONF, compose
from zantara_exp.config.gate import Gate
from zantara_exp.config.gate_file import load_gate
from zantara_exp.gates.kinds.kind import Rule
from zantara_exp.gates.rules import resolve

P0, ALPHA = 0.98, 0.05
"""What the shipped gate asks of success, and how often it may err."""
HOUR, FOUR_HOURS, ALONE = "blocks of 1 h", "blocks of 4 h", "users alone"
VARIANTS: Mapping[str, dict[str, Any]] = {
    ALONE: {"time_block": "none", "time_block_no_go": "none", "min_days": 0, "rho": "assumed"},
    HOUR: {},
    FOUR_HOURS: {"time_block": "4h"},
}


@cache
def shipped() -> Gate:
    """As it is."""
    return load_gate(CONF / "gate" / "go_no_go.yaml", compose([]))


def rule_of(variant: str, criterion: str = "success", **changes: Any) -> Rule:
    """A criterion of the gate with the keys of a variant; `changes` are keys of the criterion, such as `per`."""
    gate = shipped()
    varied = replace(gate.criteria[criterion], **changes)
    if variant == ALONE:
        varied = replace(varied, window=None)
    criteria = {**gate.criteria, criterion: varied}
    return resolve(replace(gate, criteria=criteria, **VARIANTS[variant]))[criterion]
