"""What would move of a log's traffic: evidence is of that alone, and the rest is shown by reason."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.analysis.test_report import run
from tests.shadow.examples import comparison
from zantara_exp.analysis.evidence import evidence, would_move
from zantara_exp.analysis.movable_share import Part, moving
from zantara_exp.config import Config
from zantara_exp.core.layout import Layout
from zantara_exp.cost.usage import Usage
from zantara_exp.gates.evidence import EvidenceRequest, Missing, Moving, Number, UserDays
from zantara_exp.shadow.record import ONLY_PRIMARY, Comparison, Scope, Side, comparison_id, to_line

CHEAP, DEAR = (100, 20), (300, 60)
"""Tokens read and written."""


def line(number: int, scope: Scope, arm: str = "candidate", primary: dict[str, Any] | None = None) -> Comparison:
    made = comparison(number, scope=scope, arm=arm)
    made = replace(made, comparison_id=comparison_id(made.request_id, made.epoch, arm))
    tokens = DEAR if scope.why_not == "tools" else CHEAP
    side = replace(made.primary, model="claude-haiku-4-5", usage=Usage(tokens[0], output=tokens[1]))
    made = replace(made, primary=replace(side, **primary or {}))
    return replace(made, candidate=Side(), messages=[], query="") if arm == ONLY_PRIMARY else made


def write(layout: Layout, lines: list[Comparison]) -> None:
    layout.logs.mkdir(parents=True)
    (layout.logs / "shadow_comparison_2025-10-21.jsonl").write_bytes(b"".join(map(to_line, lines)))


@pytest.fixture
def mixed(layout: Layout, config: Config) -> Layout:
    """Ten that would move, one of whose clients went away; six with tools, one of them mirrored; four of business."""
    moves, tools, business = Scope(True), Scope(False, "tools"), Scope(False, "category_business")
    failed = replace(line(30, tools), candidate=Side(error="timeout"))
    gone = {"error": "client_gone", "usage": Usage()}
    write(
        layout,
        [
            *(line(number, moves) for number in range(9)),
            line(9, moves, ONLY_PRIMARY, gone),
            *(line(number, tools, ONLY_PRIMARY) for number in range(10, 15)),
            failed,
            *(line(number, business, ONLY_PRIMARY) for number in range(20, 24)),
        ],
    )
    return layout


def test_criteria_look_at_what_would_move_and_nothing_else_is_lost(mixed: Layout, config: Config) -> None:
    success, count = evidence([EvidenceRequest("success"), EvidenceRequest("comparisons")], None, config, mixed)
    assert isinstance(success, UserDays)
    assert (success.trials.sum(), success.total.sum(), success.lost_per_day) == (9, 9, {})
    assert count == Number(9.0)


def test_shares_of_traffic_and_cost(mixed: Layout, config: Config) -> None:
    found = would_move(config, mixed)
    assert found is not None
    assert (found.requests, found.movable) == (20, 10)
    assert found.why_not == {"tools": 6, "category_business": 4}
    # Nine cheap ones of known cost, of 9 + 4 cheap ones and six thrice as dear.
    assert found.cost_share == pytest.approx(9 / (9 + 4 + 3 * 6))
    assert str(found) == "50.0 % of 20 requests, 29.0 % of their cost (not tools: 6, category_business: 4)"


def test_the_report_shows_it_by_reason(mixed: Layout, config: Config) -> None:
    shown = run(config)
    assert shown.summary["would move"].startswith("50.0 % of 20 requests, 29.0 % of their cost")
    assert shown.summary["comparisons"].startswith("9 of 7 users")
    assert "not measured" not in shown.summary
    (table,) = [each for each in shown.tables if each.title == "What a rollout would move, and what not"]
    assert [row[:3] + row[4:] for row in table.rows] == [
        ["would move", "9", "45.0 %", "29.0 %"],
        ["would move: client_gone", "1", "5.0 %", "0.0 %"],
        ["stays with the primary: tools", "6", "30.0 %", "58.1 %"],
        ["stays with the primary: category_business", "4", "20.0 %", "12.9 %"],
    ]
    assert table.title in Path("reports/report.html").read_text()


def test_a_log_of_requests_that_nobody_would_move_is_no_evidence_and_says_why(layout: Layout, config: Config) -> None:
    write(layout, [line(number, Scope(False, "tools"), ONLY_PRIMARY) for number in range(5)])
    (found,) = evidence([EvidenceRequest("success")], None, config, layout)
    assert isinstance(found, Missing)
    assert found.reason.startswith("no request of the log is evidence, because a rollout would move none of them")
    assert "(tools: 5)" in found.reason
    assert would_move(config, layout) == Moving(5, 0, pytest.approx(5 * (300 * 1 + 60 * 5) / 1e6), 0.0, {"tools": 5})


def test_a_log_that_does_not_note_it_counts_as_before(layout: Layout, config: Config) -> None:
    old = to_line(line(1, Scope())).replace(b'"schema_version":3', b'"schema_version":2')
    layout.logs.mkdir(parents=True)
    (layout.logs / "shadow_comparison_2025-10-21.jsonl").write_bytes(
        old.replace(b',"scope":{"movable":null,"why_not":null}', b"")
    )
    assert evidence([EvidenceRequest("comparisons")], None, config, layout) == [Number(1.0)]
    found = would_move(config, layout)
    assert found is not None
    assert (found.requests, str(found)) == (0, "not known: the log does not note it")


def test_parts_in_short() -> None:
    found = moving([
        Part(True, True, "", 6, 6, 0.3), Part(True, True, "client_gone", 1, 0, 0.0),
        Part(True, False, "tools", 3, 3, 0.7), Part(False, True, "", 90, 90, 9.0),
    ])  # fmt: skip
    assert found == Moving(10, 7, 1.0, 0.3, {"tools": 3})
    assert (found.share, found.cost_share) == (0.7, 0.3)
    assert moving([]).share is None
