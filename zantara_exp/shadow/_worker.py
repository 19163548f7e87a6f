"""The mirror's worker: calls the candidate and writes the comparison log, in a process of its own.

`zantara_exp.shadow.mirror` starts it. It reads its setup and then requests as frames of JSON from stdin, reports on
stdout, and ends when stdin ends. It reads only as fast as it can ask, so that a backlog waits, and is dropped, in the
app's bounded queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from zantara_exp import spans
from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.cost.prices import load
from zantara_exp.cost.usage import Usage
from zantara_exp.dataset.category import classifier
from zantara_exp.endpoints.base import Endpoint, Message
from zantara_exp.endpoints.breaker import Guarded
from zantara_exp.endpoints.build import guarded, option, serving
from zantara_exp.endpoints.fallback import Fallback
from zantara_exp.shadow.budget import budget_of
from zantara_exp.shadow.compare import Comparer
from zantara_exp.shadow.database_switch import RowSwitch
from zantara_exp.shadow.log import ComparisonLog, log_of
from zantara_exp.shadow.record import AA, BUDGET, CANDIDATE, MOVED, ONLY_PRIMARY, Sampling, Scope, Side
from zantara_exp.shadow.replay import Request
from zantara_exp.shadow.sampling import repeated
from zantara_exp.traffic.movable import WITHOUT_ANSWER, Movable

if TYPE_CHECKING:
    from zantara_exp.spans.sdk import Spans

_REPORT_SECONDS = 0.2
_LOOK_SECONDS = 0.01
_READ_AHEAD_BYTES = 16 * 1024
_NICENESS = 5
"""The app goes first if cores are scarce; the measured latency then contains some waiting for a core."""


class Pipes(NamedTuple):
    """File descriptors shared with the app."""

    control: int
    """Commands, a line each. `1`, `0`: shadow mode is on, off. `q`: the time is over, log what is left and end. `=N`: N
    requests and losses are for this worker; if the app is killed some of them never come."""
    reports: int


class Worker:
    """Reads requests one by one and has several answered at the same time."""

    def __init__(
        self,
        config: Config,
        endpoint: Guarded | Fallback,
        log: ComparisonLog,
        epoch: str,
        pipes: Pipes,
        primary: Endpoint | None = None,
        row: RowSwitch | None = None,
        made: Spans | None = None,
    ) -> None:
        """`primary` is asked again for a share of the sample (the A/A arm) and of a rollout (the arm `moved`).

        `row` is the switch of all replicas; `made` makes spans of the calls.
        """
        self._row, self._spans = row, made
        self._called_as = {spans.ROLE: "mirrored", "zantara.candidate_id": epoch}
        self._config, self._endpoint, self._log, self._pipes = config, endpoint, log, pipes
        self._on = self._over = False
        self._comparer = Comparer(endpoint, log, epoch, config.cost)
        self._again = None if primary is None else Comparer(primary, log, epoch, config.cost, AA)
        self._reverse = None if primary is None else Comparer(primary, log, epoch, config.cost, MOVED)
        self._budget = budget_of(config)
        self._slots = asyncio.Semaphore(config.endpoint.concurrency)
        self._again_slots = asyncio.Semaphore(config.endpoint.concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._movable = Movable.of(config)
        self._left_out = 0
        self._set_aside: Counter[str] = Counter()
        self._lag_seconds = 0.0
        self._ready = math.inf
        """When this process was ready (time.monotonic): only later waiting counts as the candidate's."""
        self._said, self._announced, self._came = b"", 0, 0
        self._gone = False
        """Whether the app has ended."""
        self._told: Counter[str] = Counter()
        """Losses that the app reported, which are not this process's own."""

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Work until stdin ends, then finish what is in flight."""
        loop = asyncio.get_running_loop()
        self._switch()  # the app has sent the first state already
        loop.add_reader(self._pipes.control, self._switch)
        reports = asyncio.create_task(self._report_on())
        while (frame := await _next_frame(reader)) is not None:
            if "drops" in frame:
                self._came += sum(frame["drops"].values())
                for reason, amount in frame["drops"].items():
                    self._told[reason] += amount
                    self._log.drop(reason, amount)
                continue
            self._came += 1
            await self._take(frame)
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._count_what_never_came()
        reports.cancel()

    async def _count_what_never_came(self) -> None:
        """After the app was killed: count the requests that it announced and did not send as lost."""
        while self._announced > self._came and not self._gone:  # wait until its last announcement was read
            await asyncio.sleep(_LOOK_SECONDS)
        if self._announced > self._came:
            self._log.drop("shutdown", self._announced - self._came)

    async def _take(self, frame: dict[str, Any]) -> None:
        await self._slots.acquire()
        waited = max(0.0, time.monotonic() - max(frame["seen"], self._ready))
        with spans.within(self._around(frame["traceparent"])):
            task = asyncio.create_task(self._compare(frame, round(waited * 1000, 3)))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _around(self, traceparent: str | None) -> spans.Around | None:
        """The trace context for the calls of a request: a sibling of the primary's call."""
        made = self._spans
        return None if made is None else spans.Around(made, made.continued(traceparent), self._called_as)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Called when a task is done. A task that is cancelled before it begins never runs code of its own."""
        self._tasks.discard(task)
        self._slots.release()
        if task.cancelled():
            self._log.drop("shutdown" if self._over else "disabled")

    async def _compare(self, frame: dict[str, Any], waited_ms: float) -> None:
        try:
            if self._over or not self._on:
                self._log.drop("shutdown" if self._over else "disabled")
                return
            request = self._request(frame)
            self._ready = min(self._ready, time.monotonic())  # the first request has loaded the language detector
            if self._config.shadow.categories and request.category not in self._config.shadow.categories:
                self._left_out += 1
                return
            sampling = Sampling(**frame["sampling"])
            if frame["moved"]:
                self._begin(self._ask_primary(request, sampling))
                return
            if frame["bare"] or request.primary.error in WITHOUT_ANSWER or not self._asks(request):
                self._comparer.set_aside(request, sampling)
                self._set_aside[request.scope.why_not or request.primary.error or ""] += 1
                return
            if not self._budget.begin():
                self._log.drop(BUDGET)
                return
            done = None
            try:
                done = await self._comparer.compare(request, sampling, waited_ms)
            finally:
                self._budget.end(done)
            if self._again is not None and repeated(request.request_id, self._config.primary.aa_percent):
                self._begin(self._compare_again(self._again, request, sampling))
            self._lag_seconds = round((datetime.now(UTC) - request.timestamp).total_seconds(), 3)
        except Exception as error:  # one strange request must not end the worker
            self._log.drop("unreadable")
            logging.getLogger(__name__).warning("a request could not be mirrored: %s", type(error).__name__)

    async def _compare_again(self, again: Comparer, request: Request, sampling: Sampling) -> None:
        """Ask the primary once more. It has a limit of its own, so that no request to the candidate waits for it."""
        async with self._again_slots:
            with spans.in_role("aa"):
                await again.compare(request, sampling)

    async def _ask_primary(self, request: Request, sampling: Sampling) -> None:
        """Ask the primary what the candidate has answered a user, under the same limit of calls as the A/A arm."""
        if self._reverse is None:
            self._log.drop("unreadable")
            return
        async with self._again_slots:
            with spans.in_role("reverse"):
                await self._reverse.compare_moved(request, sampling)
        self._set_aside[MOVED] += 1  # no evidence for a gate

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _asks(self, request: Request) -> bool:
        return bool(request.scope.movable) or self._config.shadow.out_of_scope

    def _request(self, frame: dict[str, Any]) -> Request:
        """The request of a frame. A bare frame has no texts, so category and language are the app's."""
        from zantara_exp.dataset.language import detector

        config = self._config
        said = config.dataset.system_prompt if frame["system_prompt"] is None else frame["system_prompt"]
        system = "\n\n".join(filter(None, [said, frame["memory_context"]]))
        messages: list[Message] = [{"role": "system", "content": system}]
        messages += [{"role": turn["role"], "content": turn["content"]} for turn in frame["history"]]
        messages.append({"role": "user", "content": frame["message"]})
        questions = [turn["content"] for turn in messages if turn["role"] == "user"]
        category, language, sure = frame["category"], frame["language"], True
        if not frame["bare"]:
            if not category:
                category, sure, _ = classifier(config).conversation(questions)
            language = language or detector(config).detect(frame["message"])
        why_not = frame["why_not"] or self._movable.segment(category, language, sure=sure)
        return Request(
            request_id=frame["request_id"],
            conversation_id=frame["conversation_id"],
            timestamp=datetime.fromisoformat(frame["timestamp"]),
            user=frame["user"],
            messages=messages,
            category=category,
            language=language,
            primary=_side(frame["primary"], frame["bare"]),
            attempt=frame["attempt"],
            trace_id=frame["trace_id"],
            scope=Scope(not why_not, why_not or None),
        )

    def _switch(self) -> None:
        said = os.read(self._pipes.control, 4096)
        if not said:  # the app has ended, and stdin ends too
            loop = asyncio.get_running_loop()
            self._gone = True
            loop.remove_reader(self._pipes.control)
            loop.call_later(self._config.shadow.drain_seconds, self._give_up)
        *words, self._said = (self._said + said).split(b"\n")
        for word in words:
            if word.startswith(b"="):
                self._announced = int(word[1:])
            elif word == b"q":
                self._give_up()
            else:
                self._on = word == b"1"
                if not self._on:
                    self._cancel()

    def _give_up(self) -> None:
        self._over = True
        self._cancel()

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _report_on(self) -> None:
        while True:
            self.report()
            await asyncio.sleep(_REPORT_SECONDS)

    def report(self) -> None:
        """Write a report, unless the app has ended."""
        lost = self._log.lost.copy() - self._told  # a copy, since the log's thread counts too
        written = self._log.by_arm.copy()
        said = {
            "answered": written[CANDIDATE] + written[MOVED] + written[ONLY_PRIMARY] + lost.total() + self._left_out,
            "compared": written[CANDIDATE],
            "set_aside": self._set_aside,
            "in_flight": len(self._tasks),
            "breaker": self._endpoint.breaker.state,
            "breakers": self._endpoint.breakers,
            "allowed": self._row is None or self._row.on,
            "lost": lost,
            "reported": self._log.reported,
            "lag_seconds": self._lag_seconds,
            "spooled": self._log.waiting,
        }
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._pipes.reports, orjson.dumps(said) + b"\n")


