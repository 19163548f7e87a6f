"""How `scripts/bench train` turns what it measured into goals, and what it times."""

from __future__ import annotations

import pytest

from tools.bench import train
from tools.bench.train import BARE, OURS, REPORTING, Training


def arms(bare: list[float], ours: list[float], megabytes: float = 800) -> dict[str, list[Training]]:
    return {
        BARE: [Training(1000, seconds, 700) for seconds in bare],
        REPORTING: [Training(1000, 2.0, 800)],
        OURS: [Training(1000, seconds, megabytes) for seconds in ours],
    }


def test_the_goal_of_speed_holds_the_fastest_turns():
    # The machine was ten times slower in the second turn, and something disturbed the third.
    speed, memory = train.goals(arms([1.0, 10.0, 1.2], [1.04, 10.4, 3.0]))
    assert (speed.measured, speed.met) == (1.04, True)
    assert (memory.measured, memory.met) == (1.0, True)


def test_a_slower_or_larger_stage_misses():
    speed, memory = train.goals(arms([1.0], [1.06], 850))
    assert not speed.met
    assert not memory.met


def test_neither_way_always_trains_first():
    order = train._order(train.TURNS)
    assert order.count(BARE) == order.count(OURS) == train.TURNS
    assert order[:4] == [BARE, OURS, OURS, BARE]


def test_the_table_has_a_row_for_each_way():
    rows = train.table("tiny", arms([1.0, 2.0], [2.0, 2.0])).rows
    assert [row[0] for row in rows] == [BARE, REPORTING, OURS]
    assert rows[0][2:] == ["750", "500 to 1,000", "700 to 700"]


@pytest.mark.slow
def test_it_times_the_trainers_own_train_and_puts_it_back(monkeypatch: pytest.MonkeyPatch):
    from types import SimpleNamespace

    from trl import SFTTrainer

    asked = []
    monkeypatch.setattr(SFTTrainer, "train", lambda self, resume=None: asked.append(resume))
    plain = SFTTrainer.train
    with train.timed() as seen:
        SFTTrainer.train(SimpleNamespace(state=SimpleNamespace(num_input_tokens_seen=42)), "checkpoint")
    assert (asked, seen["tokens"]) == (["checkpoint"], 42)
    assert seen["seconds"] >= 0
    assert SFTTrainer.train is plain
