"""The start-up bench times real commands and sees what they import until they have answered."""

from pathlib import Path

import pytest

from tools.bench import analysis_log
from tools.bench.startup import timed


@pytest.mark.interpreter
def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    (found,) = timed(["--help"], tmp_path, repeats=1, seed=7)
    assert found.modules > 50
    assert list(found.heavy) == []


@pytest.mark.slow
@pytest.mark.interpreter
def test_a_verdict_is_shown_before_mlflow_and_pandas_are_imported(tmp_path: Path) -> None:
    analysis_log.write(tmp_path / "logs" / "shadow_mode", 600, 7)
    first, again = timed(["stage=gate"], tmp_path, repeats=2, seed=7)
    assert {"duckdb", "ibis"} <= {*again.heavy}  # it saw the log
    assert not {"mlflow", "pandas", "scipy.stats", "torch", "datasets"} & {*again.heavy}
    assert "mlflow" not in first.heavy  # which compacts the log, by Arrow, and that imports pandas
    assert again.seconds < again.ended
    assert (tmp_path / "mlruns" / "mlflow.db").is_file()  # it was recorded
    assert list((tmp_path / ".zantara" / "pending" / "local").iterdir()) == []


@pytest.mark.slow
@pytest.mark.interpreter
def test_what_a_gate_is_checked_by_is_not_heavy(tmp_path: Path) -> None:
    quick = ["stage=check", "gate=week1", "gate.traffic.simulations=200"]
    (found,) = timed(quick, tmp_path, repeats=1, seed=7)
    assert list(found.heavy) == []
