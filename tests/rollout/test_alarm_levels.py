"""Where guardrails can alarm: a look that spares work where nothing can alarm decides as a whole one does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.rollout.support import config_of
from zantara_exp.rollout import alarm_levels
from zantara_exp.rollout.alarm_levels import CONTROL, LIMIT, OUTAGE, Cell, Seen, cells_of
from zantara_exp.rollout.restarts import Rows

PLAN = config_of().rollout
ALL = cells_of(PLAN)


def cell(name: str, kind: str) -> Cell:
    return next(each for each in ALL if (each.name, each.kind, each.language) == (name, kind, None))


def asked(rng: np.random.Generator, bad: float, days: int = 3, per_day: int = 60, a_day: int = 1) -> Rows:
    """Requests of users who come and go, in blocks of 1/`a_day` days."""
    requests = days * per_day
    block = np.sort(rng.integers(0, days * a_day, requests))
    failed = (rng.random(requests) < bad).astype(float)
    return Rows(rng.integers(0, requests // 3, requests), block, np.ones(requests), failed)


def both(rng: np.random.Generator, bad: float, each: Cell) -> Seen:
    blocks_a_day = 24 // each.block_hours
    fine = asked(rng, bad, a_day=blocks_a_day)
    return Seen(fine._replace(block=fine.block // blocks_a_day), fine)


@pytest.mark.parametrize("kind", [LIMIT, CONTROL, OUTAGE])
def test_a_look_for_alarms_alone_misses_none_and_adds_none(kind: str):
    each = cell("error", kind)
    each = replace(each, needed=each.needed / 2)  # so that many of these few days lie on either side of it
    alarms = {True: [], False: []}
    for number, bad in enumerate(np.linspace(0.0, 0.6, 80)):
        for short, found in alarms.items():
            rng = np.random.default_rng(number)
            if kind == OUTAGE:
                look = alarm_levels.outage(each, asked(rng, bad, 1, a_day=24), short)
            elif kind == CONTROL:
                look = alarm_levels.beyond_control(each, both(rng, bad, each), both(rng, 0.01, each), [0], short)
            else:
                look = alarm_levels.beyond_limit(each, both(rng, bad / 6, each), [0], short)
            found.append(look.alarm)
    assert alarms[True] == alarms[False]
    assert 5 < sum(alarms[True]) < 75


def test_alpha_is_split_over_all_places_where_something_can_alarm():
    spent = [np.exp(-each.needed) for each in ALL]
    assert sum(spent) == pytest.approx(PLAN.alpha)
    of_users = sum(np.exp(-each.needed) for each in ALL if each.kind != OUTAGE and each.language is None)
    assert of_users == pytest.approx(PLAN.alpha / 2)
    ignoring = cells_of(replace(PLAN, outage=replace(PLAN.outage, answer="ignore")))
    assert {each.kind for each in ignoring} == {LIMIT, CONTROL}
    assert sum(np.exp(-each.needed) for each in ignoring) == pytest.approx(PLAN.alpha)
