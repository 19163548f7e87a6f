"""What a gate can ask about a trained model: validation loss, token accuracy on the test split, the gap, language and
flaws of its answers, and what a judge said of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.ownership import refusal
from zantara_exp.gates.evidence import Evidence, EvidenceRequest, Missing, Number, UserDays
from zantara_exp.training.files import read_json

Row = Mapping[str, Any]

_OF_ANSWERS = {"answer_language": "language_match", "answer_flawed": "flawed"}
"""Metric -> what of an answer it counts."""

METRICS: frozenset[str] = frozenset(
    {"eval_loss", "token_accuracy", "generalization_gap", "judged_equivalent", "judged_preference", *_OF_ANSWERS}
)

_COUNTED = {"eval_loss": ("val", "loss_sum"), "token_accuracy": ("test", "correct")}
"""Metric -> split and the sum over its tokens."""
_SECONDS_PER_DAY = 86_400


def evidence(requests: Sequence[EvidenceRequest], until: date | None, config: Config, layout: Layout) -> list[Evidence]:
    """Evidence on the model under `paths.models`; Missing when it was not evaluated, or another model was.

    Trials are tokens; sums are correct tokens, or nats of loss. An evaluation has no days of its own: all of it stands
    on the day it ran, or on `until` when that is earlier, as in a replay of old traffic.
    """
    outcome = read_json(layout.evaluation)
    if outcome is None:
        return [Missing(f"model {config.model.output} was not evaluated: {_evaluate()}")] * len(requests)
    others = refusal(layout.train_summary, config, layout)
    if hindrance := others or _hindrance(outcome, read_json(layout.train_summary)):
        return [Missing(hindrance)] * len(requests)
    rows = _lines(layout.evaluation_rows)
    return [_of(request.metric, outcome, rows, until) for request in requests]


def trained(layout: Layout) -> str:
    """The epoch of the model under `paths.models`, as its evaluation has it; empty where none was trained here."""
    found = read_json(layout.train_summary)
    return "" if found is None else _epoch(found)


def _epoch(of: Mapping[str, Any]) -> str:
    return str(of.get("epoch") or "")[:12]


def _evaluate(*overrides: str) -> str:
    return command("stage=evaluate", *overrides)


def _hindrance(outcome: Mapping[str, Any], trained: Mapping[str, Any] | None) -> str:
    """Why an evaluation says nothing of the model that lies there; empty where it does."""
    if trained is None or trained.get("epoch") != outcome.get("epoch"):
        return f"the evaluation is of another model than the one under paths.models: {_evaluate()}"
    if outcome.get("same_train_split") is False:
        return (
            "train.jsonl was written anew since the model learnt from it, so what it learnt may be tested: "
            f"{command('stage=train')} && {_evaluate()}"
        )
    return ""


def _of(metric: str, outcome: Mapping[str, Any], rows: Sequence[Row], until: date | None) -> Evidence:
    epoch = _epoch(outcome)
    if metric == "generalization_gap":
        return _gap(outcome["splits"]["val"]["loss"], outcome["splits"]["train"]["loss"])
    if metric not in METRICS:
        return Missing(f"evaluation measures no {metric}; it measures {', '.join(sorted(METRICS))}")
    day = _day(float(outcome["evaluated_at"]), until)
    if metric in _OF_ANSWERS:
        return _answered(rows, _OF_ANSWERS[metric], day, epoch)
    if metric not in _COUNTED:
        return _judged(rows, metric, day, epoch)
    split, key = _COUNTED[metric]
    rows = [row for row in rows if row["split"] == split]
    if not rows:
        return Missing(f"no example of the {split} split was scored: {_evaluate()}")
    found = _user_days(rows, lambda row: (float(row["tokens"]), float(row[key]), 0.0), day, epoch)
    return replace(found, baseline=None)


def _gap(val: Mapping[str, float | None], train: Mapping[str, float | None]) -> Evidence:
    """The largest difference of the two losses that their 95 % intervals allow.

    Limits of a difference of independent estimates from their own (no user is in two splits): Zou & Donner 2008,
    https://doi.org/10.1002/sim.3095. So a gap passes where it is shown to be small, and is undecided otherwise.
    """
    ends = val["value"], val["high"], train["value"], train["low"]
    if None in ends or min(val["users"] or 0, train["users"] or 0) < 2:
        return Missing("the validation or the train split has one user: no interval of the difference of their losses")
    value, high, trained, low = map(float, ends)  # type: ignore[arg-type]  # no None among them
    return Number(value - trained + math.hypot(high - value, trained - low))


def _day(evaluated_at: float, until: date | None) -> int:
    day = int(evaluated_at // _SECONDS_PER_DAY)
    if until is None:
        return day
    midnight = datetime(until.year, until.month, until.day, tzinfo=UTC)
    return min(day, int(midnight.timestamp() // _SECONDS_PER_DAY))


def _answered(rows: Sequence[Row], key: str, day: int, epoch: str) -> Evidence:
    """Generated answers of which `key` is true."""
    answered = [row for row in rows if row["split"] == "test" and key in row]
    if not answered:
        return Missing(f"no test question was answered: {_evaluate('evaluation.generate_limit=150')}")
    found = _user_days(answered, lambda row: (1.0, float(row[key]), 0.0), day, epoch)
    return replace(found, baseline=None)


def _judged(rows: Sequence[Row], metric: str, day: int, epoch: str) -> Evidence:
    """Pairs at least as good as the primary's; for `judged_preference` (kind paired) those won, and those lost."""
    asked = [row for row in rows if "judge" in row]
    told = [row for row in asked if row["judge"] is not None]
    if not told:
        return Missing(f"no judge has compared the answers: {_evaluate('judge=anthropic')}")
    lost = {day: float(len(asked) - len(told))} if len(told) < len(asked) else {}
    if metric == "judged_equivalent":
        found = _user_days(told, lambda row: (1.0, float(row["judged_equivalent"]), 0.0), day, epoch)
        return replace(found, baseline=None, lost_per_day=lost)
    found = _user_days(
        told, lambda row: (1.0, float(row["judged_better"]), float(not row["judged_equivalent"])), day, epoch
    )
    return replace(found, lost_per_day=lost)


def _user_days(
    rows: Sequence[Row], counts: Callable[[Row], tuple[float, float, float]], day: int, epoch: str
) -> UserDays:
    """Rows added up by user and segments; `counts` gives a row's trials, its total and its baseline."""
    sums: dict[tuple[str, str, str], NDArray[np.float64]] = {}
    for row in rows:
        cell = sums.setdefault((str(row["user"]), str(row["language"]), str(row["category"])), np.zeros(3))
        cell += counts(row)
    cells = sorted(sums)
    codes = {user: code for code, user in enumerate(sorted({user for user, _, _ in cells}))}
    return UserDays(
        user=np.array([codes[user] for user, _, _ in cells], dtype=np.int64),
        day=np.full(len(cells), day, dtype=np.int64),
        trials=np.array([sums[cell][0] for cell in cells], dtype=np.float64),
        total=np.array([sums[cell][1] for cell in cells], dtype=np.float64),
        baseline=np.array([sums[cell][2] for cell in cells], dtype=np.float64),
        segments={
            "language": np.array([language for _, language, _ in cells], dtype=np.str_),
            "category": np.array([category for _, _, category in cells], dtype=np.str_),
        },
        epoch=epoch,
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
    except (OSError, orjson.JSONDecodeError):
        return []
