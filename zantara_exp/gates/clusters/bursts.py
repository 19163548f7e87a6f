"""Bursts: stretches of time in which far more users failed than usually do.

A burst is where the failures of a stretch of slots (of ten minutes, say) are far likelier if one user in two fails than
at the usual rate: the stretch with the highest log likelihood ratio (a scan statistic, Kulldorff 1997; the best stretch
as in Kadane's algorithm), and on both sides of it again. A stretch counts where the ratio, with each user taken once,
beats 1/alpha for as many slots as were searched, and at least three users failed: one who always fails is no burst.
The usual rate is that of the slots outside of bursts.

What is found has lasted at least from its first failure to its last; a short burst at an hour without requests is not
seen by anybody.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALPHA = 0.01
FEWEST_USERS = 3
_IN_BURST = 0.5
_ROUNDS = 3


@dataclass(frozen=True)
class Burst:
    """One stretch of failures."""

    first: int
    """Its first slot with a failure."""
    last: int
    """Its last slot with a failure, inclusive."""
    users: int
    """Users who asked in it."""
    failing: int
    """Users of those with a failure in it."""

    @property
    def slots(self) -> int:
        """How long it lasted at least."""
        return self.last - self.first + 1


def bursts(user: Ints, slot: Ints, bad: Floats, alpha: float = ALPHA) -> list[Burst]:
    """The bursts of one log, in order of time; one row per user and slot with requests, `bad` of which failed."""
    if not user.size:
        return []
    failed = bad > 0
    slots, place = np.unique(slot, return_inverse=True)
    asked = np.bincount(place, minlength=slots.size).astype(np.float64)
    failing = np.bincount(place, failed, slots.size).astype(np.float64)
    needed = math.log(slots.size / alpha)
    found: list[Burst] = []
    for number in range(_ROUNDS):
        # Not the overall share: a log that is down most of the time has a usual rate too.
        usual = _usual(slots, asked, failing, found) if number else _quiet(asked, failing)
        scores = _score(asked, failing, usual)
        before, found = found, []
        for first, last in _stretches(scores, needed):
            inside = (place >= first) & (place <= last)
            burst = _burst(user[inside], slot[inside], failed[inside])
            if burst.failing >= FEWEST_USERS and _score(burst.users, burst.failing, usual) >= needed:
                found.append(burst)
        if found == before:
            break
    return found


def _quiet(asked: Floats, failing: Floats) -> float:
    """Share of users failing in the better quarter of the slots; never so low that two failures would be a burst."""
    share = failing / asked
    order = np.argsort(share, kind="stable")
    quarter = int(np.searchsorted(np.cumsum(asked[order]), 0.25 * asked.sum()))
    return float(min(max(share[order][quarter], 0.005), _IN_BURST))


def _usual(slots: Ints, asked: Floats, failing: Floats, found: list[Burst]) -> float:
    """Share of users failing in a slot outside of bursts; never so low that two failures would be a burst."""
    outside = np.ones(slots.size, dtype=bool)
    for burst in found:
        outside &= (slots < burst.first) | (slots > burst.last)
    total = float(asked[outside].sum())
    return min(max((float(failing[outside].sum()) + 0.5) / (total + 1.0), 0.001), _IN_BURST)


def _score(asked: Floats | int, failing: Floats | int, usual: float) -> Floats:
    """Log likelihood ratio of one user in two failing, against the usual rate."""
    up, down = math.log(_IN_BURST / usual), math.log((1.0 - _IN_BURST) / (1.0 - usual))
    return np.asarray(failing * up + (asked - failing) * down)


def _stretches(scores: Floats, needed: float) -> list[tuple[int, int]]:
    """Disjoint stretches whose scores sum to `needed` or more, each the best of what the better ones left over."""
    found, open_parts = [], [(0, scores.size)]
    while open_parts:
        start, end = open_parts.pop()
        if start >= end:
            continue
        total = np.concatenate([[0.0], np.cumsum(scores[start:end])])
        gain = total[1:] - np.minimum.accumulate(total)[:-1]
        last = int(gain.argmax())
        if gain[last] < needed:
            continue
        first = int(total[: last + 1].argmin())
        found.append((start + first, start + last))
        open_parts += [(start, start + first), (start + last + 1, end)]
    return sorted(found)


def _burst(user: Ints, slot: Ints, failed: NDArray[np.bool_]) -> Burst:
    bad = slot[failed]
    return Burst(int(bad.min()), int(bad.max()), np.unique(user).size, np.unique(user[failed]).size)


def shown_minutes(minutes: int) -> str:
    """`40 minutes`, `1 hour`, `1 hour 20 minutes`, `2 days`."""
    parts = []
    for size, name in ((1440, "day"), (60, "hour"), (1, "minute")):
        count, minutes = divmod(minutes, size)
        if count:
            parts.append(f"{count} {name}{'s' if count > 1 else ''}")
    return " ".join(parts) or "0 minutes"
