"""Plays one scenario: shadow weeks, review, gate, ramp; through the parts that production runs.

Real are the gateway (requests arrive by HTTP), the router, the mirror's process, both logs, the review's sample, the
gate, the state's file, the test before each step, the controller. Simulated are users, both models and reviewers.
Played time is what requests carry as their timestamps, and what the controller takes for now.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from zantara_exp.config import looking_in
from zantara_exp.config.decision import Checks
from zantara_exp.config.project import Paths
from zantara_exp.config.schema import Config
from zantara_exp.core import clock
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context
from zantara_exp.core.webhook import Notifier
from zantara_exp.evaluation.judge_log import judge
from zantara_exp.gates.stage import gate
from zantara_exp.gateway.app import Gateway
from zantara_exp.rehearsal.models import Models, application, running
from zantara_exp.rehearsal.played import Played
from zantara_exp.rehearsal.scenarios import Scenario
from zantara_exp.rehearsal.traffic import Ask, Speakers, asks
from zantara_exp.review.stage import review
from zantara_exp.rollout import ramp
from zantara_exp.rollout.controller import Controller
from zantara_exp.rollout.guardrails import look
from zantara_exp.rollout.increases import raised
from zantara_exp.rollout.state import DONE, ROLLED_BACK, State
from zantara_exp.rollout.store import open_store

_AFTERWARDS = timedelta(hours=12)
"""Played on after the end, to see that nobody is served who should not be."""
_PATIENCE_SECONDS = 60.0
_SPARE_DAYS = 5
"""For a step that is held again after a pause."""


class _Heard(Context):
    """A context whose stages' lines are kept."""

    def __init__(self, config: Config, context: Context, lines: list[str]) -> None:
        super().__init__(config, context.run, context.run_dir)
        self._lines = lines

    def say(self, line: str) -> None:
        """Keep it for the report."""
        self._lines.append(line)


def play(scenario: Scenario, config: Config, context: Context) -> Played:
    """Play it. Raises ZantaraError where a part does not start or does not keep up."""
    began = time.monotonic()
    first = datetime.fromisoformat(config.rehearsal.first_day).replace(tzinfo=UTC)
    rng = np.random.default_rng([config.seed, len(scenario.name)])
    models = Models(scenario, config.domain, rng)
    with running(application(models)) as address, _folder(config, context, scenario) as paths:
        ours = _config_at(config, address, paths)
        played = Played(scenario, ours, first)
        with (
            looking_in(_primary_at(config, address, paths)),
            _Stage(played, models, _Heard(ours, context, played.said)) as stage,
        ):
            stage.play(rng)
    return replace(played, seconds=time.monotonic() - began)


@contextmanager
def _folder(config: Config, context: Context, scenario: Scenario) -> Iterator[Path]:
    """A folder of the scenario's own, emptied: a rehearsal reads and writes nothing of the real rollout."""
    import shutil

    folder = Layout(config).state / "rehearsal" / scenario.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder


def _primary_at(config: Config, address: str, folder: Path) -> str:
    """A folder of config groups in which the option `primary.endpoint` is the rehearsal's own primary."""
    option = folder / "conf" / "endpoint" / f"{config.primary.endpoint}.yaml"
    option.parent.mkdir(parents=True)
    option.write_text(f"kind: openai\nbase_url: {address}/primary/v1\nmodel: claude-haiku-4-5\nstream: false\n")
    return str(folder / "conf")


def _config_at(config: Config, address: str, folder: Path) -> Config:
    names = {name: str(folder / name) for name in ("dataset", "models", "logs", "reports", "state", "mlruns")}
    return replace(
        config,
        paths=Paths(**names),
        endpoint=replace(config.endpoint, base_url=f"{address}/candidate/v1"),
        judge=replace(
            config.judge, of="moved", endpoint=replace(config.judge.endpoint, base_url=f"{address}/judge/v1")
        ),
        gateway=replace(config.gateway, openai_url=f"{address}/primary", port=0, access_log=False),
        rollout=replace(config.rollout, state="file", action="status", auto_advance=True, watch=True),
    )


