"""The e-detector of a running rollout: false alarms on a healthy ramp, and users until a real one is seen.

p0 0.95, a ramp of 3,000 users, alpha 0.05 over four guardrails; each user is observed once, with the share of good
answers of the first day; ICC 0.2.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tools.bench.report import Goal
from zantara_exp.config.gate import Traffic
from zantara_exp.core import terminal
from zantara_exp.core.stage import Table
from zantara_exp.gates.detector import detector_path
from zantara_exp.gates.operating import standard_error
from zantara_exp.gates.population import probabilities, successes, visits
from zantara_exp.gates.user_visits import Floats

P0, PLANNED, ALPHA, GUARDRAILS = 0.95, 3000, 0.05, 4
THRESHOLD = float(np.log(PLANNED / (ALPHA / GUARDRAILS)))
_RAMPS = 200


def table(simulations: int, seed: int, goals: list[Goal]) -> Table:
    """Measure the detector; appends its goals."""
    terminal.say("guardrails")
    ramps = min(simulations, _RAMPS)
    rng = np.random.default_rng([seed, 1000])
    outage = _until_alarm(np.r_[np.ones(PLANNED), np.zeros(50)], PLANNED)
    goals.append(Goal("guardrail: failing users until the alarm, after 3,000 perfect ones", outage, None, 8))
    rows = [["total outage after 3,000 perfect users", f"alarm after {outage:.0f} users"]]
    for truth in (0.99, 0.97, 0.95):
        healthy = _shares(truth, PLANNED, ramps, rng)
        # Four guardrails on one ramp: each its own measurement, one alarm is enough.
        alarms = np.zeros(ramps, dtype=bool)
        for guardrail in range(GUARDRAILS):
            users = healthy if guardrail == 0 else _shares(truth, PLANNED, ramps, rng)
            alarms |= detector_path(users, P0).max(axis=1) >= THRESHOLD
            if guardrail == 0 and truth == 0.99:
                failing = _after(healthy, np.zeros((ramps, 50)))
                worst = float(failing.max())
                goals.append(Goal("guardrail: the same after users served well at 0.99, slowest ramp", worst, None, 8))
                rows.append(["total outage after 3,000 users at 0.99", _days(failing)])
                rows.append(
                    ["a fall to 85 % after 3,000 users at 0.99", _days(_after(healthy, _shares(0.85, 600, ramps, rng)))]
                )
        share = float(alarms.mean())
        error = standard_error(share, ramps)
        goals.append(Goal(f"guardrails: false alarms over a ramp at {truth:g}, all four", share, error, 0.05, "%"))
        rows.append(
            [f"healthy ramp at {truth:g}, four guardrails", f"false alarms {100 * share:.1f} % of {ramps} ramps"]
        )
    start = _first_alarm(detector_path(_shares(0.90, 1500, ramps, rng), P0))
    rows.append(["90 % from the start", _days(start)])
    return Table(
        "guardrails: e-detector, p0 0.95, ICC 0.2, ramp of 3,000 users", ["what happens", "what is seen"], rows
    )


def _shares(truth: float, users: int, ramps: int, rng: np.random.Generator) -> Floats:
    """First-day shares of good answers, shape (ramps, users)."""
    traffic = replace(Traffic(), icc=0.2)
    at = visits(traffic, max(20, 1 + users * ramps // 12), 1, rng)
    good = successes(at, probabilities(truth, traffic, at.users, rng), rng)
    share = (good / at.trials)[at.first]
    return rng.permutation(share)[: ramps * users].reshape(ramps, users)


def _first_alarm(path: Floats) -> Floats:
    alarm = path >= THRESHOLD
    return np.where(alarm.any(axis=1), alarm.argmax(axis=1) + 1.0, np.inf)


def _after(healthy: Floats, then: Floats) -> Floats:
    """Users from the change to the alarm."""
    path = detector_path(np.concatenate([healthy, then], axis=1), P0)[:, healthy.shape[1] :]
    return _first_alarm(path)


def _until_alarm(shares: Floats, change: int) -> float:
    return float(_first_alarm(detector_path(shares[None, :], P0)[:, change:])[0])


def _days(users: Floats) -> str:
    low, middle, high = np.quantile(users, [0.05, 0.5, 0.95], method="inverted_cdf")
    return f"alarm after {middle:.0f} users (median; {low:.0f} to {high:.0f} in nine of ten ramps)"
