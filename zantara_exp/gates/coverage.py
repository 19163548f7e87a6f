"""What a GO covers: the declared parts of the traffic, such as languages, that a rollout may move.

A GO is about all judged requests together. It covers a part only if every criterion that is judged by part saw at least
THIN_USERS of its users, and their estimate meets `go`. Only the estimate is asked for: to show each part as such would
need as much evidence as the whole. The verdict's table by segment says how near a part is to that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zantara_exp.config.gate import Gate
from zantara_exp.gates.decision import NOTHING, CriterionDecision, View
from zantara_exp.gates.kinds import kind_named
from zantara_exp.gates.kinds.by_user import THIN_USERS
from zantara_exp.text.wording import counted


@dataclass(frozen=True)
class Uncovered:
    """A declared part that a GO does not cover."""

    segment: str
    """Such as `language=id`."""
    why: str


@dataclass(frozen=True)
class Coverage:
    """The declared parts that a GO covers, and the others."""

    covers: Mapping[str, Sequence[str]]
    """By dimension. Without a declared dimension a GO covers everything."""
    not_covered: Sequence[Uncovered]
    withheld: str
    """Why there is no GO although every criterion passes; empty if there is no such reason."""


def coverage(gate: Gate, decisions: Sequence[CriterionDecision]) -> Coverage:
    """The parts that a GO on these decisions would cover."""
    covers: dict[str, list[str]] = {}
    out: list[Uncovered] = []
    for dimension, values in gate.segments.items():
        found = {value: _why_not(dimension, value, decisions) for value in values}
        covers[dimension] = [value for value, why in found.items() if not why]
        out += [Uncovered(f"{dimension}={value}", why) for value, why in found.items() if why]
    return Coverage(covers, out, _withheld(gate, covers, out))


def _withheld(gate: Gate, covers: Mapping[str, Sequence[str]], out: Sequence[Uncovered]) -> str:
    told = "; ".join(f"{each.segment}: {each.why}" for each in out)
    if out and gate.segments.thin == "wait":
        return f"waits for evidence on every declared part (segments.thin=wait): {told}"
    empty = [dimension for dimension, values in covers.items() if not values]
    if empty and gate.authorises:
        return f"a GO would cover no {' and no '.join(empty)}: {told}"
    return ""


def _why_not(dimension: str, value: str, decisions: Sequence[CriterionDecision]) -> str:
    """Why a part is not covered; empty if it is."""
    judged = False
    for decided in decisions:
        if value not in decided.criterion.where.get(dimension, [value]):
            continue  # the criterion is about other parts
        for part in decided.segments:
            if part.segment == f"{dimension}={value}":
                judged = True
                if why := _lacks(decided, part.view, part.thin):
                    return f"{decided.name}: {why}"
    return "" if judged else f"no criterion is measured by {dimension}"


def _lacks(decided: CriterionDecision, view: View, thin: bool) -> str:
    if thin or view == NOTHING:
        return f"{counted(view.users, 'user')}, {THIN_USERS} are needed"
    measured = float("nan") if view.estimate is None else view.estimate
    return kind_named(decided.criterion.kind).falls_short(decided.criterion, measured)
