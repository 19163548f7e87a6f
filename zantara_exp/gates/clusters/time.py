"""Blocks of time of what was measured: each one's weight and bad part, and evidence from them (`clusters.blocks`).

Where requests are meant a request weighs 1. Where users are, it weighs 1 over the requests of its user up to the look,
so that users weigh alike; weights then change from look to look, and each look has blocks of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zantara_exp.gates.clusters import blocks as of_blocks
from zantara_exp.gates.eprocess import NO_GO_LOG_PRIOR, mix
from zantara_exp.gates.evidence import SLOTS
from zantara_exp.gates.user_visits import Flags, Floats, Ints, Measured


class Blocks(NamedTuple):
    """Blocks of many rollouts; `weight` and the `bad` part of it have the shape (rollouts, blocks)."""

    weight: Floats
    bad: Floats
    ends: Ints
    """How many blocks were over at each look."""


@dataclass(frozen=True)
class TimeBlocks:
    """The same blocks at all looks, or one part for each look, in order."""

    parts: Sequence[Blocks]

    def log_evidence(self, go: bool, p0: float, growth: Floats | float = 1.0, shift: float = 0.0) -> Floats:
        """That the share of good requests lies above `p0` (go) or below it; (rollouts, looks).

        `growth` pretends that many times as many blocks; `shift` is added to the bad share of each.
        """
        wealth, prior = (
            (of_blocks.wealth_go, of_blocks.BLOCK_LOG_PRIOR) if go else (of_blocks.wealth_no_go, NO_GO_LOG_PRIOR)
        )
        found = []
        for weight, bad, ends in self.parts:
            shifted = np.clip(bad + shift * weight, 0.0, weight) if shift else bad
            found.append(np.moveaxis(wealth(weight, shifted, p0, ends), 0, -1))
        return mix(np.concatenate(found, axis=1) * np.asarray(growth)[..., None], prior)

    def bound(self, go: bool, alpha: float) -> Floats:
        """Where that evidence is 1/alpha, of one rollout at one look."""
        (weight, bad, _), *_rest = self.parts
        bound = (of_blocks.lower_bound if go else of_blocks.upper_bound)(weight[0], bad[0], alpha)
        return np.array([[bound]])

    @property
    def effective(self) -> Floats:
        """Kish's effective number of blocks; (rollouts, looks)."""
        return np.concatenate([of_blocks.effective_blocks(part.weight, part.ends) for part in self.parts], axis=1)


class OverTime(NamedTuple):
    """Blocks for GO and for NO-GO; None where time is no cluster."""

    go: TimeBlocks | None
    no_go: TimeBlocks | None

    def smaller(self, found: Floats, go: bool, p0: float, growth: Floats | float = 1.0, shift: float = 0.0) -> Floats:
        """The evidence that is `found` of users, where blocks have no less; else theirs."""
        blocks = self.go if go else self.no_go
        return found if blocks is None else np.minimum(found, blocks.log_evidence(go, p0, growth, shift))

    def farther(self, found: Floats, go: bool, alpha: float) -> Floats:
        """The bound on the good share that is `found` of users, where blocks have none farther off; else theirs."""
        blocks = self.go if go else self.no_go
        if blocks is None:
            return found
        return (np.minimum if go else np.maximum)(found, blocks.bound(go, alpha))


def over_time(measured: Measured, bad: Floats, sizes: tuple[int, int], since: Ints | None = None) -> OverTime:
    """Blocks of as many slots as `sizes` say for GO and for NO-GO, 0 for none; `bad` requests per row.

    What was lost counts as bad for GO and as good for NO-GO. `since` as in `in_blocks`.
    """
    if measured.at.slot is None:
        return OverTime(None, None)
    go, no_go = (
        in_blocks(measured, bad, size, lost_as_bad, since) if size else None
        for size, lost_as_bad in zip(sizes, (True, False), strict=True)
    )
    return OverTime(go, no_go)


def in_blocks(measured: Measured, bad: Floats, size: int, lost_as_bad: bool, since: Ints | None = None) -> TimeBlocks:
    """Blocks of `size` slots, in which each request weighs 1.

    Where `since` is given, the day from which on each row counts, each user weighs 1 instead.
    """
    at, block, count = measured.at, _block(measured, size), measured.at.days * (SLOTS // size)
    place = at.owner[at.user] * count + block

    def grid(each: Floats | float) -> tuple[Floats, Floats]:
        weight, lost = (_grid(place, each * values, at.simulations, count) for values in (measured.counted, bad))
        return weight, lost

    looks = np.arange(1, at.days + 1) if at.daily else np.array([at.days])
    if since is None:
        parts = [Blocks(*grid(1.0), looks * (SLOTS // size))]
    else:
        parts = [Blocks(*grid(_voices(measured, since < look)), np.array([look * (SLOTS // size)])) for look in looks]
    return TimeBlocks([_with_lost(part, measured, size, lost_as_bad) for part in parts])


def _voices(measured: Measured, counting: Flags) -> Floats:
    """What a request of each row weighs where the `counting` ones of a user weigh 1 together."""
    at = measured.at
    asked = np.bincount(at.user, measured.counted * counting, at.users)
    each = np.divide(1.0, asked, out=np.zeros_like(asked), where=asked > 0)
    return np.asarray(each[at.user] * counting)


def _block(measured: Measured, size: int) -> Ints:
    assert measured.at.slot is not None  # noqa: S101  callers ask before
    return np.asarray(measured.at.slot // size)


def _grid(place: Ints, values: Floats, simulations: int, count: int) -> Floats:
    found = np.bincount(place, values, simulations * count).reshape(simulations, count).astype(np.float64, copy=False)
    # What leaves and enters in different orders leaves rounding.
    found[found < 1e-12] = 0.0
    return found


def _with_lost(blocks: Blocks, measured: Measured, size: int, lost_as_bad: bool) -> Blocks:
    """What was lost on a day moves the shares of its blocks, as the traffic was; it adds no weight, so it never helps.

    A day that lost everything is one block.
    """
    if not measured.lost:
        return blocks
    per_day, weight, bad = SLOTS // size, blocks.weight.copy(), blocks.bad.copy()
    for day, count in measured.lost_by_day.items():
        first = min(max(int(day), 0), measured.at.days - 1) * per_day
        of_day = slice(first, first + per_day)
        traffic = float(blocks.weight[:, of_day].sum())
        if traffic > 0:
            share = count / (traffic + count)
            bad[:, of_day] = bad[:, of_day] * (1.0 - share) + weight[:, of_day] * share * lost_as_bad
        else:
            weight[:, first] = count
            bad[:, first] = count * lost_as_bad
    return Blocks(weight, bad, blocks.ends)
