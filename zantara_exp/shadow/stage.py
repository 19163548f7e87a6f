"""`stage=shadow`: the candidate answers what the primary has answered, and both answers are logged.

A killed run continues where it stopped: requests of this epoch that are in the log are not asked again. A new model,
prompt or endpoint is a new epoch, whose comparisons are added to the log.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from typing import NamedTuple

from zantara_exp.config.candidates import candidates
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, Progress, StageResult, Table
from zantara_exp.endpoints.base import Answer, Endpoint, Reason
from zantara_exp.endpoints.build import check_primary, guarded, option, serving
from zantara_exp.endpoints.candidate_id import epoch_of
from zantara_exp.endpoints.local import LocalServer
from zantara_exp.shadow.arrivals import starts
from zantara_exp.shadow.budget import budget_of
from zantara_exp.shadow.compare import Comparer, compare_all
from zantara_exp.shadow.log import ComparisonLog, comparisons_of, log_of
from zantara_exp.shadow.reader import read_log
from zantara_exp.shadow.record import AA, CANDIDATE, ONLY_PRIMARY, REPLAY, Comparison, Sampling, comparison_id
from zantara_exp.shadow.replay import Replay, Request
from zantara_exp.shadow.sampling import Sampler, repeated
from zantara_exp.shadow.several_candidates import AskedOnce, check_each, together
from zantara_exp.shadow.tally import Tally
from zantara_exp.traffic.movable import Movable

Sampled = list[tuple[Request, Sampling]]

_MISCONFIGURED = (Reason.REFUSED, Reason.UNAUTHORIZED, Reason.BAD_REQUEST)
"""If the first call fails for one of these reasons the config is wrong; it says nothing about the candidate."""


Asked = dict[bytes, list[Answer]] | None
"""Answers so far of a primary that is asked anew; None if there is one candidate only."""


class _Todo(NamedTuple):
    """The requests that are not in the log yet, by arm."""

    candidate: Sampled
    aa: Sampled
    aside: Sampled
    """Requests for which no model is asked, because no rollout would move them."""


class _Sample(NamedTuple):
    """The requests of the sample, oldest first."""

    compared: Sampled
    aside: Sampled


def shadow(config: Config, context: Context) -> StageResult:
    """Compare each candidate with the primary. Raises ZantaraError if nothing can be compared."""
    several = candidates(config)
    asked: Asked = {} if len(several) > 1 else None
    check_each(several)
    if _asks_primary(config):
        check_primary(config.primary.endpoint or "")
    found = {}
    for name, each in several.items():
        if len(several) > 1:
            context.say(f"candidate {name}")
        found[name] = _of_one(each, context, asked)
    return together(found) if len(found) > 1 else next(iter(found.values()))


def _of_one(config: Config, context: Context, asked: Asked) -> StageResult:
    """The stage for one candidate."""
    layout = context.layout
    epoch = epoch_of(config.endpoint, config.dataset.system_prompt, layout.model)
    sampled = _sampled(config, context)
    tally, done = _logged(config, context, epoch)

    def missing(of: Sampled, arm: str) -> Sampled:
        return [(r, s) for r, s in of if comparison_id(r.request_id, epoch, arm) not in done]

    twice = [(r, s) for r, s in sampled.compared if repeated(r.request_id, config.primary.aa_percent)]
    todo = _Todo(missing(sampled.compared, CANDIDATE), missing(twice, AA), missing(sampled.aside, ONLY_PRIMARY))
    if any(todo):
        _compare(config, context, epoch, todo, tally, asked)
    return _result(config, context, epoch, sampled, tally, todo)


def _sampled(config: Config, context: Context) -> _Sample:
    """The requests to compare and those to set aside. Raises MissingInputError if there are none to compare."""
    from zantara_exp.dataset.splits import held_out_users

    layout = context.layout
    users = held_out_users(layout) if config.primary.held_out_only else None
    replay = _replay(config, context, users)
    sampler = Sampler(config.shadow)
    requests = replay.requests()
    if replay.skipped:
        context.say(f"{replay.skipped} recorded answers follow no question, and are not compared")
    chosen = [(request, sampler.choose(request.user, request.category)) for request in requests]
    sampled = [(request, replace(sampling, reason=REPLAY)) for request, sampling in chosen if sampling is not None]
    if not sampled:
        whose = " of users held out from training" if users is not None else ""
        raise MissingInputError(
            f"nothing to compare: {len(requests)} recorded requests{whose}, none of them in the sample "
            f"(shadow.traffic_percent={config.shadow.traffic_percent:g}, shadow.categories={config.shadow.categories})",
            hint=command("stage=shadow", "shadow.traffic_percent=100", note="or extract more conversations"),
        )
    return _divided(sampled, config)


def _replay(config: Config, context: Context, users: Collection[str] | None) -> Replay:
    return Replay(
        context.layout.raw_conversations,
        users,
        config.dataset.system_prompt,
        config.domain.error_patterns,
        Movable.of(config),
        config.primary.every_turn,
    )


def _traffic(config: Config, context: Context) -> list[datetime]:
    """The times of all requests that a rollout would move, if the replay's load is a share of them."""
    if config.primary.load_percent is None:
        return []
    return [request.timestamp for request in _replay(config, context, None).requests() if request.scope.movable]


