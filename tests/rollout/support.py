"""What the rollout's tests share: a GO as the gate writes it, a stage run, orders at given times."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from tests.analysis import logs
from tests.gates.test_stage import Kept
from zantara_exp.config import Config, compose
from zantara_exp.gates.rules import gate_hash
from zantara_exp.layout import Layout
from zantara_exp.rollout.authority import Authority, serving_epoch
from zantara_exp.rollout.ramp import Order
from zantara_exp.rollout.stage import rollout
from zantara_exp.stage import Context, StageResult

SERVED = (
    "engine.scored_per_file=1",
    "endpoint=openai",
    "endpoint.base_url=http://127.0.0.1:9/v1",
    "endpoint.model=zantara",
)
"""A candidate that stands elsewhere: its epoch needs no file; similarity, which is slow, is not asked for here."""
MONDAY = datetime(2025, 11, 3, 9, tzinfo=UTC)
GRANTED = Authority("e1", "go_no_go", "g1", "2025-11-02")


def order(days: float = 0.0, actor: str = "ada", reason: str = "") -> Order:
    return Order(actor, reason, MONDAY + timedelta(days=days))


@cache
def config_of(*overrides: str) -> Config:
    return compose([*SERVED, "rollout.actor=ada", *overrides])


def write_verdict(config: Config, **changed: object) -> Path:
    """A GO of the configured gate about what would serve, as of 2 November, with what `changed` says."""
    layout = Layout(config)
    said = {
        "schema_version": 1,
        "gate": config.gate.name,
        "verdict": "GO",
        "reason": "every criterion passes",
        "authorises": config.gate.authorises,
        "gate_hash": gate_hash(config.gate),
        "epoch": serving_epoch(config, layout),
        "as_of": "2025-11-02",
        **changed,
    }
    layout.verdict.parent.mkdir(parents=True, exist_ok=True)
    layout.verdict.write_text(json.dumps(said))
    return layout.verdict


def write_log(**plan: object) -> None:
    """Five weeks of comparisons from the Monday on, of a candidate that is good unless `plan` says otherwise."""
    config = config_of()
    layout = Layout(config)
    began = (MONDAY.date() - logs.FIRST_DAY.date()).days
    facts = {
        "epoch": serving_epoch(config, layout),
        "days": 36,
        "per_day": 110,
        "users": 400,
        "success": 1.0,
        "start": began,
    }
    logs.write(layout.logs, logs.Plan(**{**facts, **plan}))


def act(action: str, *overrides: str, days: float = 0.0) -> StageResult:
    """`stage=rollout rollout.action=ACTION`, at so many days after Monday."""
    config = config_of(*overrides)
    config = replace(config, rollout=replace(config.rollout, action=action))
    return rollout(config, Context(config, Kept(), Path(".")), lambda: MONDAY + timedelta(days=days))
