from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.analysis import logs
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import Config, compose

SCRIPT = Path(__file__).parents[2] / "scripts" / "analyze_shadow_mode_logs.py"


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("analyze_shadow_mode_logs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_plans_flags_are_overrides(script: Any) -> None:
    assert script.overrides(["--date", "2025-11-03"])[1:] == ["report.since='2025-11-03'", "as_of='2025-11-03'"]
    given = ["--date-range", "2025-10-27", "2025-11-02", "--export-report", "./reports/it's week=1, new.html"]
    composed = compose(script.overrides(given + ["--log-dir", "a b/c", "--", "cost.monthly_requests=5"]))
    assert composed.stage.name == "report"
    assert (composed.report.since, composed.as_of) == ("2025-10-27", "2025-11-02")
    assert composed.report.export == "./reports/it's week=1, new.html"
    assert (composed.paths.logs, composed.cost.monthly_requests) == ("a b/c", 5)
    assert compose(script.overrides(["--stats-only"])).report.stats_only


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--date", "yesterday"], "write it as YYYY-MM-DD"),
        (["--date-range", "2025-11-02", "2025-10-27"], "lies after"),
        (["--stats-only", "--export-report", "x.html"], "writes no page"),
        (["--date", "2025-11-02", "--date-range", "2025-11-02", "2025-11-02"], "not allowed with"),
    ],
)
def test_flags_that_contradict_are_refused(
    script: Any, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        script.overrides(flags)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_it_runs(script: Any, config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    logs.write(Path("elsewhere"), logs.Plan(days=2, per_day=20))
    flags = ["--log-dir", "elsewhere", "--date", "2025-10-21", "--export-report", "out/day.html"]
    assert run_overrides(script.overrides(flags)) == 0
    assert "20 of" in capsys.readouterr().out
    assert "data-plot" in Path("out/day.html").read_text()
    assert run_overrides(script.overrides(["--log-dir", "nowhere"])) == 1
    assert "stage=shadow" in capsys.readouterr().err
