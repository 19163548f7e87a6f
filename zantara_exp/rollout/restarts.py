"""Guardrails that count users who return: evidence starts anew again and again, over users and blocks of time.

A detector with one observation per user (`zantara_exp.gates.detector`) is blind to a user who turns bad later, and on
a product whose users stay that is nearly everyone. Here an e-process begins at every start s (each day, each hour),
and observes every user once, with the share of bad requests *since s*: what was good before s outweighs nothing.

For one start, E_s = mean over bets l of prod_u (1 + l (b_u - m) / m) has mean at most 1 while the users' mean share
of bad requests is at most the limit m, whatever the correlation of one user's requests, since users are independent
and each counts once. The same over blocks of time, b the share of a block's requests: what hits everybody for an hour
is one voice, so it holds where blocks are independent of one another. The evidence of a start is the smaller of the
two: it errs no more often than either, so that neither one bad user nor one bad hour can give an alarm.

Starts are pooled with fixed weights that sum to at most 1 over the ramp: sum_s w_s E_s begins at 1 (with what waits
for its start) and has no drift upwards, so it reaches 1/alpha with probability at most alpha (Ville 1939). Half of
the weight lies on the days on which something begins (the rollout, a step), as most that is bad is bad from there on.
The proof covers looks at shares that have settled. A user who goes on asking moves a share that was counted, so
control over looks in between is measured, not proven: `scripts/bench rollout`.

The excess over a concurrent control is bet on in pairs of disjoint groups of users, one group of each arm over the
same time, and in blocks of time that both arms have: with D = bad share of the candidate's less the control's, H0:
E[D] <= m, the factors are 1 + l (D - m) / (1 + m), never negative as D >= -1. What hits both arms at once cancels.

Sources: Shin, Ramdas & Rinaldo 2024 (e-detectors as mixtures of e-processes by start); Waudby-Smith & Ramdas 2024
(bets on bounded means); Shiryaev 1963, Roberts 1966 (a prior over the change).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates.eprocess import Floats

USER_BETS = np.geomspace(0.02, 0.5, 8)
"""Stakes on users' shares; at a limit of 2 % they pay best for users who are 4 to 50 % bad."""
BLOCK_BETS = np.geomspace(0.05, 0.95, 8)
"""Stakes on blocks of time, larger ones: a block's share is a mean over many requests, so nearer to its own mean."""
EXCESS_BETS = np.geomspace(0.01, 0.9, 32)
"""Stakes on an excess: larger than those on a share, as a difference is rarely near its bound."""


class Rows(NamedTuple):
    """One row per user and block; several rows of one user in one block add up. All shapes (rows,)."""

    user: NDArray[np.int64]
    """Codes from 0 on."""
    block: NDArray[np.int64]
    """Number of the hour, or of the day."""
    trials: Floats
    bad: Floats
    """Up to `trials`; need not be whole."""


class Since(NamedTuple):
    """What the evidence of one start is made of."""

    start: int
    shares: Floats
    """Share of bad requests since the start, one per user."""


class Found(NamedTuple):
    """The pooled evidence of all starts, and the start with most of it."""

    log_evidence: float
    start: int | None
    """None if there is no evidence."""


NOTHING = Found(0.0, None)


def pooled(starts: Sequence[int], log_evidence: Floats, log_weights: Floats) -> Found:
    """Log of the weighted sum of the starts' evidence. All shapes (starts,)."""
    if not len(starts):
        return NOTHING
    terms = log_evidence + log_weights
    return Found(float(np.logaddexp.reduce(terms)), int(starts[int(np.argmax(terms))]))


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
        yield Since(start, bad[asked] / trials[asked])


def users_above(rows: Rows, limit: float, starts: Sequence[int], bets: Floats = USER_BETS) -> Floats:
    """Log evidence of each start, which ascend, that users' mean share of bad requests lies above `limit`."""
    return np.array([log_evidence(since.shares, limit, bets) for since in shares_since(rows, starts)])[::-1]


def log_evidence(shares: Floats, limit: float, bets: Floats) -> float:
    """Log of the mean over `bets` of the wealth after one observation per share, in [0, 1]."""
    # Ratios of small counts take few values, so sorting them saves many logarithms.
    values, counts = np.unique(shares, return_counts=True)
    return float(_mixed((_log_factors(values, limit, limit, bets) * counts[:, None]).sum(axis=0)))


def blocks_above(rows: Rows, limit: float, starts: Sequence[int]) -> Floats:
    """Log evidence of each start, which ascend, that blocks' mean share of bad requests lies above `limit`."""
    blocks, trials, bad = _by_block(rows)
    return _from_each(starts, blocks, _log_factors(bad / trials, limit, limit, BLOCK_BETS))


