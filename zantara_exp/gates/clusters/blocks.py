"""Evidence over blocks of time: what hits everyone at once makes an hour one observation, however busy it was.

A gambler bets on blocks (hours by default), as `eprocess` bets on requests. Block b weighs A_b, its requests (or, where
the share is one of users, the sum over its requests of 1 / the user's requests), of which a share y_b is bad:

    log wealth of a bet l = s sum_b A_b log(1 + l ((1 - y_b) - p0) / p0),   s = sum(A) / sum(A^2)

so that the sum speaks of exactly the share that is meant, and weighs as many voices as Kish's effective number of
blocks, sum(A)^2 / sum(A^2). With equal weights it is a test martingale (Waudby-Smith & Ramdas 2024) if blocks are
independent; an outage that begins within one block and ends within the next makes those two alike. Therefore in a run
of bad blocks the failures are pushed together: as many wholly bad blocks as they fill, one partly bad, the rest good.
The logarithm is concave, so that this only lowers the wealth.

The bets favour high stakes, which pay where every block is about equally good; once a bad block has cost those, the
lower ones go on. Blocks are arrays of (simulations, blocks) in order of time; `ends` says how many of them were over at
each look.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zantara_exp.gates.eprocess import GO_BETS, NO_GO_BETS, NO_GO_LOG_PRIOR, mix
from zantara_exp.gates.root_search import last

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STAKES = 20.0
BLOCK_LOG_PRIOR: Floats = _STAKES * np.log(GO_BETS) - np.log((GO_BETS**_STAKES).sum())
_MANIFOLD, _HALF = 5.0, 0.5
"""A block is part of a run where its bad share is five times the tolerated one, or one half."""
_HALVINGS = 30
_MOST_GROWTH = 10.0


def effective_blocks(weight: Floats, ends: Ints) -> Floats:
    """Kish's effective number of blocks at each look, shape (simulations, looks)."""
    return _at(weight, ends) * _scale(weight, ends)


def log_evidence_go(weight: Floats, bad: Floats, p0: float, ends: Ints) -> Floats:
    """Log evidence at each look that the share of good requests lies above `p0`.

    `weight` and `bad` (the bad part of it) have the shape (simulations, blocks). Returns (simulations, looks).
    """
    return mix(np.moveaxis(wealth_go(weight, bad, p0, ends), 0, -1), BLOCK_LOG_PRIOR)


def log_evidence_no_go(weight: Floats, bad: Floats, p0: float, ends: Ints) -> Floats:
    """Log evidence at each look that the share of good requests lies below `p0`; shapes as in `log_evidence_go`."""
    return mix(np.moveaxis(wealth_no_go(weight, bad, p0, ends), 0, -1), NO_GO_LOG_PRIOR)


def wealth_no_go(weight: Floats, bad: Floats, p0: float, ends: Ints) -> Floats:
    """Log wealth of each bet that the share lies below `p0`, at each look: shape (32, simulations, looks)."""
    gain = (p0 - (1.0 - _shares(weight, bad))) / (1.0 - p0)
    return _at(weight * np.log1p(NO_GO_BETS[:, None, None] * gain), ends) * _scale(weight, ends)


def wealth_go(weight: Floats, bad: Floats, p0: float, ends: Ints) -> Floats:
    """Log wealth of each bet at each look, shape (32, simulations, looks)."""
    shares = _shares(weight, bad)
    row, block = np.nonzero(shares > 0)
    gains = np.log1p(GO_BETS * (1.0 - p0) / p0)
    clean = _at(np.where(shares > 0, 0.0, weight), ends)
    changes = _run_changes(row, block, weight[row, block], bad[row, block], shares[row, block], p0)
    look = np.searchsorted(ends, block, side="right")
    seen = look < ends.size
    place, size = row[seen] * ends.size + look[seen], weight.shape[0] * ends.size
    lost = np.stack([np.bincount(place, change[seen], size) for change in changes])
    total = gains[:, None, None] * clean + lost.reshape(-1, weight.shape[0], ends.size).cumsum(axis=2)
    return np.asarray(total * _scale(weight, ends))


