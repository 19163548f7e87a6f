"""Where the candidate is worse, and whether that is real: parts of the traffic, searched on one half of the users and
confirmed on the other.

A slice is a value of one dimension, such as language=id, or a pair of values of two. The worst are looked for on the
search half alone; what is carried over is tested on the confirm half, whose users had no part in the choice (sample
splitting: Cox 1975; that what was found cannot be tested where it was found: Dwork et al. 2015; slices of a model's
errors, and their control: Chung et al. 2019).

If a slice is no worse than the rest, a failure lies in it with the probability of its share of the requests: that share
is bet against, as a gate bets against a threshold (`eprocess`). A user's requests count for an effective number, and so
do those of an hour, which fail together; the smaller evidence counts. Of a slice by the hour of the day, each day is
one voice as well: an afternoon without the candidate says nothing of afternoons. It may be looked at again as traffic
comes.

Each next slice is looked for, and tested, outside of those before it, so that one bad part is named once. The k-th
slice that a candidate's log ever carries over is confirmed at alpha / (k (k + 1)), which adds up to alpha however often
the log is searched (Bonferroni's inequality).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates.eprocess import log_evidence_go, lower_bound, upper_bound

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Slice = tuple[tuple[str, str], ...]
"""Dimensions with their values, such as (("language", "id"), ("category", "NAME"))."""
HOUR = "hour"
"""The dimension whose values are parts of the day."""
_EDGE = 1e-9


@dataclass(frozen=True)
class Terms:
    """What a search is done by."""

    alpha: float
    carried: int
    """Slices carried over at most."""
    min_users: int
    """In a slice, in either half, and in the rest."""
    rho0: float
    """Correlation of one user's requests."""


@dataclass(frozen=True)
class Requests:
    """Requests with what came of them; all arrays of shape (requests,)."""

    user: Ints
    block: Ints
    """The hour, or whatever fails together."""
    bad: Flags
    searched: Flags
    """Whether its user is of the search half."""
    parts: Mapping[str, NDArray[np.str_]]
    """Values by dimension; empty where a request has none."""
    day: Ints | None = None
    """Asked for where HOUR is a dimension."""

    def inside(self, part: Slice) -> Flags:
        """Which of them are in the slice."""
        return np.asarray(np.all([self.parts[dimension] == value for dimension, value in part], axis=0), dtype=bool)


@dataclass(frozen=True)
class Rate:
    """A share of bad requests, with its bounds."""

    share: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Found:
    """A slice beside the rest of the requests."""

    part: Slice
    users: int
    requests: int
    share: float
    """Of these requests."""
    log_evidence: float
    """That it is worse than the rest."""
    bad: float
    """Effective bad requests, each user's weighed; so are the next three."""
    good: float
    rest_bad: float
    rest_good: float

    def rates(self, alpha: float) -> tuple[Rate, Rate]:
        """Its own, and the rest's; each bound holds at alpha / 2."""
        return _rate(self.bad, self.good, alpha), _rate(self.rest_bad, self.rest_good, alpha)


def search(at: Requests, terms: Terms) -> list[Slice]:
    """The worst slices of the search half, the worst first, each outside of those before it."""
    left, found = at.searched.copy(), list[Slice]()
    while len(found) < terms.carried:
        tried = [each for grouped in _groups(at, left) for each in _measured(at, left, *grouped, terms)]
        worst = max(tried, key=lambda each: each.log_evidence, default=None)
        if worst is None or worst.log_evidence <= 0:
            break
        found.append(worst.part)
        left &= ~at.inside(worst.part)
    return found


def confirm(at: Requests, carried: Sequence[Slice], terms: Terms) -> list[Found | None]:
    """What the confirm half says of each slice, outside of those before it; None of one with too few users there."""
    left, found = ~at.searched, list[Found | None]()
    for part in carried:
        inside = at.inside(part)
        found.append(next(iter(_measured(at, left, inside[left].astype(np.int64), {1: part}, terms)), None))
        left &= ~inside
    return found


