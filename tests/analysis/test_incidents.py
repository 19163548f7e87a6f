"""A count of zero blocking errors is evidence only when somebody looked."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from zantara_exp.analysis.incidents import blocking_errors
from zantara_exp.gates.evidence import Missing, Number

LAST = date(2025, 11, 3)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('{"checked_through": "2025-11-03"}\n', 0.0),
        ('{"day": "2025-11-01", "kind": "blocking_error"}\n', 1.0),
        ('{"day": "2025-11-04", "kind": "blocking_error"}\n{"checked_through": "2025-11-04"}\n', 0.0),
        ('{"day": "2025-11-01", "kind": "typo"}\n\n{"checked_through": "2025-11-05"}', 0.0),
    ],
)
def test_what_was_noted_is_counted(tmp_path: Path, lines: str, expected: float) -> None:
    path = tmp_path / "incidents.jsonl"
    path.write_text(lines)
    assert blocking_errors(path, LAST) == Number(expected)


@pytest.mark.parametrize(
    "lines", [None, "", '{"checked_through": "2025-11-02"}', "not json", "3", '{"day": "yesterday"}']
)
def test_what_nobody_looked_at_is_missing(tmp_path: Path, lines: str | None) -> None:
    path = tmp_path / "incidents.jsonl"
    if lines is not None:
        path.write_text(lines)
    assert isinstance(blocking_errors(path, LAST), Missing)
