"""Looks at a growing sample: the number of good answers that each look needs, by exact enumeration.

Every look has the same level (Pocock 1977): the largest at which the binomial itself, not its normal approximation,
passes falsely at any look with probability at most alpha. Sums are carried from look to look by convolution
(Armitage, McPherson & Rowe 1969; for counts Jennison & Turnbull 2000, ch. 12).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, gammaln, xlog1py, xlogy

Floats = NDArray[np.float64]

_HALVINGS = 40
_SAME = 1e-9


class Bounds(NamedTuple):
    """What each look needs to pass."""

    needed: tuple[int, ...]
    """The fewest good answers that pass, by look; one more than there are if not even all would pass."""
    level: float
    """The level of each look; alpha itself if there is one look."""
    even: float
    """The level of each look at evidence that is no whole number; `level` is larger: whole numbers fall short of it."""


def schedule(planned: Sequence[int], size: int) -> tuple[int, ...]:
    """The looks at a sample of `size` pairs: the planned ones within it, and its end if it is smaller than planned."""
    within = tuple(look for look in planned if look < size)
    return (*within, size) if len(within) < len(planned) else within


@cache
def bounds(looks: tuple[int, ...], p0: float, alpha: float) -> Bounds:
    """The bounds of looks at so many answers (ascending) against a share of `p0`, all together at `alpha`."""
    level = _largest(lambda level: float(crossed(looks, needed(looks, p0, level), p0)[-1]), alpha)
    even = _largest(lambda level: _crossed_evenly(looks, p0, level), alpha)
    return Bounds(needed(looks, p0, level), level, even)


def _largest(false_pass: Callable[[float], float], alpha: float) -> float:
    """The largest level at which all looks together pass falsely in at most `alpha`."""
    if false_pass(alpha) <= alpha * (1.0 + _SAME):
        return alpha
    low, high = 0.0, alpha
    for _ in range(_HALVINGS):
        level = (low + high) / 2.0
        low, high = (level, high) if false_pass(level) <= alpha else (low, level)
    return low


def crossed(looks: Sequence[int], needed: Sequence[int], truth: float) -> Floats:
    """The probability of a pass by each look, if a share `truth` of the answers is good."""
    states, before, found, total = np.ones(1), 0, [], 0.0
    for look, count in zip(looks, needed, strict=True):
        states, before = np.convolve(states, masses(look - before, truth)), look
        total += float(states[count:].sum())
        states[count:] = 0.0
        found.append(total)
    return np.array(found)


def masses(answers: int, truth: float) -> Floats:
    """Binomial probabilities of 0 to `answers` good ones."""
    good = np.arange(answers + 1.0)
    ways = gammaln(answers + 1.0) - gammaln(good + 1.0) - gammaln(answers - good + 1.0)
    return np.asarray(np.exp(ways + xlogy(good, truth) + xlog1py(answers - good, -truth)))


def tails(answers: int, truth: float) -> Floats:
    """Binomial probabilities of at least 0 to `answers` good ones, and 0 beyond."""
    good = np.arange(1.0, answers + 1.0)
    return np.concatenate([[1.0], betainc(good, answers - good + 1.0, truth), [0.0]])


def needed(looks: Sequence[int], p0: float, level: float) -> tuple[int, ...]:
    """By look, the fewest good answers whose tail probability is at most `level`; one more than there are if none."""
    return tuple(int(np.argmax(tails(look, p0) <= level)) for look in looks)


def _crossed_evenly(looks: tuple[int, ...], p0: float, level: float) -> float:
    """The probability of a pass by some look, if a randomised test gives each look exactly `level`."""
    states, before, total = np.ones(1), 0, 0.0
    for look, count in zip(looks, needed(looks, p0, level), strict=True):
        states, before = np.convolve(states, masses(look - before, p0)), look
        passes, above = np.zeros(look + 1), tails(look, p0)
        passes[count:] = 1.0
        passes[count - 1] = (level - above[count]) / (above[count - 1] - above[count])
        total += float((states * passes).sum())
        states = states * (1.0 - passes)
    return total