def level(place: int, alpha: float) -> float:
    """What the `place`-th slice that was ever carried over, from 1 on, is confirmed at."""
    return alpha / (place * (place + 1))


def _groups(at: Requests, among: Flags) -> Iterator[tuple[Ints, Mapping[int, Slice]]]:
    """All slices: for one dimension or two, a code for each of the requests `among`, and the slices by code."""
    coded = {name: np.unique(column[among], return_inverse=True) for name, column in at.parts.items()}
    for name, (values, code) in coded.items():
        yield code, {place: ((name, str(value)),) for place, value in enumerate(values) if value}
    for (one, (firsts, first)), (two, (seconds, second)) in combinations(coded.items(), 2):
        parts = {
            a * len(seconds) + b: ((one, str(firsts[a])), (two, str(seconds[b])))
            for a, b in product(range(len(firsts)), range(len(seconds)))
            if firsts[a] and seconds[b]
        }
        yield first * len(seconds) + second, parts


def _measured(at: Requests, among: Flags, code: Ints, parts: Mapping[int, Slice], terms: Terms) -> list[Found]:
    """Slices beside the rest of the requests `among`; those with too few users on either side are left out."""
    bad = at.bad[among]
    by_user, by_block = (
        _Sums.of(cluster[among], bad, code, rho) for cluster, rho in ((at.user, terms.rho0), (at.block, 1.0))
    )
    evidence = np.minimum(by_user.log_evidence, by_block.log_evidence)
    if at.day is not None and any(name == HOUR for part in parts.values() for name, _ in part):
        evidence = np.minimum(evidence, _Sums.of(at.day[among], bad, code, 1.0).log_evidence)
    enough = np.minimum(by_user.here, by_user.elsewhere) >= terms.min_users
    requests = np.bincount(code, minlength=enough.size)
    return [
        Found(
            part,
            int(by_user.here[place]),
            int(requests[place]),
            float(requests[place] / bad.size),
            float(evidence[place]),
            *(float(sums[place]) for sums in by_user.effective),
        )
        for place, part in parts.items()
        if place < enough.size and enough[place]
    ]


@dataclass(frozen=True)
class _Sums:
    """Effective bad and other requests in each slice, and in its rest; and how many clusters there; shape (codes,)."""

    effective: tuple[Floats, Floats, Floats, Floats]
    here: Ints
    elsewhere: Ints

    @classmethod
    def of(cls, cluster: Ints, bad: Flags, code: Ints, rho: float) -> _Sums:
        """A cluster with m requests on a side counts for m / (1 + rho (m - 1)) there."""
        names, row = np.unique(cluster, return_inverse=True)
        shape = names.size, int(code.max(initial=0)) + 1
        place = row * shape[1] + code
        m, b = (np.bincount(of, minlength=shape[0] * shape[1]).reshape(shape) for of in (place, place[bad]))
        sides = [(m, b), (m.sum(axis=1, keepdims=True) - m, b.sum(axis=1, keepdims=True) - b)]
        weighed = [(of / (1.0 + rho * np.maximum(n - 1, 0))).sum(axis=0) for n, y in sides for of in (y, n - y)]
        here, elsewhere = ((n > 0).sum(axis=0) for n, _ in sides)
        return cls((weighed[0], weighed[1], weighed[2], weighed[3]), here, elsewhere)

    @property
    def log_evidence(self) -> Floats:
        """That more of the bad requests lie in the slice than its share of all."""
        bad, good, rest_bad, rest_good = self.effective
        share = (bad + good) / np.maximum(bad + good + rest_bad + rest_good, _EDGE)
        return log_evidence_go(bad, rest_bad, np.clip(share, _EDGE, 1.0 - _EDGE))


def _rate(bad: float, good: float, alpha: float) -> Rate:
    share = bad / max(bad + good, _EDGE)
    return Rate(share, float(lower_bound(bad, good, alpha / 2)), float(upper_bound(bad, good, alpha / 2)))
