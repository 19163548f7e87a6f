"""`scripts/bench extract` on few rows: it measures what it says, whatever the figures."""

import pytest

from tools.bench.extract import SCHEMAS, TURNS, run


@pytest.mark.slow
def test_both_schemas_are_read_whole() -> None:
    report = run(1_000, 7)
    assert [table.title for table in report.tables] == [*(f"{name}, 1000 rows" for name in SCHEMAS), "loading"]
    for table in report.tables[: len(SCHEMAS)]:
        assert [row[1] for row in table.rows] == ["1000", "1000", "999"]
    assert len(report.goals) == 2 * len(SCHEMAS)
    assert TURNS % 2  # a median of an odd number is one that was measured
