"""Which share is meant, and how many independent requests it is worth when users resemble themselves.

    each = of_users(trials, bad, "request")                                   # one entry per user
    sums = UserSums(*(values.sum(axis=-1) for values in each))
    counts = effective(sums, correlation(sums, p0=0.98))
    eprocess.log_evidence_go(counts.good, counts.bad, 0.98)

User u with m requests, a share y of them bad, enters the estimate with a weight a: m where the share is one of
requests, 1 where it is the users' mean. The estimate q = sum(a y) / sum(a) is exactly that share, however quality and
traffic go together. If two requests of one user correlate by rho, its variance is q (1 - q) / n with

    n = sum(a)^2 / sum(a^2 (rho + (1 - rho) / m))

effective requests (Kish 1965, section 8.2, for any weights). Evidence is that of n independent requests with the
share q: a binomial likelihood on effective counts (Korn & Graubard 1998), so its control is measured, not proven.

rho comes from the data (Fleiss 1981, 13.6, on pairs of failures): how many pairs of one user's requests both failed,
beyond what chance explains, among how many. Before the first bad user shows up that says nothing, so `PRIOR_PAIRS`
pairs that both failed are taken as seen, and rho is held between `LEAST` and `MOST`. A heavy user counts as
`PAIRED_REQUESTS` requests here: hundreds of pairs of one user are one user's word.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zantara_exp.gates.eprocess import Counts

Floats = NDArray[np.float64]

LEAST, MOST = 0.02, 0.2
PAIRED_REQUESTS = 5.0
PRIOR_PAIRS = 2.0


class UserSums(NamedTuple):
    """Per user, or summed over users; arrays of one shape."""

    users: Floats
    """Users with at least one request."""
    weight: Floats
    """Sum of a."""
    bad: Floats
    """Sum of a y, y the share of a user's requests that were bad."""
    alone: Floats
    """Sum of a^2 / m: what the variance grows by if requests were independent."""
    alike: Floats
    """Sum of a^2: what it grows by if a user's requests all end alike."""
    pairs: Floats
    """Pairs of requests of one user, of at most PAIRED_REQUESTS each."""
    bad_pairs: Floats
    """How many of those pairs were both bad."""

    @property
    def bad_share(self) -> Floats:
        """The estimate of the share of bad requests (or of users' mean share); 0 without users."""
        return np.divide(self.bad, self.weight, out=np.zeros_like(self.bad), where=self.weight > 0)


def of_users(trials: ArrayLike, bad: ArrayLike, per: str) -> UserSums:
    """What each user adds to the sums: `trials` requests so far, `bad` of them bad; users without requests add nothing.

    `per` is "request" or "user", as the config says.

    The difference between two looks at the same users is what the sums change by in between.
    """
    m, f = np.asarray(trials, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    seen = (m > 0).astype(np.float64)
    at_least_one = np.maximum(m, 1.0)
    weight = m if per == "request" else seen
    counted = np.minimum(m, PAIRED_REQUESTS)
    pairs = counted * np.maximum(counted - 1.0, 0.0) / 2.0
    both_bad = f * np.maximum(f - 1.0, 0.0) / (at_least_one * np.maximum(m - 1.0, 1.0))
    return UserSums(
        users=seen,
        weight=weight,
        bad=weight * f / at_least_one,
        alone=weight**2 / at_least_one,
        alike=weight**2,
        pairs=pairs,
        bad_pairs=pairs * both_bad,
    )


def correlation(sums: UserSums, p0: float, most: float = MOST) -> Floats:
    """rho, at most `most`, estimated at the threshold `p0` or at the estimate, whichever leaves more to chance."""
    q = sums.bad_share
    variance = np.maximum(q * (1.0 - q), p0 * (1.0 - p0))
    alike = sums.bad_pairs + PRIOR_PAIRS - q**2 * sums.pairs
    none = np.full_like(alike, most)
    found = np.divide(alike, sums.pairs * variance, out=none, where=sums.pairs > 0)
    return np.clip(found, min(LEAST, most), most)


def effective_requests(sums: UserSums, rho: ArrayLike) -> Floats:
    """How many independent requests the estimate is worth at the correlation `rho`; 0 without users."""
    shared = np.asarray(rho) * sums.alike + (1.0 - np.asarray(rho)) * sums.alone
    return np.divide(sums.weight**2, shared, out=np.zeros_like(sums.weight), where=sums.weight > 0)


def effective(sums: UserSums, rho: ArrayLike) -> Counts:
    """Effective good and bad requests at the correlation `rho`."""
    requests = effective_requests(sums, rho)
    bad = requests * sums.bad_share
    return Counts(requests - bad, bad)
