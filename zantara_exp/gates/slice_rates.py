"""How often `slices` confirms where nothing is worse, and how often it finds what is: simulated with a gate's traffic.

Users' failures come as the traffic declares them, in users and in outages. A user speaks one of three languages and
asks about three categories, at three lengths, on six topics, in four parts of the day: 19 slices of one dimension
and 141 of two.
"""

from __future__ import annotations

import math

import numpy as np

from zantara_exp.config.gate import Traffic
from zantara_exp.gates.evidence import SLOTS
from zantara_exp.gates.population import probabilities, served, visits
from zantara_exp.gates.slices import HOUR, Requests, Slice, Terms, confirm, level, search

BAD = 0.02
"""Share of failures in the rest."""
WORSE = 0.15
"""How much more of it a planted slice has: a tenth of the traffic, one language in one category."""
PLANTED: Slice = (("language", "c"), ("category", "b"))
_SHARES = {"language": (0.4, 0.3, 0.3), "category": (0.3, 0.34, 0.36), "length": (0.4, 0.4, 0.2), "topic": (1 / 6,) * 6}


def confirmed_in(plan: tuple[Traffic, int, Terms, float, tuple[int, int]]) -> list[Slice]:
    """What one search confirms in a log: its traffic, days and terms, what PLANTED fails more often, and a seed."""
    traffic, days, terms, worse, seed = plan
    return confirmed(drawn(traffic, days, worse, np.random.default_rng(list(seed))), terms)


def confirmed(at: Requests, terms: Terms) -> list[Slice]:
    """The slices that one search confirms."""
    said = enumerate(confirm(at, search(at, terms), terms), 1)
    return [
        each.part
        for place, each in said
        if each is not None and each.log_evidence >= -math.log(level(place, terms.alpha))
    ]


def drawn(traffic: Traffic, days: int, worse: float, rng: np.random.Generator, bad: float = BAD) -> Requests:
    """One log."""
    at = visits(traffic, days, 1, rng)
    asked, good = at.trials.astype(np.int64), served(at, 1.0 - bad, traffic, rng).astype(np.int64)
    user, slot = np.repeat(at.user, asked), np.repeat(at.day * SLOTS if at.slot is None else at.slot, asked)
    number = np.arange(user.size) - np.repeat(np.cumsum(asked) - asked, asked)
    failed = number >= np.repeat(good, asked)
    of_user = rng.choice(3, at.users, p=_SHARES["language"])[user]
    parts = {name: _named(rng.choice(len(shares), user.size, p=shares)) for name, shares in _SHARES.items()}
    parts["language"] = _named(of_user)
    if at.slot is not None:
        parts[HOUR] = _named(slot % SLOTS // (SLOTS // 4))
    found = Requests(user, slot // 6, failed, (rng.random(at.users) < 0.5)[user], parts, slot // SLOTS)
    if worse:
        more = probabilities(worse / (1.0 - bad), traffic, at.users, rng)[user]
        failed |= found.inside(PLANTED) & (rng.random(user.size) < more)
    return found


def _named(code: np.typing.NDArray[np.int64]) -> np.typing.NDArray[np.str_]:
    return np.array(list("abcdef"))[code]
