"""What a rollout has served, as arrays: a row per request, with how bad it was by each guardrail's measure.

error      the user got no answer at all; a user who went away first is neither good nor bad
fallback   the candidate did not answer, whoever did then
timeout    the candidate did not answer in time
slow       the answer took `slower_ms` or more, or there was none
complaint  the user complained on that day, of all days on which he was served
cost       US dollars over `unit_usd`, at most 1: by the price list, or the candidate's share of its flat fee
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from zantara_exp.config.decision import Cost
from zantara_exp.config.rollout import Guardrail
from zantara_exp.gates.eprocess import Floats
from zantara_exp.gates.restarts import Rows
from zantara_exp.prices import candidate_usd_per_request, charge_by_tokens
from zantara_exp.rollout.complaints import Complaint
from zantara_exp.shadow.served import CANDIDATE, CLIENT_GONE, Served

_APART = timedelta(days=1)


@dataclass(frozen=True)
class Arm:
    """The requests of one arm. All shapes (requests,), in the order in which they were logged."""

    user: NDArray[np.int64]
    """Codes from 0 on, by first request of either arm."""
    seconds: Floats
    """Since the rollout began."""
    language: NDArray[np.str_]
    requests: Sequence[Served]
    complaints: NDArray[np.bool_]
    """Whether this is the user's first request of a day on which he complained."""
    firsts: NDArray[np.bool_]
    """Whether this is the user's first request of its day."""

    @property
    def users(self) -> int:
        """Distinct users."""
        return int(np.unique(self.user).size)

    def only(self, keep: NDArray[np.bool_]) -> Arm:
        """The requests marked in `keep`."""
        requests = [line for line, kept in zip(self.requests, keep.tolist(), strict=True) if kept]
        return Arm(
            self.user[keep], self.seconds[keep], self.language[keep], requests, self.complaints[keep], self.firsts[keep]
        )


@dataclass(frozen=True)
class Observed:
    """Both arms of one rollout."""

    candidate: Arm
    control: Arm
    """Users of the rolled-out categories whom the primary answered at the same time."""
    other_epochs: int
    """Requests of another candidate, which are no evidence."""


def observe(lines: Iterable[Served], complaints: Iterable[Complaint], epoch: str, began: datetime) -> Observed:
    """The served lines of one candidate since `began`."""
    codes: dict[str, int] = {}
    complained = {(each.user, _day(each.timestamp, began)) for each in complaints if each.timestamp >= began}
    arms: dict[bool, list[Served]] = {True: [], False: []}
    other = 0
    for line in lines:
        if line.epoch != epoch:
            other += 1
        elif line.timestamp >= began:
            arms[line.arm == CANDIDATE].append(line)
            codes.setdefault(line.user, len(codes))
    candidate, control = (_arm(arms[which], codes, complained, began) for which in (True, False))
    return Observed(candidate, control, other)


def _arm(lines: Sequence[Served], codes: Mapping[str, int], complained: set[tuple[str, int]], began: datetime) -> Arm:
    firsts, bad = np.zeros(len(lines), dtype=bool), np.zeros(len(lines), dtype=bool)
    met: set[tuple[str, int]] = set()
    for place, line in enumerate(lines):
        day = line.user, _day(line.timestamp, began)
        if day not in met:
            met.add(day)
            firsts[place], bad[place] = True, day in complained
    return Arm(
        np.fromiter((codes[line.user] for line in lines), np.int64, len(lines)),
        np.fromiter(((line.timestamp - began).total_seconds() for line in lines), np.float64, len(lines)),
        np.array([line.language or "" for line in lines], dtype=np.str_),
        lines, bad, firsts,
    )  # fmt: skip


def _day(moment: datetime, began: datetime) -> int:
    return (moment.astimezone(UTC) - began) // _APART


def rows(arm: Arm, guardrail: Guardrail, cost: Cost, block_seconds: float) -> Rows:
    """The arm by a guardrail's measure, in blocks of so many seconds since the rollout began."""
    if guardrail.measure == "complaint":
        counted, bad = arm.firsts.astype(np.float64), arm.complaints.astype(np.float64)
    else:
        measured = [_MEASURES[guardrail.measure](line, guardrail, cost) for line in arm.requests]
        counted = np.array([value is not None for value in measured], dtype=np.float64)
        bad = np.array([value or 0.0 for value in measured], dtype=np.float64)
    return Rows(arm.user, (arm.seconds // block_seconds).astype(np.int64), counted, bad)


def _error(line: Served, _: Guardrail, __: Cost) -> float | None:
    return None if line.error == CLIENT_GONE else float(line.error is not None)


def _fallback(line: Served, _: Guardrail, __: Cost) -> float | None:
    if line.candidate_error is None and line.error == CLIENT_GONE:
        return None
    return float(line.candidate_error is not None)


def _timeout(line: Served, _: Guardrail, __: Cost) -> float | None:
    return float(line.candidate_error == "timeout")


def _slow(line: Served, guardrail: Guardrail, _: Cost) -> float | None:
    late = line.latency_ms >= guardrail.slower_ms
    if line.error == CLIENT_GONE and not late:
        return None
    return float(late or line.error is not None)


def _cost(line: Served, guardrail: Guardrail, cost: Cost) -> float | None:
    charge = charge_by_tokens(line.model, line.tokens_input, line.tokens_output, cost)
    if charge is not None:
        return min(charge.usd / guardrail.unit_usd, 1.0)
    if line.error is None and line.answered_by == CANDIDATE:
        return min(candidate_usd_per_request(cost) / guardrail.unit_usd, 1.0)
    return None  # unknown is not free


_MEASURES: dict[str, Callable[[Served, Guardrail, Cost], float | None]] = {
    "error": _error,
    "fallback": _fallback,
    "timeout": _timeout,
    "slow": _slow,
    "cost": _cost,
}
