"""What stands in the way of a pass before evidence is weighed: losses, too few users, too few days, the last days."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zantara_exp.gates.clusters import weeks
from zantara_exp.gates.decision import Window
from zantara_exp.gates.kinds.kind import Rule
from zantara_exp.gates.user_visits import Measured
from zantara_exp.text.wording import counted


class Compared(NamedTuple):
    """What one look has, beside its evidence."""

    users: int
    smaller: int
    """Users of the smaller side, where two are compared; all of them elsewhere."""
    lost_share: float
    window: Window | None


def hindrance_of(rule: Rule, measured: Measured, there: Compared) -> str:
    """In one sentence, the first that stands in the way; empty where nothing does."""
    if not there.lost_share <= rule.max_lost:  # written so that what is no number is held against it
        lost, most = 100 * there.lost_share, 100 * rule.max_lost
        return f"{lost:.1f} % of the requests were lost, more than the {most:g} % allowed"
    if there.users < rule.min_users:
        return f"{counted(there.users, 'user')}, at least {rule.min_users} are needed"
    if there.smaller < rule.min_users:
        return f"{counted(there.smaller, 'user')} in the baseline, at least {rule.min_users} are needed"
    if rule.timed and (short := _not_over_time(rule, measured)):
        return short
    return _of_window(rule, measured, there.window)


def _not_over_time(rule: Rule, measured: Measured) -> str:
    """What a GO lacks of time: the time of day, days, or a day of the week."""
    at = measured.at
    if at.slot is None:
        return (
            "the evidence does not say at what time of day, and gate.time_block asks for it; "
            "time_block: none says that nothing can fail at once"
        )
    return weeks.still_missing(np.unique(at.day) + at.start, rule.min_days)


def _of_window(rule: Rule, measured: Measured, window: Window | None) -> str:
    if window is None or window.agrees:
        return ""
    if window.users < rule.criterion.window_min_users:
        in_them = f"{counted(window.users, 'user')} in the last {counted(window.days, 'day')}"
        return f"{in_them}, {rule.criterion.window_min_users} are needed"
    if young := weeks.window_too_young(measured.at.days - int(measured.at.day.min()), window.days):
        return young
    shown = rule.kind.shown(window.estimate)
    alone = "day alone does" if window.days == 1 else f"{window.days} days alone do"
    return f"the last {alone} not show it: measured {shown}"
