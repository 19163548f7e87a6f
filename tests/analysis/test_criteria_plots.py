from __future__ import annotations

from typing import Any

from zantara_exp.analysis.criteria_plots import history


def look(number: int, **more: Any) -> dict[str, Any]:
    known = {"gate": "go_no_go", "verdict": "NO_GO", "epoch": "e1", "requests": 1234.0, "users": 5}
    return {**known, "as_of": f"2025-11-{number:02d}", "time": f"2025-12-{number:02d}T10:11:12+00:00", **more}


def test_the_newest_verdicts_are_shown_newest_first() -> None:
    shown = history([look(number) for number in range(1, 21)])
    assert shown is not None
    assert len(shown.rows) == 12
    assert shown.rows[0] == ["2025-12-20 10:11", "go_no_go", "NO-GO", "2025-11-20", "e1", "1,234", "5"]
    assert shown.rows[-1][3] == "2025-11-09"


def test_looks_of_an_older_version_are_left_out() -> None:
    assert history([look(1, verdict="")]) is None
    assert history([]) is None
