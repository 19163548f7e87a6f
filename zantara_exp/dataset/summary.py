"""What stage `prepare` says about the dataset it made: counts, mix, what is missing, tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from zantara_exp.config.data import Dataset
from zantara_exp.dataset import balance
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.selection import Selection, cell_of
from zantara_exp.hints import command
from zantara_exp.layout import Layout
from zantara_exp.stage import StageResult, Table

_RATE_DAYS = 14
"""Today's rate is that of the last two weeks."""


def _shares(counts: Counter[balance.Cell], side: int) -> dict[str, float]:
    summed: Counter[str] = Counter()
    for cell, count in counts.items():
        summed[cell[side]] += count
    return balance.shares(summed)


def facts_of(
    selection: Selection,
    parts: Mapping[str, list[Record]],
    clean: Sequence[Record],
    passed: int,
    note: str,
    dataset: Dataset,
) -> dict[str, Any]:
    """Everything there is to say about a prepared dataset, as written to prepare.json."""
    final = balance.cells([cell_of(each) for rows in parts.values() for each in rows])
    available = balance.cells([cell_of(each) for each in clean])
    sides = {"language": (0, dataset.targets.language), "category": (1, dataset.targets.category)}
    mix = {
        name: {"before": _shares(available, side), "after": _shares(final, side), "target": targets}
        for name, (side, targets) in sides.items()
    }
    return {
        "conversations": selection.total,
        "passed_filters": passed,
        "quality": passed / selection.total if selection.total else 0.0,
        "kept": len(selection.kept),
        "examples": {name: len(rows) for name, rows in parts.items()},
        "users": {name: len({each["user"] for each in rows}) for name, rows in parts.items()},
        "rejected": dict(selection.reasons().most_common()),
        "balance": note,
        "mix": mix,
        "deviation": {name: balance.deviation(each["after"], each["target"]) for name, each in mix.items()},
        "missing": balance.missing(available, dataset.targets, *_recent(clean)),
        "tolerance": dataset.targets.tolerance,
    }


def result(facts: dict[str, Any], layout: Layout, card: Path) -> StageResult:
    """The stage's result, from what is in prepare.json."""
    total, examples = sum(facts["examples"].values()), facts["examples"]
    off = [name for name, far in facts["deviation"].items() if far > facts["tolerance"] + 1e-9]
    summary = {
        "conversations in": str(facts["conversations"]),
        "examples out": f"{total} ({', '.join(f'{name} {count}' for name, count in examples.items())})",
        "rejected": f"{facts['conversations'] - facts['kept']} (each with its reason in {layout.rejected.name})",
        "quality": f"{facts['quality']:.1%} pass the filters",
        "balance": facts["balance"],
        "mix": f"OFF the targets in {' and '.join(off)}" if off else "on target",
    }
    if total > facts["kept"]:
        summary["added to train"] = f"{total - facts['kept']} repetitions and variants"
    if facts["missing"]:
        summary["needs"] = "; ".join(facts["missing"][:3])
    if shortened := sum(facts["shortened"].values()):
        summary["shortened"] = f"{shortened} examples lost their oldest turns to dataset.max_history_tokens"
    leaks = {what: count for what, count in facts["leakage"].items() if count}
    summary["leakage"] = ", ".join(f"{count} {what}" for what, count in leaks.items()) or "none between the splits"
    metrics = {f"prepare/{name}_examples": float(count) for name, count in examples.items()}
    metrics |= {f"prepare/rejected/{reason}": float(count) for reason, count in facts["rejected"].items()}
    metrics |= {f"prepare/{name}_share_deviation": far for name, far in facts["deviation"].items()}
    metrics |= {"prepare/quality": facts["quality"], "prepare/leaks": float(sum(facts["leakage"].values()))}
    return StageResult(
        summary=summary,
        metrics=metrics,
        tables=[_mix_table(facts), _split_table(facts), _rejected_table(facts)],
        artifacts=[layout.prepare_summary, layout.splits, card],
        next_command=command("stage=train"),
    )


def _recent(clean: Sequence[Record]) -> tuple[Counter[balance.Cell], int]:
    """Clean conversations of each cell over the last days of the data, and how many days these are."""
    if not clean:
        return Counter(), _RATE_DAYS
    last = max(_day(each) for each in clean)
    first = max(min(_day(each) for each in clean), last - timedelta(days=_RATE_DAYS - 1))
    return balance.cells([cell_of(each) for each in clean if _day(each) >= first]), (last - first).days + 1


def _day(record: Record) -> date:
    return date.fromisoformat(record["timestamp"][:10])


def _mix_table(facts: dict[str, Any]) -> Table:
    rows = []
    for name, mix in facts["mix"].items():
        for each in sorted({*mix["target"], *mix["after"]}, key=lambda one: -mix["target"].get(one, 0)):
            cells = [mix[when].get(each, 0.0) for when in ("before", "after", "target")]
            rows.append([name, each, *(f"{share:.1%}" for share in cells)])
    return Table("mix of the examples", ["", "", "clean", "balanced", "target"], rows)


def _split_table(facts: dict[str, Any]) -> Table:
    total = sum(facts["examples"].values())
    rows = [
        [name, str(count), f"{count / total:.1%}", str(facts["users"][name])]
        for name, count in facts["examples"].items()
    ]
    return Table("splits, by user", ["split", "examples", "share", "users"], rows)


def _rejected_table(facts: dict[str, Any]) -> Table:
    return Table(
        "rejected", ["reason", "conversations"], [[name, str(count)] for name, count in facts["rejected"].items()]
    )
