"""What a rollout has served, as arrays: one row per request, and how bad it was by each guardrail's measure.

error      the user got no answer at all; a user who went away first is neither good nor bad
fallback   the candidate did not answer, whoever did then
timeout    the candidate did not answer in time
slow       the answer took `slower_ms` or more, or there was none
complaint  the user complained on that day, of all days on which he was served
worse      a judge found the answer worse than the primary's, of the requests that it was asked about
cost       US dollars over `unit_usd`, at most 1, as billed when the request was served, but by the volume that the GO
           was judged by; a fallback is paid twice
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from zantara_exp.config.decision import Cost
from zantara_exp.config.rollout import WORSE, Guardrail
from zantara_exp.cost.billing import flat_usd_per_request
from zantara_exp.cost.prices import charge_by_tokens
from zantara_exp.cost.usage import Usage
from zantara_exp.gates.eprocess import Floats
from zantara_exp.rollout.complaints import Complaint
from zantara_exp.rollout.restarts import Rows
from zantara_exp.rollout.served import CANDIDATE, CLIENT_GONE, Served
from zantara_exp.shadow.record import MOVED, comparison_id
from zantara_exp.shadow.sampling import in_reverse

_APART = timedelta(days=1)


@dataclass(frozen=True)
class Bill:
    """The cost of served lines."""

    cost: Cost
    by_volume: Callable[[float], float] = lambda usd: usd
    """Converts the billed cost of a candidate's answer to the volume of the GO."""

    def usd(self, line: Served) -> float | None:
        """US dollars; None: not known, which does not mean free."""
        usd = self._noted(line)
        billed = line.arm == CANDIDATE and line.answered_by == CANDIDATE
        return self.by_volume(usd) if billed and usd is not None else usd

    def _noted(self, line: Served) -> float | None:
        if line.usd is not None or line.schema_version > 1:
            return line.usd
        if line.answered_by == CANDIDATE:
            return flat_usd_per_request(self.cost) if line.error is None else None
        charge = charge_by_tokens(
            line.model, Usage(line.tokens_input, output=line.tokens_output), self.cost, line.timestamp.date()
        )
        return None if charge is None else charge.usd


class Measures:
    """How bad each line is by a guardrail's measure; computed once per measure."""

    def __init__(
        self,
        lines: Sequence[Served],
        complained: NDArray[np.bool_],
        first: NDArray[np.bool_],
        bill: Bill,
        worse: Mapping[str, bool],
    ):
        """`first`: whether a line is its user's first of the day; `complained`: and the user complained on that day.

        `worse`: the judge's verdicts by id of the comparison. Of lines with the same id the first counts.
        """
        self._lines, self._bill, self._worse = lines, bill, worse
        self._complained, self._first = complained, first
        self._known: dict[tuple[str, float, float], tuple[Floats, Floats]] = {}

    def of(self, guardrail: Guardrail) -> tuple[Floats, Floats]:
        """Whether each line counts (1 or 0), and how bad it is, up to 1."""
        key = guardrail.measure, guardrail.slower_ms, guardrail.unit_usd
        if key not in self._known:
            self._known[key] = self._worked_out(guardrail)
        return self._known[key]

    def in_reverse(self, percent: float) -> NDArray[np.bool_]:
        """Whether the candidate answered each line, and it is of the share that the primary is asked about too."""
        return np.array(
            [line.answered_by == CANDIDATE and in_reverse(line.request_id, percent) for line in self._lines], dtype=bool
        )

    def _worked_out(self, guardrail: Guardrail) -> tuple[Floats, Floats]:
        if guardrail.measure == "complaint":
            return self._first.astype(np.float64), self._complained.astype(np.float64)
        said = dict(self._worse)
        one: Callable[[Served], float | None] = {
            "error": _error,
            "fallback": _fallback,
            "timeout": _timeout,
            "slow": lambda line: _slow(line, guardrail.slower_ms),
            WORSE: lambda line: said.pop(comparison_id(line.request_id, line.epoch, MOVED), None),
            "cost": lambda line: self._usd_over(line, guardrail.unit_usd),
        }[guardrail.measure]
        measured = [one(line) for line in self._lines]
        counted = np.array([value is not None for value in measured], dtype=np.float64)
        return counted, np.array([value or 0.0 for value in measured], dtype=np.float64)

    def _usd_over(self, line: Served, unit_usd: float) -> float | None:
        usd = self._bill.usd(line)
        return None if usd is None else min(usd / unit_usd, 1.0)


