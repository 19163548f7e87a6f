"""What a gate can ask about a trained model: validation loss, token accuracy on the test split, the gap."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from zantara_exp.config.schema import Config
from zantara_exp.gates.evidence import Evidence, EvidenceRequest, Missing, Number, UserDays
from zantara_exp.layout import Layout

METRICS: frozenset[str] = frozenset({"eval_loss", "token_accuracy", "generalization_gap"})

_COUNTED = {"eval_loss": ("val", "loss_sum"), "token_accuracy": ("test", "correct")}
"""Metric -> split and the sum over its tokens."""
_HOW = "python -m zantara_exp stage=evaluate"
_SECONDS_PER_DAY = 86_400


def evidence(request: EvidenceRequest, config: Config, layout: Layout) -> Evidence:
    """Evidence on the model under `paths.models`; Missing when it was not evaluated, or another model was.

    Trials are tokens; sums are correct tokens, or nats of loss. An evaluation has no days of its own: all of it stands
    on the day it ran, or on `request.until` when that is earlier, as in a replay of old traffic.
    """
    outcome = _read(layout.evaluation)
    if outcome is None:
        return Missing(f"model {config.model.output} was not evaluated: {_HOW}")
    trained = _read(layout.train_summary)
    if trained is None or trained.get("epoch") != outcome.get("epoch"):
        return Missing(f"the evaluation is of another model than the one under paths.models: {_HOW}")
    epoch = str(outcome["epoch"])[:12]
    if request.metric == "generalization_gap":
        return Number(float(outcome["generalization_gap"]))
    if request.metric not in _COUNTED:
        return Missing(f"evaluation measures no {request.metric}; it measures {', '.join(sorted(METRICS))}")
    split, key = _COUNTED[request.metric]
    rows = [row for row in _lines(layout.evaluation_rows) if row["split"] == split]
    if not rows:
        return Missing(f"no example of the {split} split was scored: {_HOW}")
    day = int(float(outcome["evaluated_at"]) // _SECONDS_PER_DAY)
    if request.until is not None:
        midnight = datetime(request.until.year, request.until.month, request.until.day, tzinfo=UTC)
        day = min(day, int(midnight.timestamp() // _SECONDS_PER_DAY))
    return _user_days(rows, key, day, epoch)


def _user_days(rows: list[dict[str, Any]], key: str, day: int, epoch: str) -> UserDays:
    sums: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        cell = sums.setdefault((str(row["user"]), str(row["language"]), str(row["category"])), [0.0, 0.0])
        cell[0] += float(row["tokens"])
        cell[1] += float(row[key])
    cells = sorted(sums)
    codes = {user: code for code, user in enumerate(sorted({user for user, _, _ in cells}))}
    return UserDays(
        user=np.array([codes[user] for user, _, _ in cells], dtype=np.int64),
        day=np.full(len(cells), day, dtype=np.int64),
        trials=np.array([sums[cell][0] for cell in cells], dtype=np.float64),
        total=np.array([sums[cell][1] for cell in cells], dtype=np.float64),
        segments={
            "language": np.array([language for _, language, _ in cells], dtype=np.str_),
            "category": np.array([category for _, _, category in cells], dtype=np.str_),
        },
        epoch=epoch,
    )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
    except (OSError, orjson.JSONDecodeError):
        return []
