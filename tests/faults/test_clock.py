"""The clock set back and forward: nothing is lost or counted twice, and a rollback is never in the way.

Guardrails under a clock that jumps: tests/rollout/test_guardrails.py.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.endpoints.servers import raw_server
from tests.rollout.support import AGED, MONDAY, act, config_of, order, write_served, write_verdict
from tests.shadow.recorded import Candidate
from tests.shadow.test_mirror import logged, observe, opened
from tests.shadow.waiting import wait_for
from zantara_exp.core import clock
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.rollout.moves import rolled_back
from zantara_exp.rollout.ramp import GUARDRAILS
from zantara_exp.rollout.store import open_store

pytestmark = pytest.mark.usefixtures("workdir")

DAY = 86_400


def test_a_log_whose_clock_is_set_back_and_forward_holds_everything_once() -> None:
    with raw_server(Candidate()) as url:
        mirror = opened(url)
        for turn, days in enumerate((0, -3, 2, 0)):
            with clock.played(lambda by=days: time.time() + by * DAY):
                observe(mirror, 5, first=5 * turn)
        wait_for(lambda: mirror.stats.compared == 20)
        asyncio.run(mirror.close())
    rows = logged()
    assert len({row.comparison_id for row in rows}) == len(rows) == 20
    day = {row.request_id.split(".")[0]: row.timestamp.date() for row in rows}
    assert day["r-5"] == day["r-0"] - timedelta(days=3)
    assert day["r-10"] == day["r-0"] + timedelta(days=2)
    assert not mirror.stats.dropped


@pytest.mark.parametrize("days", [-2.0, 30.0])
def test_what_the_guardrails_refuted_stays_refuted_whatever_the_clock_says(days: float) -> None:
    """Of two evidences the later is told by their days, not by when somebody's clock said that it moved."""
    write_verdict(config_of())
    act("start")
    store = open_store(config_of().rollout, Layout(config_of()))
    rolled_back(store, replace(order(days), actor=GUARDRAILS, reason="alarm"))
    assert (store.read().phase, store.read().share) == ("rolled_back", 0)
    with pytest.raises(ZantaraError, match="the guardrails rolled back what this GO"):
        act("start", AGED, days=days + 1)
    write_verdict(config_of(), as_of="2025-11-04")
    act("start", AGED, days=days + 1)


def test_a_clock_set_back_ends_no_step_early() -> None:
    write_verdict(config_of())
    act("start")
    write_served(days=7)
    with pytest.raises(ZantaraError):
        act("advance", days=-1)
    state = open_store(config_of().rollout, Layout(config_of())).read()
    assert (state.step, state.since) == (0, MONDAY)