@dataclass(frozen=True)
class Arm:
    """Requests of one arm. All shapes (requests,), in the order in which they were logged."""

    user: NDArray[np.int64]
    """Codes from 0 on, in the order of users' first requests in either arm."""
    seconds: Floats
    """Since the rollout began."""
    language: NDArray[np.str_]
    share: Floats
    """Percent of users who had the candidate at the time of each request."""
    place: NDArray[np.int64]
    """Index of each request among the measured lines."""
    measures: Measures

    @property
    def users(self) -> int:
        """Distinct users."""
        return int(np.unique(self.user).size)

    def only(self, keep: NDArray[np.bool_]) -> Arm:
        """The requests marked in `keep`."""
        return replace(
            self,
            **{name: getattr(self, name)[keep] for name in ("user", "seconds", "language", "share", "place")},
        )

    def in_reverse(self, percent: float) -> NDArray[np.bool_]:
        """Which of the requests the primary is asked about too, where it is asked about `percent` of the answered."""
        return self.measures.in_reverse(percent)[self.place]

    def rows(self, guardrail: Guardrail, block_seconds: float) -> Rows:
        """By a guardrail's measure, in blocks of so many seconds since the rollout began."""
        counted, bad = self.measures.of(guardrail)
        blocks = (self.seconds // block_seconds).astype(np.int64)
        return Rows(self.user, blocks, counted[self.place], bad[self.place])


@dataclass(frozen=True)
class Observed:
    """Both arms of one rollout."""

    candidate: Arm
    control: Arm
    """Users of the rolled-out categories whom the primary answered at the same time."""
    other_epochs: int
    """The number of requests of another candidate, which are no evidence."""


def observe(
    lines: Iterable[Served],
    complaints: Iterable[Complaint],
    epoch: str,
    began: datetime,
    cost: Cost,
    by_volume: Callable[[float], float] = lambda usd: usd,
    worse: Mapping[str, bool] | None = None,
) -> Observed:
    """The served lines of one candidate since `began`; `by_volume` as for `Bill`, `worse` as for `Measures`."""
    bill = Bill(cost, by_volume)
    codes: dict[str, int] = {}
    complained = {(each.user, _day(each.timestamp, began)) for each in complaints if each.timestamp >= began}
    arms: dict[bool, list[Served]] = {True: [], False: []}
    other = 0
    for line in lines:
        if line.timestamp < began:
            continue
        if line.epoch != epoch:
            other += 1
        else:
            arms[line.arm == CANDIDATE].append(line)
            codes.setdefault(line.user, len(codes))
    candidate, control = (_arm(arms[which], codes, complained, began, bill, worse or {}) for which in (True, False))
    return Observed(candidate, control, other)


def _arm(
    lines: Sequence[Served],
    codes: Mapping[str, int],
    complained: set[tuple[str, int]],
    began: datetime,
    bill: Bill,
    worse: Mapping[str, bool],
) -> Arm:
    user = np.fromiter((codes[line.user] for line in lines), np.int64, len(lines))
    seconds = np.fromiter(((line.timestamp - began).total_seconds() for line in lines), np.float64, len(lines))
    language = np.array([line.language or "" for line in lines], dtype=np.str_)
    share = np.fromiter((line.share for line in lines), np.float64, len(lines))
    first = np.zeros(len(lines), dtype=bool)
    if lines:
        days = (seconds // _APART.total_seconds()).astype(np.int64)
        first[np.unique(np.stack([user, days]), axis=1, return_index=True)[1]] = True
    bad = np.array(
        [
            new and (line.user, _day(line.timestamp, began)) in complained
            for line, new in zip(lines, first, strict=True)
        ],
        dtype=bool,
    )
    return Arm(user, seconds, language, share, np.arange(len(lines)), Measures(lines, bad, first, bill, worse))


def _day(moment: datetime, began: datetime) -> int:
    return (moment.astimezone(UTC) - began) // _APART


def _error(line: Served) -> float | None:
    return None if line.error == CLIENT_GONE else float(line.error is not None)


def _fallback(line: Served) -> float | None:
    if line.candidate_error is None and line.error == CLIENT_GONE:
        return None
    return float(line.candidate_error is not None)


def _timeout(line: Served) -> float | None:
    return float(line.candidate_error == "timeout")


def _slow(line: Served, slower_ms: float) -> float | None:
    late = line.latency_ms >= slower_ms
    if line.error == CLIENT_GONE and not late:
        return None
    return float(late or line.error is not None)
