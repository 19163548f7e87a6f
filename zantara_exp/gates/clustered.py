"""Methods with users and blocks of time as clusters: `weighted` for repeated looks, `exact` for one look.

Requests fail together by user and by hour. So a GO needs both the evidence over users and the evidence over blocks of
time, at the same look and about the same share: the smaller of the two counts. The same holds for a NO-GO. Lost
requests count against either.

Sources and formulas: `zantara_exp.gates.clusters`, `eprocess`, `intervals`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zantara_exp.gates.clusters.shares import UserSums, correlation, effective, effective_requests, of_users
from zantara_exp.gates.clusters.time import OverTime, over_time
from zantara_exp.gates.eprocess import Counts, Floats
from zantara_exp.gates.methods import FEW_USERS, NOW, OneLook, Outlook, grown
from zantara_exp.gates.share_methods import GO_SIDE, ShareMethod, Side
from zantara_exp.gates.user_visits import Measured


class ClusterSums(NamedTuple):
    """The sums that evidence is computed from, at each look."""

    users: UserSums
    blocks: OverTime
    other: Floats
    """The good share of the other kind: the mean over users if requests are judged, and the other way round."""
    lost: float
    """Requests that were lost, so not measured."""


class Weighted(ShareMethod):
    """Daily looks. The error control over all looks is measured, not proven (docs/statistics.md says for what)."""

    fewest = FEW_USERS
    weighs = True

    def sums_of(self, measured: Measured, good: Floats) -> ClusterSums:
        """By user, and by block of time."""
        at, per = measured.at, self.clusters.per
        m = at.seen if measured.counted is at.trials else at.so_far(measured.counted)
        bad = measured.counted - good
        # Rounding in sums of many rows must not look like a failure.
        failed = at.so_far(bad)
        each = of_users(m, np.where(failed < 1e-9 * m, 0.0, failed), per)
        sums = UserSums(*(at.summed(values) for values in each))
        other = 1.0 - _other_bad(sums, at.summed(np.divide(each.bad, each.weight, out=np.zeros_like(m), where=m > 0)),
                                 at.added(at.cell, measured.counted), at.added(at.cell, bad), per)  # fmt: skip
        blocks = over_time(measured, bad, self.clusters.blocks, at.day if per == "user" else None)
        return ClusterSums(sums, blocks, other, measured.lost)

    def evidence(self, side: Side, sums: ClusterSums, p0: float, outlook: Outlook = NOW) -> Floats:
        """The smaller of the two."""
        found = self.of_counts(side, self._counts(side, sums, p0, outlook), p0)
        return sums.blocks.smaller(found, side is GO_SIDE, p0, outlook.growth, outlook.shift)

    def of_counts(self, side: Side, counts: Counts, p0: float) -> Floats:
        """Log evidence of effective counts of good and bad requests: a mixture of bets."""
        return side.log_evidence(*counts, p0)

    def bound(self, side: Side, sums: ClusterSums, p0: float, alpha: float) -> Floats:
        """The wider of the two bounds; the correlation is estimated at the threshold `p0`."""
        found = self.bound_of_counts(side, self._counts(side, sums, p0, NOW), alpha)
        return sums.blocks.farther(found, side is GO_SIDE, alpha)

    def bound_of_counts(self, side: Side, counts: Counts, alpha: float) -> Floats:
        """The bound, by root finding."""
        return side.bound(*counts, alpha)

    def estimate(self, sums: ClusterSums, p0: float) -> tuple[Floats, Floats]:
        """The share and the effective number of requests; without requests the share is one half."""
        size = effective_requests(sums.users, self.rho(sums, p0))
        return np.where(size > 0, 1.0 - sums.users.bad_share, 0.5), size

    def other_share(self, sums: ClusterSums) -> Floats:
        """The mean over users if requests are judged, the share of requests if users are."""
        return sums.other

    def rho(self, sums: ClusterSums, p0: float) -> Floats:
        """The correlation of one user's requests that a GO assumes."""
        if not self.clusters.estimated:
            return np.full(sums.users.users.shape, self.clusters.rho0)
        return correlation(sums.users, p0, self.clusters.rho0)

    def _counts(self, side: Side, sums: ClusterSums, p0: float, outlook: Outlook) -> Counts:
        """Effective counts. Lost requests weigh as much as others and count against the side."""
        users = sums.users
        # A NO-GO also judges small segments, where an estimate from few users errs: it assumes the largest correlation.
        good, bad = effective(users, self.rho(sums, p0) if side is GO_SIDE else self.clusters.rho0)
        each = np.divide(good + bad, users.weight, out=np.ones_like(good), where=users.weight > 0)
        good, bad = good + each * sums.lost * side.lost_as, bad + each * sums.lost * (1.0 - side.lost_as)
        return grown(Counts(good, bad), outlook)


class Exact(OneLook, Weighted):
    """One look: the exact binomial test on effective counts (Korn & Graubard 1998)."""

    weighs = False

    def of_counts(self, side: Side, counts: Counts, p0: float) -> Floats:
        """A binomial tail."""
        return side.exact_log_evidence(*counts, p0)

    def bound_of_counts(self, side: Side, counts: Counts, alpha: float) -> Floats:
        """Clopper-Pearson."""
        return side.exact_bound(*counts, alpha)


def _other_bad(sums: UserSums, of_users: Floats, trials: Floats, bad: Floats, per: str) -> Floats:
    """`of_users`: sum over users of each one's bad share; `trials`, `bad`: of all requests."""
    top, of = (of_users, sums.users) if per == "request" else (bad, trials)
    return np.divide(top, of, out=np.zeros_like(top), where=of > 0)
