"""A gate's criteria with everything filled in: the thresholds on evidence that a decision compares with.

`stage=power` simulates with these same rules, so that what it promises is what the verdict does.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from zantara_exp.config.gate import Criterion, Gate

BY_SEGMENT = ("proportion", "quantile", "mean", "ratio")
"""Kinds judged in each declared segment as well."""
SEQUENCE_USERS = 100
"""Users from which on an asymptotic confidence sequence is trusted; with 30 the false GO was 0.057 for 0.05."""
STUDENT_USERS = 20
"""Users from which on a one-look interval of a mean is trusted."""
FEW_USERS = 10
"""Users from which on weighed requests can refute: one who always fails weighs up to 1/rho0, and proves nothing."""
_PLANNING = ("traffic", "horizon_days")


@dataclass(frozen=True)
class Rule:
    """How one criterion is decided."""

    name: str
    criterion: Criterion
    alpha: float
    """Level of a pass."""
    alpha_no_go: float
    """Level of a NO-GO: alpha over everything that could end in one."""
    rho0: float
    min_users: int
    """Distinct users that a pass needs."""
    min_users_no_go: int
    """Distinct users that a NO-GO needs."""
    segments: Mapping[str, tuple[str, ...]]
    """Declared segments this criterion is judged in as well."""
    max_lost: float
    """Share of requests lost above which there is no pass."""
    planned_users: int

    @property
    def needed_go(self) -> float:
        """Log evidence at which the criterion passes."""
        return -math.log(self.alpha)

    @property
    def needed_no_go(self) -> float:
        """Log evidence at which it is NO-GO."""
        planned = self.planned_users if self.criterion.method == "detector" else 1
        return math.log(planned / self.alpha_no_go)

    @property
    def level_upper(self) -> float:
        """Level of the bound on the NO-GO side; that of a pass where nothing is NO-GO."""
        return self.alpha_no_go if self.criterion.no_go.given else self.alpha

    @property
    def flipped(self) -> bool:
        """Whether small values of a share are good, so that requests that do not count are the good ones."""
        c = self.criterion
        if c.kind not in ("proportion", "paired", "non_inferiority"):
            return False
        return not c.go.upwards if c.go.given else c.no_go.upwards

    @property
    def p0_go(self) -> float | None:
        """Share of good requests that GO must show; None where the kind is no share or has no go."""
        return self._share(self.criterion.go.given)

    @property
    def p0_no_go(self) -> float | None:
        """Share of good requests that NO-GO must refute."""
        return self._share(self.criterion.no_go.given)

    def _share(self, bound: Mapping[str, float]) -> float | None:
        if not bound or self.criterion.kind not in ("proportion", "quantile", "review", "paired"):
            return None
        if self.criterion.kind == "quantile":
            return self.criterion.quantile
        value = next(iter(bound.values()))
        return 1.0 - value if self.flipped else value


def resolve(gate: Gate) -> dict[str, Rule]:
    """The rules of a gate, by criterion. A false NO_GO over all criteria and segments together has at most alpha."""
    cells = sum(_cells(criterion, gate) for criterion in gate.criteria.values())
    return {name: _rule(name, criterion, gate, cells) for name, criterion in gate.criteria.items()}


def _cells(criterion: Criterion, gate: Gate) -> int:
    """In how many places a criterion can end in NO_GO by chance: overall, and in each declared segment."""
    if not criterion.no_go.given or criterion.kind == "count":
        return 0
    by_segment = criterion.kind in BY_SEGMENT and criterion.method != "detector"
    return 1 + (sum(len(values) for values in gate.segments.values()) if by_segment else 0)


def _rule(name: str, criterion: Criterion, gate: Gate, cells: int) -> Rule:
    looks = criterion.looks if criterion.method == "exact" else 1
    alpha = (gate.alpha if criterion.alpha is None else criterion.alpha) / looks
    by_segment = criterion.kind in BY_SEGMENT and criterion.method != "detector"
    return Rule(
        name=name,
        criterion=criterion,
        # A non-inferiority spends half of alpha on the baseline's bound.
        alpha=alpha / 2 if criterion.kind == "non_inferiority" else alpha,
        alpha_no_go=alpha / max(cells, 1) / (2 if criterion.kind == "non_inferiority" else 1),
        rho0=gate.rho0 if criterion.rho0 is None else criterion.rho0,
        min_users=_min_users(criterion, alpha),
        min_users_no_go=_min_users_no_go(criterion),
        segments={dimension: tuple(values) for dimension, values in gate.segments.items() if by_segment},
        max_lost=gate.max_lost_percent / 100,
        planned_users=gate.planned_users,
    )


def _min_users(criterion: Criterion, alpha: float) -> int:
    """Distinct users that a pass needs.

    For shares ceil(ln alpha / ln p0): with fewer, users who always fail may be 1 - p0 of all and none be among them.
    """
    if not criterion.go.given or criterion.kind in ("count", "review"):
        return criterion.min_users
    if criterion.kind in ("mean", "ratio"):
        return max(criterion.min_users, STUDENT_USERS if criterion.method == "exact" else SEQUENCE_USERS)
    if criterion.kind == "non_inferiority":
        return max(criterion.min_users, SEQUENCE_USERS)
    value = criterion.quantile if criterion.kind == "quantile" else criterion.go.value
    p0 = value if criterion.kind == "quantile" or criterion.go.upwards else 1.0 - value
    return max(criterion.min_users, math.ceil(math.log(alpha) / math.log(p0)))


def _min_users_no_go(criterion: Criterion) -> int:
    if criterion.kind in ("mean", "ratio"):
        return STUDENT_USERS if criterion.method == "exact" else SEQUENCE_USERS
    return FEW_USERS if criterion.kind != "review" and criterion.method in ("weighted", "exact") else 1


def gate_hash(gate: Gate) -> str:
    """Identifies what a gate decides by; planned traffic and expected truths do not change a verdict."""
    plain = {key: value for key, value in asdict(gate).items() if key not in _PLANNING}
    for criterion in plain["criteria"].values():
        criterion.pop("expected")
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
