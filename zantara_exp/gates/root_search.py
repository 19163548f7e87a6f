"""Where something ceases to hold, by Chandrupatla's method: halving, or a curve through three points where one fits."""

from __future__ import annotations

import math
from collections.abc import Callable


def last(surplus: Callable[[float], float], halvings: int, low: float = 0.0, high: float = 1.0) -> float:
    """The end of the part of (low, high) where `surplus` is not negative, from `low` on.

    As exact as `halvings` halvings, to (high - low) / 2**halvings, and a point where it holds; `low` where it holds
    nowhere. A smooth `surplus` is asked for ten times instead of thirty. Where it is no number, it does not hold.
    """
    width = (high - low) / 2.0**halvings
    low, at_low = low, float(surplus(low + width / 2.0))
    if not at_low >= 0:
        return low
    at_high = math.nan
    while high - low > width and not math.isfinite(at_low + at_high):  # a curve needs numbers
        middle = (low + high) / 2.0
        found = float(surplus(middle))
        low, at_low, high, at_high = (middle, found, high, at_high) if found >= 0 else (low, at_low, middle, found)
    # Of the newest point and the one on the other side of the end, and the one before.
    new, at_new, far, at_far, part = low, at_low, high, at_high, 0.5
    while abs(far - new) > width:
        point = new + part * (far - new)
        found = float(surplus(point))
        old, at_old = (new, at_new) if (found >= 0) == (at_new >= 0) else (far, at_far)
        if (found >= 0) != (at_new >= 0):
            far, at_far = new, at_new
        new, at_new = point, found
        part = _part(new, at_new, far, at_far, old, at_old, width)
    return new if at_new >= 0 else far


def _part(new: float, at_new: float, far: float, at_far: float, old: float, at_old: float, width: float) -> float:
    """How far from `new` to `far` to look next: where x as a square of y crosses zero, if that is between; or half."""
    if abs(far - new) <= width or not math.isfinite(at_new):
        return 0.5
    place, height = (new - far) / (old - far), (at_new - at_far) / (at_old - at_far)
    if not (height**2 < place and (1.0 - height) ** 2 < 1.0 - place):
        return 0.5
    found = at_new / (at_far - at_new) * at_old / (at_far - at_old)
    found += (old - new) / (far - new) * at_new / (at_old - at_new) * at_far / (at_old - at_far)
    nearest = width / 2.0 / abs(far - new)  # just beside what is known, so that the end is closed in
    return min(max(found, nearest), 1.0 - nearest)
