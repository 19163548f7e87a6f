"""What the guardrails of a plan watch for, and the evidence at which each alarms.

Each place where a guardrail can alarm by chance is a cell. There are three kinds:

  limit    the users' mean share of bad requests is above the limit, for all users or for one language. Evidence starts
           anew each day, over users and over blocks of time (`zantara_exp.rollout.restarts`). It ends the rollout.
  control  the share exceeds that of the primary's users at the same time by more than the margin, within one step, in
           which the ratio of the arms is constant. Blocks of time are hours, as its bets give an hour little weight. It
           ends the rollout.
  outage   from some hour on most requests are bad, and more than the limit allows. Evidence starts anew each hour, over
           users alone, since an outage is a single event in time. It does what `rollout.outage.answer` says.

alpha is split over all cells: half over the limits and controls of all users, a quarter over the languages' limits, a
quarter over the outages. The part of a kind that a plan does not have goes to the others.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zantara_exp.config.rollout import OUTAGE_MEASURES, Guardrail, Rollout
from zantara_exp.gates.eprocess import Floats
from zantara_exp.rollout import restarts
from zantara_exp.rollout.restarts import Found, Rows

LIMIT, CONTROL, OUTAGE = "limit", "control", "outage"
DAY_STARTS, HOUR_STARTS = 14, 24
"""How many of the newest days and hours with requests are starts of evidence."""
HOUR, DAY = 3600.0, 86400.0
"""Seconds between starts, for the two kinds."""
_ALL, _LANGUAGE, _SUDDEN = 2, 1, 1
"""Parts of alpha."""


@dataclass(frozen=True)
class Cell:
    """One place where a guardrail can alarm."""

    name: str
    """The guardrail's name."""
    guardrail: Guardrail
    kind: str
    language: str | None
    """None: all users."""
    needed: float
    """The log evidence at which it alarms."""
    plan: Rollout

    @property
    def block_hours(self) -> int:
        """The length of its blocks of time."""
        return 1 if self.kind == CONTROL else self.plan.block_hours

    @property
    def limit(self) -> float:
        """The share of bad requests that is still allowed."""
        return self.guardrail.limit or 0.0


class Seen(NamedTuple):
    """Requests of one arm, by start of evidence and by finished block of time."""

    by_start: Rows
    """In days, or in hours for an outage."""
    by_block: Rows
    """In blocks of `Cell.block_hours`, without the unfinished one."""


@dataclass(frozen=True)
class Evidence:
    """What a look found in one cell."""

    alarm: bool
    nearness: float = 0.0
    """The evidence divided by what an alarm needs."""
    since: float = 0.0
    """The start with the most evidence, in seconds since the rollout began."""


_Named = tuple[str, Guardrail, str, str | None]
"""Name, guardrail, kind and language of a cell."""


def cells_of(plan: Rollout) -> list[Cell]:
    """The cells of a plan. Together they alarm falsely in at most `alpha` of planned ramps."""
    rails = plan.guardrails.items()
    whole: list[_Named] = [(name, g, LIMIT, None) for name, g in rails if g.limit is not None]
    whole += [(name, g, CONTROL, None) for name, g in rails if g.over_control is not None]
    split: list[_Named] = [
        (name, g, LIMIT, language) for name, g in rails if g.by_language for language in plan.languages
    ]
    sudden: list[_Named] = [
        (name, g, OUTAGE, None) for name, g in rails if g.limit is not None and g.measure in OUTAGE_MEASURES
    ]
    sudden = sudden if plan.outage.answer != "ignore" else []
    parts: list[tuple[list[_Named], float]] = [(whole, _ALL), (split, _LANGUAGE), (sudden, _SUDDEN)]
    shared = sum(part for cells, part in parts if cells)
    return sorted(
        (
            Cell(*each, math.log(len(cells) * shared / (part * plan.alpha)), plan)
            for cells, part in parts
            for each in cells
        ),
        key=lambda cell: (cell.kind == OUTAGE, cell.language is not None, list(plan.guardrails).index(cell.name)),
    )


