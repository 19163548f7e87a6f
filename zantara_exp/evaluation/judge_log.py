"""stage=judge: the LLM judge over comparisons of the log, beside what people say of the review's sample.

    python -m zantara_exp stage=judge judge=anthropic                       (400 pairs, one per user, and the review's)
    python -m zantara_exp stage=judge judge=openai judge.log_pairs=0        (all that would move)
    python -m zantara_exp stage=judge judge=anthropic judge.of=moved        (what a rollout's candidate answered users)

Writes `paths.reports`/judged.jsonl, or judged_moved.jsonl, one line per comparison that was put to the judge: what it
says in both orders, and why. What was asked once costs nothing again. A judge's opinion alone decides nothing; how far
people agree with it is measured on the pairs that both have seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import orjson

from zantara_exp.analysis.engine import fetched, first_value
from zantara_exp.analysis.log import ComparisonLog, open_log
from zantara_exp.analysis.pairs import texts
from zantara_exp.analysis.tables import newest_epoch
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, StageResult, Table
from zantara_exp.dataset.redact import redactor_of
from zantara_exp.evaluation import rubric
from zantara_exp.evaluation.answers import spread
from zantara_exp.evaluation.judge import Judged, check_endpoint, judge_all, judge_id, row_of, summary_of
from zantara_exp.evaluation.rubric import Pair
from zantara_exp.evaluation.summary import Estimate, by_segment
from zantara_exp.evaluation.tables import judge_lines, judge_tables, with_interval
from zantara_exp.io.whole_files import write_whole
from zantara_exp.review.labels import BETTER, EQUIVALENT, WORSE
from zantara_exp.review.preferences import preferences_line, write_preferences
from zantara_exp.review.sample import frame
from zantara_exp.review.sample import load as load_sample

_FAMILIES = ("claude", "gpt", "llama", "mistral", "qwen", "gemma", "gemini", "nova", "phi", "deepseek", "smollm")
_VERDICTS = {rubric.CANDIDATE: BETTER, rubric.TIE: EQUIVALENT, rubric.PRIMARY: WORSE}
_NEEDED = ("user", "comparison_id", "part", "place", "day", "language", "category")


def judge(config: Config, context: Context) -> StageResult:
    """Have comparisons of the newest epoch judged, and write down what was said of each.

    Raises ZantaraError without a judge, or where it would cost too much; MissingInputError without comparisons;
    MissingRequirementError for a judge without its key.
    """
    if config.judge.name == "none":
        raise ZantaraError(
            "judge.name=none: no model is named that could judge", command("stage=judge", "judge=anthropic")
        )
    check_endpoint(config)
    until = date.fromisoformat(config.as_of) if config.as_of else None
    moved = config.judge.of == "moved"
    file = context.layout.judged_moved if moved else context.layout.judged
    with open_log(config, context.layout, until) as log:
        epoch = _moved_epoch(log) if moved else log.newest()[0]
        chosen = _moved(log, epoch) if moved else _chosen(log, epoch, config, context.layout)
        rows = texts(log, chosen, redactor_of(config.dataset))
        again = texts(log, _asked_again(log, epoch, config), redactor_of(config.dataset))
        _advise(config, _models(log, epoch), context)
        pairs = [_pair(row) for row in rows]
        noise = [_pair(row) for row in again] or [
            Pair(pairs[i].chat, pairs[i].primary, pairs[i].primary) for i in spread(pairs, config.judge.noise_pairs)
        ]
        judged = judge_all(config, context, pairs, noise)
        put = [(row, orders) for row, orders, asked in zip(rows, judged.pairs, judged.asked, strict=True) if asked]
        if not put:
            raise ZantaraError(
                f"none of {len(rows)} pairs was put to the judge to the end: {file.name} is as it was",
                "see judge.endpoint and judge.max_usd, then give the same command again",
            )
        # A pair that was not asked about has no line: "no verdict" would count as not good, for the last ones alone.
        lines = [_line(row, orders, epoch, config) for row, orders in put]
        write_whole(file, b"".join(orjson.dumps(line) + b"\n" for line in lines))
        learnt_from = 0 if moved else write_preferences(config, context.layout, log)
    judged = replace(judged, pairs=[orders for _, orders in put])
    result = _result(config, context.layout, judged, lines, epoch, bool(again), learnt_from)
    return replace(result, artifacts=[file], next_command=command("stage=rollout")) if moved else result


def _moved_epoch(log: ComparisonLog) -> str:
    if not first_value(log.moved.count()):
        raise MissingInputError(
            "the log holds no request that the candidate answered a user and the primary was asked about too: "
            "rollout.reverse_percent says how many of them are",
            command("stage=serve", "rollout.reverse_percent=5", "primary=anthropic", note="and a running rollout"),
        )
    return newest_epoch(log.moved)[0]


def _moved(log: ComparisonLog, epoch: str) -> list[Mapping[str, Any]]:
    """All that the candidate answered users and the primary was asked about: rollout.reverse_percent bounds them."""
    found = log.moved.filter((log.moved.epoch == epoch) & log.moved.primary_ok & log.moved.candidate_ok)
    return sorted(fetched(found.select(*_NEEDED)).to_pylist(), key=lambda row: str(row["comparison_id"]))


def _chosen(log: ComparisonLog, epoch: str, config: Config, layout: Layout) -> list[Mapping[str, Any]]:
    """Comparisons that both sides answered: the review's sample, then of users drawn by lot; or all there are."""
    facts = log.facts.filter((log.facts.epoch == epoch) & log.facts.category.isin(config.review.categories))
    rows = fetched(facts.filter(facts.primary_ok & facts.candidate_ok).select(*_NEEDED)).to_pylist()
    if not rows:
        wanted = ", ".join(config.review.categories)
        raise MissingInputError(f"candidate {epoch} has no answered comparison in {wanted}", command("stage=shadow"))
    reviewed = _reviewed(layout, epoch)
    by_id = sorted(rows, key=lambda row: str(row["comparison_id"]))
    first = [row for row in by_id if row["comparison_id"] in reviewed]
    others = frame(rows, config.seed)[: config.judge.log_pairs] if config.judge.log_pairs else by_id
    return [*first, *(row for row in others if row["comparison_id"] not in reviewed)]


