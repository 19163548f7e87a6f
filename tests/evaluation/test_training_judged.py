"""gate=training_judged: loss, language, flaws, and a judge's word; without one it is never GO."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.support import context_for
from zantara_exp.config import Config, compose
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import StageResult
from zantara_exp.gates.stage import gate

USERS = 60


@pytest.fixture(scope="module")
def composed() -> Config:
    return compose(["gate=training_judged"])


@pytest.fixture
def config(composed: Config, workdir: Path) -> Config:
    return composed


def evaluated(config: Config, **answers: Any) -> None:
    """A model whose answers are good, in the right language and preferred, but for what `answers` says by user."""
    at, rows = Layout(config), []
    for user in range(USERS):
        about = {"user": f"u{user:02d}", "language": "it", "category": "casual", "tokens": 20, "correct": 17}
        rows.append({**about, "split": "val", "index": user, "loss_sum": 6.0 + user % 3})
        good = {"language_match": True, "flawed": False, "answer": "Ciao!", "judge": {"overall": "tie"},
                "judged_equivalent": True, "judged_better": False}  # fmt: skip
        changed = {key: value(user) for key, value in answers.items()}
        test = {**about, "split": "test", "index": user, "loss_sum": 6.0, **good, **changed}
        rows.append({key: value for key, value in test.items() if value is not None})
    at.model.mkdir(parents=True, exist_ok=True)
    at.train_summary.write_text(json.dumps({"epoch": "0123456789abcdef", "model": "tiny"}))
    ends = {"value": 0.3, "low": 0.28, "high": 0.32, "users": USERS}
    splits = {"val": {"loss": ends}, "train": {"loss": ends}}
    about = {"epoch": "0123456789abcdef", "evaluated_at": 1.7e9, "splits": splits}
    at.evaluation.write_text(json.dumps(about))
    at.evaluation_rows.write_text("".join(json.dumps(row) + "\n" for row in rows))


def decided(config: Config) -> tuple[StageResult, dict[str, str]]:
    result = gate(config, context_for(config, Path("run"))[0])
    found = json.loads((Layout(config).reports / "verdict-training_judged.json").read_text())
    return result, {each["name"]: each["decision"] for each in found["criteria"]}


def nobody(_: int) -> None:
    """No such thing was measured."""


UNJUDGED = {"judge": nobody, "judged_equivalent": nobody, "judged_better": nobody}


@pytest.mark.parametrize(
    ("answers", "verdict", "decision"),
    [
        ({}, "GO", {"preference": "PASS", "language": "PASS", "flaws": "PASS", "loss": "PASS"}),
        ({**UNJUDGED, "judge": nobody}, "INCONCLUSIVE", {"preference": "MISSING", "language": "PASS"}),
        ({"judged_equivalent": lambda user: user % 2 == 0}, "NO_GO", {"preference": "FAIL"}),
        ({"judged_equivalent": lambda user: user % 8 > 0}, "INCONCLUSIVE", {"preference": "UNDECIDED"}),
        ({"language_match": lambda user: user % 2 == 0}, "NO_GO", {"language": "FAIL", "preference": "PASS"}),
        ({"flawed": lambda user: user % 2 == 0}, "NO_GO", {"flaws": "FAIL"}),
        ({"language_match": nobody, "flawed": nobody}, "INCONCLUSIVE", {"language": "MISSING", "flaws": "MISSING"}),
    ],
    ids=["good", "no judge", "worse", "hardly worse", "another language", "flawed", "nothing answered"],
)
def test_what_it_says(config: Config, answers: Any, verdict: str, decision: dict[str, str]) -> None:
    evaluated(config, **answers)
    result, decisions = decided(config)
    assert result.tags["verdict"] == verdict
    assert decisions | decision == decisions


def test_a_pair_without_a_verdict_is_lost_and_no_tie(config: Config) -> None:
    spoilt = {key: lambda user, of=key: None if user < 6 else True for key in ("judged_equivalent", "judged_better")}
    evaluated(config, **spoilt, judge=lambda user: "unreadable" if user < 6 else {})
    rows = [json.loads(line) for line in Layout(config).evaluation_rows.read_text().splitlines()]
    for row in rows:
        if row.get("judge") == "unreadable":
            row["judge"] = None
    Layout(config).evaluation_rows.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result, decisions = decided(config)
    assert (result.tags["verdict"], decisions["preference"]) == ("INCONCLUSIVE", "UNDECIDED")


def test_a_judge_who_is_asked_later_completes_it(config: Config) -> None:
    evaluated(config, **UNJUDGED)
    assert decided(config)[0].tags["verdict"] == "INCONCLUSIVE"
    evaluated(config)
    assert decided(config)[0].tags["verdict"] == "GO"
