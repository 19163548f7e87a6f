"""Where something ceases to hold: by halving, which needs nothing of it but that."""

from __future__ import annotations

from collections.abc import Callable


def last(holds: Callable[[float], bool], halvings: int, low: float = 0.0, high: float = 1.0) -> float:
    """The end of the part of (low, high) where `holds` is true, from `low` on; to (high - low) / 2**halvings."""
    for _ in range(halvings):
        middle = (low + high) / 2.0
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
