"""How `scripts/bench train` turns what it measured into goals, and what it times."""

from __future__ import annotations

import pytest

from zantara_exp.bench import train
from zantara_exp.bench.train import BARE, OURS, REPORTING, Training


def turn(bare: float, ours: float, megabytes: float = 800) -> dict[str, Training]:
    return {
        BARE: Training(1000, bare, 700),
        REPORTING: Training(1000, 2 * bare, 800),
        OURS: Training(1000, ours, megabytes),
    }


def test_goals_hold_the_median_of_the_turns_ratios():
    # The machine was ten times slower in the second turn, and something disturbed the third.
    speed, memory = train._goals([turn(1.0, 1.04), turn(10.0, 10.4), turn(1.0, 3.0)])
    assert (speed.measured, speed.met) == (1.04, True)
    assert (memory.measured, memory.met) == (1.0, True)


def test_a_slower_or_larger_stage_misses():
    speed, memory = train._goals([turn(1.0, 1.06, 850)] * 3)
    assert not speed.met
    assert not memory.met


def test_the_table_has_a_row_for_each_way():
    rows = train._table([turn(1.0, 2.0), turn(2.0, 2.0)]).rows
    assert [row[0] for row in rows] == [BARE, REPORTING, OURS]
    assert rows[0][2:] == ["750", "500 to 1,000", "700 to 700"]


def test_it_times_the_trainers_own_train_and_puts_it_back(monkeypatch: pytest.MonkeyPatch):
    from types import SimpleNamespace

    from trl import SFTTrainer

    asked = []
    monkeypatch.setattr(SFTTrainer, "train", lambda self, resume=None: asked.append(resume))
    plain = SFTTrainer.train
    with train._timed() as seen:
        SFTTrainer.train(SimpleNamespace(state=SimpleNamespace(num_input_tokens_seen=42)), "checkpoint")
    assert (asked, seen["tokens"]) == (["checkpoint"], 42)
    assert seen["seconds"] >= 0
    assert SFTTrainer.train is plain
