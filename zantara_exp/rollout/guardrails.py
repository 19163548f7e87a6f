"""The guardrails of a running rollout: what its users were served, since it began or was resumed.

A breach is decided by `zantara_exp.gates.restarts` on the served log and on the complaints, with one observation per
user and no good old days that outweigh what is bad now (docs/rollout.md, docs/statistics.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from zantara_exp.analysis.incidents import KIND, blocking_errors
from zantara_exp.config.decision import Cost
from zantara_exp.config.rollout import Rollout
from zantara_exp.config.schema import Config
from zantara_exp.gates.decision import FAIL, MISSING, PASS
from zantara_exp.gates.evidence import Number
from zantara_exp.gates.restarts import Rows
from zantara_exp.layout import Layout
from zantara_exp.rollout.cells import DAY_STARTS, Cell, Evidence, beyond_control, beyond_limit, cells_of
from zantara_exp.rollout.complaints import read_complaints
from zantara_exp.rollout.observed import DAY, HOUR, Arm, Observed, observe, rows
from zantara_exp.rollout.state import State
from zantara_exp.shadow.served_store import read_served

_READ_DAYS = DAY_STARTS + 1
_WORDS = {
    "error": "requests without any answer",
    "fallback": "requests that the candidate did not answer",
    "timeout": "requests that the candidate did not answer in time",
    "slow": "slow or unanswered requests",
    "complaint": "days with a complaint",
    "cost": "cost per request",
}


@dataclass(frozen=True)
class Watched:
    """One guardrail at one look."""

    name: str
    """With its language, where it is one language's: `fallback (id)`."""
    decision: str
    """FAIL is a breach; MISSING is nothing seen yet."""
    bound: str
    measured: str
    control: str
    users: int
    reason: str
    """One plain sentence."""


@dataclass(frozen=True)
class Look:
    """One look at the guardrails."""

    decisions: Sequence[Watched]
    breach: str
    """Which guardrails were breached and why; empty where none was."""
    thin: str
    """Why the step has not been seen enough to go on; empty where it has."""
    silent_hours: float
    """Time since the newest request of either arm, or since the step began where there is none."""


def look(config: Config, layout: Layout, state: State, now: datetime) -> Look:
    """Look at the guardrails of the rollout that `state` is in.

    Requests of another candidate, and none at all, breach nothing and let nothing go on. Raises OSError or
    psycopg.Error where log or complaints cannot be read.
    """
    began = max(began_at(state), now - timedelta(days=_READ_DAYS))
    lines, complaints = read_served(config, layout, began), read_complaints(layout, began)
    return judged(config, layout, state, observe(lines, complaints, state.epoch, began), began, now)


def judged(config: Config, layout: Layout, state: State, seen: Observed, began: datetime, now: datetime) -> Look:
    """The same on what was observed since `began`."""
    since = ((state.since or began) - began).total_seconds()
    judge = _Judge(config.cost, seen, since, control=state.share < 100)
    decisions = [judge.decide(cell) for cell in cells_of(config.rollout)]
    if config.rollout.critical_bugs:
        decisions += _critical_bugs(layout, began)
    breach = [f"{each.name}: {each.reason}" for each in decisions if each.decision == FAIL]
    newest = max(
        (line.timestamp for arm in (seen.candidate, seen.control) for line in arm.requests[-1:]), default=began
    )
    silent = (now - max(newest, state.since or began)) / timedelta(hours=1)
    return Look(decisions, "; ".join(breach), _thin(config.rollout, seen, since), silent)


def began_at(state: State) -> datetime:
    """When the rollout began, or was resumed by somebody who had looked at what had happened before."""
    moments = [change.time for change in state.history if change.action in ("start", "resume")]
    return moments[-1] if moments else state.since or datetime.now(UTC)


