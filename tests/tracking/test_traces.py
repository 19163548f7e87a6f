"""Traces with assessments reach MLflow once, and are brought up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zantara_exp.config import Config
from zantara_exp.layout import Layout
from zantara_exp.tracking import open_run
from zantara_exp.tracking._store import connect

# MLflow warns of its own type hints when it starts a first span.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")


@pytest.fixture
def config(workdir: Path) -> Config:
    return Config()


def said(name: str, value: object, source: str = "ayu", rationale: str = "") -> dict[str, Any]:
    return {"name": name, "value": value, "rationale": rationale, "source": source, "source_type": "HUMAN"}


def item(*assessments: dict[str, Any]) -> dict[str, Any]:
    shown = {"inputs": {"question": "Ciao?"}, "outputs": {"A": "Ciao!", "B": "<b>Salve</b>"}}
    return {"key": "1", **shown, "tags": {"language": "it"}, "assessments": list(assessments)}


def recorded(config: Config, *items: dict[str, Any]) -> str:
    with open_run(config.tracking, Layout(config), "review", {}) as run:
        run.traces("review:abc", items)
        return run.run_id


def found(config: Config) -> list[Any]:
    client = connect(config.tracking, Layout(config).mlruns)
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    assert experiment is not None
    return list(client.search_traces(locations=[experiment.experiment_id]))


def assessments(trace: Any) -> dict[tuple[str, str], tuple[object, str | None]]:
    return {(one.name, one.source.source_id): (one.value, one.rationale) for one in trace.info.assessments}


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
