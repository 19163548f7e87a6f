from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.analysis import logs
from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.smells import smells
from zantara_exp.analysis.tables import newest_epoch
from zantara_exp.config import Config
from zantara_exp.core.layout import Layout
from zantara_exp.shadow.sampling import user_percentile

CLEAN = logs.Plan(days=2, per_day=150, users=3000, seed=4)
SIDE = {"model": "m", "provider": "p", "tokens_input": 1, "tokens_output": 1, "error": None}


def found(layout: Layout, config: Config) -> list[str]:
    with open_log(config, layout) as log:
        epoch, first = newest_epoch(log.facts)
        facts = log.facts.filter(log.facts.epoch == epoch)
        # one user of the generator is always busy; that smell has a test of its own
        return [smell.what for smell in smells(log, facts, first, 0.001) if "one user" not in smell.what]


def test_a_clean_log_does_not_smell(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, CLEAN)
    assert found(layout, config) == []


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        (
            replace(CLEAN, extra={"candidate": {**SIDE, "response": "Ciao!", "latency_ms": None}}),
            "word for word the same",
        ),
        (
            replace(CLEAN, extra={"candidate": {**SIDE, "response": "Ciao!", "latency_ms": 1000.0}}),
            "took the same time",
        ),
        (replace(CLEAN, alike=1.1), "repeat the primary's"),
        (replace(CLEAN, alike=1.1), "score the same chrF"),
        (replace(CLEAN, success=0.8, failures=("", "...")), "empty or dots"),
        (replace(CLEAN, extra={"candidate": {**SIDE, "response": "Ciao!", "latency_ms": -5.0}}), "no usable latency"),
        (replace(CLEAN, doubles=20), "stand in the log twice"),
    ],
)
def test_what_smells_is_said(layout: Layout, config: Config, plan: logs.Plan, what: str) -> None:
    logs.write(layout.logs, plan)
    assert any(what in said for said in found(layout, config))


def test_days_and_sampling_that_change(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(CLEAN, days=1, extra={"sampling": {"percent": 10.0, "reason": "imported"}}))
    logs.write(layout.logs, replace(CLEAN, days=1, start=3, seed=9))
    said = found(layout, config)
    assert said == ["the sampled share changed for one candidate: 10 %, 100 %", "2 days without a comparison"]


def test_users_who_are_not_in_the_sampled_share(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(CLEAN, extra={"sampling": {"percent": 10.0, "reason": "user_hash"}}))
    said = " ".join(found(layout, config))
    assert " users lie outside of the sampled 10 %" in said


def test_a_mirror_of_a_part_says_whose_load_was_measured(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(CLEAN, per_day=600, extra={"sampling": {"percent": 60.0, "reason": "user_hash"}}))
    for path in layout.logs.iterdir():
        lines = [line for line in path.read_text().splitlines() if user_percentile(json.loads(line)["user"]) < 60]
        path.write_text("\n".join(lines) + "\n")
    assert found(layout, config) == ["the candidate bore 60 % of the load that a rollout to all users brings"]


def test_days_that_are_gone_are_counted_for_all_candidates(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(CLEAN, days=3))
    first = min(layout.logs.iterdir())
    lines = first.read_text().splitlines(keepends=True)
    half = [json.dumps({**json.loads(line), "epoch": "another"}) + "\n" for line in lines[:75]]
    first.write_text("".join(half + lines[75:]))
    before = found(layout, config)
    away = first.read_text()
    first.unlink()
    gone = [smell for smell in found(layout, config) if smell not in before]
    day = first.stem.removeprefix("shadow_comparison_")
    assert f"{len(lines):,} comparisons from {day} to {day} were in the log and are gone" in gone
    first.write_text(away)
    assert found(layout, config) == before


def test_a_sample_of_which_a_part_is_missing(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(CLEAN, per_day=600))
    for path in layout.logs.iterdir():
        lines = [line for line in path.read_text().splitlines() if user_percentile(json.loads(line)["user"]) < 60]
        path.write_text("\n".join(lines) + "\n")
    [said] = found(layout, config)
    assert "users do not fill the sampled 100 % evenly: 0 to" in said
    assert "where 34.8 are expected (p < 1e-12)" in said


def test_a_clock_that_jumped(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, CLEAN)
    path = sorted(layout.logs.iterdir())[0]
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[100:], *lines[:100]]) + "\n")
    (smell,) = found(layout, config)
    assert smell.endswith("comparisons are dated more than 1 h before one logged before them")
    assert 36 <= int(smell.split()[0]) <= 100  # of a hundred, 64 may have been under way when the clock jumped


def test_what_was_under_way_at_once_is_no_jump(layout: Layout, config: Config) -> None:
    """A replay asks for several at once, whose recorded times are hours apart."""
    logs.write(layout.logs, CLEAN)
    for path in layout.logs.iterdir():
        lines = path.read_text().splitlines()
        parts = [lines[start : start + 8] for start in range(0, len(lines), 8)]
        path.write_text("\n".join(line for part in parts for line in reversed(part)) + "\n")
    assert found(layout, config) == []


def test_one_user_who_dominates(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(CLEAN, users=2))
    with open_log(config, layout) as log:
        assert "one user" in smells(log, log.facts, log.until, 0.001)[0].what


def test_a_handful_is_not_judged(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, logs.Plan(days=1, per_day=5, users=1))
    assert found(layout, config) == []
