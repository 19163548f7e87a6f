"""The summary and tables of stage `prepare`: counts, mix, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import StageResult, Table
from zantara_exp.dataset import balance
from zantara_exp.dataset.card import shares_of
from zantara_exp.dataset.growing_rows import CONTINUED
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.selection import Selection, cell_of
from zantara_exp.text.wording import counted

Dated = tuple[str, balance.Cell]
"""A UTC day, YYYY-MM-DD, and a cell."""
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
    clean: Counter[Dated],
    passed: int,
    note: str,
    config: Config,
) -> dict[str, Any]:
    """Everything there is to say about a prepared dataset, as written to prepare.json.

    `clean` counts what passed all filters, before the mix.
    """
    final = balance.cells([cell_of(each) for rows in parts.values() for each in rows])
    available = _cells(clean)
    targets = config.dataset.targets
    called = {code: language.name for code, language in config.domain.languages.items()}
    sides = {"language": (0, targets.language), "category": (1, targets.category)}
    mix = {
        name: {"before": _shares(available, side), "after": _shares(final, side), "target": wanted}
        for name, (side, wanted) in sides.items()
    }
    reasons = selection.reasons()
    asked = selection.total - reasons[CONTINUED]  # rows that go on in another one are no conversations
    return {
        "conversations": selection.total,
        "turns": selection.turns(),
        "passed_filters": passed,
        "quality": passed / asked if asked else 0.0,
        "kept": len(selection.kept),
        "examples": {name: len(rows) for name, rows in parts.items()},
        "users": {name: len({each["user"] for each in rows}) for name, rows in parts.items()},
        "rejected": dict(reasons.most_common()),
        "balance": note,
        "mix": mix,
        "deviation": {name: balance.deviation(each["after"], each["target"]) for name, each in mix.items()},
        "missing": balance.missing(available, targets, *_recent(clean), called),
        "tolerance": targets.tolerance,
    }


def result(facts: dict[str, Any], layout: Layout, card: Path) -> StageResult:
    """The stage's result, from what is in prepare.json."""
    total, examples = sum(facts["examples"].values()), facts["examples"]
    off = [name for name, far in facts["deviation"].items() if far > facts["tolerance"] + 1e-9]
    summary = {
        "conversations in": str(facts["conversations"]),
        "examples out": f"{total} ({', '.join(f'{name} {count}' for name, count in examples.items())})",
        "rejected": f"{facts['conversations'] - facts['kept']} (each with its reason in {layout.rejected.name})",
        "turns": _turns(facts["turns"]),
        "quality": f"{facts['quality']:.1%} pass the filters",
        "balance": facts["balance"],
        "mix": f"OFF the targets in {' and '.join(off)}" if off else "on target",
    }
    if total > facts["kept"]:
        summary["added to train"] = f"{total - facts['kept']} repetitions and variants"
    if facts["missing"]:
        summary["needs"] = "; ".join(facts["missing"][:3])
    if rows := facts["rejected"].get(CONTINUED):
        summary["growing rows"] = f"{rows} hold a part of another row's conversation, which counts once: the longest"
    if shortened := sum(facts["shortened"].values()):
        summary["shortened"] = f"{counted(shortened, 'example')} lost their oldest turns to dataset.max_history_tokens"
    leaks = {what: count for what, count in facts["leakage"].items() if count}
    summary["leakage"] = ", ".join(f"{count} {what}" for what, count in leaks.items()) or "none between the splits"
    summary["leakage"] += _mended(facts)
    metrics = {f"prepare/{name}_examples": float(count) for name, count in examples.items()}
    metrics |= {f"prepare/rejected/{reason}": float(count) for reason, count in facts["rejected"].items()}
    metrics |= {f"prepare/{name}_share_deviation": far for name, far in facts["deviation"].items()}
    metrics |= {"prepare/quality": facts["quality"], "prepare/leaks": float(sum(facts["leakage"].values()))}
    return StageResult(
        summary=summary,
        metrics=metrics,
        tables=[_mix_table(facts), _split_table(facts), _rejected_table(facts), _leakage_table(facts)],
        artifacts=[layout.prepare_summary, layout.splits, card],
        next_command=command("stage=train"),
    )


def dated(record: Record) -> Dated:
    """The UTC day of a conversation, and its cell."""
    return record["timestamp"][:10], cell_of(record)


def _cells(counts: Mapping[Dated, int]) -> Counter[balance.Cell]:
    found: Counter[balance.Cell] = Counter()
    for (_, cell), count in counts.items():
        found[cell] += count
    return found


def _recent(clean: Counter[Dated]) -> tuple[Counter[balance.Cell], int]:
    """Clean conversations of each cell over the last days of the data, and how many days these are."""
    if not clean:
        return Counter(), _RATE_DAYS
    days = [date.fromisoformat(day) for day, _ in clean]
    last = max(days)
    first = max(min(days), last - timedelta(days=_RATE_DAYS - 1))
    recent = {key: count for key, count in clean.items() if date.fromisoformat(key[0]) >= first}
    return _cells(recent), (last - first).days + 1


def _mix_table(facts: dict[str, Any]) -> Table:
    rows = []
    for name, mix in facts["mix"].items():
        for each in sorted({*mix["target"], *mix["after"]}, key=lambda one: -mix["target"].get(one, 0)):
            rows.append([name, each, *shares_of(mix, each)])
    return Table("mix of the examples", ["", "", "clean", "balanced", "target"], rows)


def _split_table(facts: dict[str, Any]) -> Table:
    total = sum(facts["examples"].values())
    rows = [
        [name, str(count), f"{count / total:.1%}", str(facts["users"][name])]
        for name, count in facts["examples"].items()
    ]
    return Table("splits, by user", ["split", "examples", "share", "users"], rows)


def _rejected_table(facts: dict[str, Any]) -> Table:
    chats, turns = facts["rejected"], facts["turns"]["rejected"]
    rows = [[name, str(chats.get(name, 0)), str(turns.get(name, 0))] for name in {**chats, **turns}]
    return Table("rejected", ["reason", "conversations", "turns of others"], rows)


def _leakage_table(facts: dict[str, Any]) -> Table:
    rows = [[what, str(count)] for what, count in facts["leakage"].items()]
    return Table("leakage between the splits", ["", "found"], rows)


def _turns(turns: Mapping[str, Any]) -> str:
    alone, with_chats = sum(turns["rejected"].values()), turns["in rejected conversations"]
    return f"{turns['kept']} of {turns['in']} kept; {alone} left out of kept conversations, {with_chats} with theirs"


def _mended(facts: Mapping[str, Any]) -> str:
    """What was left out so that nothing leaks."""
    reason = "near_duplicate_of_train"
    chats, turns = facts["rejected"].get(reason, 0), facts["turns"]["rejected"].get(reason, 0)
    left = [f"{count} held-out {what}" for count, what in ((chats, "conversations"), (turns, "turns")) if count]
    return f" ({' and '.join(left)} left out that train nearly holds)" if left else ""
