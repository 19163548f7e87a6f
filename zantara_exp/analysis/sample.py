"""The users of a log, as the sample of each declared share took them: where each stands, by the hash that samples.

Only lines that say so were put into the sample by the user's hash (`sampling.reason`): version 1 says nothing, an
import takes what it finds, and what `stage=rekey` hashed anew was sampled by a hash that is gone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from zantara_exp.analysis.engine import fetched
from zantara_exp.gates.evidence import Drawn, Sampled
from zantara_exp.shadow.record import BY_HASH
from zantara_exp.shadow.sampling import user_percentile

if TYPE_CHECKING:
    import ibis.expr.types as ir


def sampled(facts: ir.Table) -> Sampled:
    """The users of `facts`, one epoch of a log, by declared share; each once, in the order of their first requests."""
    percent = (facts.sampling_reason == BY_HASH).ifelse(facts.sampling_percent, None)
    users = facts.group_by("user", percent=percent).agg(first=facts.timestamp.min())
    rows = fetched(users.order_by("first", "user"))
    shares: dict[float, list[str]] = {}
    untested: set[str] = set()
    for user, share in zip(rows["user"].to_pylist(), rows["percent"].to_pylist(), strict=True):
        if share is not None and 0 < share <= 100 and math.isfinite(share):
            shares.setdefault(share, []).append(user)
        else:
            untested.add(user)
    drawn = [Drawn(share, np.array([user_percentile(user) for user in of])) for share, of in shares.items()]
    return Sampled(drawn, len(untested))
