"""From a number to the pairs behind it: what people and a judge said of comparisons, in the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.analysis import logs
from tests.analysis.test_report import run
from zantara_exp.config import Config
from zantara_exp.core.layout import Layout


def judged(line: dict[str, Any], verdict: str | None, reason: str = "stiff") -> dict[str, Any]:
    said = {"verdict": verdict, "opinion": verdict and {"reason": reason}}
    about = {"judge": "j1", "epoch": "e1", "user": line["comparison_id"], "model": "claude-x"}
    return {"comparison_id": line["comparison_id"], **about, **said}


def label(line: dict[str, Any], reviewer: str, verdict: str, comment: str = "", bug: bool = False) -> dict[str, Any]:
    said = {"reviewer": reviewer, "verdict": verdict, "comment": comment, "critical_bug": bug, "sample": "s", "pair": 1}
    return {"comparison_id": line["comparison_id"], **said}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_number_leads_to_its_pairs_with_who_said_what_and_why(layout: Layout, config: Config) -> None:
    made = [m for m in logs.write(layout.logs, logs.Plan(days=1, per_day=60, success=1.0)) if m["category"] == "casual"]
    agreed, split, fine = made[:3]
    write(
        layout.judged,
        [
            judged(agreed, "worse"),
            judged(split, "equivalent"),
            judged(fine, "better"),
            judged(made[3], None),
        ],
    )
    write(
        layout.review_labels,
        [
            label(agreed, "ayu", "worse", "<b>cold</b> write to ayu@example.com", bug=True),
            label(split, "ayu", "worse", "too long"),
            label(split, "budi", "equivalent"),
            label(fine, "budi", "cannot_judge"),
        ],
    )
    config.report.pairs = 5
    result = run(config)

    (table,) = [table for table in result.tables if table.title == "Found worse"]
    rows = {(row[0], row[1]): row[2:] for row in table.rows}
    assert rows["review", "all"] == ["2", "1", "50.0 %"]  # one of two says worse: not most of them
    assert rows["judge", "all"] == ["3", "1", "33.3 %"]
    assert ("judge", "category=casual") in rows

    page = layout.report.read_text()
    part = page[page.index("What was found worse") : page.index("What people would have read")]
    assert part.index(split["candidate"]["response"].split()[0]) >= 0
    assert part.index("critical bug: &lt;b&gt;cold") < part.index(
        "too long"
    )  # what people settled as worse comes first
    assert "<b>ayu</b>: worse" in part
    assert "<b>claude-x</b>: equivalent – stiff" in part
    assert "ayu@example.com" not in page
    assert part.count('class="pair"') == 2


def test_without_opinions_the_report_says_nothing_of_them(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, logs.Plan(days=1, per_day=20))
    result = run(config)
    assert "Found worse" not in [table.title for table in result.tables]
    assert "What was found worse" not in layout.report.read_text()
