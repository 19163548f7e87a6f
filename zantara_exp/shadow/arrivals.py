"""When the requests of a replay start: as they were recorded, evenly, or at random."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime

from zantara_exp.config.traffic import Primary


def starts(
    moments: Sequence[datetime], config: Primary, seed: int, traffic: Sequence[datetime] = ()
) -> list[float] | None:
    """Seconds from the first for each request, in order; None for at_once.

    `poisson` draws independent gaps of exponential length with mean 1 / rate. `traffic`: the times of all requests that
    a rollout would move; primary.load_percent is a share of these. Those outside the span of `moments` do not count.
    """
    if config.arrivals == "at_once":
        return None
    rate = config.requests_per_second
    faster = config.speed
    if config.load_percent is not None:
        seconds = max(1.0, (moments[-1] - moments[0]).total_seconds())
        there = max(len(moments), sum(moments[0] <= moment <= moments[-1] for moment in traffic))
        rate = config.speed * config.load_percent / 100 * there / seconds
        faster = rate * seconds / len(moments)
    if config.arrivals == "recorded":
        return [(moment - moments[0]).total_seconds() / faster for moment in moments]
    if config.arrivals == "constant":
        return [place / rate for place in range(len(moments))]
    rng, now, found = random.Random(seed), 0.0, list[float]()  # noqa: S311  no secret
    for _ in moments:
        found.append(now)
        now += rng.expovariate(rate)
    return found