def _divided(sampled: Sampled, config: Config) -> _Sample:
    """Divide by scope. `primary.limit` limits the compared requests; the others are cut at the same time."""
    every = config.shadow.out_of_scope
    compared = [(r, s) for r, s in sampled if every or r.scope.movable][: config.primary.limit]
    aside = [(r, s) for r, s in sampled if not (every or r.scope.movable)]
    if not compared:
        counts = Counter(r.scope.why_not for r, _ in aside).most_common()
        why = ", ".join(f"{reason}: {count}" for reason, count in counts)
        raise MissingInputError(
            f"nothing to compare: a rollout would move none of the {len(aside)} sampled requests ({why})",
            hint=command("stage=shadow", "shadow.out_of_scope=true", note="or name the moved rollout.categories"),
        )
    return _Sample(compared, [(r, s) for r, s in aside if r.timestamp <= compared[-1][0].timestamp])


def _logged(config: Config, context: Context, epoch: str) -> tuple[Tally, set[str]]:
    """What the log already has of this epoch."""
    tally, done = Tally(), set[str]()
    with closing(comparisons_of(config, context.layout)) as log:
        for item in read_log(log, hash_user=str):
            if not isinstance(item, Comparison) or item.epoch != epoch or item.comparison_id in done:
                continue
            done.add(item.comparison_id)
            if item.arm == CANDIDATE:
                tally.add(item.candidate)
    return tally, done


def _asks_primary(config: Config) -> bool:
    return config.primary.name == "live" or config.primary.aa_percent > 0


def _compare(config: Config, context: Context, epoch: str, todo: _Todo, tally: Tally, asked: Asked) -> None:
    """Ask the candidate for what is missing. Raises ZantaraError when its server dies or the log cannot be written."""
    log = log_of(config, epoch, tell_drops=False)  # lost requests are asked again by the next run
    shown_as = config.model.name if config.endpoint.kind == "local" else None
    try:
        with serving(config.endpoint, context.layout.model, context.run_dir) as server:
            endpoint = guarded(config.endpoint, server, shown_as, config.cost)
            aside = Comparer(endpoint, log, epoch, config.cost)
            for request, sampling in todo.aside:
                aside.set_aside(request, sampling, wait=True)
            with context.progress("shadow", total=len(todo.candidate) + len(todo.aa)) as progress:
                asyncio.run(
                    _drive(
                        config, endpoint, log, epoch, todo, tally, progress, server, _traffic(config, context), asked
                    )
                )
    finally:
        log.close()
    if log.lost:
        lost = ", ".join(f"{reason}: {count}" for reason, count in log.lost.items())
        raise ZantaraError(
            f"{log.lost.total()} comparisons could not be written to {context.layout.logs} ({lost})",
            hint=command("stage=shadow", note="once there is room; it asks only for what is missing"),
        )