async def _next_frame(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """One frame: its length in four bytes, then JSON. None at the end, or for an unfinished frame of a killed app."""
    try:
        size = int.from_bytes(await reader.readexactly(4), "big")
        frame: dict[str, Any] = orjson.loads(await reader.readexactly(size))
    except asyncio.IncompleteReadError:
        return None
    return frame


def _side(answer: dict[str, Any], bare: bool) -> Side:
    said = {name: value for name, value in answer.items() if name != "text"} | {"usage": Usage(**answer["usage"])}
    error = said.pop("error") or (None if bare or answer["text"].strip() else "empty_answer")
    return Side(response=answer["text"], error=error, **said)


async def _main(setup: dict[str, Any], config: Config, pipes: Pipes) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_READ_AHEAD_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    layout, log = Layout(config), log_of(config, setup["epoch"])
    load()  # load the price lists now, or the first requests would wait for them and the candidate would seem slow
    with serving(config.endpoint, layout.model, layout.state / "mirror" / (config.candidate or "")) as server:
        endpoint = guarded(config.endpoint, server, config.model.name if server else None, config.cost)
        asked_again = config.primary.aa_percent > 0 or config.rollout.reverse_percent > 0
        again = guarded(option(config.primary.endpoint or ""), cost=config.cost) if asked_again else None
        row = RowSwitch(config.log.url_env) if config.log.kind == "postgres" else None
        made = spans.open_spans("zantara-mirror")
        worker = Worker(config, endpoint, log, setup["epoch"], pipes, again, row, made)
        try:
            await worker.run(reader)
        finally:
            await endpoint.close()
            if again is not None:
                await again.close()
            if row is not None:
                row.close()
            log.finish()
            worker.report()  # now, since a slow database may make the end take longer than the app waits
            log.close()
            worker.report()
            if made is not None:  # last, so that a collector that is away costs no comparison
                made.close()


def main() -> None:
    """Read the setup, then work until stdin ends."""
    from omegaconf import OmegaConf

    os.nice(_NICENESS)
    pipes = Pipes(control=int(sys.argv[1]), reports=os.dup(1))
    os.dup2(2, 1)  # so that other output is not taken for a report
    os.set_blocking(pipes.reports, False)
    setup = orjson.loads(_first_line())
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Config), setup["config"]))
    assert isinstance(config, Config)  # noqa: S101
    asyncio.run(_main(setup, config, pipes))


def _first_line() -> bytes:
    """The first line of stdin, read byte by byte, so that no later byte stays in a buffer."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit(0)
        line += byte
    return line


if __name__ == "__main__":
    main()