def users_exceed(candidate: Rows, control: Rows, margin: float, starts: Sequence[int]) -> Floats:
    """Log evidence of each start that the candidate's users meet more that is bad than the control's, by `margin`."""
    both = zip(shares_since(candidate, starts), shares_since(control, starts), strict=True)
    return np.array([_excess(ours.shares, theirs.shares, margin) for ours, theirs in both])[::-1]


def blocks_exceed(candidate: Rows, control: Rows, margin: float, starts: Sequence[int]) -> Floats:
    """The same over blocks of time in which both arms were asked."""
    ours, our_trials, our_bad = _by_block(candidate)
    theirs, their_trials, their_bad = _by_block(control)
    blocks, first, second = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    gaps = our_bad[first] / our_trials[first] - their_bad[second] / their_trials[second]
    return _from_each(starts, blocks, _log_factors(gaps, margin, 1.0 + margin, EXCESS_BETS))


def most_users_can_show(rows: Rows, limit: float, starts: Sequence[int]) -> float:
    """An upper bound on the log evidence over users: every user with a bad request counts as if all were bad."""
    return _users_met_bad(rows, starts) * float(_log_factors(np.ones(1), limit, limit, USER_BETS)[0, -1])


def most_users_can_exceed(candidate: Rows, margin: float, starts: Sequence[int]) -> float:
    """The same for an excess: each such user is paired with one who had nothing bad."""
    most = float(_log_factors(np.ones(1), margin, 1.0 + margin, EXCESS_BETS)[0, -1])
    return _users_met_bad(candidate, starts) * most


def users_since(rows: Rows, starts: Sequence[int]) -> NDArray[np.int64]:
    """How many users were asked at each start or later, shape (starts,)."""
    order = np.argsort(rows.block, kind="stable")
    last = np.full(int(rows.user.max(initial=-1)) + 1, -1, dtype=np.int64)
    last[rows.user[order]] = rows.block[order]  # of several blocks of a user the latest stays
    return np.asarray((last[:, None] >= np.asarray(starts, dtype=np.int64)).sum(axis=0))


def only_bad(rows: Rows) -> Rows:
    """The rows with something bad."""
    met = rows.bad > 0
    return Rows(rows.user[met], rows.block[met], rows.trials[met], rows.bad[met])


def _users_met_bad(rows: Rows, starts: Sequence[int]) -> int:
    return int(users_since(only_bad(rows), starts).max(initial=0))


def _by_block(rows: Rows) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Blocks with requests, ascending, and their trials and bad ones."""
    blocks, place = np.unique(rows.block, return_inverse=True)
    trials, bad = np.bincount(place, rows.trials, blocks.size), np.bincount(place, rows.bad, blocks.size)
    asked = trials > 0
    return blocks[asked], trials[asked].astype(np.float64), bad[asked].astype(np.float64)


def _log_factors(values: Floats, mean: float, most: float, bets: Floats) -> Floats:
    """Shape (values, bets). `most` is how far below `mean` a value can lie."""
    return np.log1p((values[:, None] - mean) / most * bets)


def _mixed(log_wealth: Floats) -> Floats:
    """Log of the mean over the last axis, the bets."""
    return np.asarray(np.logaddexp.reduce(log_wealth, axis=-1) - math.log(log_wealth.shape[-1]))


def _from_each(starts: Sequence[int], blocks: NDArray[np.int64], factors: Floats) -> Floats:
    """Mixed log wealth of the blocks from each start on; `factors` of shape (blocks, bets), blocks ascending."""
    onwards = np.vstack([factors[::-1].cumsum(axis=0)[::-1], np.zeros(factors.shape[1])])
    return _mixed(onwards[np.searchsorted(blocks, np.asarray(starts, dtype=np.int64))])


def _excess(ours: Floats, theirs: Floats, margin: float) -> float:
    pairs = min(ours.size, theirs.size)
    if not pairs:
        return 0.0
    gaps = _group_means(ours, pairs) - _group_means(theirs, pairs)
    return float(_mixed(_log_factors(gaps, margin, 1.0 + margin, EXCESS_BETS).sum(axis=0)))


def _group_means(shares: Floats, groups: int) -> Floats:
    """Means of `groups` disjoint groups by the users' codes, which are independent of the outcomes."""
    edges = np.arange(groups) * shares.size // groups
    sizes = np.diff(np.append(edges, shares.size))
    return np.asarray(np.add.reduceat(shares, edges) / sizes)
