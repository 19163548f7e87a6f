"""The report of a rehearsal: what was played, week by week, and how it ended, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

import numpy as np

from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.rehearsal.played import Played
from zantara_exp.rollout.served import CANDIDATE, CLIENT_GONE, PRIMARY, Served
from zantara_exp.rollout.served_store import read_served
from zantara_exp.rollout.state import DONE, IDLE, PAUSED, ROLLED_BACK, RUNNING

WORDS = {
    IDLE: "never begins",
    RUNNING: "goes on",
    PAUSED: "is paused",
    ROLLED_BACK: "is rolled back by itself",
    DONE: "reaches everybody",
}
"""How a rollout ends, by its phase."""


def page(played: Played) -> str:
    """The report."""
    return "\n".join(_lines(played)) + "\n"


def _lines(played: Played) -> Iterator[str]:
    scenario, plan = played.scenario, played.config.rehearsal
    yield f"# Rehearsal: {scenario.title[0].lower()}{scenario.title[1:]}"
    yield ""
    yield f"{scenario.story} It should end with {scenario.verdict} and a rollout that {WORDS[scenario.ends]}."
    yield ""
    yield f"**It ended with {played.ending}: {'as it should' if played.as_it_should else 'NOT as it should'}.**"
    yield ""
    yield f"    {command('experiment=rehearsal', f'rehearsal.scenarios=[{scenario.name}]')}"
    yield ""
    yield (
        f"Played from {plan.first_day}: {plan.shadow_days} days of shadow mode, then the ramp, "
        f"{plan.requests_per_day} requests a day, {played.asked} in all, a look of the controller every "
        f"{plan.tick_hours:g} hours. {played.unanswered or 'No'} requests of users stayed without an answer"
        + "".join(f"; {count} times {what}" for what, count in played.failed.most_common(3))
        + "."
    )
    yield ""
    yield from _verdict(played)
    yield from _weeks(played)
    yield from _history(played)
    yield from _guardrails(played)


def _verdict(played: Played) -> Iterator[str]:
    said = played.verdict
    yield f"## The gate after {played.config.rehearsal.shadow_days} days"
    yield ""
    yield f"{said.get('verdict')}: {said.get('reason')}"
    yield ""
    criteria = cast("Sequence[Mapping[str, Any]]", said.get("criteria", ()))
    rows = [[str(each.get("name")), str(each.get("decision")), str(each.get("reason"))] for each in criteria]
    yield from _table(["criterion", "decision", "why"], rows)
    if played.refused:
        yield f"The rollout was asked to start all the same, and refused: {played.refused}"
        yield ""


def _weeks(played: Played) -> Iterator[str]:
    layout = Layout(played.config)
    lines = list(read_served(played.config, layout, played.first))
    if not lines:
        return
    yield "## What users were served"
    yield ""
    rows = []
    opens = played.first + timedelta(days=played.config.rehearsal.shadow_days)
    shares = sorted({line.share for line in lines})
    for share in shares:
        of_share = [line for line in lines if line.share == share]
        for arm in (CANDIDATE, PRIMARY):
            asked = [line for line in of_share if line.arm == arm]
            if asked:
                rows.append([f"{share:g} %", _days(asked, opens), arm, *_served(asked)])
    head = ["share", "day of the ramp", "arm", "requests", "users", "fell back", "no answer", "p95"]
    yield from _table(head, rows)


def _days(lines: Sequence[Served], opens: Any) -> str:
    first, last = ((line.timestamp - opens) // timedelta(days=1) + 1 for line in (lines[0], lines[-1]))
    return f"{first} to {last}"


def _served(lines: Sequence[Served]) -> list[str]:
    users = len({line.user for line in lines})
    fell = sum(line.fallback for line in lines) / len(lines)
    lost = sum(line.error not in (None, CLIENT_GONE) for line in lines)
    p95 = float(np.quantile([line.latency_ms for line in lines], 0.95))
    return [str(len(lines)), str(users), f"{100 * fell:.1f} %", str(lost), f"{p95:.0f} ms"]


def _history(played: Played) -> Iterator[str]:
    if not played.state.history:
        return
    yield "## The rollout's history"
    yield ""
    rows = [[f"{c.time:%Y-%m-%d %H:%M}", c.actor, c.action, c.before, c.after, c.reason] for c in played.state.history]
    yield from _table(["time (UTC, played)", "actor", "action", "from", "to", "reason"], rows)
    for line in map(str.strip, played.said):
        if line.startswith(("first answer", "no answer")):
            yield f"- Test before a step: {line}"
        elif "is held" in line or "the pause goes on" in line:
            yield f"- {line}"
    yield ""
    if not played.state.share:
        yield f"In the twelve hours after, the candidate got {played.after_end} requests of users."
        yield ""


def _guardrails(played: Played) -> Iterator[str]:
    if played.seen is None:
        return
    yield "## The guardrails at the last look"
    yield ""
    rows = [
        [each.name, each.decision, each.bound, each.measured, each.control, str(each.users)]
        for each in played.seen.decisions
    ]
    yield from _table(["guardrail", "decision", "breached", "candidate", "primary", "users"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in row) + " |"
    yield ""
