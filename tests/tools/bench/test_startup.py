"""The start-up bench times real commands and sees what they import."""

from pathlib import Path

import pytest

from tools.bench.startup import _timed


@pytest.mark.interpreter
def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    seconds, modules, heavy = _timed(["--help"], tmp_path, repeats=1, seed=7)
    assert len(seconds) == 1
    assert modules > 50
    assert heavy == []


@pytest.mark.slow
def test_what_is_heavy_is_seen(tmp_path: Path) -> None:
    _, _, heavy = _timed(["stage=gate"], tmp_path, repeats=1, seed=7)
    assert "mlflow" in heavy