def beyond_limit(cell: Cell, seen: Seen, begun: Collection[int], only_alarms: bool = False) -> Evidence:
    """Evidence that users' mean share of bad requests lies above the limit; `begun`: days on which a step began.

    With `only_alarms` it returns 0 without the work if there is far too little evidence for an alarm.
    """
    starts = newest(seen.by_start.block, count=DAY_STARTS)
    weights = log_weights(starts, begun, cell.plan)
    if only_alarms:
        most = np.full(len(starts), restarts.most_users_can_show(seen.by_start, cell.limit, starts))
        if restarts.pooled(starts, most, weights).log_evidence < cell.needed:
            return Evidence(False)
    blocks = restarts.blocks_above(seen.by_block, cell.limit, _in_blocks(starts, cell))
    if only_alarms and restarts.pooled(starts, blocks, weights).log_evidence < cell.needed:
        return Evidence(False)
    users = restarts.users_above(seen.by_start, cell.limit, starts)
    return _evidence(restarts.pooled(starts, np.minimum(users, blocks), weights), DAY, cell.needed)


def beyond_control(cell: Cell, ours: Seen, theirs: Seen, begun: Collection[int], only_alarms: bool = False) -> Evidence:
    """Evidence that the candidate's share of bad requests exceeds the control's by more than the margin."""
    margin = cell.guardrail.over_control or 0.0
    starts = newest(ours.by_start.block, theirs.by_start.block, count=DAY_STARTS)
    if only_alarms and restarts.most_users_can_exceed(ours.by_start, margin, starts) < cell.needed:
        return Evidence(False)
    users = restarts.users_exceed(ours.by_start, theirs.by_start, margin, starts)
    blocks = restarts.blocks_exceed(ours.by_block, theirs.by_block, margin, _in_blocks(starts, cell))
    found = restarts.pooled(starts, np.minimum(users, blocks), log_weights(starts, begun, cell.plan))
    return _evidence(found, DAY, cell.needed)


def outage(cell: Cell, by_hour: Rows, only_alarms: bool = False) -> Evidence:
    """Evidence of an outage: from some hour on the mean share of bad requests is `rollout.outage.share` or more."""
    starts, bets = newest(by_hour.block, count=HOUR_STARTS), restarts.BLOCK_BETS
    weight = -math.log(24 * _planned_days(cell.plan))
    if only_alarms and not _can_be_outage(cell, by_hour, starts, weight):
        return Evidence(False)
    failed = [
        (since.start, restarts.log_evidence(since.shares, cell.limit, bets))
        for since in restarts.shares_since(by_hour, starts)
        if since.shares.size and since.shares.mean() >= cell.plan.outage.share
    ]
    shown = np.array([log_evidence for _, log_evidence in failed])
    found = restarts.pooled([start for start, _ in failed], shown, np.full(len(failed), weight))
    return _evidence(found, HOUR, cell.needed)


def _can_be_outage(cell: Cell, by_hour: Rows, starts: Sequence[int], log_weight: float) -> bool:
    """Whether there could be an alarm at all, if every user with a bad request had only bad ones."""
    asked = restarts.users_since(by_hour, starts)
    failed = restarts.users_since(restarts.only_bad(by_hour), starts)
    each = restarts.log_evidence(np.ones(1), cell.limit, restarts.BLOCK_BETS[-1:])
    most = failed * each + log_weight + math.log(HOUR_STARTS)
    return bool(((failed >= cell.plan.outage.share * asked) & (most >= cell.needed)).any())


def log_weights(starts: Sequence[int], begun: Collection[int], plan: Rollout) -> Floats:
    """Log weights of the days: half for the days on which steps begin, half for all others."""
    first, other = 0.5 / len(plan.steps_percent), 0.5 / _planned_days(plan)
    return np.log([first if start in begun else other for start in starts])


def _planned_days(plan: Rollout) -> int:
    return max(DAY_STARTS, math.ceil(sum(plan.hold_days)))


def _in_blocks(days: Sequence[int], cell: Cell) -> list[int]:
    return [day * (24 // cell.block_hours) for day in days]


def _evidence(found: Found, start_seconds: float, needed: float) -> Evidence:
    nearness = max(found.log_evidence, 0.0) / needed
    return Evidence(found.log_evidence >= needed, nearness, (found.start or 0) * start_seconds)


def newest(*blocks: Floats | np.typing.NDArray[np.int64], count: int) -> list[int]:
    """The newest `count` blocks with requests, ascending. Counting them keeps a wrong clock from hiding the others."""
    return [int(block) for block in np.unique(np.concatenate(blocks))[-count:]]
