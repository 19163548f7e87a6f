"""The verdict: GO, NO_GO or INCONCLUSIVE, from the decisions about a gate's criteria.

GO            every criterion passes at its alpha. No correction is needed for their number: a false GO must pass the
              criterion that is in truth not met (intersection-union; Berger 1982).
NO_GO         some criterion shows what its no_go names, at alpha over all criteria and segments that could.
INCONCLUSIVE  otherwise; what is missing is named, and how long it should take. A sample that is not the declared one
              withholds a GO as well (`zantara_exp.gates.sample_ratio`), and hides no NO_GO.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from datetime import date
from typing import Any

from zantara_exp.config.gate import Gate
from zantara_exp.config.rollout import part_name
from zantara_exp.gates.coverage import Uncovered, coverage
from zantara_exp.gates.criteria import decide
from zantara_exp.gates.decision import (
    FAIL,
    GO,
    INCONCLUSIVE,
    MISSING,
    NO_GO,
    PASS,
    UNDECIDED,
    CriterionDecision,
    Days,
)
from zantara_exp.gates.evidence import Composition, Evidence, Missing, Sampled, UserDays
from zantara_exp.gates.identity import gate_hash
from zantara_exp.gates.kinds.kind import Seen
from zantara_exp.gates.record import FirstUse
from zantara_exp.gates.rules import resolve
from zantara_exp.gates.sample_ratio import SampleRatio, sample_ratio
from zantara_exp.gates.standing import Standing
from zantara_exp.gates.undeclared_parts import Undeclared, undeclared
from zantara_exp.gates.users import last_day
from zantara_exp.gates.wellformed import unsound

SCHEMA_VERSION = 1
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Verdict:
    """What a gate says about the evidence up to a day."""

    gate: str
    verdict: str
    """GO, NO_GO or INCONCLUSIVE."""
    reason: str
    """One plain sentence."""
    authorises: bool
    """Whether this verdict would open the rollout, were it a GO: the gate may, and `standing` refuses nothing."""
    gate_hash: str
    alpha: float
    epoch: str
    """The candidate the evidence is about."""
    as_of: str
    """Last UTC day looked at; empty where no evidence has a day."""
    requests: float
    """Most requests any criterion looked at."""
    users: int
    criteria: Sequence[CriterionDecision]
    missing: Sequence[str]
    """Criteria without evidence."""
    thin_segments: Sequence[str]
    """Declared segments too thin to judge."""
    days: Days | None
    """Days until every undecided criterion could be decided."""
    first_use: FirstUse | None = None
    covers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The declared parts that a GO lets a rollout move, by dimension; empty where none is declared: everything."""
    not_covered: Sequence[Uncovered] = ()
    """The declared parts that stay with the primary, with the reason."""
    exclude: Sequence[str] = ()
    """Parts that `rollout.exclude` leaves out of all this, such as `language=id, category=NAME`."""
    not_declared: Sequence[Undeclared] = ()
    """Parts of the log that the gate does not declare, the largest first."""
    standing: Standing | None = None
    """What a GO of this look would open, and what stands against it; None where nobody asked."""
    sample: SampleRatio | None = None
    """Whether the users are those that the declared sample takes; None where no evidence comes from a log."""

    def to_json(self) -> dict[str, Any]:
        """As plain values, in the shape of `verdict.schema.json`; a bound that does not exist is null."""
        return {"schema_version": SCHEMA_VERSION, **_plain(self)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def judge_gate(
    gate: Gate,
    evidence: Mapping[str, Evidence | Seen],
    as_of: date | None = None,
    first_use: FirstUse | None = None,
    sampled: Sampled | None = None,
    log: Composition | None = None,
) -> Verdict:
    """Judge a gate on its evidence by criterion name, up to the UTC day `as_of` (default: the last in the evidence).

    `sampled`: the users of the log that the evidence comes from, and `log`: what its comparisons are about; None where
    none of it does.
    Evidence of two epochs from one source is not mixed: such criteria are MISSING. Nothing is raised about
    evidence: what is absent or malformed is named in the verdict and never passes.
    """
    given = {name: evidence.get(name, Missing("no evidence was given")) for name in gate.criteria}
    seen = _one_epoch({name: item if isinstance(item, Seen) else Seen(item) for name, item in given.items()})
    # A day to come has no evidence: a window that reached into it would be shorter than it says.
    ends = [_last_day(seen.values()), None if as_of is None else as_of.toordinal() - _EPOCH]
    last = min((end for end in ends if end is not None), default=None)
    decisions = [decide(rule, seen[name], last) for name, rule in resolve(gate).items()]
    verdict, reason = _verdict(decisions)
    parts = coverage(gate, decisions)
    if verdict == GO and parts.withheld:
        verdict, reason = INCONCLUSIVE, parts.withheld
    sample = None if sampled is None else sample_ratio(sampled, gate.sample_ratio_alpha)
    if sample is not None and sample.mismatch:
        verdict, reason = _mismatched(verdict, reason, sample.mismatch)
    return Verdict(
        gate=gate.name,
        verdict=verdict,
        reason=reason,
        authorises=gate.authorises,
        gate_hash=gate_hash(gate),
        alpha=gate.alpha,
        epoch=next((d.epoch for d in decisions if d.epoch), ""),
        as_of="" if last is None else date.fromordinal(last + _EPOCH).isoformat(),
        requests=max((d.view.requests for d in decisions), default=0.0),
        users=max((d.view.users for d in decisions), default=0),
        criteria=decisions,
        missing=[d.name for d in decisions if d.decision == MISSING],
        thin_segments=sorted({s.segment for d in decisions for s in d.segments if s.thin}),
        days=_days(decisions) if verdict == INCONCLUSIVE else None,
        first_use=first_use,
        covers=parts.covers,
        not_covered=parts.not_covered,
        exclude=[part_name(part) for part in gate.exclude],
        not_declared=[] if log is None else undeclared(gate, log, seen),
        sample=sample,
    )


def _mismatched(verdict: str, reason: str, mismatch: str) -> tuple[str, str]:
    """No GO on a sample that is not the declared one; what is refuted on it stays refuted."""
    return (INCONCLUSIVE, mismatch) if verdict == GO else (verdict, f"{reason}; {mismatch}")


def _last_day(seen: Iterable[Seen]) -> int | None:
    days = (last_day(item.go) for item in seen if isinstance(item.go, UserDays) and not unsound(item.go))
    return max((day for day in days if day is not None), default=None)


def _one_epoch(seen: dict[str, Seen]) -> dict[str, Seen]:
    """Refuse what belongs to another epoch than the source's first evidence."""
    first: dict[str, str] = {}
    checked = {}
    for name, item in seen.items():
        for evidence in (item.go, item.no_go):
            if isinstance(evidence, UserDays) and evidence.epoch != first.setdefault(item.source, evidence.epoch):
                other = f"other evidence of {first[item.source]}: candidates are not mixed"
                wrong = f"it is of candidate {evidence.epoch}, {other}"
                item = replace(item, refused=wrong)
        checked[name] = item
    return checked


def _verdict(decisions: Sequence[CriterionDecision]) -> tuple[str, str]:
    by: dict[str, list[CriterionDecision]] = {}
    for decision in decisions:
        by.setdefault(decision.decision, []).append(decision)
    if FAIL in by:
        return NO_GO, "; ".join(f"{d.name}: {d.reason}" for d in by[FAIL])
    absent = [d.name for d in by.get(MISSING, []) if d.criterion.required]
    open_ = [d.name for d in by.get(UNDECIDED, [])]
    if not absent and not open_ and by.get(PASS):
        optional = [d.name for d in by.get(MISSING, [])]
        return GO, "every criterion passes" + (f"; without evidence on {', '.join(optional)}" if optional else "")
    parts = [f"no evidence on {', '.join(absent)}"] if absent else []
    parts += [f"not decided: {', '.join(open_)}"] if open_ else []
    return INCONCLUSIVE, "; ".join(parts) or "nothing was measured"


def _days(decisions: Sequence[CriterionDecision]) -> Days | None:
    """The slowest criterion's range; none where one of them will not be decided, or has no evidence."""
    open_ = [d for d in decisions if d.decision == UNDECIDED]
    ranges = [d.days for d in open_ if d.days is not None]
    blocked = any(d.decision == MISSING and d.criterion.required for d in decisions)
    if blocked or not ranges or len(ranges) < len(open_):
        return None
    highs = [r.high for r in ranges]
    sides = {r.toward for r in ranges}
    return Days(
        low=max(r.low for r in ranges),
        high=None if None in highs else max(high for high in highs if high is not None),
        toward=sides.pop() if len(sides) == 1 else "either",
    )
