"""kind=proportion: the share of requests that the metric counts, such as success above 0.98 or time-outs below 0.05."""

from __future__ import annotations

import numpy as np

from zantara_exp.config.gate import Traffic
from zantara_exp.gates.kinds.kind import Rule
from zantara_exp.gates.kinds.share import Share
from zantara_exp.gates.population import probabilities, successes
from zantara_exp.gates.share_methods import SHARE_METHODS
from zantara_exp.gates.visits import Measured, Visits


class Proportion(Share):
    """Each user is served with a probability of his own; the share's mean is the truth."""

    name = "proportion"
    methods = SHARE_METHODS
    counts_requests = True

    def draw(self, rule: Rule, truth: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Measured:
        """Requests that the metric counts."""
        return Measured(at, at.trials, successes(at, probabilities(truth, traffic, at.users, rng), rng))


KIND = Proportion()
