"""The same numbers on DuckDB and on Spark. `scripts/extras spark` installs what Spark needs."""

from __future__ import annotations

import copy
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.analysis import logs
from zantara_exp import spark
from zantara_exp.analysis import engine
from zantara_exp.analysis.engine import DuckDB, fetched, first_value
from zantara_exp.analysis.evidence import evidence
from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.summary import summary
from zantara_exp.config import Config, compose
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.core.layout import Layout
from zantara_exp.gates.evidence import EvidenceRequest, UserDays
from zantara_exp.spark import spark_lacks

needs_spark = pytest.mark.skipif(
    bool(spark_lacks()), reason=f"Spark cannot run here: it needs {spark_lacks()}; next: scripts/extras spark"
)


def flattened(value: Any, path: str = "") -> dict[str, Any]:
    """Nested values by their path, so that numbers can be compared one by one."""
    if isinstance(value, dict):
        return {name: found for key in value for name, found in flattened(value[key], f"{path}.{key}").items()}
    if isinstance(value, list | tuple):
        return {name: found for n, item in enumerate(value) for name, found in flattened(item, f"{path}.{n}").items()}
    return {path: value}


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for path, value in one.items():
        if isinstance(value, float):
            assert other[path] == pytest.approx(value, rel=1e-9, abs=1e-12), path
        else:
            assert other[path] == value, path  # counts, histograms, names: identical


def test_what_is_written_once_is_asked_of_each_log_anew(tmp_path: Path) -> None:
    """SQL is kept, and no answer; a value, a type or a column that differs is another expression."""
    logs_of = {"a": [1, 2, 3], "b": [10, 20, 30], "c": [0.5, 2.0, 3.0]}
    found = {}
    engine._sql.cache_clear()
    for name, values in logs_of.items():
        pq.write_table(pa.table({"x": values}), tmp_path / f"{name}.parquet")
        duckdb = DuckDB()
        view = duckdb.view("facts", duckdb.read([tmp_path / f"{name}.parquet"]))
        above = [first_value(view.filter(view.x > least).x.sum()) for least in (1, 1.5, 2, 20)]
        found[name] = [*above, fetched(view.mutate(y=view.x * 2))["y"].to_pylist()]
        duckdb.close()
    assert found["a"] == [5, 5, 3, None, [2, 4, 6]]
    assert found["b"] == [60, 60, 60, 30, [20, 40, 60]]
    assert found["c"] == [5, 5, 3, None, [1, 4, 6]]
    assert engine._sql.cache_info().hits == 6  # all of b: a's types, and other rows


@needs_spark
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")
def test_spark_gives_the_same_numbers(config: Config, layout: Layout) -> None:
    logs.both_versions(layout.logs)
    odd = {"response": " \t...\n", "model": "m", "tokens_input": 1, "tokens_output": None, "latency_ms": -3.0}
    logs.write(layout.logs, logs.Plan(days=1, start=4, per_day=3, seed=77, extra={"candidate": odd}))
    on_spark = copy.deepcopy(config)
    on_spark.engine = compose(["engine=spark"]).engine
    on_spark.paths.state = "spark"  # so that it starts from the log as well
    place = Layout(on_spark)
    asked = [EvidenceRequest("latency_ms", 1500.0), EvidenceRequest("similar"), EvidenceRequest("savings")]
    with open_log(config, layout) as ours, open_log(on_spark, place) as theirs:
        assert ours.bad == theirs.bad
        assert len(ours.bad) == 12
        assert_same(flattened(asdict(summary(ours, config))), flattened(asdict(summary(theirs, on_spark))))
    told = evidence(asked, None, config, layout), evidence(asked, None, on_spark, place)
    for mine, other in zip(*told, strict=True):
        assert type(mine) is type(other)
        if isinstance(mine, UserDays) and isinstance(other, UserDays):
            assert_same(columns(mine), columns(other))


@pytest.mark.slow
@needs_spark
def test_spark_says_nothing_of_its_own_start(layout: Layout) -> None:
    logs.write(layout.logs, replace(logs.Plan(), days=1, per_day=3))
    command = [sys.executable, "-m", "zantara_exp", "stage=report", "engine=spark", "report.stats_only=true"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()
    # the Java runtime says this before it reads any setting
    assert [line for line in said if "incubator modules" not in line] == []


def columns(days: UserDays) -> dict[str, Any]:
    arrays = {name: getattr(days, name) for name in ("day", "trials", "total", "baseline")} | dict(days.segments)
    return flattened({name: array.tolist() for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    ("found", "java", "lacking"),
    [(None, "/usr/bin/java", "the package pyspark"), (object(), None, "Java (17 or newer)")],
)
def test_what_spark_lacks_is_said(
    monkeypatch: pytest.MonkeyPatch, config: Config, layout: Layout, found: object, java: str | None, lacking: str
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(spark, "find_spec", lambda _: found)
    monkeypatch.setattr(spark.shutil, "which", lambda _: java)
    logs.write(layout.logs, replace(logs.Plan(), days=1, per_day=3))
    config.engine.name = "spark"
    with pytest.raises(MissingRequirementError, match=r"engine=spark needs") as raised:
        with open_log(config, layout):
            pass
    assert lacking in str(raised.value)
