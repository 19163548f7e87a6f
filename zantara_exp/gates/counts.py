"""Effective good and bad requests of users weighed by one correlation."""

from __future__ import annotations

import numpy as np

from zantara_exp.gates import eprocess
from zantara_exp.gates.eprocess import Counts, Floats
from zantara_exp.gates.methods import Outlook
from zantara_exp.gates.visits import Visits


def grown(counts: Counts, outlook: Outlook) -> Counts:
    """Effective counts as they may become."""
    good, bad = counts
    total = good + bad
    bad = np.minimum(np.maximum(bad + outlook.shift * total, 0.0), total)
    return Counts((total - bad) * outlook.growth, bad * outlook.growth)


def counts_of(at: Visits, counted: Floats, good: Floats, rho0: float) -> Counts:
    """Effective good and bad requests at each look: user u with m requests weighs m / (1 + rho0 (m - 1))."""
    m, s = at.seen if counted is at.trials else at.so_far(counted), at.so_far(good)
    weights = eprocess.user_weights(m, rho0)
    total = at.summed(weights)
    kept = at.summed(weights * np.divide(s, m, out=np.zeros_like(m), where=m > 0))
    bad = total - kept
    # Rounding must not look like a failure where there was none.
    return Counts(kept, np.where(bad < 1e-9, 0.0, bad))
