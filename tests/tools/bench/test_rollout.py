"""The rollout's benchmark: replicas are real processes, and what it counts is what happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tools.bench import rollout
from tools.bench.ramp_tables import described
from tools.bench.ramps import Ending, Ramp, plan_of_default, play
from tools.bench.report import Goal
from zantara_exp.config.rollout import Outage
from zantara_exp.rollout.store import FileStore


def test_every_replica_is_asked_when_it_saw_the_rollback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rollout, "ROUNDS", 2)
    monkeypatch.setattr(rollout, "REPLICAS", 2)
    goals: list[Goal] = []
    row = rollout._rollbacks("file", FileStore(tmp_path / "state.json"), tmp_path / "state.json", goals)
    assert row[0] == "file"
    assert row[1].endswith("of 2")
    assert goals[0].measured > 0
    assert FileStore(tmp_path / "state.json").read().phase == "rolled_back"


def test_endings_are_described():
    endings = [Ending(15.0, 10, "error"), Ending(17.0, 30, "error"), Ending(16.0, 20, "fallback")]
    found = described(endings, Ramp(change=14.0))
    assert found == ["median 2.0, last 3.0", "median 20, most 30", "error 2, fallback 1"]
    assert described([], Ramp()) == ["-", "-", "-"]


def test_a_ramp_that_fails_at_once_is_paused_within_hours_and_given_up_a_day_later():
    ending, pauses = play(Ramp({"error": 0.9}), plan_of_default(), 1, np.random.default_rng(1))
    assert ending is not None
    assert pauses == 1
    assert 1 < ending.day < 1.3
    assert ending.by == "outage that does not end"
    assert 3 < ending.hurt < 30


def test_a_ramp_without_pauses_counts_whom_it_hurt():
    plan = replace(plan_of_default(), outage=Outage("ignore"))
    ending, _ = play(Ramp({"error": 0.9}), plan, 1, np.random.default_rng(1))
    assert ending is not None
    assert ending.day == 1
    assert ending.by.startswith("error")
    assert 30 < ending.hurt < 120