def _run_changes(row: Ints, block: Ints, weight: Floats, bad: Floats, shares: Floats, p0: float) -> Floats:
    """What each block with failures adds to the wealth of its run so far, per bet: shape (32, blocks with failures)."""
    burst = shares > min(_MANIFOLD * (1.0 - p0), _HALF)
    follows = np.zeros(row.size, dtype=bool)
    follows[1:] = burst[1:] & burst[:-1] & (row[1:] == row[:-1]) & (block[1:] == block[:-1] + 1)
    length, heavy, lost = (_running(values, follows) for values in (np.ones(row.size), weight, bad))
    now = _pushed_together(length, heavy, lost, p0)
    before = np.zeros_like(now)
    before[:, 1:] = np.where(follows[1:], now[:, :-1], 0.0)
    return now - before


def _running(values: Floats, follows: NDArray[np.bool_]) -> Floats:
    """Running sums that begin anew where `follows` is false."""
    total = np.cumsum(values)
    start = np.maximum.accumulate(np.where(follows, 0, np.arange(values.size)))
    return np.asarray(total - total[start] + values[start])


def _pushed_together(length: Floats, weight: Floats, bad: Floats, p0: float) -> Floats:
    """Log wealth per bet of runs of `length` blocks, with their failures in as few blocks as hold them."""
    fill = bad * length / np.maximum(weight, 1e-300)
    whole = np.floor(fill + 1e-9)
    part = np.maximum(fill - whole, 0.0)
    bets = GO_BETS[:, None]
    good, none = np.log1p(bets * (1.0 - p0) / p0), np.log1p(-bets)
    partly = np.where(whole < length, np.log1p(bets * (1.0 - part - p0) / p0), 0.0)
    rest = np.maximum(length - whole - 1.0, 0.0)
    return np.asarray((whole * none + partly + rest * good) * weight / length)


def lower_bound(weight: Floats, bad: Floats, alpha: float) -> float:
    """The `p0` up to which the blocks of one log, shape (blocks,), are evidence of 1/alpha; 0 where they never are."""
    ends, needed = np.array([weight.size]), -math.log(alpha)
    return last(lambda p0: log_evidence_go(weight[None], bad[None], p0, ends)[0, 0] - needed, _HALVINGS)


def upper_bound(weight: Floats, bad: Floats, alpha: float) -> float:
    """The `p0` down to which the blocks of one log are evidence of 1/alpha for NO-GO; 1 where they never are."""
    ends, needed = np.array([weight.size]), -math.log(alpha)
    return 1.0 - last(lambda q0: log_evidence_no_go(weight[None], bad[None], 1.0 - q0, ends)[0, 0] - needed, _HALVINGS)


def day_shown(weight: Floats, bad: Floats, p0: float, needed: float, days: int) -> int | None:
    """The day on which the blocks of one log of `days` days show what they were to, if the next days are like these.

    None where ten times as many days would not do.
    """
    ends = np.array([weight.size])
    wealth = wealth_go(weight[None], bad[None], p0, ends)[:, 0, 0]

    def lacking(growth: float) -> float:
        return needed - float(mix(growth * wealth, BLOCK_LOG_PRIOR))

    if lacking(_MOST_GROWTH) > 0:
        return None
    enough = _MOST_GROWTH * last(lambda part: lacking(part * _MOST_GROWTH), _HALVINGS)
    return math.ceil(days * enough - 1e-6)


def _shares(weight: Floats, bad: Floats) -> Floats:
    return np.divide(bad, weight, out=np.zeros_like(bad), where=weight > 0)


def _at(values: Floats, ends: Ints) -> Floats:
    """Sums over the blocks that were over at each look."""
    total = np.cumsum(values, axis=-1)
    return np.asarray(np.where(ends > 0, total[..., np.maximum(ends, 1) - 1], 0.0))


def _scale(weight: Floats, ends: Ints) -> Floats:
    squares = _at(weight**2, ends)
    return np.divide(_at(weight, ends), squares, out=np.zeros_like(squares), where=squares > 0)
