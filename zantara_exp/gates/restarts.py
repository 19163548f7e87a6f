"""Guardrails that see whom they have seen before: an e-process started anew at every block of time.

A detector with one observation per user (`zantara_exp.gates.detector`) is blind to a user who turns bad later, and on
a product whose users stay that is nearly everyone. Here an e-process begins at every start s (each day, each hour), and
observes every user once, with the share of good answers *since s*: what was good before s outweighs nothing.

For one start, E_s = mean over bets l of prod_u (1 + l (p0 - Y_u) / (1 - p0)) has mean at most 1 while the users' mean
share is at least p0, whatever the correlation of one user's requests, since users are independent and each counts once.
An alarm at E_s >= n/alpha for n planned starts bounds false alarms by alpha over all of them (union of Ville's
inequalities): log(28/alpha) for days, instead of the log(3000/alpha) that a sum over every user's start needs. The
proof covers looks at shares that have settled. A user who goes on asking moves a share that was counted, so control
over looks in between is measured, not proven: `scripts/bench rollout`.

The excess over a concurrent control is bet on in pairs of disjoint groups of users, one group of each arm over the same
time: with D = bad share of the candidate's group less the control's, H0: E[D] <= m, and the factors are
1 + l (D - m) / (1 + m), never negative as D >= -1.

Sources: Shin, Ramdas & Rinaldo 2024 (e-detectors as combinations of e-processes by start); Waudby-Smith & Ramdas 2024.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates.eprocess import NO_GO_BETS, NO_GO_LOG_PRIOR, Floats, mix, strict_factors_no_go

EXCESS_BETS = np.geomspace(0.01, 0.9, 32)
"""Bets on an excess: larger than those on a share, as a difference is rarely near its bound."""


class Rows(NamedTuple):
    """One row per user and block; several rows of one user in one block add up. All shapes (rows,)."""

    user: NDArray[np.int64]
    """Codes from 0 on."""
    block: NDArray[np.int64]
    """Number of the hour or day."""
    trials: Floats
    bad: Floats
    """Up to `trials`; need not be whole."""


class Since(NamedTuple):
    """What one start has seen."""

    start: int
    shares: Floats
    """Share of good answers since the start, one per user."""


class Found(NamedTuple):
    """The start with the most evidence."""

    log_evidence: float
    start: int | None
    """None where none was weighed."""


NOTHING = Found(0.0, None)


def needed(starts: int, alpha: float) -> float:
    """Log evidence at which one of `starts` planned starts alarms."""
    return math.log(starts / alpha)


def shares_since(rows: Rows, starts: Sequence[int]) -> Iterator[Since]:
    """For each start, newest first, the users' shares in blocks from it on. A row is read once."""
    order = np.argsort(rows.block, kind="stable")
    users = int(rows.user.max()) + 1 if rows.user.size else 0
    trials, bad = np.zeros(users), np.zeros(users)
    edge = order.size
    for start in sorted(starts, reverse=True):
        begin = int(np.searchsorted(rows.block, start, sorter=order))
        new = order[begin:edge]
        if new.size:
            trials += np.bincount(rows.user[new], rows.trials[new], users)
            bad += np.bincount(rows.user[new], rows.bad[new], users)
            edge = begin
        asked = trials > 0
        yield Since(start, 1.0 - bad[asked] / trials[asked])


def evidence_below(rows: Rows, p0: float, starts: Sequence[int], least: float = -math.inf) -> Found:
    """Largest log evidence over the starts that users' mean share of good answers lies below `p0`; 0 without users.

    Starts that cannot reach `least`, with the few bad users they have seen, are not weighed.
    """
    a_bad_user = math.log1p(p0 / (1.0 - p0) * NO_GO_BETS[-1])
    if _users_met_bad(rows, starts) * a_bad_user < least:
        return NOTHING
    weighed = (
        Found(_below(since.shares, p0), since.start)
        for since in shares_since(rows, starts)
        if since.shares.size and np.count_nonzero(since.shares < p0) * a_bad_user >= least
    )
    return max(weighed, default=NOTHING)


def _users_met_bad(rows: Rows, starts: Sequence[int]) -> int:
    met = (rows.bad > 0) & (rows.block >= min(starts, default=0))
    return int(np.count_nonzero(np.bincount(rows.user[met])))


def _below(shares: Floats, p0: float) -> float:
    # A ratio of small counts takes few values, and a logarithm costs more than a sort.
    values, counts = np.unique(shares, return_counts=True)
    return float(mix((strict_factors_no_go(values, p0) * counts[:, None]).sum(axis=0), NO_GO_LOG_PRIOR))


def evidence_of_excess(
    candidate: Rows, control: Rows, margin: float, starts: Sequence[int], least: float = -math.inf
) -> Found:
    """Largest log evidence that the candidate's users meet more bad answers than the control's, by over `margin`."""
    if _users_met_bad(candidate, starts) * math.log1p((1.0 - margin) / (1.0 + margin) * EXCESS_BETS[-1]) < least:
        return NOTHING
    both = zip(shares_since(candidate, starts), shares_since(control, starts), strict=True)
    weighed = (
        Found(_excess(1.0 - ours.shares, 1.0 - theirs.shares, margin), ours.start)
        for ours, theirs in both
        if ours.shares.size and theirs.shares.size
    )
    return max(weighed, default=NOTHING)


def _excess(ours: Floats, theirs: Floats, margin: float) -> float:
    pairs = min(ours.size, theirs.size)
    gaps = _group_means(ours, pairs) - _group_means(theirs, pairs)
    factors = np.log1p((gaps - margin)[:, None] / (1.0 + margin) * EXCESS_BETS)
    return float(mix(factors.sum(axis=0), NO_GO_LOG_PRIOR))


def _group_means(shares: Floats, groups: int) -> Floats:
    """Means of `groups` disjoint groups, in the order of the users' codes, which knows nothing of how they fared."""
    edges = np.arange(groups) * shares.size // groups
    sizes = np.diff(np.append(edges, shares.size))
    return np.asarray(np.add.reduceat(shares, edges) / sizes)
