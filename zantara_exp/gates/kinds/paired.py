"""kind=paired: of the comparisons in which the two answers differ, the share that the candidate wins.

Pairs that are alike are no evidence: only the discordant ones count (McNemar 1947).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zantara_exp.config.gate import Traffic
from zantara_exp.gates.clustered import Exact, Weighted
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.kinds.kind import Rule
from zantara_exp.gates.kinds.proportion import Proportion
from zantara_exp.gates.population import probabilities, successes
from zantara_exp.gates.user_visits import Measured, Visits


class Paired(Proportion):
    """Wins are the total, the other arm's wins the baseline."""

    name = "paired"
    methods = {"weighted": Weighted, "exact": Exact}
    counts_requests = False
    over_time = False
    two_arms = True

    def gathered(self, rule: Rule, days: UserDays, until: int) -> Measured | str:
        """Discordant pairs count."""
        measured = super().gathered(rule, days, until)
        if isinstance(measured, str) or measured.baseline is None:
            return measured
        return replace(measured, counted=measured.total + measured.baseline)

    def draw(self, rule: Rule, truth: float, at: Visits, traffic: Traffic, rng: np.random.Generator) -> Measured:
        """Some comparisons differ, and the candidate wins a part of them."""
        differing = rng.binomial(at.trials.astype(np.int64), traffic.discordant).astype(np.float64)
        wins = successes(replace(at, trials=differing), probabilities(truth, traffic, at.users, rng), rng)
        return Measured(at, differing, wins)


KIND = Paired()
