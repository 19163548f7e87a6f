"""stage=next: what the next candidate would learn from.

    python -m zantara_exp stage=next

Counts what the newest candidate failed, by kind, writes preferences.jsonl anew (pairs that judge, review or the log
found worse) and says what `power` says of the evidence that the next candidate starts with nothing of. Writes next.json
under `paths.reports`; nothing in it is a chat or a user.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import orjson

from zantara_exp.analysis.log import open_log
from zantara_exp.config.rollout import part_name
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, MissingRequirementError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command, quoted
from zantara_exp.core.parallel import spread_over_cores
from zantara_exp.core.stage import Context, StageResult, Table
from zantara_exp.dataset.failed_requests import Failure, failures, read_comparisons
from zantara_exp.dataset.splits import known_users
from zantara_exp.gates.identity import gate_hash
from zantara_exp.gates.operating import Plan, as_expected, simulate
from zantara_exp.gates.rules import resolve
from zantara_exp.gates.traffic import counts_of_log
from zantara_exp.io.whole_files import write_whole
from zantara_exp.review.preferences import pairs_in, write_preferences
from zantara_exp.text.wording import counted
from zantara_exp.traffic.confirmed_slices import load as load_slices
from zantara_exp.traffic.confirmed_slices import shown
from zantara_exp.training.requirements import next_candidate as trained_on_pairs

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Kind:
    """One kind of failure."""

    requests: int
    users: int
    with_text: int
    """Of them, those with an answer that could be the worse one of a pair."""


class _Evidence(NamedTuple):
    """What the next candidate's evidence would take."""

    text: str
    go_by_horizon: float | None


def following(config: Config, context: Context) -> StageResult:
    """Count failures and pairs of the newest epoch, and write the pairs.

    Raises MissingInputError without comparisons, ZantaraError where labels, splits or the judge's words are broken.
    """
    at, until = context.layout, date.fromisoformat(config.as_of) if config.as_of else None
    with open_log(config, at, until) as log:
        epoch, _ = log.newest()
        mine = [c for c in read_comparisons(config, at) if c.epoch == epoch and c.timestamp.date() <= log.until]
        failed = list(failures(mine, config, at))
        flawed = {each.item.comparison_id: each.flaws for each in failed if each.flaws}
        write_preferences(config, at, log, flawed)
    compared = sum(c.arm == "candidate" and c.scope.movable is not False for c in mine)
    kinds, served = _by_kind(failed), _served(config, at, epoch, context)
    pairs, test = pairs_in(at), {user for user, split in known_users(at).items() if split == "test"}
    usable = [pair for pair in pairs if pair["metadata"]["user"] not in test]
    evidence, slices = _evidence(config, at), load_slices(at.slices)
    slices = slices if slices is not None and slices.epoch == epoch else None
    outcome = {
        "schema_version": 1,
        "epoch": epoch,
        "comparisons": compared,
        "failed": len(failed),
        "slices": [] if slices is None else [f"{each.measure}: {part_name(each.part)}" for each in slices.confirmed],
        "failures": {name: vars(kind) for name, kind in kinds.items()},
        "served": served,
        "pairs": _by_source(usable),
        "pairs_in_all": len(usable),
        "gate": {"name": config.gate.name, "hash": gate_hash(config.gate), "evidence": evidence.text},
    }
    path = at.reports / "next.json"
    write_whole(path, orjson.dumps(outcome, option=orjson.OPT_INDENT_2) + b"\n")
    enough = len(usable) >= config.trainer.dpo.min_pairs
    return StageResult(
        summary=_summary(config, outcome, usable, enough),
        metrics=_metrics(outcome, evidence),
        tags={"epoch": epoch},
        tables=[table for table in (shown(slices), _failures(kinds, served), _pairs(usable)) if table],
        artifacts=[path],
        next_command=_next(config, failed, enough),
    )


def _by_kind(failed: Sequence[Failure]) -> dict[str, _Kind]:
    found: dict[str, list[Failure]] = {}
    for each in failed:
        for kind in each.kinds:
            found.setdefault(kind, []).append(each)
    counts = {
        kind: _Kind(len(of), len({f.item.user for f in of}), sum(f.item.candidate.error is None for f in of))
        for kind, of in found.items()
    }
    return dict(sorted(counts.items(), key=lambda item: (-item[1].requests, item[0])))


def _served(config: Config, layout: Layout, epoch: str, context: Context) -> dict[str, int]:
    """Requests that users got from the primary in a rollout, since this candidate failed them, by reason."""
    from zantara_exp.rollout.served_store import read_served

    try:
        lines = [line for line in read_served(config, layout, _BEGINNING) if line.epoch == epoch and line.fallback]
    except (OSError, ZantaraError) as error:
        told = error.message if isinstance(error, ZantaraError) else str(error)
        context.say(f"next: what the rollout served is not counted: {told}")
        return {}
    return dict(Counter(f"fallback: {line.candidate_error}" for line in lines).most_common())