async def _drive(
    config: Config,
    endpoint: Endpoint,
    log: ComparisonLog,
    epoch: str,
    todo: _Todo,
    tally: Tally,
    progress: Progress,
    server: LocalServer | None,
    traffic: Sequence[datetime],
    asked: Asked,
) -> None:
    """Warm the candidate up, then compare; a first call is slower than any after it and is not measured."""
    primary = guarded(option(config.primary.endpoint or ""), cost=config.cost) if _asks_primary(config) else None
    live: Endpoint | None = primary if config.primary.name == "live" else None
    if live is not None and asked is not None:
        live = AskedOnce(live, asked)
    budget = budget_of(config)

    def affordable(arm: Sampled) -> Iterator[tuple[Request, Sampling]]:
        """The requests up to the first that cannot be paid; the next run asks the others."""
        yield from takewhile(lambda _: arm is todo.aa or budget.begin(), arm)

    def done(comparison: Comparison) -> None:
        if comparison.arm == CANDIDATE:
            tally.add(comparison.candidate)
            budget.end(comparison)
        progress.advance(1, tally.note())
        if server is not None and comparison.arm == CANDIDATE and comparison.candidate.error is not None:
            # A server that refuses connections has died; further failures would only fill the log.
            server.check(0.5 if comparison.candidate.error == Reason.REFUSED else 0.0)

    try:
        for arm, answering, comparer in (
            (todo.candidate, endpoint, Comparer(endpoint, log, epoch, config.cost, CANDIDATE, live)),
            (todo.aa, primary, Comparer(primary or endpoint, log, epoch, config.cost, AA, live)),
        ):
            if arm and answering is not None:
                await _warm_up(answering, arm[0][0])
                # The planned load is for the candidate only: the primary that is asked again is in production.
                pace = config.primary if arm is todo.candidate else replace(config.primary, load_percent=None)
                at = starts([request.timestamp for request, _ in arm], pace, config.seed, traffic)
                await compare_all(affordable(arm), comparer, config.endpoint.concurrency, done, at)
    finally:
        await endpoint.close()
        if primary is not None:
            await primary.close()


async def _warm_up(endpoint: Endpoint, request: Request) -> None:
    first = await endpoint.chat(request.messages)
    if first.error in _MISCONFIGURED:
        raise ZantaraError(
            f"endpoint={endpoint.provider}: the first call failed: {first.error} ({first.detail})",
            hint="check endpoint.base_url, endpoint.model and the key in the environment",
        )


def _load(config: Config) -> str:
    """The load under which the candidate's latency was measured."""
    primary = config.primary
    if primary.arrivals == "at_once":
        return f"{config.endpoint.concurrency} calls at a time, none waits; primary.arrivals=poisson measures that"
    if primary.load_percent is not None:
        return f"{primary.load_percent:g} % of what a rollout would move, {primary.speed:g} times as fast"
    if primary.arrivals == "recorded":
        return "that of the requests replayed alone: primary.load_percent=100 is that of all that a rollout would move"
    return f"{primary.requests_per_second:g} requests a second"


def _result(config: Config, context: Context, epoch: str, sample: _Sample, tally: Tally, todo: _Todo) -> StageResult:
    left = max(0, len(sample.compared) - tally.total) if config.shadow.max_usd_per_day is not None else 0
    new, unasked = len(todo.candidate) - left, f"{left}: shadow.max_usd_per_day is spent; the next run asks for them"
    sampled, whys = sample.compared, Counter(request.scope.why_not for request, _ in sample.aside).most_common()
    p50, p95 = tally.latency_ms(0.5), tally.latency_ms(0.95)
    days = {request.timestamp.date() for request, _ in sampled}
    summary = {
        "comparisons": f"{tally.total} in the log for this candidate ({new} new)",
        "candidate id": epoch,
        "requests": f"{len(sampled)} of {len({request.user for request, _ in sampled})} users over {len(days)} days",
        **({"not asked": unasked} if left else {}),
        **({"out of scope": ", ".join(f"{why}: {count}" for why, count in whys)} if whys else {}),
        "success rate": "none" if tally.success_rate is None else f"{tally.success_rate:.2%}",
        "candidate latency": "none" if p50 is None or p95 is None else f"p50 {p50:.0f} ms, p95 {p95:.0f} ms",
        "load": _load(config),
        "log": str(context.layout.logs),
    }
    failures = [(error, str(count)) for error, count in tally.errors.most_common()]
    errors = Table("Failures of the candidate", ("error", "requests"), failures)
    return StageResult(
        summary=summary,
        metrics=tally.metrics() | {"shadow/new_comparisons": float(new)},
        tags={"epoch": epoch, "endpoint": config.endpoint.name},
        tables=[errors] if tally.errors else [],
        next_command=command("stage=report"),
    )
