"""A comparison log with requests of known quality, the review's sample with its labels, and a judge's verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from zantara_exp.core.layout import Layout
from zantara_exp.cost.usage import Usage
from zantara_exp.review.labels import Label
from zantara_exp.review.sample import Sample, blinded, draw, frame, save
from zantara_exp.shadow.record import Comparison, Sampling, Scope, Side, to_line

START = datetime(2025, 10, 20, 8, tzinfo=UTC)
EASY = ["grazie", "mille", "per", "il", "saluto", "di", "oggi"]
HARD = ["perche", "il", "rimborso", "doppio", "della", "caparra", "scaduta"]


@dataclass(frozen=True)
class Request:
    text: str
    good: float
    """How likely the candidate answers as well as the primary."""
    category: str = "casual"
    language: str = "it"


def requests(size: int, rng: np.random.Generator, easy: float = 0.97, hard: float = 0.4) -> list[Request]:
    """Two thirds are easy."""
    found = []
    for _ in range(size):
        is_easy = rng.random() < 2 / 3
        found.append(Request(" ".join(rng.choice(EASY if is_easy else HARD, 5)), easy if is_easy else hard))
    return found


def write(
    layout: Layout, asked: Sequence[Request], rng: np.random.Generator, labels: int = 200, judge: int = 300,
    right: float = 0.9, epoch: str = "e1", users: int = 0, failed: float = 0.005, seed: int = 7,
) -> Sample:  # fmt: skip
    """The log, the sample drawn from it with all its pairs labelled, and what a judge said of it and of others."""
    users = users or max(len(asked) // 2, 1)
    rows, lines, good = [], [], {}
    for number, each in enumerate(asked):
        name, ok = f"c{epoch}{number:05d}", rng.random() > failed
        moment = START + timedelta(minutes=7 * number)
        side = Side(f"risposta {number}", "claude-haiku-4-5", "anthropic", Usage(60, output=40), 400.0)
        theirs = Side(f"altra {number}", "llama", "runpod", Usage(60, output=40), 300.0) if ok else (
            Side(model="llama", provider="runpod", error="timeout")
        )  # fmt: skip
        user = f"{int(rng.integers(users)) if number >= users else number:016x}"
        lines.append((moment, to_line(Comparison(
            name, name, None, epoch, "candidate", moment, [{"role": "user", "content": each.text}], user, each.text,
            each.category, each.language, side, theirs, sampling=Sampling(10.0, "hash"), scope=Scope(True),
        ))))  # fmt: skip
        good[name] = bool(rng.random() < each.good)
        if ok:
            rows.append({"comparison_id": name, "user": user, "language": each.language, "category": each.category,
                         "messages": None, "query": each.text, "primary_response": side.response,
                         "candidate_response": theirs.response})  # fmt: skip
    layout.logs.mkdir(parents=True, exist_ok=True)
    for day in sorted({moment.date() for moment, _ in lines}):
        path = layout.logs / f"shadow_comparison_{day}.jsonl"
        path.write_bytes(b"".join(line for moment, line in lines if moment.date() == day))
    chosen = draw(rows, labels, seed)
    sample = Sample(epoch, str(lines[-1][0].date()), seed, labels, blinded(chosen, seed))
    layout.review_sample.parent.mkdir(parents=True, exist_ok=True)
    save(sample, layout.review_sample)
    layout.reports.mkdir(parents=True, exist_ok=True)
    with layout.review_labels.open("a") as file:
        for item in sample.items:
            verdict = "equivalent" if good[item.comparison_id] else "worse"
            label = Label(sample.hash, item.number, item.comparison_id, "reviewer", verdict, False)
            file.write(json.dumps(asdict(label)) + "\n")
    if judge:
        _judged(layout.judged, [*chosen, *frame(rows, seed)[:judge]], good, right, epoch, rng)
    return sample


def _judged(
    path: Path, rows: Sequence[dict], good: dict[str, bool], right: float, epoch: str, rng: np.random.Generator
) -> None:
    said = {row["comparison_id"]: row["user"] for row in rows}
    with path.open("a") as file:
        for pair, user in said.items():
            verdict = "equivalent" if good[pair] == (rng.random() < right) else "worse"
            file.write(json.dumps(
                {"judge": "j1", "epoch": epoch, "comparison_id": pair, "user": user, "verdict": verdict}
            ) + "\n")  # fmt: skip