class _Judge:
    """Decides cells on what was observed."""

    def __init__(self, cost: Cost, seen: Observed, step_began: float, control: bool) -> None:
        self._cost, self._seen, self._compares = cost, seen, control
        self._arms: dict[tuple[bool, str | None], Arm] = {}
        self._step = [arm.only(arm.seconds >= step_began) for arm in (seen.candidate, seen.control)]

    def decide(self, cell: Cell) -> Watched:
        """Decide one cell."""
        return self._compared(cell) if cell.compared else self._limited(cell)

    def _limited(self, cell: Cell) -> Watched:
        ours, theirs = self._arm(True, cell.language), self._arm(False, cell.language)
        by_day = rows(ours, cell.guardrail, self._cost, DAY)
        found = beyond_limit(cell, by_day, rows(ours, cell.guardrail, self._cost, HOUR))
        control = rows(theirs, cell.guardrail, self._cost, DAY)
        return _watched(cell, found, by_day, control, _bound(cell))

    def _compared(self, cell: Cell) -> Watched:
        ours, theirs = (rows(arm, cell.guardrail, self._cost, DAY) for arm in self._step)
        found = beyond_control(cell, ours, theirs) if ours.user.size else Evidence(0.0, 0.0, False)
        if not theirs.user.size:
            why = "everybody has the candidate: there is no control" if not self._compares else "no control seen yet"
            return Watched(_name(cell), MISSING, _bound(cell), "-", "-", 0, why)
        return _watched(cell, found, ours, theirs, _bound(cell))

    def _arm(self, candidate: bool, language: str | None) -> Arm:
        key = candidate, language
        if key not in self._arms:
            whole = self._seen.candidate if candidate else self._seen.control
            self._arms[key] = whole if language is None else whole.only(whole.language == language)
        return self._arms[key]


def _watched(cell: Cell, found: Evidence, ours: Rows, theirs: Rows, bound: str) -> Watched:
    share, users = _mean_share(ours)
    control, others = _mean_share(theirs)
    scale = cell.guardrail
    measured = _shown(scale.measure, share, scale.unit_usd)
    beside = _shown(scale.measure, control, scale.unit_usd)
    if not users:
        return Watched(_name(cell), MISSING, bound, "-", beside, 0, "no request of the candidate seen yet")
    of_control = f"; users of the primary {beside} of {others}" if others else ""
    what = f"{_WORDS[scale.measure]} {measured} of {users} users{of_control}"
    if found.alarm:
        return Watched(_name(cell), FAIL, bound, measured, beside, users, f"alarm, {bound}: {what}")
    evidence = max(found.log_days / cell.needed_days, found.log_hours / cell.needed_hours, 0.0)
    return Watched(_name(cell), PASS, bound, measured, beside, users, f"{what}; at {100 * evidence:.0f} % of an alarm")


def _name(cell: Cell) -> str:
    return cell.name + (f" ({cell.language})" if cell.language else "") + (" over control" if cell.compared else "")


def _bound(cell: Cell) -> str:
    rail = cell.guardrail
    if cell.compared:
        return f"more than {100 * (rail.over_control or 0.0):g} points above the control"
    if rail.measure == "cost":
        return f"above USD {(rail.limit or 0.0) * rail.unit_usd:g}"
    slower = f" slower than {rail.slower_ms:g} ms" if rail.measure == "slow" else ""
    return f"above {100 * (rail.limit or 0.0):g} %{slower}"


def _shown(measure: str, share: float | None, unit_usd: float) -> str:
    if share is None:
        return "-"
    return f"USD {share * unit_usd:.5f}" if measure == "cost" else f"{100 * share:.1f} %"


def _mean_share(arm: Rows) -> tuple[float | None, int]:
    """Users' mean share of bad requests, and how many users."""
    if not arm.user.size:
        return None, 0
    trials, bad = np.bincount(arm.user, arm.trials), np.bincount(arm.user, arm.bad)
    asked = trials > 0
    users = int(asked.sum())
    return (float((bad[asked] / trials[asked]).mean()) if users else None), users


def _critical_bugs(layout: Layout, began: datetime) -> list[Watched]:
    """Breached by a blocking error noted for a day of this rollout; days nobody looked at are no news here."""
    before = blocking_errors(layout.incidents, (began - timedelta(days=1)).date())
    now = blocking_errors(layout.incidents, datetime.max.date())
    noted = now.value if isinstance(now, Number) else 0.0
    old = before.value if isinstance(before, Number) else 0.0
    if noted > old:
        why = f"{noted - old:.0f} of kind {KIND} noted in {layout.incidents.name} since the rollout began"
        return [Watched("critical bugs", FAIL, "1 or more", f"{noted - old:.0f}", "-", 0, why)]
    return [Watched("critical bugs", PASS, "1 or more", "0", "-", 0, "none noted since the rollout began")]


def _thin(plan: Rollout, seen: Observed, step_began: float) -> str:
    """Why this step was not seen enough yet."""
    step = seen.candidate.only(seen.candidate.seconds >= step_began)
    if step.users >= plan.min_users:
        return ""
    other = f"; {seen.other_epochs} requests are of another candidate" if seen.other_epochs else ""
    return f"{step.users} of {plan.min_users} users served in this step{other}"