class _Stage:
    """The parts of one scenario, set up and in played time."""

    def __init__(self, played: Played, models: Models, context: _Heard) -> None:
        self._played, self._models, self._context = played, models, context
        self._config, self._layout = played.config, context.layout
        self._now = played.first
        self._address = ""

    def __enter__(self) -> _Stage:
        self._clock = clock.played(lambda: self._now.timestamp())
        self._clock.__enter__()
        self._gateway = Gateway(self._config)
        self._running = running(self._gateway)
        self._address = self._running.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._running.__exit__(None, None, None)
        self._clock.__exit__(None, None, None)

    def play(self, rng: np.random.Generator) -> None:
        """Shadow weeks, the gate, and the ramp where it may begin."""
        plan, played = self._config.rehearsal, self._played
        days = plan.shadow_days + int(sum(self._config.rollout.hold_days)) + _SPARE_DAYS
        coming = asks(Speakers(self._config), played.first, days, plan.requests_per_day, rng)
        opens = played.first + timedelta(days=plan.shadow_days)
        self._until(opens, coming)
        self._judge(opens)
        with closing(open_store(self._config.rollout, self._layout)) as store:
            notifier = Notifier(self._config.rollout.notify, self._context.say)
            controller = Controller(self._config, self._context, store, lambda: self._now, notifier)
            try:
                order = ramp.Order("rehearsal", f"{played.verdict.get('verdict')} of gate go_no_go", self._now)
                raised(self._config, self._context, store, store.read(), "start", order)
            except ZantaraError as refused:
                played.refused = refused.message
            ends = played.first + timedelta(days=days)
            while not played.refused and self._now < ends and store.read().phase not in (DONE, ROLLED_BACK):
                self._follow(store.read())
                self._until(self._now + timedelta(hours=plan.tick_hours), coming)
                self._judge_moved()
                played.seen = look(self._config, self._layout, store.read(), self._now)
                controller.look_once()
            played.state = store.read()
            self._after(coming)

    def _judge_moved(self) -> None:
        """Have a judge compare what users were answered with what the primary says, as by cron."""
        with contextlib.suppress(MissingInputError):  # nobody was moved yet
            judge(self._config, self._context)

    def _after(self, coming: Sequence[Ask]) -> None:
        """Play on a little: nobody may have the candidate who was taken from it."""
        self._follow(self._played.state)
        before = self._served("candidate")
        self._until(self._now + _AFTERWARDS, coming)
        self._played.after_end = 0 if self._played.state.share else self._served("candidate") - before

    def _follow(self, state: State) -> None:
        """Wait until the gateway serves the state's share, and tell the candidate what it is in for."""
        _wait(lambda: self._gateway.routing.share == state.share, f"the gateway did not follow to {state.share:g} %")
        self._models.served(state.share, self._now)

    def _until(self, moment: datetime, coming: Sequence[Ask]) -> None:
        """Let users ask until a played moment, tick by tick, and wait until all is logged."""
        tick = timedelta(hours=self._config.rehearsal.tick_hours)
        while self._now < moment:
            until = min(self._now + tick, moment)
            asyncio.run(self._ask([ask for ask in coming if self._now <= ask.moment < until]))
            self._now = until
            _wait(self._is_logged, "the logs did not keep up")

    async def _ask(self, asked: Sequence[Ask]) -> None:
        import httpx

        left = iter(asked)
        limits = httpx.Limits(max_connections=self._config.rehearsal.concurrency)
        async with httpx.AsyncClient(base_url=self._address, timeout=_PATIENCE_SECONDS, limits=limits) as client:

            async def user() -> None:
                for ask in left:
                    self._now = max(self._now, ask.moment)
                    self._models.served(self._gateway.routing.share, self._now)
                    body = {"model": "claude", "messages": [{"role": "user", "content": ask.text}], "user": ask.user}
                    answer = await client.post("/v1/chat/completions", json=body)
                    self._played.asked += 1
                    if answer.status_code != 200:
                        self._played.failed[f"{answer.status_code} {_said(answer.content)}"] += 1

            await asyncio.gather(*(user() for _ in range(self._config.rehearsal.concurrency)))

    def _is_logged(self) -> bool:
        stats = self._gateway.mirror.stats
        lines = sum(path.read_bytes().count(b"\n") for path in self._layout.logs.glob("served_*.jsonl"))
        return stats.over >= stats.sampled and lines >= sum(self._gateway.metrics.served.values())

    def _served(self, arm: str) -> int:
        return sum(count for (of, *_), count in self._gateway.metrics.served.items() if of == arm)

    def _judge(self, opens: datetime) -> None:
        """Review the sample, note that nobody met an error, and ask the gate."""
        last = (opens - timedelta(days=1)).date().isoformat()
        alike = replace(self._config.review, checks=Checks(identical=0, worse=0))  # its reviewer reads no text
        config = replace(self._config, as_of=last, review=alike)
        review(config, self._context)
        _fill_in(self._layout.review_sheet)
        labels = replace(config.review, labels=str(self._layout.review_sheet), reviewer="rehearsal")
        review(replace(config, review=labels), self._context)
        self._layout.incidents.write_text(json.dumps({"checked_through": last}) + "\n")
        gate(config, self._context)
        self._played.verdict = json.loads(self._layout.verdict.read_text())
        self._played.said.append(f"gate={config.gate.name}: {self._played.verdict['verdict']}")


def _said(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def _fill_in(sheet: Path) -> None:
    """Label the worksheet as a reviewer would who finds the two nearly always alike."""
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for place, row in enumerate(rows):
        row["better"] = "same" if place % 20 else "cannot"
    with sheet.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _wait(reached: Callable[[], bool], trouble: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise ZantaraError(
                f"the rehearsal cannot go on: {trouble} within {_PATIENCE_SECONDS:g} s",
                f"run it again where the machine has less to do: {command('experiment=rehearsal')}",
            )
        time.sleep(0.02)
