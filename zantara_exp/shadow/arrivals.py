"""When the requests of a replay start: as they were recorded, evenly, or at random."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime

from zantara_exp.config.traffic import Primary


def starts(moments: Sequence[datetime], config: Primary, seed: int) -> list[float] | None:
    """Seconds from the first for each request, in order; None for at_once.

    `poisson` draws independent gaps of exponential length with mean 1 / requests_per_second.
    """
    if config.arrivals == "at_once":
        return None
    if config.arrivals == "recorded":
        return [(moment - moments[0]).total_seconds() / config.speed for moment in moments]
    if config.arrivals == "constant":
        return [place / config.requests_per_second for place in range(len(moments))]
    rng, now, found = random.Random(seed), 0.0, list[float]()  # noqa: S311  no secret
    for _ in moments:
        found.append(now)
        now += rng.expovariate(config.requests_per_second)
    return found
