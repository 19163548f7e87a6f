"""`scripts/bench analysis` on few rows: every way of reading them gives the same numbers, whatever the figures."""

import pytest

from tools.bench.analysis import run


@pytest.mark.slow
def test_every_way_gives_the_same_numbers() -> None:
    report = run(3_000, 7)
    assert {row[0] for row in report.tables[0].rows} >= {"loop", "ours", "query"}
    met = {goal.what: goal.met for goal in report.goals}
    assert met["days read again when one has grown"]
    assert all(good for what, good in met.items() if what.startswith("Spark"))
