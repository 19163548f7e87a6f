"""A gate's criteria with everything filled in: the thresholds on evidence that a decision compares with.

`stage=power` simulates with these same rules, so that what it promises is what the verdict does.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from zantara_exp.config.gate import Criterion, Gate, slots_of
from zantara_exp.config.kinds import METHODS, TIMELESS
from zantara_exp.gates.kinds import kind_named
from zantara_exp.gates.kinds.kind import Rule
from zantara_exp.gates.methods import Clusters

_PLANNING = ("traffic", "horizon_days")
_LATER = ("sample_ratio_alpha", "alpha_shares")
_LATER_OF_CRITERIA = ("look_at", "judge")
"""Keys that came when gates were in use: at their defaults they make no other gate of one that a rollout began with."""
_DEFAULT = Gate()
_DEFAULT_CRITERION = Criterion()


def resolve(gate: Gate) -> dict[str, Rule]:
    """The rules of a gate, by criterion. A false NO_GO over all criteria and segments together has at most alpha."""
    cells = sum(_cells(criterion, gate) for criterion in gate.criteria.values())
    return {name: _rule(name, criterion, gate, cells) for name, criterion in gate.criteria.items()}


def _by_segment(criterion: Criterion) -> bool:
    return kind_named(criterion.kind).row.by_segment and not METHODS[criterion.method].alarms


def _cells(criterion: Criterion, gate: Gate) -> int:
    """In how many places a criterion can end in NO_GO by chance: overall, and in each declared segment."""
    if not criterion.no_go.given or not kind_named(criterion.kind).random:
        return 0
    return 1 + (sum(len(values) for values in gate.segments.values()) if _by_segment(criterion) else 0)


def _rule(name: str, criterion: Criterion, gate: Gate, cells: int) -> Rule:
    kind = kind_named(criterion.kind)
    looks = criterion.looks if criterion.one_look else 1
    alpha = (gate.alpha if criterion.alpha is None else criterion.alpha) / looks
    by_segment = _by_segment(criterion)
    return Rule(
        name=name,
        criterion=criterion,
        kind=kind,
        alpha=alpha,
        alpha_no_go=alpha / max(cells, 1),
        clusters=_clusters(criterion, gate),
        min_days=gate.min_days if gate.authorises else 0,
        min_users=kind.min_users(criterion, alpha),
        min_users_no_go=kind.min_users_no_go(criterion),
        segments={dimension: tuple(values) for dimension, values in gate.segments.items() if by_segment},
        max_lost=gate.max_lost_percent / 100,
        planned_users=gate.planned_users,
    )


def _clusters(criterion: Criterion, gate: Gate) -> Clusters:
    timeless = criterion.metric in TIMELESS
    return Clusters(
        rho0=gate.rho0 if criterion.rho0 is None else criterion.rho0,
        estimated=gate.rho == "estimated",
        per="user" if METHODS[criterion.method].once else criterion.per,
        time_block=0 if timeless else slots_of(gate.time_block),
        time_block_no_go=0 if timeless else slots_of(gate.time_block_no_go),
    )


def gate_hash(gate: Gate) -> str:
    """Identifies what a gate decides by; planned traffic and expected truths do not change a verdict."""
    plain = {key: value for key, value in asdict(gate).items() if key not in _PLANNING}
    for key in _LATER:
        if plain[key] == getattr(_DEFAULT, key):
            del plain[key]
    for criterion in plain["criteria"].values():
        criterion.pop("expected")
        for key in _LATER_OF_CRITERIA:
            if criterion[key] == getattr(_DEFAULT_CRITERION, key):
                del criterion[key]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
