"""What the guardrails do in simulated ramps (`tools.bench.ramps`): bad ones, good ones, outages, thin traffic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

import numpy as np

from tools.bench.ramps import USUAL, Ending, Played, Ramp, plan_of_default, play
from tools.bench.report import Goal
from zantara_exp.config.gate import Traffic
from zantara_exp.config.rollout import Rollout
from zantara_exp.core import terminal
from zantara_exp.core.stage import Table
from zantara_exp.gates.operating import standard_error

LOOKS_A_DAY = 4


@dataclass(frozen=True)
class Bad:
    """A ramp that should be rolled back."""

    ramp: Ramp
    least: float = 1.0
    """Share of such ramps that should be."""
    median_days: float | None = None
    """From the change to the rollback, at most; None: no goal."""


BAD = {
    "10 % not answered by the candidate": Bad(Ramp({"fallback": 0.10}), 0.95, 5),
    "7 % not answered by the candidate": Bad(Ramp({"fallback": 0.07}), 0.80),
    "5 % not answered by the candidate": Bad(Ramp({"fallback": 0.05}), 0.0),
    "10 %, 300 requests a day": Bad(Ramp({"fallback": 0.10}, per_day=300), 0.95, 5),
    "7 %, 300 requests a day": Bad(Ramp({"fallback": 0.07}, per_day=300), 0.80),
    "1 %, 10 % from day 14 on": Bad(Ramp({"fallback": 0.01}, {"fallback": 0.10}, 14), 0.95, 5),
    "1 %, 15 % from day 14 on": Bad(Ramp({"fallback": 0.01}, {"fallback": 0.15}, 14), 1.0, 4),
    "99 % answered at all, 85 % from day 14 on": Bad(Ramp({"error": 0.01}, {"error": 0.15}, 14), 1.0, 4),
    "98 % fast, 85 % from day 14 on": Bad(Ramp({"slow": 0.02}, {"slow": 0.15}, 14), 1.0, 4),
    "70 % in Indonesian alone, from day 10 on": Bad(Ramp({}, {"fallback": 0.3}, 10, "id"), 1.0, 4),
    "an outage from the night after day 16 on that does not end": Bad(Ramp({}, {"fallback": 0.999}, 16.4), 1.0, 2),
}
AT_LIMIT = Ramp({"fallback": 0.02})
GOOD = {
    "as good as usual (99 % answered by the candidate, 98 % fast)": Ramp(),
    "2 % not answered by the candidate": AT_LIMIT,
    "the same, 300 requests a day": replace(AT_LIMIT, per_day=300),
    "the same, ICC 0.3": replace(AT_LIMIT, traffic=Traffic(icc=0.3)),
    "the same, some users served badly and the others never (ICC 0.2)": replace(
        AT_LIMIT, traffic=Traffic(icc=0.2, shape="two_point")
    ),
    "the same, always the same 300 users": replace(AT_LIMIT, traffic=Traffic(icc=0.2, population="pool")),
    "at three limits all the time (2 % no answer, 2 % fall back, 5 % slow)": Ramp(
        {"error": 0.02, "fallback": 0.02, "slow": 0.05}
    ),
}
SHORT_OUTAGES = Ramp({"fallback": 0.005}, outage_hours=2)
"""2 hours every 8 days: 1.5 % bad in all."""
THIN = {
    f"{100 * bad:g} %, {per_day} requests a day in all": Ramp({"fallback": bad}, per_day=per_day, by_step=True)
    for per_day in (100, 300, 1000)
    for bad in (0.10, 0.07, 0.02)
}


def tables(ramps: int, seed: int, goals: list[Goal]) -> list[Table]:
    """Play `ramps` of each; appends the goals."""
    plan = plan_of_default()
    usual = ", ".join(f"{name} {100 * share:g} %" for name, share in USUAL.items())
    return [
        Table(f"bad ramps (else: {usual})", _HEAD, _bad(plan, ramps, seed, goals)),
        Table("good ramps", ["candidate", "rolled back", "by", "paused"], _good(plan, ramps, seed, goals)),
        Table("outages of 2 hours every 8 days (1.5 % bad in all)", _OUTAGE_HEAD, _outages(plan, ramps, seed, goals)),
        Table("the candidate has 10, 25, 50, 100 % of the traffic", _HEAD, _thin(plan, ramps, seed)),
    ]


_HEAD = ["candidate", "rolled back", "days after the change", "users hurt", "by"]
_OUTAGE_HEAD = ["rollout.outage.answer, requests a day", "rolled back", "pauses in a ramp", "by"]


def _bad(plan: Rollout, ramps: int, seed: int, goals: list[Goal]) -> list[list[str]]:
    rows = []
    for number, (what, bad) in enumerate(BAD.items()):
        endings = _endings(_played(what, bad.ramp, plan, ramps, [seed, number]))
        missed = 1 - len(endings) / ramps
        if bad.least:
            error = standard_error(missed, ramps)
            goals.append(Goal(f"bad ramps not rolled back: {what}", missed, error, round(1 - bad.least, 6), "%"))
        if bad.median_days is not None:
            goals.append(Goal(f"median days: {what}", _median_days(endings, bad.ramp, ramps), None, bad.median_days))
        rows.append([what, f"{len(endings)} of {ramps}", *described(endings, bad.ramp)])
    return rows


def _good(plan: Rollout, ramps: int, seed: int, goals: list[Goal]) -> list[list[str]]:
    rows = []
    for number, (what, ramp) in enumerate(GOOD.items()):
        played = _played(what, ramp, plan, ramps, [seed, 100 + number])
        endings, paused = _endings(played), sum(each.pauses > 0 for each in played)
        alarmed = sum(each.pauses > 0 or each.ending is not None for each in played) / ramps
        error = standard_error(alarmed, ramps)
        goals.append(Goal(f"good ramps with a false alarm: {what}", alarmed, error, 0.05, "%"))
        rows.append([what, f"{len(endings)} of {ramps}", _by(endings), f"{paused} of {ramps}"])
    return rows


def _outages(plan: Rollout, ramps: int, seed: int, goals: list[Goal]) -> list[list[str]]:
    rows = []
    for number, (answer, per_day) in enumerate((a, n) for n in (100, 300) for a in ("pause", "ignore", "rollback")):
        answering = replace(plan, outage=replace(plan.outage, answer=answer))
        what, ramp = f"{answer}, {per_day}", replace(SHORT_OUTAGES, per_day=per_day)
        played = _played(f"outages: {what}", ramp, answering, ramps, [seed, 200 + number])
        endings, pauses = _endings(played), [each.pauses for each in played]
        if answer != "rollback":
            share = len(endings) / ramps
            goals.append(Goal(f"short outages rolled back: {what}", share, standard_error(share, ramps), 0.05, "%"))
        paused = f"mean {np.mean(pauses):.1f}, most {max(pauses)}"
        rows.append([what, f"{len(endings)} of {ramps}", paused, _by(endings)])
    return rows


def _thin(plan: Rollout, ramps: int, seed: int) -> list[list[str]]:
    rows = []
    for number, (what, ramp) in enumerate(THIN.items()):
        endings = _endings(_played(what, ramp, plan, ramps, [seed, 300 + number]))
        rows.append([what, f"{len(endings)} of {ramps}", *described(endings, ramp)])
    return rows


def _played(what: str, ramp: Ramp, plan: Rollout, ramps: int, seed: list[int]) -> list[Played]:
    terminal.say(what)
    with ProcessPoolExecutor(mp_context=get_context("forkserver")) as pool:
        return [*pool.map(partial(_one, ramp, plan, LOOKS_A_DAY, seed), range(ramps), chunksize=10)]


def _one(ramp: Ramp, plan: Rollout, looks_a_day: int, seed: list[int], number: int) -> Played:
    return play(ramp, plan, looks_a_day, np.random.default_rng([*seed, number]))


def _endings(played: Sequence[Played]) -> list[Ending]:
    return [each.ending for each in played if each.ending is not None]


def _median_days(endings: Sequence[Ending], ramp: Ramp, ramps: int) -> float:
    """Of all ramps; one that was not rolled back took longer than any."""
    days = sorted(ending.day - ramp.change for ending in endings)
    middle = ramps // 2
    return days[middle] if middle < len(days) else np.inf


def described(endings: Sequence[Ending], ramp: Ramp) -> list[str]:
    """Days and users hurt, of those that were rolled back, and by what."""
    if not endings:
        return ["-", "-", "-"]
    days = [ending.day - ramp.change for ending in endings]
    hurt = [ending.hurt for ending in endings]
    return [
        f"median {np.median(days):.1f}, last {max(days):.1f}",
        f"median {np.median(hurt):.0f}, most {max(hurt)}",
        _by(endings),
    ]


def _by(endings: Sequence[Ending]) -> str:
    return ", ".join(f"{name} {count}" for name, count in Counter(ending.by for ending in endings).most_common(3))
