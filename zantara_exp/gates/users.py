"""Which rows of user-days a criterion looks at: segments, days, arms; and what was lost in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates.evidence import UserDays

ARM = "arm"
"""Segment column that tells a non-inferiority's `baseline` rows from its `candidate` rows."""


def where(days: UserDays, wanted: Mapping[str, Sequence[str]]) -> UserDays | str:
    """The rows whose segments are among `wanted`; a sentence where the evidence has no such segment column."""
    if not wanted:
        return days
    keep = np.ones(days.user.size, dtype=bool)
    for dimension, values in wanted.items():
        if dimension not in days.segments:
            return f"the evidence is not split by {dimension}"
        column = days.segments[dimension]
        keep &= np.logical_or.reduce([column == value for value in values])
    return rows(days, keep)


def rows(days: UserDays, keep: NDArray[np.bool_]) -> UserDays:
    """The rows marked in `keep`; what was lost has no segment and stays."""
    if keep.all():
        return days
    return replace(
        days,
        user=days.user[keep],
        day=days.day[keep],
        trials=days.trials[keep],
        total=days.total[keep],
        baseline=None if days.baseline is None else days.baseline[keep],
        capped=None if days.capped is None else days.capped[keep],
        segments={name: column[keep] for name, column in days.segments.items()},
        slot=None if days.slot is None else days.slot[keep],
    )


def between(days: UserDays, first: int | None, last: int | None) -> UserDays:
    """The rows of the days `first` to `last`, both inclusive, with what was lost in them."""
    low = -(2**62) if first is None else first
    high = 2**62 if last is None else last
    chosen = rows(days, (days.day >= low) & (days.day <= high))
    return replace(chosen, lost_per_day={d: n for d, n in days.lost_per_day.items() if low <= d <= high})


def arms(days: UserDays) -> tuple[UserDays, UserDays] | str:
    """The candidate's and the baseline's rows; a sentence where they cannot be told apart."""
    if ARM not in days.segments:
        return "the evidence does not say which rows are the baseline"
    column = days.segments[ARM]
    return rows(days, column == "candidate"), rows(days, column == "baseline")


def last_day(days: UserDays) -> int | None:
    """The last day on which a request was measured or lost: a day that lost everything is still a day."""
    measured = [int(days.day.max())] if days.day.size else []
    return max([*measured, *(int(day) for day, count in days.lost_per_day.items() if count > 0)], default=None)


def lost(days: UserDays) -> float:
    """Requests that were sampled but could not be measured."""
    return float(sum(days.lost_per_day.values()))


def lost_share(days: UserDays) -> float:
    """Share of all sampled requests that could not be measured."""
    gone = lost(days)
    return gone / (gone + float(days.trials.sum())) if gone else 0.0
