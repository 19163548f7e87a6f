"""Reads the judge's verdicts on the candidate's answers to a rollout's users (stage=judge judge.of=moved).

They come hours late or not at all, as whoever runs the judge has it: each look says how far the judge has come.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import orjson

from zantara_exp.config.rollout import Guardrail
from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.rollout.served_arrays import Arm
from zantara_exp.text.wording import counted

_log = logging.getLogger(__name__)


def found_worse(layout: Layout, epoch: str) -> dict[str, bool]:
    """By comparison, whether the primary's answer was found better; without comparisons that got no verdict.

    Empty if no judge was asked yet. Raises OSError if the file cannot be read.
    """
    try:
        lines = layout.judged_moved.read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    said, unreadable = {}, 0
    for line in lines:
        try:
            body = orjson.loads(line)
            if body["epoch"] == epoch and body["verdict"] is not None:
                said[str(body["comparison_id"])] = body["verdict"] == "worse"
        except (orjson.JSONDecodeError, KeyError, TypeError):
            unreadable += 1
    if unreadable:
        _log.warning("%d lines of %s cannot be read", unreadable, layout.judged_moved.name)
    return said


@dataclass(frozen=True)
class Progress:
    """How far the judge has come with some requests."""

    asked: int
    """Requests that the primary is asked about too."""
    judged: int
    newest: datetime | None
    """When the newest of them that was judged was served."""
    late: int
    """How many that were served after that have waited too long."""

    @property
    def words(self) -> str:
        """`58 of 61 requests judged, the newest of 2025-11-06 18:00`."""
        of = counted(max(self.asked, self.judged), "request")
        newest = "" if self.newest is None else f", the newest of {self.newest:%Y-%m-%d %H:%M}"
        return f"{self.judged} of {of} judged{newest}"


def progress(arm: Arm, guardrail: Guardrail, percent: float, began: datetime, late_before: datetime) -> Progress:
    """Of an arm's requests, `percent` of which the primary is asked about; what was served later is not late."""
    counted_in, _ = arm.measures.of(guardrail)
    judged, asked = counted_in[arm.place] > 0, arm.in_reverse(percent)
    newest = float(arm.seconds[judged].max()) if judged.any() else -1.0
    late = asked & ~judged & (arm.seconds > newest) & (arm.seconds < (late_before - began).total_seconds())
    moment = began + timedelta(seconds=newest) if judged.any() else None
    return Progress(int(asked.sum()), int(judged.sum()), moment, int(np.count_nonzero(late)))


def to_judge(config: Config) -> str:
    """The command that has a judge look; somebody has to give it, each hour."""
    return command("stage=judge", "judge.of=moved", *(["judge=anthropic"] if config.judge.name == "none" else []))


def unjudged(config: Config, step: Arm, began: datetime, now: datetime) -> str:
    """Why a step is not over although enough was served: the judge said nothing of it, or nothing any more."""
    plan = config.rollout
    late_before = now - timedelta(hours=plan.silent_hours)
    for name in plan.judged:
        found = progress(step, plan.guardrails[name], plan.reverse_percent, began, late_before)
        told = _told(found)
        if told:
            return f"guardrail {name}: {told}; each hour, as by cron: {to_judge(config)}"
    return ""


def _told(found: Progress) -> str:
    if not found.judged:
        return f"no request of this step was judged, of {found.asked} that the primary is asked about too"
    if found.late:
        return f"{counted(found.late, 'request')} served since {found.newest:%Y-%m-%d %H:%M} should have been judged"
    return ""
