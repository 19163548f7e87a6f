"""What the log holds and a gate does not declare: parts that no criterion looks at on their own.

A gate names values of language or category in its `segments`, and in the `where` of its criteria. Comparisons of
another value can still count in the whole of a criterion, where a bad part hides behind a larger good one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from zantara_exp.config.gate import Gate
from zantara_exp.gates import users
from zantara_exp.gates.evidence import Composition, UserDays
from zantara_exp.gates.kinds.kind import Seen
from zantara_exp.text.wording import counted

_MOST = 5
"""How many are said one by one; all stand in verdict.json."""
_NAME = 60
"""Characters of a name that are shown: a log may hold any text as a category."""


@dataclass(frozen=True)
class Undeclared:
    """A part of the log that the gate does not declare."""

    segment: str
    """Such as `language=de`."""
    comparisons: int
    share: float
    """Of all comparisons of what would move, 0 to 1."""
    counted_in: Sequence[str]
    """Criteria by whose requests, all together, it is judged too; empty: by none."""


def undeclared(gate: Gate, log: Composition, seen: Mapping[str, Seen]) -> list[Undeclared]:
    """The parts of a log that neither `gate.segments` nor a `where` names, the largest first.

    A dimension of which the gate names no value is left out: then it asks nothing of any part of it.
    """
    found = [
        Undeclared(f"{dimension}={value}", count, count / log.comparisons, list(_counted(gate, seen, dimension, value)))
        for dimension, known in _declared(gate).items()
        for value, count in log.parts.get(dimension, {}).items()
        if value not in known
    ]
    return sorted(found, key=lambda part: (-part.comparisons, part.segment))


def _declared(gate: Gate) -> dict[str, set[str]]:
    known = {dimension: set(values) for dimension, values in gate.segments.items()}
    for criterion in gate.criteria.values():
        for dimension, values in criterion.where.items():
            known.setdefault(dimension, set()).update(values)
    return known


def _counted(gate: Gate, seen: Mapping[str, Seen], dimension: str, value: str) -> Iterator[str]:
    for name, criterion in gate.criteria.items():
        evidence = seen[name].go
        chosen = users.where(evidence, criterion.where) if isinstance(evidence, UserDays) else ""
        column = chosen.segments.get(dimension) if isinstance(chosen, UserDays) else None
        if isinstance(chosen, UserDays) and column is not None and chosen.trials[column == value].any():
            yield name


def shown(parts: Sequence[Undeclared]) -> list[str]:
    """A sentence on each of the largest, and how many there are beside them."""
    said = [_sentence(part) for part in parts[:_MOST]]
    if more := len(parts) - len(said):
        said.append(f"{more} more of the log's segments are not declared: not_declared in the JSON of the verdict.")
    return said


def _sentence(part: Undeclared) -> str:
    of = f"{counted(part.comparisons, 'comparison')} ({100 * part.share:.1f} % of what would move)"
    whole = f"the whole of {', '.join(part.counted_in)}" if part.counted_in else "no share or mean"
    name = part.segment if len(part.segment) <= _NAME else f"{part.segment[:_NAME]}…"
    return f"{name} is not declared by the gate: {of}. No criterion looked at it on its own; it counted in {whole}."
