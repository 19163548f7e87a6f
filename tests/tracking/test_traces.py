"""Traces with assessments reach MLflow once, and are brought up to date."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.spans.collector import Collector, ask_for_spans, collecting
from zantara_exp.config import Config
from zantara_exp.core.layout import Layout
from zantara_exp.tracking import About, _traces, open_run
from zantara_exp.tracking._store import connect

# MLflow warns of its own type hints when it starts a first span.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")


ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(workdir: Path) -> Config:
    return Config()


def said(name: str, value: object, source: str = "ayu", rationale: str = "") -> dict[str, Any]:
    return {"name": name, "value": value, "rationale": rationale, "source": source, "source_type": "HUMAN"}


def item(*assessments: dict[str, Any]) -> dict[str, Any]:
    shown = {"inputs": {"question": "Ciao?"}, "outputs": {"A": "Ciao!", "B": "<b>Salve</b>"}}
    return {"key": "1", **shown, "tags": {"language": "it"}, "assessments": list(assessments)}


def recorded(config: Config, *items: dict[str, Any]) -> str:
    with open_run(config.tracking, Layout(config), About("review")) as run:
        run.traces("review:abc", items)
        return run.run_id


def found(config: Config) -> list[Any]:
    client = connect(config.tracking, Layout(config).mlruns)
    experiment = client.get_experiment_by_name(f"{config.tracking.experiment} operations")
    assert experiment is not None
    return list(client.search_traces(locations=[experiment.experiment_id]))


def assessments(trace: Any) -> dict[tuple[str, str], tuple[object, str | None]]:
    return {(one.name, one.source.source_id): (one.value, one.rationale) for one in trace.info.assessments}


_RECORDED = """
from tests.tracking.test_traces import found, item, recorded, said
from zantara_exp.config import Config
recorded(Config(), item(said("verdict", "worse", rationale="rude")))
(trace,) = found(Config())
assert trace.data.spans[0].inputs == item()["inputs"]
"""


@pytest.mark.parametrize("protocol", [None, "http/protobuf"])
def test_chats_go_to_no_collector(protocol: str | None, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector()
    with collecting(collector) as address:
        ask_for_spans(monkeypatch, address)
        if protocol is not None:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        command = [sys.executable, "-W", "ignore", "-c", _RECORDED]  # MLflow looks once in a process
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "kept under paths.state" not in ran.stdout
    assert collector.paths == []


def test_a_trace_is_made_once_and_brought_up_to_date(config: Config) -> None:
    run_id = recorded(config, item(said("verdict", "worse", rationale="rude"), said("verdict", "better", "budi")))
    (trace,) = found(config)
    assert trace.info.request_metadata["mlflow.sourceRun"] == run_id
    assert (trace.data.spans[0].inputs, trace.data.spans[0].outputs) == (item()["inputs"], item()["outputs"])
    assert trace.info.tags["language"] == "it"
    assert assessments(trace) == {("verdict", "ayu"): ("worse", "rude"), ("verdict", "budi"): ("better", "")}
    recorded(config, item(said("verdict", "equivalent"), said("warm", "A")))
    (again,) = found(config)
    assert again.info.trace_id == trace.info.trace_id
    assert assessments(again) == {("verdict", "ayu"): ("equivalent", ""), ("warm", "ayu"): ("A", "")}


def test_more_traces_than_a_page_holds_are_made_once(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_traces, "_MOST", 2)
    items = [{**item(said("verdict", "worse")), "key": str(number)} for number in range(3)]
    recorded(config, *items)
    recorded(config, *items)
    assert sorted(trace.info.tags["zantara.key"] for trace in found(config)) == list("012")
    assert all(assessments(trace) == {("verdict", "ayu"): ("worse", "")} for trace in found(config))


def queue(config: Config) -> tuple[list[str], list[tuple[str, str | None]]]:
    """Users of MLflow's review queue, and of each item its status and who completed it."""
    from mlflow.genai import review_queues

    client = connect(config.tracking, Layout(config).mlruns)
    experiment = client.get_experiment_by_name(f"{config.tracking.experiment} operations")
    assert experiment is not None
    made = review_queues.get_review_queue(name="review:abc", experiment_id=experiment.experiment_id)
    items = review_queues.list_review_queue_items(made.queue_id)
    return sorted(made.users), [(str(each.status), each.completed_by) for each in items]


def test_a_review_queue_says_who_is_asked_and_what_is_done(config: Config) -> None:
    disputed = item(said("verdict", "worse"), said("verdict", "equivalent", "budi"))
    recorded(config, {**disputed, "asked": ["Boss"], "done_by": ""})
    assert queue(config) == (["boss"], [("pending", None)])
    recorded(config, {**disputed, "asked": ["ayu", "budi"], "done_by": "boss"})
    assert queue(config) == (["ayu", "budi"], [("complete", "boss")])
