"""What the guardrails of a plan watch for, and the evidence at which each alarms.

Every place where a guardrail can alarm by chance is a cell, of one of three kinds:

  limit    users' mean share of bad requests lies above the limit; of all users, or of one language's. Evidence begins
           at each day, over users and over blocks of time (`zantara_exp.rollout.restarts`). It ends the rollout.
  control  it lies above the share of the primary's users at the same time by more than the margin; within a step, where
           the ratio of the arms is one. Its blocks of time are hours, since its stakes let an hour weigh little. It
           ends the rollout.
  outage   of some hours on, most requests are bad, and more than the limit beyond chance. Evidence begins at each hour,
           over users alone, since an outage is one event of time. What it does is `rollout.outage.answer`.

alpha is split over all of them: half over the limits and controls of all users, a quarter over the languages' limits,
a quarter over the outages; a kind that a plan does not have leaves its part to the others.
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
"""Newest days and hours with requests at which evidence begins."""
HOUR, DAY = 3600.0, 86400.0
"""Seconds of the two kinds of starts."""
_ALL, _LANGUAGE, _SUDDEN = 2, 1, 1
"""Parts of alpha."""


@dataclass(frozen=True)
class Cell:
    """One place where a guardrail can alarm."""

    name: str
    """Of the guardrail."""
    guardrail: Guardrail
    kind: str
    language: str | None
    """None: all users."""
    needed: float
    """Log evidence that is an alarm."""
    plan: Rollout

    @property
    def block_hours(self) -> int:
        """Length of its blocks of time."""
        return 1 if self.kind == CONTROL else self.plan.block_hours

    @property
    def limit(self) -> float:
        """Share of bad requests that is still allowed."""
        return self.guardrail.limit or 0.0


class Seen(NamedTuple):
    """Requests of one arm, by when evidence begins and by blocks of time that are over."""

    by_start: Rows
    """In days, or in hours for an outage."""
    by_block: Rows
    """In blocks of `Cell.block_hours`, without the one that is going on."""


@dataclass(frozen=True)
class Evidence:
    """What a look found in one cell."""

    alarm: bool
    nearness: float = 0.0
    """The evidence over what an alarm needs."""
    since: float = 0.0
    """When the start with the most evidence began, in seconds since the rollout did."""


_Named = tuple[str, Guardrail, str, str | None]
"""Name, guardrail, kind and language of a cell."""


def cells_of(plan: Rollout) -> list[Cell]:
    """The cells of a plan's guardrails; all of them together alarm falsely in at most `alpha` of planned ramps."""
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

    `only_alarms` spares the work where there is far too little for an alarm, and then says 0.
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
    """Evidence that the candidate's users meet more that is bad than the control's, by over the margin."""
    margin = cell.guardrail.over_control or 0.0
    starts = newest(ours.by_start.block, theirs.by_start.block, count=DAY_STARTS)
    if only_alarms and restarts.most_users_can_exceed(ours.by_start, margin, starts) < cell.needed:
        return Evidence(False)
    users = restarts.users_exceed(ours.by_start, theirs.by_start, margin, starts)
    blocks = restarts.blocks_exceed(ours.by_block, theirs.by_block, margin, _in_blocks(starts, cell))
    found = restarts.pooled(starts, np.minimum(users, blocks), log_weights(starts, begun, cell.plan))
    return _evidence(found, DAY, cell.needed)


def outage(cell: Cell, by_hour: Rows, only_alarms: bool = False) -> Evidence:
    """Evidence that from some hour on most users are failed: their mean share too, not only more than the limit."""
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
    """Whether at some start enough users met something bad, had each failed with every request."""
    asked = restarts.users_since(by_hour, starts)
    failed = restarts.users_since(restarts.only_bad(by_hour), starts)
    each = restarts.log_evidence(np.ones(1), cell.limit, restarts.BLOCK_BETS[-1:])
    most = failed * each + log_weight + math.log(HOUR_STARTS)
    return bool(((failed >= cell.plan.outage.share * asked) & (most >= cell.needed)).any())


def log_weights(starts: Sequence[int], begun: Collection[int], plan: Rollout) -> Floats:
    """Of days: half of the weight over the days on which the plan's steps begin, half over all others."""
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
    """The newest blocks in which something was asked, ascending: counted, so that no wrong clock hides the others."""
    return [int(block) for block in np.unique(np.concatenate(blocks))[-count:]]
