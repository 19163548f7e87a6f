"""The guardrails of a running rollout, on what its users were served since it began or was resumed.

`zantara_exp.rollout.restarts` decides about a breach, on the served log and the complaints: one observation per user
and one per block of time, and good old days do not outweigh what is bad now (docs/rollout.md, docs/statistics.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from zantara_exp.analysis.incidents import KIND, Noted, noted
from zantara_exp.config.rollout import WORSE, Rollout
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.cost.billing import another_volume
from zantara_exp.gates.decision import FAIL, MISSING, PASS
from zantara_exp.rollout import alarm_levels
from zantara_exp.rollout.alarm_levels import CONTROL, DAY, DAY_STARTS, HOUR, OUTAGE, Cell, Evidence, Seen, cells_of
from zantara_exp.rollout.complaints import read_complaints
from zantara_exp.rollout.found_worse import Progress, found_worse, progress, to_judge, unjudged
from zantara_exp.rollout.history import began_at, served_since, steps_began
from zantara_exp.rollout.served_arrays import Arm, Observed, observe
from zantara_exp.rollout.served_store import ServedReader
from zantara_exp.rollout.split import Split, split_of
from zantara_exp.rollout.state import State
from zantara_exp.text.wording import counted, usd

_READ_DAYS = DAY_STARTS + 1
_DAYS_SEEN = 0.5
"""The share of a step's days on which it must have served somebody."""
_WORDS = {
    "error": "of a user's requests got no answer",
    "fallback": "of a user's requests were not answered by the candidate",
    "timeout": "of a user's requests were not answered by the candidate in time",
    "slow": "of a user's requests were slow or not answered",
    "complaint": "of a user's days had a complaint",
    WORSE: "of a user's judged requests were answered worse than by the primary",
    "cost": "a request",
}
"""In words, the share that is measured for a user; its mean over users is judged."""


class UnreadableIncidentsError(ZantaraError):
    """An unreadable line of the incidents: it might be a blocking error."""


@dataclass(frozen=True)
class Watched:
    """One guardrail at one look."""

    name: str
    """With the language, if it is for one: `fallback (id)`; or `fallback outage`."""
    decision: str
    """FAIL: a breach or an outage; MISSING: nothing seen yet."""
    bound: str
    measured: str
    control: str
    users: int
    reason: str
    """One plain sentence."""
    part_of: str = ""
    """For a language's guardrail, the name of that of all users."""
    outage: bool = False
    """Whether it watches for an outage."""


@dataclass(frozen=True)
class Look:
    """One look at the guardrails."""

    decisions: Sequence[Watched]
    breach: str
    """Breached guardrails and why; empty if none. Not empty means a rollback."""
    split: Split
    """The sizes of the arms. A mismatch says nothing about the candidate, and pauses the ramp."""
    outage: str
    """The outage and its start; empty if there is none, or if outages do not pause."""
    thin: str
    """What the step lacks before the next one; empty if nothing."""
    silent_hours: float
    """Time since the newest request of either arm, or since the step began if there is none."""


def look(config: Config, layout: Layout, state: State, now: datetime, served: ServedReader | None = None) -> Look:
    """Look at the guardrails of the rollout in `state`. Callers that look each minute keep a `served` reader.

    Requests of another candidate, or none at all, are no breach, and do not allow the next step either. Raises OSError
    or ZantaraError if log, complaints or incidents cannot be read, UnreadableIncidentsError if a line of the incidents
    cannot be read and there is no breach.
    """
    began = _read_from(state, now)
    lines = (served or ServedReader(config, layout)).read(began)
    volume = state.monthly_requests or config.cost.monthly_requests
    billed = another_volume(config.endpoint, config.cost, volume)
    complaints = read_complaints(config, layout, began)
    worse = found_worse(layout, state.epoch) if config.rollout.judged else {}
    seen = observe(lines, complaints, state.epoch, began, config.cost, billed, worse)
    held_since = max(state.since or began, began)
    judge = _Judge(seen, state, began, now, config)
    decisions = [judge.decide(cell) for cell in cells_of(config.rollout)]
    unreadable = ""
    if config.rollout.critical_bugs:
        bugs, unreadable = _critical_bugs(layout, began_at(state))
        decisions.append(bugs)
    pauses = config.rollout.outage.answer == "pause"
    breach = _breach([each for each in decisions if not (each.outage and pauses)])
    outage = _breach([each for each in decisions if each.outage and pauses])
    if unreadable and not breach:
        raise UnreadableIncidentsError(
            unreadable, f"repair the line in paths.reports/{layout.incidents.name}; until then no look counts as good"
        )
    logged = [
        began + timedelta(seconds=float(last)) for arm in (seen.candidate, seen.control) for last in arm.seconds[-1:]
    ]
    silent = (now - max([*logged, held_since])) / timedelta(hours=1)
    held = seen.candidate.only(seen.candidate.seconds >= (held_since - began).total_seconds())
    split = split_of(seen, state, began, now, config.rollout.sample_ratio_alpha)
    thin = _thin(config.rollout, state, held, seen) or (split.why_not if split.unseen else "")
    thin = thin or unjudged(config, held, began, now)
    return Look(decisions, breach, split, outage, thin, silent)


