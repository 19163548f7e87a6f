"""What the rollout's tests share: a GO as the gate writes it, a stage run, orders at given times."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np

from tests.gates.test_stage import Kept
from zantara_exp.config import Config, compose
from zantara_exp.core.layout import Layout
from zantara_exp.core.signature import VERDICT, Keys
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.gates.identity import gate_hash
from zantara_exp.gates.verdict_record import verdict_hash
from zantara_exp.io import events
from zantara_exp.io.daily_files import DailyFiles
from zantara_exp.rollout.authority import Authority, serving_epoch
from zantara_exp.rollout.ramp import Order
from zantara_exp.rollout.served import CANDIDATE, PRIMARY, Served
from zantara_exp.rollout.served_store import append_served
from zantara_exp.rollout.stage import rollout

SERVED = (
    "endpoint=openai",
    "endpoint.base_url=http://127.0.0.1:9/v1",
    "endpoint.model=zantara",
    "rollout.probe.enabled=false",
    "rollout.sample_ratio_alpha=0",
)
"""A candidate that stands elsewhere: its epoch needs no file; it does not answer, so it is not tested before a step.

`traffic` gives both arms as many users whatever the share, so their sizes are tested by `test_split.py` alone.
"""
AGED = "rollout.go_max_age_days=90"
"""For starts weeks after the GO, with no log that says what came since."""
_USD_FLAT = 3.78 * 1.08 / 30_000
"""A request's share of the plan's fee."""
MONDAY = datetime(2025, 11, 3, 9, tzinfo=UTC)
GRANTED = Authority("e1", "go_no_go", "g1", "2025-11-02")


def order(days: float = 0.0, actor: str = "ada", reason: str = "") -> Order:
    return Order(actor, reason, MONDAY + timedelta(days=days))


@cache
def config_of(*overrides: str) -> Config:
    return compose([*SERVED, "rollout.actor=ada", *overrides])


def write_verdict(config: Config, **changed: object) -> Path:
    """A GO of the configured gate about what would serve, as of 2 November, with what `changed` says; its look too."""
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
        "criteria": [{"name": name, "decision": "PASS"} for name in config.gate.criteria],
        **changed,
    }
    look = {key: said[key] for key in ("gate", "verdict", "gate_hash", "epoch", "as_of")}
    record_look(config, **look, verdict_hash=verdict_hash(said))
    layout.verdict.parent.mkdir(parents=True, exist_ok=True)
    put_verdict(config, said)
    return layout.verdict


def put_verdict(config: Config, said: Mapping[str, object]) -> None:
    """A verdict signed as if stage=gate had written it, by somebody who has the key."""
    layout = Layout(config)
    signed = Keys(layout.signing_key).sign(VERDICT, json.loads(json.dumps(said)), "")
    layout.verdict.write_text(json.dumps(signed))


def record_look(config: Config, **look: object) -> None:
    """One look on record; without more, a GO of the configured gate as of 2 November."""
    layout = Layout(config)
    same = {"gate": config.gate.name, "verdict": "GO", "gate_hash": gate_hash(config.gate), "as_of": "2025-11-02"}
    counts = {"epoch": serving_epoch(config, layout), "requests": 900.0, "users": 300, "exact": {}}
    layout.looks.parent.mkdir(parents=True, exist_ok=True)
    with layout.looks.open("a") as looks:
        looks.write(json.dumps({**same, **counts, **look}) + "\n")


@dataclass(frozen=True)
class Traffic:
    """What users were served. Defaults: a step of a candidate that is as good as the primary."""

    days: float = 7
    start: float = 0
    """Days after Monday on which it begins."""
    per_day: int = 100
    """Requests of each arm."""
    users: int = 250
    """Of each arm."""
    failed: float = 0.0
    """Share of the candidate's requests that fell back."""
    failed_in: str | None = None
    """The only language in which they did."""
    lost: float = 0.0
    """Share of the candidate's requests that nobody answered."""
    control_lost: float = 0.0
    latency_ms: float = 400.0
    tokens: int = 40
    epoch: str | None = None
    """None: of what would serve."""
    arms: tuple[str, ...] = (CANDIDATE, PRIMARY)
    share: float = 10.0
    seed: int = 1


def traffic(**facts: object) -> list[Served]:
    """Requests at even gaps, of users drawn at random, a third in each language."""
    plan = Traffic(**facts)  # type: ignore[arg-type]
    config = config_of()
    epoch = plan.epoch or serving_epoch(config, Layout(config))
    rng = np.random.default_rng(plan.seed)
    lines = []
    for place in range(round(plan.days * plan.per_day)):
        moment = MONDAY + timedelta(days=plan.start + (place + 0.5) / plan.per_day)
        for arm in plan.arms:
            number = int(rng.integers(plan.users))
            language = ("it", "en", "id")[number % 3]
            draw = rng.random()
            ours = arm == CANDIDATE
            lost = draw < (plan.lost if ours else plan.control_lost)
            failed = ours and not lost and draw > 1 - plan.failed and plan.failed_in in (None, language)
            lines.append(
                Served(
                    moment, f"r-{place}-{arm}", f"{arm}-{number}", "casual", language, epoch, plan.share, arm,
                    PRIMARY if failed or not ours else CANDIDATE, "server_error" if failed or (lost and ours) else None,
                    "server_error" if lost else None, plan.latency_ms if ours else 400.0, None,
                    plan.latency_ms if ours else None, "zantara" if ours and not failed else "claude-3-5-haiku",
                    60, plan.tokens,
                    usd=(60 * 0.8 + plan.tokens * 4) / 1e6 if failed or not ours else None if lost else _USD_FLAT,
                )
            )  # fmt: skip
    return lines


def write_served(**facts: object) -> None:
    """The same, in the served log."""
    append_to(Layout(config_of()).logs, traffic(**facts))


def act(action: str, *overrides: str, days: float = 0.0) -> StageResult:
    """`stage=rollout rollout.action=ACTION`, at so many days after Monday."""
    config = config_of(*overrides)
    config = replace(config, rollout=replace(config.rollout, action=action))
    return rollout(config, Context(config, Kept(), Path(".")), lambda: MONDAY + timedelta(days=days))


def append_to(folder: Path, lines: Sequence[Served]) -> None:
    """Append to the served log of this machine."""
    assert append_served(DailyFiles(folder, events.SERVED, 10**9), lines) == (len(lines), None)
