from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis import logs
from zantara_exp.analysis.facts import BUCKET_RATIO
from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.similarity import Scorer, chrf
from zantara_exp.analysis.tables import faults, newest_epoch
from zantara_exp.config import Config
from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.layout import Layout

SIDE = {"model": "m", "provider": "p", "tokens_input": 1, "tokens_output": 1}


def only(layout: Layout, config: Config, **candidate: object) -> dict[str, object]:
    """The facts of a log whose candidate always says the same."""
    logs.write(layout.logs, logs.Plan(days=1, per_day=1, extra={"candidate": {**SIDE, **candidate}}))
    with open_log(config, layout) as log:
        return log.facts.to_pyarrow().to_pylist()[0]


@pytest.mark.parametrize(
    ("response", "error", "fault"),
    [
        ("Ciao!", None, ""),
        ("Ciao!", "", ""),
        ("", None, "empty_answer"),
        (" \n\t", None, "empty_answer"),
        ("...", None, "placeholder"),
        (" . . . ", None, "placeholder"),
        ("\u2026", None, "placeholder"),
        ("... dunque, vediamo", None, ""),
        ("Ciao!", "timeout", "timeout"),
        ("", "breaker_open", "breaker_open"),
    ],
)
def test_what_an_answer_is(layout: Layout, config: Config, response: str, error: str | None, fault: str) -> None:
    row = only(layout, config, response=response, error=error, latency_ms=0.0)
    assert row["candidate_fault"] == fault
    assert row["candidate_ok"] == (fault == "")
    # a refusal in no time never enters a latency
    assert (row["candidate_latency_ms"] is None) == (fault != "")


@pytest.mark.parametrize("latency", [-1.0, None])
def test_a_latency_that_is_none_is_left_out(layout: Layout, config: Config, latency: float | None) -> None:
    row = only(layout, config, response="Ciao!", error=None, latency_ms=latency)
    assert row["candidate_ok"]
    assert (row["candidate_latency_ms"], row["candidate_bucket"]) == (None, None)


@pytest.mark.parametrize("latency", [0.0, 0.4, 1.0, 812.5, 59_999.0])
def test_a_bucket_holds_its_latency(layout: Layout, config: Config, latency: float) -> None:
    row = only(layout, config, response="Ciao!", error=None, latency_ms=latency)
    assert isinstance(row["candidate_bucket"], int)
    low = BUCKET_RATIO ** row["candidate_bucket"]
    assert low * (1 - 1e-9) <= max(latency, 0.001) <= low * BUCKET_RATIO * (1 + 1e-9)


def test_both_versions_stand_in_one_table(layout: Layout, config: Config) -> None:
    logs.both_versions(layout.logs)
    with open_log(config, layout) as log:
        assert newest_epoch(log.facts)[0] == "e2"
        old = log.facts.filter(log.facts.epoch == "unversioned")
        assert old.count().to_pyarrow().as_py() == 200
        # version 1 names no language: it is detected
        assert {"it", "en", "id"} & set(old.language.to_pyarrow().to_pylist())
        assert not any(name.startswith("user-") for name in old.user.to_pyarrow().to_pylist())
        assert log.noise.count().to_pyarrow().as_py() > 0
        assert log.doubles == 8
        assert len(log.bad) == 12
        assert all(line.day and line.reason for line in log.bad)
        assert sum(log.drops.values()) == 4
        assert {"timeout", "breaker_open", "server_error", "empty_answer", "placeholder", "other"} >= set(
            faults(log.facts)
        )


def test_a_log_that_grows_is_read_again(layout: Layout, config: Config) -> None:
    counts = []
    for seed in (1, 2):
        logs.write(layout.logs, logs.Plan(days=1, per_day=30, seed=seed))
        with open_log(config, layout) as log:
            counts.append(log.facts.count().to_pyarrow().as_py())
    assert counts == [30, 60]


def test_facts_are_derived_once(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, logs.Plan(days=2, per_day=10))

    def stamps() -> dict[Path, int]:
        with open_log(config, layout):
            return {path: path.stat().st_mtime_ns for path in (layout.state / "facts").rglob("*.parquet")}

    assert stamps() == stamps()


def test_facts_that_are_damaged_are_derived_again(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, logs.Plan(days=2, per_day=10))
    with open_log(config, layout) as log:
        before = log.facts.count().to_pyarrow().as_py()
    for path in (layout.state / "facts").rglob("*.parquet"):
        path.write_bytes(b"junk")
    with open_log(config, layout) as log:
        assert log.facts.count().to_pyarrow().as_py() == before == 20


def test_text_does_not_reach_the_facts(layout: Layout, config: Config) -> None:
    row = only(layout, config, response="una parola segreta", error=None, latency_ms=5.0)
    assert "segreta" not in json.dumps(row, default=str)


def test_no_log_says_how_to_get_one(layout: Layout, config: Config) -> None:
    with pytest.raises(MissingInputError, match="stage=shadow"), open_log(config, layout):
        pass


@given(st.text(max_size=60), st.text(max_size=60))
def test_chrf_lies_between_0_and_100(candidate: str, primary: str) -> None:
    assert 0 <= chrf(candidate, primary) <= 100.0001


def test_chrf_is_not_about_length() -> None:
    assert chrf("il visto costa dieci euro", "il visto costa dieci euro") == pytest.approx(100)
    assert chrf("xyzw qkjh vbnm wrty plmo kj", "il visto costa dieci euro") < 5


def some(count: int, **columns: list[bool]) -> pa.Table:
    yes = [True] * count
    names = [f"id-{number}" for number in range(count)]
    given = {"comparison_id": names, "primary_ok": yes, "candidate_ok": yes, "part": names, "place": range(count)}
    return pa.table(given | columns)


def test_about_the_asked_share_is_scored() -> None:
    asked: list[int] = []

    def said(rows: list[dict[str, object]]) -> list[tuple[str, str]]:
        asked.append(len(rows))
        return [("ciao", "ciao")] * len(rows)

    scores = Scorer(200, {}).scores(some(1000), said)
    drawn = np.isfinite(scores)
    assert 150 < drawn.sum() < 250
    assert asked == [drawn.sum()]
    assert scores[drawn] == pytest.approx(100)
    assert not np.isfinite(Scorer(0, {}).scores(some(1000), said)).any()
    assert Scorer(200, {}).scores(some(0), said).tolist() == []


def test_a_known_score_is_kept_and_a_failure_scores_nothing() -> None:
    facts = some(4, primary_ok=[True, True, False, True], candidate_ok=[True, False, True, True])
    scores = Scorer(10, {"id-0": 42.0}).scores(facts, lambda rows: [("ciao", "addio")] * len(rows))
    assert scores[:2].tolist() == [42.0, 0.0]
    assert np.isnan(scores[2])
    assert 0 < scores[3] < 42
