"""Tests whether the sizes of the two arms fit the share of users that should have the candidate.

A user has one place for the whole rollout, so each counts once, with the arm of the first request. The users of one
step come again in the next: so each step is tested on its own, with its own part of rollout.sample_ratio_alpha. After
SPAN the count of a step starts anew, with the next part of alpha, since a look reads only the last days of the log.

Wrong sizes do not mean that the candidate is bad. They mean that the two arms cannot be compared: some replica routes
by another share, the lines of one arm are lost, or, in a later step, the users of one arm stay away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates.sample_ratio import Ratio, ratio, share_of_alpha, shown_p
from zantara_exp.rollout.history import times_of_shares
from zantara_exp.rollout.served_arrays import Observed
from zantara_exp.rollout.state import State

SPAN = timedelta(days=14)
"""How long users are counted before the count starts anew."""
UNTESTED = "whether the arms have the declared sizes is not tested"


@dataclass(frozen=True)
class Split:
    """The arms at one look."""

    percent: float
    """The share of users who should have the candidate."""
    found: Ratio | None
    """The number of the candidate's and of the control's users; None if nothing is tested."""
    why_not: str = ""
    """Why nothing is tested."""
    unseen: bool = False
    """Whether nothing is tested because nobody was served at this share, which itself is a bad sign."""

    @property
    def mismatch(self) -> str:
        """What is wrong, with figures; empty if nothing is."""
        return f"sample ratio mismatch: {self.words}" if self.found is not None and self.found.mismatch else ""

    @property
    def words(self) -> str:
        """One plain sentence."""
        if self.found is None:
            return self.why_not
        (ours, theirs), users = self.found.counts, self.found.users
        told = f"{ours:,} of {users:,} users have the candidate ({100 * ours / users:.1f} %) and {theirs:,} the primary"
        return f"{told}, at a share of {self.percent:g} % ({shown_p(self.found.p_value)})"


def split_of(seen: Observed, state: State, began: datetime, now: datetime, alpha: float) -> Split:
    """Test the arms of the share that `state` gives; `began` is what `seen` counts its seconds from."""
    if not alpha:
        return Split(state.percent, None, f"{UNTESTED}: rollout.sample_ratio_alpha=0")
    if state.percent >= 100:
        return Split(state.percent, None, "everybody has the candidate: there is no other arm")
    since, number = _counted_since(state, now)
    arms = _first_arms(seen, (since - began).total_seconds(), state.percent)
    if not arms.size:
        return Split(state.percent, None, f"no user was served at a share of {state.percent:g} % yet", unseen=True)
    share = state.percent / 100
    return Split(state.percent, ratio(arms, [share, 1 - share], share_of_alpha(alpha, number)))


def _counted_since(state: State, now: datetime) -> tuple[datetime, int]:
    """Since when users are counted, and the number of this count in the rollout, from 1 on."""
    times = times_of_shares(state)
    ends = [*times[1:], now]
    spans = [max((end - begin) // SPAN, 0) for begin, end in zip(times, ends, strict=True)]
    return times[-1] + spans[-1] * SPAN, sum(spans) + len(times)


def _first_arms(seen: Observed, since_seconds: float, percent: float) -> NDArray[np.int64]:
    """The arm of each user's first request at a share, in order: 0 the candidate's, 1 the control's."""
    arms = seen.candidate, seen.control
    user, seconds, share = (
        np.concatenate([getattr(arm, name) for arm in arms]) for name in ("user", "seconds", "share")
    )
    control = np.repeat([0, 1], [arm.user.size for arm in arms])
    at = np.flatnonzero((seconds >= since_seconds) & (share == percent))
    at = at[np.argsort(seconds[at], kind="stable")]
    first = np.sort(np.unique(user[at], return_index=True)[1])
    return control[at[first]].astype(np.int64)
