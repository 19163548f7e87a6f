"""What the guardrails of a plan compare, and the evidence at which each alarms.

Every place where a guardrail can alarm by chance is a cell: a limit, a limit in one language, a comparison with the
control. alpha is split over them, half over all users' cells and half over the languages'. A limit looks at starts of
two kinds, days and hours: three quarters of its alpha is for the days, which see a slow decline, one quarter for the
hours, which see an outage. A comparison looks at days, within a step, where the ratio of the arms is one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zantara_exp.config.rollout import Guardrail, Rollout
from zantara_exp.gates.restarts import Found, Rows, evidence_below, evidence_of_excess, needed

DAY_STARTS, HOUR_STARTS = 14, 24
"""Newest days and hours with requests that an e-process is started at."""
HOUR, DAY = 3600.0, 86400.0
"""Seconds of the two kinds of blocks."""
_DAYS_ALPHA = 0.75


@dataclass(frozen=True)
class Cell:
    """One place where a guardrail can alarm."""

    name: str
    """Of the guardrail."""
    guardrail: Guardrail
    language: str | None
    """None: all users."""
    compared: bool
    """With the control, instead of with the limit."""
    needed_days: float
    """Log evidence of a day's start that is an alarm."""
    needed_hours: float
    """Log evidence of an hour's start that is an alarm."""


@dataclass(frozen=True)
class Evidence:
    """What a look found in one cell."""

    alarm: bool
    nearness: float = 0.0
    """The most evidence over what an alarm needs."""
    since: float = 0.0
    """When the start with the most evidence began, in seconds since the rollout did."""


def cells_of(plan: Rollout) -> list[Cell]:
    """The cells of a plan's guardrails; all of them together alarm falsely in at most `alpha` of planned ramps."""
    whole = [
        (name, guardrail, compared)
        for name, guardrail in plan.guardrails.items()
        for compared, bound in ((False, guardrail.limit), (True, guardrail.over_control))
        if bound is not None
    ]
    split = [(name, g, language) for name, g in plan.guardrails.items() if g.by_language for language in plan.languages]
    days = max(DAY_STARTS, math.ceil(sum(plan.hold_days)))
    alpha = plan.alpha / 2 if split else plan.alpha
    found = [_cell(name, g, None, compared, days, alpha / len(whole)) for name, g, compared in whole]
    return found + [_cell(name, g, language, False, days, alpha / len(split)) for name, g, language in split]


def _cell(name: str, guardrail: Guardrail, language: str | None, compared: bool, days: int, alpha: float) -> Cell:
    if compared:
        return Cell(name, guardrail, language, True, needed(days, alpha), math.inf)
    by_day, by_hour = needed(days, _DAYS_ALPHA * alpha), needed(24 * days, (1 - _DAYS_ALPHA) * alpha)
    return Cell(name, guardrail, language, False, by_day, by_hour)


def beyond_limit(cell: Cell, by_day: Rows, by_hour: Rows, only_alarms: bool = False) -> Evidence:
    """Evidence that users' mean share of bad requests lies above the limit.

    `only_alarms` spares the work where there is far too little for an alarm, and then says 0.
    """
    p0 = 1.0 - (cell.guardrail.limit or 0.0)
    least = (cell.needed_days, cell.needed_hours) if only_alarms else (-math.inf, -math.inf)
    days = evidence_below(by_day, p0, newest(by_day, count=DAY_STARTS), least[0])
    hours = evidence_below(by_hour, p0, newest(by_hour, count=HOUR_STARTS), least[1])
    return max(
        _evidence(days, DAY, cell.needed_days), _evidence(hours, HOUR, cell.needed_hours), key=lambda e: e.nearness
    )


def beyond_control(cell: Cell, candidate: Rows, control: Rows, only_alarms: bool = False) -> Evidence:
    """Evidence that the candidate's users meet more that is bad than the control's, by over the margin."""
    starts = newest(candidate, control, count=DAY_STARTS)
    least = cell.needed_days if only_alarms else -math.inf
    found = evidence_of_excess(candidate, control, cell.guardrail.over_control or 0.0, starts, least)
    return _evidence(found, DAY, cell.needed_days)


def _evidence(found: Found, block_seconds: float, needed_here: float) -> Evidence:
    nearness = max(found.log_evidence, 0.0) / needed_here
    return Evidence(found.log_evidence >= needed_here, nearness, (found.start or 0) * block_seconds)


def newest(*arms: Rows, count: int) -> Sequence[int]:
    """The newest blocks in which something was asked: counted, so that no clock that is wrong can hide the others."""
    blocks = np.unique(np.concatenate([arm.block for arm in arms]))
    return [int(block) for block in blocks[-count:]]