def _read_from(state: State, now: datetime) -> datetime:
    """From when on the log is read: whole days since the rollout began, so that starts are the same at each look."""
    began = began_at(state)
    beyond = (now - timedelta(days=_READ_DAYS) - began) // timedelta(days=1)
    return began + timedelta(days=max(0, beyond))


def _breach(decisions: Sequence[Watched]) -> str:
    """The breaches in words. A breach for all users is told once, with the languages in which it shows."""
    breached = {each.name: each for each in decisions if each.decision == FAIL}
    told = []
    for name, each in breached.items():
        parts = [part for part in breached.values() if part.part_of == name]
        if each.part_of not in breached:
            told.append(f"{name}: {each.reason}" + "".join(f"; {part.name}: {part.measured}" for part in parts))
    return "; ".join(told)


class _Judge:
    """Decides the cells on the observed requests."""

    def __init__(self, seen: Observed, state: State, began: datetime, now: datetime, config: Config) -> None:
        """`began`: the time from which `seen` counts its seconds."""
        self._config, self._began, self._now = config, began, (now - began).total_seconds()
        steps = [(moment - began).total_seconds() for moment in steps_began(state)]
        self._begun = {int(step // DAY) for step in steps}
        self._all = seen.candidate, seen.control
        self._step = _since(self._all, max(steps, default=0.0))
        self._served = _since(self._all, (served_since(state) - began).total_seconds())
        """Both arms since the candidate was last given to users: an outage before a pause no longer counts."""

    def decide(self, cell: Cell) -> Watched:
        """Decide one cell."""
        ours, theirs = {CONTROL: self._step, OUTAGE: self._served}.get(cell.kind, self._all)
        if cell.language is not None:
            ours, theirs = (arm.only(arm.language == cell.language) for arm in (ours, theirs))
        if cell.kind == OUTAGE:
            return self._watched(cell, alarm_levels.outage(cell, ours.rows(cell.guardrail, HOUR)), ours, theirs)
        if cell.kind != CONTROL:
            return self._watched(
                cell, alarm_levels.beyond_limit(cell, self._seen(ours, cell), self._begun), ours, theirs
            )
        if not theirs.users:
            why = "nobody has the primary: there is no control"
            return Watched(_name(cell), MISSING, _bound(cell), "-", "-", 0, why)
        found = alarm_levels.beyond_control(cell, self._seen(ours, cell), self._seen(theirs, cell), self._begun)
        return self._watched(cell, found, ours, theirs)

    def _seen(self, arm: Arm, cell: Cell) -> Seen:
        block = HOUR * cell.block_hours
        over = arm.seconds < self._now // block * block
        return Seen(arm.rows(cell.guardrail, DAY), arm.only(over).rows(cell.guardrail, block))

    def _watched(self, cell: Cell, found: Evidence, ours: Arm, theirs: Arm) -> Watched:
        """The result in words. An alarm is told with all figures, of the users since its start."""
        since = ""
        if found.alarm:
            ours, theirs = (arm.only(arm.seconds >= found.since) for arm in (ours, theirs))
            since = f" since {self._began + timedelta(seconds=found.since):%Y-%m-%d %H:%M}"
        measured, users = self._mean(ours, cell)
        control, others = self._mean(theirs, cell)
        if not users:
            return Watched(_name(cell), MISSING, _bound(cell), "-", control, 0, self._nothing(cell, ours))
        why = f"evidence at {100 * found.nearness:.0f} % of an alarm's"
        if cell.guardrail.measure == WORSE:
            why += f"; {self._progress(cell, ours).words}"
        if found.alarm:
            what = f"{measured} {_WORDS[cell.guardrail.measure]}, on average over {counted(users, 'user')}{since}"
            beside = f"; with the primary {control}, over {counted(others, 'user')}" if others else ""
            why = f"alarm, {_bound(cell)}: {what}{beside}"
        part_of = cell.name if cell.language else ""
        decision, is_outage = FAIL if found.alarm else PASS, cell.kind == OUTAGE
        return Watched(_name(cell), decision, _bound(cell), measured, control, users, why, part_of, is_outage)

    def _nothing(self, cell: Cell, ours: Arm) -> str:
        """Why nothing was seen; what a judge has to say comes only where somebody asks it."""
        if cell.guardrail.measure != WORSE:
            return "no request of the candidate seen yet"
        return f"{self._progress(cell, ours).words} yet: {to_judge(self._config)}"

    def _progress(self, cell: Cell, ours: Arm) -> Progress:
        return progress(ours, cell.guardrail, cell.plan.reverse_percent, self._began, self._began)

    def _mean(self, arm: Arm, cell: Cell) -> tuple[str, int]:
        """Users' mean share of bad requests, and how many users."""
        seen = arm.rows(cell.guardrail, DAY)
        trials, bad = np.bincount(seen.user, seen.trials), np.bincount(seen.user, seen.bad)
        asked = trials > 0
        if not asked.any():
            return "-", 0
        share, rail = float((bad[asked] / trials[asked]).mean()), cell.guardrail
        shown = f"USD {share * rail.unit_usd:.5f}" if rail.measure == "cost" else f"{100 * share:.1f} %"
        return shown, int(asked.sum())


def _since(arms: Sequence[Arm], seconds: float) -> Sequence[Arm]:
    return [arm.only(arm.seconds >= seconds) for arm in arms]


def _name(cell: Cell) -> str:
    kind = {CONTROL: " over control", OUTAGE: " outage"}.get(cell.kind, "")
    return cell.name + (f" ({cell.language})" if cell.language else "") + kind


def _bound(cell: Cell) -> str:
    rail = cell.guardrail
    if cell.kind == CONTROL:
        return f"more than {100 * (rail.over_control or 0.0):g} points above the control"
    if cell.kind == OUTAGE:
        return f"{100 * max(cell.plan.outage.share, cell.limit):g} % or more within hours"
    if rail.measure == "cost":
        return f"above {usd((rail.limit or 0.0) * rail.unit_usd)}"
    slower = f" slower than {rail.slower_ms:g} ms" if rail.measure == "slow" else ""
    return f"above {100 * (rail.limit or 0.0):g} %{slower}"


def _critical_bugs(layout: Layout, began: datetime) -> tuple[Watched, str]:
    """Breached by a blocking error noted for a day of this rollout. Days that nobody checked count as good here.

    Also returns the unreadable line, if there is one.
    """
    try:
        seen = noted(layout.incidents)
    except FileNotFoundError:
        seen = Noted((), date.min, "")
    bugs, unreadable = sum(day >= began.date() for day in seen.days), seen.unreadable
    if bugs:
        why = f"{bugs} of kind {KIND} noted in {layout.incidents.name} since the rollout began"
        return Watched("critical bugs", FAIL, "1 or more", str(bugs), "-", 0, why), unreadable
    why = unreadable or "none noted since the rollout began"
    return Watched("critical bugs", MISSING if unreadable else PASS, "1 or more", "0", "-", 0, why), unreadable


def _thin(plan: Rollout, state: State, step: Arm, seen: Observed) -> str:
    """What the step lacks: users, or days with requests (a clock may have jumped ahead)."""
    if step.users < plan.min_users:
        other = f"; {seen.other_epochs} requests are of another candidate" if seen.other_epochs else ""
        return f"{step.users} of {plan.min_users} users served in this step{other}"
    hold = plan.hold_days[state.step] if 0 <= state.step < len(plan.hold_days) else 0.0
    days, needed = int(np.unique(step.seconds // DAY).size), math.ceil(_DAYS_SEEN * min(hold, _READ_DAYS))
    return f"users served on {days} of the step's days, {needed} are needed" if days < needed else ""