def _by_source(pairs: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return dict(Counter(source for pair in pairs for source in pair["metadata"]["worse_by"]).most_common())


def _evidence(config: Config, layout: Layout) -> _Evidence:
    """The gate on its expected truths, from no evidence on: a new model is a new epoch."""
    expected, horizon = as_expected(config.gate), config.gate.horizon_days
    if expected is None:
        return _Evidence(
            f"gate={config.gate.name} declares no expected truth: stage=power simulates its thresholds", None
        )
    try:
        log, source = counts_of_log(config, layout)
    except (MissingInputError, MissingRequirementError):
        log, source = None, "declared traffic"
    plan = Plan(config.gate, horizon, config.gate.traffic.simulations, config.seed, config.review.size, log)
    with spread_over_cores() as spread:
        (curve,) = simulate(plan, [expected], spread)
    go, day = curve.go_by(horizon), curve.median_go
    median = "" if day is None else f", median day {day:.0f}"
    gate = (
        f"GO by day {horizon} with probability {100 * go:.0f} % if things are as gate={plan.gate.name} expects{median}"
    )
    promises = (rule.kind.promise(rule, plan.review_size, plan.gate.traffic) for rule in resolve(plan.gate).values())
    return _Evidence("; ".join(filter(None, [f"it starts from none: {gate}", source, *promises])), go)


def _summary(
    config: Config, outcome: Mapping[str, Any], usable: Sequence[Mapping[str, Any]], enough: bool
) -> dict[str, str]:
    compared, failed = outcome["comparisons"], outcome["failed"]
    share = f" ({100 * failed / compared:.1f} %)" if compared else ""
    users = len({pair["metadata"]["user"] for pair in usable})
    least = config.trainer.dpo.min_pairs
    dpo = "enough for trainer=dpo" if enough else f"trainer=dpo asks for {least} (trainer.dpo.min_pairs)"
    by = ", ".join(f"{source} {count}" for source, count in outcome["pairs"].items())
    return {
        "candidate": f"{outcome['epoch']}, {counted(compared, 'comparison')} that would move",
        "failed": f"{counted(failed, 'request')}{share}: examples for the next one (source=shadow_log)",
        "pairs": f"{counted(len(usable), 'pair')} of {counted(users, 'user')}"
        + (f" ({by})" if by else "")
        + f"; {dpo}",
        "next evidence": outcome["gate"]["evidence"],
    }


def _failures(kinds: Mapping[str, _Kind], served: Mapping[str, int]) -> Table | None:
    rows = [[name, f"{k.requests:,}", f"{k.users:,}", f"{k.with_text:,}"] for name, k in kinds.items()]
    rows += [[f"rollout, {name}", f"{count:,}", "", "0"] for name, count in served.items()]
    columns = ["failure", "requests", "users", "with an answer"]
    return Table("what the candidate failed, by kind; one request may be of several", columns, rows) if rows else None


def _pairs(usable: Sequence[Mapping[str, Any]]) -> Table | None:
    found: dict[tuple[str, str, str], list[str]] = {}
    for pair in usable:
        about = pair["metadata"]
        for source in about["worse_by"]:
            run = str(about.get("runs", {}).get(source, ""))
            found.setdefault((source, run, str(about["candidate_id"])), []).append(str(about["user"]))
    rows = [[*of, f"{len(users):,}", f"{len(set(users)):,}"] for of, users in sorted(found.items())]
    columns = ["found worse by", "run", "answers of candidate", "pairs", "users"]
    return Table("pairs to learn from, by source", columns, rows) if rows else None


def _metrics(outcome: Mapping[str, Any], evidence: _Evidence) -> dict[str, float]:
    found = {"next/failed": float(outcome["failed"]), "next/pairs": float(outcome["pairs_in_all"])}
    found |= {f"next/pairs/{source}": float(count) for source, count in outcome["pairs"].items()}
    for name, kind in outcome["failures"].items():
        found[f"next/failed/{name.replace(': ', '/').replace(' ', '_')}"] = float(kind["requests"])
    return found if evidence.go_by_horizon is None else found | {"next/go_by_horizon": evidence.go_by_horizon}


def _next(config: Config, failed: Sequence[Failure], enough: bool) -> str:
    if enough:
        return trained_on_pairs(config)
    if config.judge.name == "none":
        return command("stage=judge", "judge=anthropic", "judge.log_pairs=0", note="finds more pairs; or stage=review")
    if failed:
        data = f"{config.paths.dataset}-next"
        splits = f"{config.paths.dataset}/splits.json"
        # Everybody stays in the split he is in.
        copied = f"mkdir -p {shlex.quote(data)} && cp {shlex.quote(splits)} {shlex.quote(data)}/ && "
        asked = ["stage=extract", "source=shadow_log", f"paths.dataset={quoted(data)}"]
        return copied + command(*asked, without=["source", "paths.dataset"])
    return command("stage=review", "review.serve=true")
