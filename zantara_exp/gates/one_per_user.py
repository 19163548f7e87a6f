"""Methods that count each user once: on the first days (strict), or as they come (detector).

Sources and formulas: `zantara_exp.gates.eprocess`, `detector`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from zantara_exp.gates import eprocess
from zantara_exp.gates.clusters.time import OverTime, over_time
from zantara_exp.gates.decision import FAIL, PASS
from zantara_exp.gates.detector import detector_path
from zantara_exp.gates.eprocess import Floats
from zantara_exp.gates.methods import NOW, Outlook
from zantara_exp.gates.share_methods import GO_SIDE, ShareMethod, Side
from zantara_exp.gates.user_visits import Ints, Measured, Visits


class Voices(NamedTuple):
    """One share per user, and the look at which it is complete."""

    at: Visits
    cells: Ints
    shares: Floats
    lost: float
    blocks: OverTime


class Once(ShareMethod):
    """Each user once, with the share of good requests among the rows that are chosen."""

    def sums_of(self, measured: Measured, good: Floats) -> Voices:
        """Users' shares."""
        at = measured.at
        shares = at.so_far(good)[at.last] / at.so_far(measured.counted)[at.last]
        return Voices(at, self._complete(at), shares, measured.lost, self._blocks(measured, good))

    def users(self, at: Visits) -> Ints:
        """Users whose share is complete."""
        return at.added(self._complete(at)).astype(np.int64)

    def estimate(self, sums: Voices, p0: float) -> tuple[Floats, Floats]:
        """The mean of the users' shares, and how many users."""
        users = sums.at.added(sums.cells)
        return sums.at.added(sums.cells, sums.shares) / np.maximum(users, 1.0), users.astype(np.float64)

    def _complete(self, at: Visits) -> Ints:
        """The look at which each user's share is complete."""
        return at.cell_of(at.owner, at.started)

    def _blocks(self, measured: Measured, good: Floats) -> OverTime:
        """Of time, in which users weigh alike."""
        return OverTime(None, None)


class Strict(Once):
    """The first days, once they are over: proven at any correlation of one user's requests, blocks of time beside."""

    def chosen(self, measured: Measured) -> Measured:
        """Users' first days, of those whose first days are over by the end."""
        at = measured.at
        over = (at.started + self.criterion.first_days)[at.user]
        return measured.rows((over <= at.days) & (at.day < over))

    def nobody(self) -> str:
        """All are too new."""
        return f"no user's first {self.criterion.first_days} days are over yet"

    def _complete(self, at: Visits) -> Ints:
        return at.cell_of(at.owner, at.started + self.criterion.first_days - 1)

    def _blocks(self, measured: Measured, good: Floats) -> OverTime:
        complete = (measured.at.started + self.criterion.first_days - 1)[measured.at.user]
        return over_time(measured, measured.counted - good, self.clusters.blocks, complete)

    def evidence(self, side: Side, sums: Voices, p0: float, outlook: Outlook = NOW) -> Floats:
        """Sum over bets of the product over users; at worst each lost request was a user's whole experience."""
        values, code = np.unique(np.clip(sums.shares - outlook.shift, 0.0, 1.0), return_inverse=True)
        factors = side.factors(values, p0)
        wealth = np.stack([sums.at.added(sums.cells, factor[code]) for factor in factors.T], axis=-1)
        wealth = wealth + sums.lost * side.factors(side.lost_as, p0)
        found = eprocess.mix(wealth * np.asarray(outlook.growth)[..., None], side.log_prior)
        return sums.blocks.smaller(found, side is GO_SIDE, p0, outlook.growth, outlook.shift)

    def bound(self, side: Side, sums: Voices, p0: float, alpha: float) -> Floats:
        """At one look at one rollout; the farther one, where blocks of time have one too."""
        values, counts = np.unique(sums.shares, return_counts=True)
        shares, counts = np.append(values, side.lost_as), np.append(counts, sums.lost)
        found = np.array([[side.strict_bound(shares, alpha, counts)]])
        return sums.blocks.farther(found, side is GO_SIDE, alpha)


class Detector(Once):
    """A guardrail that reacts: users observed by their first day, in its order (`zantara_exp.gates.detector`)."""

    forecasts, over_time = False, False

    def chosen(self, measured: Measured) -> Measured:
        """Users' first days with a request."""
        at = measured.at
        return measured.rows(at.day == at.started[at.user])

    def evidence(self, side: Side, sums: Voices, p0: float, outlook: Outlook = NOW) -> Floats:
        """The highest value of the detector so far; it only ever alarms, so there is none for GO."""
        if side is GO_SIDE:
            return np.zeros(sums.at.shape)
        at = sums.at
        order = np.lexsort((at.started, at.owner))  # users of one day come in the order of their codes
        seen = np.bincount(at.owner, minlength=at.simulations)
        place = np.arange(order.size) - np.repeat(np.cumsum(seen) - seen, seen)
        shares = np.ones((at.simulations, int(seen.max(initial=1))))
        shares[at.owner[order], place] = sums.shares[order]
        highest = np.maximum.accumulate(detector_path(shares, p0), axis=1)
        users = at.users_seen
        return np.where(users > 0, np.take_along_axis(highest, np.maximum(users - 1, 0), axis=1), 0.0)

    def bound(self, side: Side, sums: Voices, p0: float, alpha: float) -> Floats:
        """None."""
        return np.full(sums.at.shape, -math.inf if side is GO_SIDE else math.inf)

    def sentence(self, decision: str, no_go: str) -> str:
        """An alarm, or none."""
        if decision == FAIL:
            return f"alarm: users' experience turned {no_go}"
        return f"no alarm: nothing turned {no_go}" if decision == PASS else ""
