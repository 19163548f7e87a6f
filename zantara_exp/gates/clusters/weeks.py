"""Whole weeks: a GO asks for enough days, and for every day of the week among them.

A candidate that fails on weekends shows nothing of it from Monday to Friday; and with much traffic the statistics alone
would be sure by then. Days are UTC days since 1970-01-01, which was a Thursday.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zantara_exp.text.wording import counted

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FIRST = 3


def weekday(day: Ints) -> Ints:
    """0 for Monday to 6 for Sunday."""
    return np.asarray((day + _FIRST) % 7)


def long_enough(seen: Flags, first_day: int, min_days: int) -> Flags:
    """Whether each look, one a day, has `min_days` days with evidence and each weekday among them.

    `seen` says which days have evidence, shape (simulations, days); `first_day` is the UTC day of the first column.
    With `min_days` below 7 weekdays are not asked for.
    """
    enough = seen.cumsum(axis=1) >= min_days
    if min_days < 7:
        return np.asarray(enough)
    days = weekday(first_day + np.arange(seen.shape[1]))
    for one in range(7):
        enough &= np.logical_or.accumulate(seen & (days == one), axis=1)
    return np.asarray(enough)


def still_missing(days: Ints, min_days: int) -> str:
    """What the days with evidence of one log lack, as part of a sentence; empty where they are enough."""
    found = np.unique(days)
    if found.size < min_days:
        return f"{counted(found.size, 'day')} with evidence, at least {min_days} are needed"
    absent = [WEEKDAYS[one] for one in range(7) if one not in weekday(found)] if min_days >= 7 else []
    return f"no evidence of a {' or '.join(absent)} yet" if absent else ""


def window_too_young(days: int, width: int) -> str:
    """Why a window of `width` days says nothing yet: the log has only `days` days. Empty where it is not."""
    had = counted(days, "day")
    return f"the log has {had}, and the window of {width} days asks for as many" if days < width else ""
