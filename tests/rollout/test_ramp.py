"""The moves as a state machine: whatever is tried in whatever order, shares rise only by start and advance."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.rollout.support import GRANTED, order
from zantara_exp.config.rollout import Rollout
from zantara_exp.core.errors import ZantaraError
from zantara_exp.rollout import ramp
from zantara_exp.rollout.state import DONE, PAUSED, PHASES, ROLLED_BACK, RUNNING, State, dump, load

PLAN = Rollout(categories=["greeting", "casual"])


class Ramp(RuleBasedStateMachine):
    """Random moves at random times, forwards and backwards."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.day, self.highest = State(), 0.0, 0.0

    def _do(self, move, *arguments) -> State | None:
        before = self.state
        try:
            self.state = replace(move(self.state, *arguments), version=before.version + 1)
        except ZantaraError:
            return None
        assert self.state.history[:-1] == before.history
        last = self.state.history[-1]
        assert (last.before, last.after) == (before.words, self.state.words)
        return before

    @rule(days=st.floats(-10, 10))
    def wait(self, days: float) -> None:
        self.day += days

    @rule()
    def start(self) -> None:
        before = self._do(ramp.start, PLAN, order(self.day), GRANTED)
        if before is not None:
            assert before.phase in ("idle", ROLLED_BACK)
            assert self.state.share == 10
            self.highest = 10.0

    @rule(days=st.sampled_from([0.0, 6.9, 7.0, 8.0]))
    def advance(self, days: float) -> None:
        self.day += days
        before = self._do(ramp.advance, PLAN, order(self.day), GRANTED)
        if before is not None:
            assert before.phase == RUNNING
            assert (order(self.day).time - before.since).total_seconds() >= 7 * 86400
            assert self.state.step - before.step <= 1
            self.highest = self.state.share

    @rule()
    def pause(self) -> None:
        if self._do(ramp.pause, order(self.day)) is not None:
            assert self.state.share == 0

    @rule()
    def resume(self) -> None:
        before = self._do(ramp.resume, PLAN, order(self.day), GRANTED)
        if before is not None:
            assert before.phase == PAUSED
            assert self.state.share == before.percent <= self.highest

    @rule(who=st.sampled_from(["ada", ramp.GUARDRAILS]))
    def rollback(self, who: str) -> None:
        before = self._do(ramp.rollback, order(self.day, who))
        assert before is not None
        assert self.state.share == 0
        self.highest = 0.0

    @precondition(lambda self: self.state.phase in (RUNNING, PAUSED))
    @rule(what=st.sampled_from(["epoch", "gate_hash"]), move=st.sampled_from(["advance", "resume"]))
    def another_candidate(self, what: str, move: str) -> None:
        other = replace(GRANTED, **{what: "other"})
        self.day += 8
        assert self._do(ramp.RAISING[move], PLAN, order(self.day), other) is None

    @invariant()
    def sound(self) -> None:
        assert self.state.phase in PHASES
        assert self.state.share in (0, *PLAN.steps_percent)
        assert self.state.share <= self.highest or self.state.phase == DONE
        assert load(dump(self.state)) == self.state


Ramp.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
test_moves = Ramp.TestCase


def running(percent: float = 10.0, step: int = 0) -> State:
    return replace(ramp.start(State(), PLAN, order(), GRANTED), percent=percent, step=step)


def test_what_the_guardrails_rolled_back_needs_newer_evidence():
    fallen = ramp.rollback(running(), order(1, ramp.GUARDRAILS, "success: alarm"))
    with pytest.raises(ZantaraError, match=r"the guardrails rolled back .*: success: alarm"):
        ramp.start(fallen, PLAN, order(2), GRANTED)
    newer = replace(GRANTED, as_of="2025-11-04")
    assert ramp.start(fallen, PLAN, order(2), newer).share == 10
    # Whom a person rolled back, a person starts again.
    assert ramp.start(ramp.rollback(running(), order(1)), PLAN, order(2), GRANTED).share == 10


def test_a_plan_that_got_shorter_ends_where_it_is():
    short = Rollout(steps_percent=[10.0, 20.0], hold_days=[1.0, 1.0])
    state = running(50.0, 2)
    with pytest.raises(ZantaraError, match="is held"):
        ramp.advance(state, short, order(99), GRANTED)
    assert ramp.resume(ramp.pause(state, order(1)), short, order(2), GRANTED).share == 20


def test_a_rollback_of_what_cannot_be_read():
    state = ramp.rollback(None, order())
    assert (state.phase, state.share, state.history[-1].before) == (ROLLED_BACK, 0, "unreadable")
    with pytest.raises(ZantaraError, match="could not be read"):
        ramp.start(state, PLAN, order(), GRANTED)
    assert ramp.start(state, PLAN, order(), replace(GRANTED, as_of="2025-11-03")).share == 10
