"""Stage `analyze`: describes the extracted conversations, beside the targets of the plan."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from math import sqrt
from pathlib import Path
from typing import Any

from zantara_exp.config.data import Dataset
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, StageResult, Table
from zantara_exp.dataset import balance, labels, page, records, sampled_chats
from zantara_exp.dataset.domain_fit import misfits
from zantara_exp.dataset.filters import Filters
from zantara_exp.dataset.findings import across, findings
from zantara_exp.dataset.growing_rows import continued, told_by
from zantara_exp.dataset.labelling.export import Exported, export
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.turns import answers, questions

_Z = 1.959964
"""97.5 % point of the normal distribution."""


def analyze(config: Config, context: Context) -> StageResult:
    """Measure shares, quality, lengths, models and users of the raw conversations.

    Raises MissingInputError before stage `extract` has run.
    """
    layout, dataset = context.layout, config.dataset
    conversations = list(records.read_conversations(layout.raw_conversations))
    if not conversations:
        raise MissingInputError(f"{layout.raw_conversations} is empty", command("stage=extract", "source.days=90"))
    goes_on = continued(map(told_by, conversations))
    conversations = [record for record in conversations if record["conversation_id"] not in goes_on]
    ask = Filters(config)
    sifted = ask.sift_all(conversations)
    facts = _facts(conversations, [each.reason for each in sifted], dataset)
    facts |= {"continued": len(goes_on), "raw_sha256": records.digest(layout.raw_conversations)}
    facts |= across(conversations, sifted, dataset)
    facts["findings"] = [*findings(conversations, facts), *misfits(conversations, _foreign(layout), config)]
    order = sampled_chats.in_chance_order(conversations, config.seed)
    facts["label_examples"] = sampled_chats.by_label(conversations, order)
    facts["refused_examples"] = sampled_chats.by_reason(conversations, sifted, order)
    facts["quarantine_examples"] = sampled_chats.quarantined(layout.quarantine, config.seed)
    said = labels.file_of(config)
    facts["confusion"] = labels.confusion(said, config) if said is not None else {}
    facts["by_examples"] = labels.by_examples(config)
    facts["promise"] = labels.promise(said, config)._asdict() if said is not None else None
    records.write_json(layout.analysis, facts)
    page.write(layout)
    plot = layout.dataset / "analysis.png"
    _draw(facts, plot)
    to_label = export(conversations, labels.labelled(config), layout.to_label, config)
    result = _result(facts, dataset, [layout.analysis, plot, layout.dataset / page.NAME])
    return replace(result, summary={**result.summary, "to label": _to_label(to_label, config)})


def _to_label(found: Exported, config: Config) -> str:
    """Which rows there are to label, and what to do with them."""
    path = f"{config.paths.dataset}/{Layout(config).to_label.name}"
    measured = command("stage=analyze", f"dataset.labelled={path}")
    if found.filled:
        filled = f"{found.filled} of {found.rows} are filled in"
        return f"{path}: {filled}, so it was left as it is; measure by them: {measured}"
    if not found.rows:
        return "nothing is left to label"
    drawn = f"{found.rows - found.unsure} at random, {found.unsure} the least sure"
    return f"{path}: {found.rows} chats ({drawn}); fill in language and category, then {measured}"


def _foreign(layout: Layout) -> dict[str, int]:
    """Conversations in a language that is none of the product's, by its code, as stage=extract counted them."""
    if not layout.extract_summary.is_file():
        return {}
    return dict(records.read_json(layout.extract_summary, "extract").get("foreign", {}))


def interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % score interval (Wilson 1927) of a share; it takes conversations for independent."""
    if not trials:
        return 0.0, 1.0
    share, room = successes / trials, _Z**2 / trials
    middle = (share + room / 2) / (1 + room)
    half = _Z / (1 + room) * sqrt(share * (1 - share) / trials + room / (4 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """Median, 95 % quantile, extremes and mean."""
    ordered = sorted(values)
    if not ordered:
        return {}
    at = {"min": 0.0, "p50": 0.5, "p95": 0.95, "max": 1.0}
    found = {name: float(ordered[round(part * (len(ordered) - 1))]) for name, part in at.items()}
    return found | {"mean": sum(ordered) / len(ordered)}


def _facts(conversations: Sequence[Record], refusals: Sequence[str], dataset: Dataset) -> dict[str, Any]:
    metadata = [record["metadata"] for record in conversations]
    total, passed = len(conversations), sum(not reason for reason in refusals)
    users = Counter(record["user"] for record in conversations)
    heavy = sum(count for _, count in users.most_common(max(1, len(users) // 10)))
    counted = {
        "question characters": [sum(map(len, questions(record))) for record in conversations],
        "answer characters": [sum(map(len, answers(record))) for record in conversations],
        "messages": [len(record["messages"]) for record in conversations],
        **{name: [each[name] for each in metadata if each[name] is not None] for name in _METERS},
    }
    return {
        "conversations": total,
        "first": min(record["timestamp"] for record in conversations),
        "last": max(record["timestamp"] for record in conversations),
        "language": _side([each["language"] for each in metadata], dataset.targets.language),
        "category": _side([each["category"] for each in metadata], dataset.targets.category),
        "joint": _joint(metadata),
        "quality": {"share": passed / total, "interval": interval(passed, total), "target": dataset.targets.quality},
        "refused": dict(Counter(reason for reason in refusals if reason).most_common()),
        "users": {"count": len(users), "share of the busiest tenth": heavy / total, **quantiles(list(users.values()))},
        "models": dict(Counter(each["model"] for each in metadata).most_common()),
        "lengths": {name: quantiles(values) for name, values in counted.items()},
        "weeks": _weeks(conversations, refusals),
    }


def _joint(metadata: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in metadata:
        counts[each["language"]][each["category"]] += 1
    return {language: dict(found) for language, found in counts.items()}


_METERS = ("tokens_input", "tokens_output", "latency_ms", "rating")


def _side(labels: Sequence[str], targets: Mapping[str, float]) -> dict[str, Any]:
    counts, total = Counter(labels), len(labels)
    rows = {
        name: {
            "count": counts[name],
            "share": counts[name] / total,
            "interval": interval(counts[name], total),
            "target": targets.get(name, 0.0),
        }
        for name in sorted({*counts, *targets}, key=lambda name: -targets.get(name, 0.0))
    }
    return {"shares": rows, "aims": bool(targets), "deviation": balance.deviation(balance.shares(counts), targets)}


def _weeks(conversations: Sequence[Record], refusals: Sequence[str]) -> list[dict[str, Any]]:
    """Volume, mix and quality by ISO week, to see them drift."""
    weeks: dict[str, list[tuple[Record, str]]] = defaultdict(list)
    for record, reason in zip(conversations, refusals, strict=True):
        year, week, _ = date.fromisoformat(record["timestamp"][:10]).isocalendar()
        weeks[f"{year}-W{week:02d}"].append((record, reason))
    return [
        {
            "week": week,
            "conversations": len(rows),
            "language": balance.shares(Counter(record["metadata"]["language"] for record, _ in rows)),
            "category": balance.shares(Counter(record["metadata"]["category"] for record, _ in rows)),
            "quality": sum(not reason for _, reason in rows) / len(rows),
        }
        for week, rows in sorted(weeks.items())
    ]


def _draw(facts: Mapping[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    for axes, side in zip(figure.subplots(1, 2), ("language", "category"), strict=True):
        shares = facts[side]["shares"]
        places = range(len(shares))
        # At a share of exactly 0 or 1 rounding can put it a hair outside its interval.
        low = [max(0.0, row["share"] - row["interval"][0]) for row in shares.values()]
        high = [max(0.0, row["interval"][1] - row["share"]) for row in shares.values()]
        values = [row["share"] for row in shares.values()]
        axes.bar([place - 0.2 for place in places], values, 0.4, yerr=[low, high], capsize=3, label="extracted")
        axes.bar([place + 0.2 for place in places], [row["target"] for row in shares.values()], 0.4, label="target")
        axes.set_xticks(list(places), list(shares))
        axes.set_title(f"share by {side}, with 95 % intervals")
        axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": ""})


def _result(facts: Mapping[str, Any], dataset: Dataset, artifacts: Sequence[Path]) -> StageResult:
    quality, users = facts["quality"], facts["users"]
    low, high = quality["interval"]
    off = [side for side in ("language", "category") if facts[side]["deviation"] > dataset.targets.tolerance]
    summary = {
        "conversations": f"{facts['conversations']}, {facts['first'][:10]} to {facts['last'][:10]}",
        "users": f"{users['count']}; the busiest tenth wrote {users['share of the busiest tenth']:.0%}",
        "quality": f"{quality['share']:.1%} pass the filters ({low:.1%} to {high:.1%}; target {quality['target']:.0%})",
        "mix": f"off the targets in {' and '.join(off)}: stage=prepare balances" if off else "on target",
    }
    turns = facts["turns"]
    summary["turns"] = (
        f"{turns['kept']} of {turns['in']} pass the filters; {turns['in chats of several users']} stand in chats of "
        "several users (stage=prepare lets none leak)"
    )
    for number, finding in enumerate(facts["findings"], 1):
        summary[f"finding {number}"] = finding
    if examples := facts["by_examples"]:
        summary["category by examples"] = f"{examples['accuracy']:.1%} right on examples left out in turn"
    if facts["promise"]:
        summary["what has to stay"] = _kept(facts["promise"])
    for side, found in facts["confusion"].items():
        right = f"{found['accuracy']:.1%} right, mean over labels {found['macro']:.1%}"
        summary[f"{side} labels"] = f"{right} (of dataset.labelled)"
    rows = [
        [
            side,
            name,
            str(row["count"]),
            f"{row['share']:.1%}",
            _range(row["interval"]),
            f"{row['target']:.0%}" if facts[side]["aims"] else "none",
        ]
        for side in ("language", "category")
        for name, row in facts[side]["shares"].items()
    ]
    alone = turns["rejected"]
    refused = [
        [reason, str(facts["refused"].get(reason, 0)), str(alone.get(reason, 0))]
        for reason in {**facts["refused"], **alone}
    ]
    metrics = {f"analyze/{side}/{name}": row["share"] for side in _SIDES for name, row in facts[side]["shares"].items()}
    metrics |= {f"analyze/{side}_share_deviation": facts[side]["deviation"] for side in _SIDES}
    for side, found in facts["confusion"].items():
        metrics |= {f"analyze/{side}_label_{name}": found[name] for name in ("accuracy", "macro")}
    metrics |= {"analyze/quality": quality["share"], "analyze/conversations": float(facts["conversations"])}
    return StageResult(
        summary=summary,
        metrics=metrics,
        tables=[
            Table("shares beside the plan's", ["", "", "conversations", "share", "95 % interval", "target"], rows),
            Table("refused by the filters", ["reason", "conversations", "turns of others"], refused),
        ],
        artifacts=artifacts,
        next_command=command("stage=prepare"),
    )


def _kept(promise: Mapping[str, Any]) -> str:
    if not promise["rows"]:
        return "no row labelled by hand is of a category that stays"
    return (
        f"{promise['moved']} of {promise['rows']} would move by our labels; of all at most {promise['most']:.1%} (95 %)"
    )


def _range(interval: Sequence[float]) -> str:
    return "{:.1%} to {:.1%}".format(*interval)


_SIDES = ("language", "category")