def _reviewed(layout: Layout, epoch: str) -> set[str]:
    """The comparisons that people are asked about; none where no sample of this epoch stands."""
    if not layout.review_sample.is_file():
        return set()
    sample = load_sample(layout.review_sample)
    return {item.comparison_id for item in sample.items} if sample.epoch == epoch else set()


def _asked_again(log: ComparisonLog, epoch: str, config: Config) -> list[Mapping[str, Any]]:
    """Requests to which the primary gave two answers, one per user: what differs between them is noise."""
    noise = log.noise.filter((log.noise.epoch == epoch) & log.noise.category.isin(config.review.categories))
    both = noise.filter(noise.primary_ok & noise.candidate_ok).select(*_NEEDED)
    return frame(fetched(both).to_pylist(), config.seed)[: config.judge.noise_pairs]


def _models(log: ComparisonLog, epoch: str) -> list[str]:
    named = log.facts.filter(log.facts.epoch == epoch).select("candidate_model").distinct()
    return sorted(row["candidate_model"] for row in fetched(named).to_pylist())


def _pair(row: Mapping[str, Any]) -> Pair:
    return Pair(json.loads(row["messages"]), row["candidate_response"], row["primary_response"])


def _line(row: Mapping[str, Any], orders: tuple[Any, Any], epoch: str, config: Config) -> dict[str, Any]:
    turns = sum(message.get("role") == "user" for message in json.loads(row["messages"]))
    said = row_of(orders)
    opinion = said.pop("judge")
    about: dict[str, Any] = {"judge": judge_id(config.judge), "epoch": epoch}
    about |= {"comparison_id": row["comparison_id"], "user": row["user"]}
    about |= {"verdict": None if opinion is None else _VERDICTS[opinion[rubric.OVERALL]]}
    about |= {"timestamp": row["day"].isoformat(), "language": row["language"], "category": row["category"]}
    about |= {"turn": "first" if turns <= 1 else "later", "model": config.judge.endpoint.model}
    return about | {"opinion": opinion, **said}


def _advise(config: Config, candidates: Sequence[str], context: Context) -> None:
    """A model prefers what sounds like itself: say where the judge is of the candidate's family, or the primary's."""
    mine = family(config.judge.endpoint.model or "")
    named = [name for name in [*candidates, config.model.base or ""] if family(name) == mine]
    if mine and named:
        context.say(
            f"judge: {config.judge.endpoint.model} is of the same family as the candidate ({named[0]}), and models "
            "prefer what sounds like themselves: take one of another, such as judge=anthropic or judge=gpt"
        )


def family(model: str) -> str:
    """The family that a model's name shows; empty where it shows none."""
    return next((name for name in _FAMILIES if re.search(rf"(?<![a-z]){name}", model.lower())), "")


def _result(
    config: Config,
    layout: Layout,
    judged: Judged,
    lines: Sequence[Mapping[str, Any]],
    epoch: str,
    real_noise: bool,
    preferences: int,
) -> StageResult:
    outcome = summary_of(config, judged)
    segments = by_segment(lines, ("language", "category")) | by_segment(lines, ("turn",))
    overall = segments["all"].get("judged_equivalent")
    said = judge_lines(outcome, overall)
    if real_noise:
        said["noise floor"] = said["noise floor"].replace("against itself", "against its own second answer", 1)
    return StageResult(
        summary={"candidate": f"{epoch}", **said, **preferences_line(preferences, layout)},
        metrics=_metrics(outcome, segments),
        tags={"epoch": epoch, "judge": str(config.judge.endpoint.model)},
        tables=[_table(segments), *judge_tables(outcome)],
        artifacts=[layout.judged],
        next_command=command("stage=review", "review.serve=true"),
    )


def _table(segments: Mapping[str, Mapping[str, Estimate]]) -> Table:
    rows = []
    for name, values in segments.items():
        found, won = values.get("judged_equivalent"), values.get("judged_better")
        if found is not None and won is not None:
            rows.append([name, str(found.examples), str(found.users), with_interval(found, ".1%"), f"{won.value:.1%}"])
    return Table("As good as the primary or better, by the judge", ["segment", "pairs", "users", "share", "won"], rows)


def _metrics(outcome: Mapping[str, Any], segments: Mapping[str, Mapping[str, Estimate]]) -> dict[str, float]:
    floor = outcome["noise_floor"]
    found = {f"judge/{name}": float(outcome[name]) for name in ("pairs", "missing", "order_decided", "questions")}
    found["judge/noise"] = floor["not_a_tie"] / floor["pairs"] if floor["pairs"] else 0.0
    if outcome["usd"] is not None:
        found["judge/usd"] = float(outcome["usd"])
    for segment, values in segments.items():
        if "judged_equivalent" in values and segment.count("=") <= 1:
            name = "" if segment == "all" else f"/{segment.partition('=')[2]}"
            found[f"judge/equivalent{name}"] = values["judged_equivalent"].value
    return found
