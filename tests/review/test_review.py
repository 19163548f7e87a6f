"""From the log to labels to evidence, as reviewers and gate use it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.analysis import logs
from zantara_exp.analysis.log import open_log
from zantara_exp.config import Config
from zantara_exp.config.decision import Checks, Review
from zantara_exp.config.gate import Criterion, Gate, Threshold
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.gates.criteria import decide
from zantara_exp.gates.decision import FAIL, PASS
from zantara_exp.gates.evidence import Evidence, EvidenceRequest, Judgements, Missing, Number, Reviews
from zantara_exp.gates.rules import resolve
from zantara_exp.review.adjudication import panel
from zantara_exp.review.evidence import evidence
from zantara_exp.review.labels import Label, load, merge, unblinded, withdraw
from zantara_exp.review.sample import IDENTICAL, OTHER, Sample, blinded, save
from zantara_exp.review.sample import load as load_sample
from zantara_exp.review.sheet import read, sheet
from zantara_exp.review.stage import review

Row = dict[str, str]
GO = Threshold(above=0.8)
PLAN = logs.Plan(days=3, per_day=120, success=0.95)


class Record:
    run_id = "run-1"

    def __init__(self) -> None:
        self.sent: dict[str, list[dict[str, Any]]] = {}

    def traces(self, group: str, items: list[dict[str, Any]]) -> None:
        self.sent[group] = items


def run(config: Config, record: Record | None = None) -> StageResult:
    return review(config, Context(config, record or Record(), Path.cwd()))  # type: ignore[arg-type]


def drawn(config: Config, layout: Layout) -> Sample:
    if not layout.logs.is_dir():
        logs.write(layout.logs, PLAN)
    run(config)
    return load_sample(layout.review_sample)


def filled(layout: Layout, fill: Callable[[int, Row], None], path: str = "filled.csv") -> str:
    """The worksheet as a reviewer saves it."""
    rows = list(csv.DictReader(io.StringIO(layout.review_sheet.read_text(encoding="utf-8-sig"), newline="")))
    for number, row in enumerate(rows):
        fill(number, row)
    with Path(path).open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def labelled(config: Config, fill: Callable[[int, Row], None], layout: Layout, reviewer: str = "ayu") -> StageResult:
    config.review.labels, config.review.reviewer = filled(layout, fill), reviewer
    try:
        return run(config)
    finally:
        config.review.labels = None


def all_same(number: int, row: Row) -> None:
    row["better"] = "same"


def said(config: Config, layout: Layout, metric: str = "review_equivalent", until: date | None = None) -> Evidence:
    return evidence([EvidenceRequest(metric)], until, config, layout)[0]


def reason(found: Evidence) -> str:
    assert isinstance(found, Missing)
    return found.reason


def test_the_sample_covers_what_would_move(config: Config, layout: Layout) -> None:
    sample = drawn(config, layout)
    assert len(sample.items) == 20
    assert {item.category for item in sample.items} == {"greeting", "casual"}
    assert all(item.answer_a and item.answer_b for item in sample.items)
    assert sample.epoch == "e2"


def test_the_language_is_the_one_that_the_facts_detect(config: Config, layout: Layout) -> None:
    logs.write(layout.logs, replace(PLAN, version=1))  # which names none
    with open_log(config, layout) as log:
        facts = log.facts.select("comparison_id", "language").to_pyarrow().to_pylist()
    detected = {row["comparison_id"]: row["language"] for row in facts}
    items = drawn(config, layout).items
    assert {item.comparison_id: item.language for item in items}.items() <= detected.items()
    assert len({item.language for item in items}) > 1


def test_the_worksheet_does_not_tell_the_sides(config: Config, layout: Layout) -> None:
    sample = drawn(config, layout)
    text = layout.review_sheet.read_text(encoding="utf-8-sig")
    for word in ("candidate", "primary", "claude", "zantara", *(item.comparison_id for item in sample.items)):
        assert word not in text


def test_a_second_run_keeps_the_sample(config: Config, layout: Layout) -> None:
    first = drawn(config, layout)
    logs.write(layout.logs, replace(PLAN, start=3, seed=9))
    assert drawn(config, layout) == first
    config.force = True
    second = drawn(config, layout)
    assert second != first
    assert load_sample(layout.review_sample.with_name(f"sample-{first.hash}.json")) == first


def test_another_epoch_draws_another_sample(config: Config, layout: Layout) -> None:
    drawn(config, layout)
    labelled(config, all_same, layout)
    logs.write(layout.logs, replace(PLAN, start=3, seed=9, epoch="e3"))
    assert "review is of candidate e2, the log is at e3" in reason(said(config, layout))
    assert drawn(config, layout).epoch == "e3"
    assert "no review" in reason(said(config, layout))


def test_labels_are_unblinded_and_counted(config: Config, layout: Layout) -> None:
    keys = [item.candidate for item in drawn(config, layout).items]

    def fill(number: int, row: Row) -> None:
        other = {"A": "B", "B": "A"}[keys[number]]
        answers = [keys[number].lower(), "same", other, "cannot", ""]
        row["better"] = answers[number % 5]
        row["warmth"] = "both"

    result = labelled(config, fill, layout)
    assert result.summary["labelled"] == "16 of 20 pairs, by ayu"
    assert said(config, layout) == Reviews(8, 4, 4, 4, load_sample(layout.review_sample).hash)
    assert "4 of 20 pairs have not been read" in reason(said(config, layout, "critical_bugs"))
    assert load(layout.review_labels)[0].rubric["warmth"]


def test_verdicts_become_assessments_that_do_not_name_the_sides(config: Config, layout: Layout) -> None:
    sample = drawn(config, layout)

    def fill(number: int, row: Row) -> None:
        if number < 2:
            row.update({"better": "A", "critical_bug": "B", "warm": "both", "comment": "rude"})

    labelled(config, fill, layout)
    record = Record()
    config.review.labels, config.review.reviewer = filled(layout, fill), "budi"
    run(config, record)
    ((group, traces),) = record.sent.items()
    assert (group, [trace["key"] for trace in traces]) == (f"review:{sample.hash}", ["1", "2"])
    item, trace = sample.items[0], traces[0]
    verdict = "better" if item.candidate == "A" else "worse"
    assert trace["outputs"] == {"A": item.answer_a, "B": item.answer_b}
    found = {(one["name"], one["source"]): (one["value"], one["rationale"]) for one in trace["assessments"]}
    for reviewer in ("ayu", "budi"):
        assert found["verdict", reviewer] == (verdict, "rude")
        assert found["critical_bug", reviewer] == ("B", "")
        assert found["warm", reviewer] == ("AB", "")
        assert found["natural", reviewer] == ("neither", "")
    assert found["settled", "zantara-exp"] == (verdict, "")
    assert (trace["asked"], trace["done_by"]) == (["ayu", "budi"], "budi")
    assert {"candidate", "primary"}.isdisjoint({*trace["inputs"], *trace["outputs"], *trace["tags"]})


def test_a_bug_of_the_candidate_counts_at_once(config: Config, layout: Layout) -> None:
    keys = [item.candidate for item in drawn(config, layout).items]

    def fill(number: int, row: Row) -> None:
        if number < 2:
            row["better"] = "same"
            # in the first pair the primary has the bug
            row["critical_bug"] = keys[number] if number else {"A": "B", "B": "A"}[keys[number]]

    labelled(config, fill, layout)
    assert said(config, layout, "critical_bugs") == Number(1.0)


def test_no_bug_is_known_once_all_were_read(config: Config, layout: Layout) -> None:
    drawn(config, layout)
    labelled(config, all_same, layout)
    assert said(config, layout, "critical_bugs") == Number(0.0, 20)
    assert said(config, layout) == Reviews(20, 0, 0, 0, load_sample(layout.review_sample).hash)


def test_drawing_again_does_not_undo_a_bad_review(
    config: Config, layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = drawn(config, layout)

    def bad(number: int, row: Row) -> None:
        worse = {"A": "B", "B": "A"}[first.items[number].candidate]
        row.update(better=worse, critical_bug=first.items[number].candidate if number == 0 else "")

    labelled(config, bad, layout)
    assert said(config, layout) == Reviews(0, 20, 0, 0, first.hash)
    monkeypatch.setattr(config, "force", True)
    monkeypatch.setattr(config, "seed", 8)
    run(config)
    assert "another sample of this candidate has 20 labels" in " ".join("".join(capsys.readouterr()).split())
    assert "what was drawn first counts" in reason(said(config, layout))
    assert said(config, layout, "critical_bugs") == Number(1.0)
    monkeypatch.setattr(config, "force", False)
    labelled(config, all_same, layout)
    second = load_sample(layout.review_sample)
    assert second.hash != first.hash
    assert f"review.jsonl holds 20 of {first.hash}" in reason(said(config, layout))
    assert said(config, layout, "critical_bugs") == Number(1.0)

    criterion = Criterion("review_equivalent", "review", go=Threshold(above=0.8), method="exact", looks=2)
    config.gate.criteria = {"review": criterion}
    assert said(config, layout) == Reviews(20, 0, 0, 0, second.hash)
    config.gate.criteria = {}
    kept = layout.review_sample.with_name(f"sample-{first.hash}.json")
    kept.write_text(kept.read_text().replace(f'"{first.epoch}"', '"e1"'))
    assert "what was drawn first counts" in reason(said(config, layout))
    assert said(config, layout, "critical_bugs") == Number(1.0)


def test_a_sample_that_nobody_labelled_may_be_drawn_again(
    config: Config, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(config, layout)
    monkeypatch.setattr(config, "seed", 8)
    monkeypatch.setattr(config, "force", True)
    run(config)
    monkeypatch.setattr(config, "force", False)
    labelled(config, all_same, layout)
    assert said(config, layout) == Reviews(20, 0, 0, 0, load_sample(layout.review_sample).hash)


def test_without_a_review_the_reason_says_what_to_run(config: Config, layout: Layout) -> None:
    for metric in ("review_equivalent", "critical_bugs"):
        assert "stage=review" in reason(said(config, layout, metric))
    drawn(config, layout)
    assert "stage=review" in reason(said(config, layout))


def test_an_earlier_day_does_not_know_the_review(config: Config, layout: Layout) -> None:
    drawn(config, layout)
    labelled(config, all_same, layout)
    assert "after 2025-10-20" in reason(said(config, layout, until=date(2025, 10, 20)))


def test_a_changed_sample_and_unblinded_labels_are_no_evidence(config: Config, layout: Layout) -> None:
    drawn(config, layout)
    labelled(config, all_same, layout)
    whole = layout.review_labels.read_text()
    layout.review_labels.write_text(whole.replace('"blind": true', '"blind": false', 1))
    assert "unblinded" in reason(said(config, layout))
    layout.review_labels.write_text(whole)
    content = json.loads(layout.review_sample.read_text())
    content["items"][0]["candidate"] = {"A": "B", "B": "A"}[content["items"][0]["candidate"]]
    layout.review_sample.write_text(json.dumps(content))
    assert "changed after it was drawn" in reason(said(config, layout))
    with pytest.raises(ZantaraError, match="changed after it was drawn"):
        run(config)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("answer_a", "a nicer answer", "answer_a is not what was drawn"),
        ("sample", "0123456789abcdef", "belongs to another sample"),
        ("pair", "99", "belongs to another sample"),
        ("pair", "2", "is not what was drawn"),
        ("better", "C", "better='C'; valid are A, B, same, cannot"),
        ("critical_bug", "yes", "valid are A, B, both, neither"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(
    config: Config, layout: Layout, column: str, value: str, message: str
) -> None:
    drawn(config, layout)

    def fill(number: int, row: Row) -> None:
        row["better"] = "same"
        if number == 0:
            row[column] = value

    with pytest.raises(ZantaraError, match=message):
        labelled(config, fill, layout)
    assert not layout.review_labels.exists()


def test_what_spreadsheets_do_to_text_is_forgiven(config: Config, layout: Layout) -> None:
    drawn(config, layout)

    def fill(number: int, row: Row) -> None:
        row["better"] = " SAME "
        row["answer_a"] = row["answer_a"].replace(" ", "  ") + "\r\n"

    assert labelled(config, fill, layout).metrics["review/equivalent"] == 20


def test_a_formula_in_a_chat_stays_text(config: Config, layout: Layout) -> None:
    side = {"model": "m", "provider": "p", "tokens_input": 1, "tokens_output": 1, "latency_ms": 5.0, "error": None}
    logs.write(layout.logs, replace(PLAN, extra={"candidate": side | {"response": "=HYPERLINK(1)"}, "query": "@sum"}))
    drawn(config, layout)
    text = layout.review_sheet.read_text(encoding="utf-8-sig")
    assert "HYPERLINK" in text
    assert not [cell for row in csv.reader(io.StringIO(text)) for cell in row if cell.startswith(("=", "@"))]
    assert labelled(config, all_same, layout).metrics["review/equivalent"] == 20


def test_no_file_and_no_entry_are_said(config: Config, layout: Layout) -> None:
    drawn(config, layout)
    with pytest.raises(ZantaraError, match="no filled-in row"):
        labelled(config, lambda number, row: None, layout)
    config.review.labels = "nowhere.csv"
    with pytest.raises(MissingInputError, match="nowhere.csv does not exist"):
        run(config)


def label(reviewer: str, verdict: str, pair: int = 1) -> Label:
    return Label("s", pair, "c", reviewer, verdict, False)


def test_a_later_word_replaces_the_earlier(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    merge(path, [label("ayu", "worse"), label("budi", "worse")])
    merge(path, [label("ayu", "better")])
    assert [(found.reviewer, found.verdict) for found in load(path)] == [("ayu", "better"), ("budi", "worse")]


def test_a_comment_may_hold_what_ends_a_line_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    first = replace(label("ayu", "worse"), comment="one\u2028two\x85three\x0bfour", critical_bug=True)
    merge(path, [first])
    merge(path, [label("budi", "better")])
    assert load(path) == [first, label("budi", "better")]


@pytest.mark.parametrize("line", [b'{"torn', b'{"sample": 1}', b"[]", b'{"\xff": 1}'])
def test_a_line_that_cannot_be_read_is_named_and_never_dropped(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "labels.jsonl"
    merge(path, [label("ayu", "worse")])
    whole = path.read_bytes() + line + b"\n"
    path.write_bytes(whole)
    changes = (lambda: merge(path, [label("budi", "better")])), (lambda: withdraw(path, "s", 1, "ayu"))
    for change in (lambda: load(path), *changes):
        with pytest.raises(ZantaraError, match="labels.jsonl, line 2, is no label"):
            change()
    assert path.read_bytes() == whole


def test_a_line_that_cannot_be_read_is_missing_evidence(config: Config, layout: Layout) -> None:
    drawn(config, layout)
    labelled(config, all_same, layout)
    with layout.review_labels.open("ab") as file:
        file.write(b"\xff\n")
    for metric in ("review_equivalent", "critical_bugs"):
        assert "review.jsonl, line 21, is no label" in reason(said(config, layout, metric))


_REVIEWER = """
import sys
from pathlib import Path
from zantara_exp.review.labels import Label, merge, withdraw
path, name = Path(sys.argv[1]), sys.argv[2]
for pair in range(40):
    merge(path, [Label("s", pair, "c", name, "worse", False)])
    merge(path, [Label("s", pair, "c", name + " twice", "worse", False)])
    withdraw(path, "s", pair, name + " twice")
"""


def test_reviewers_in_several_processes_lose_no_label(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    command = [sys.executable, "-c", _REVIEWER, str(path)]
    working = [subprocess.Popen([*command, name]) for name in ("ayu", "budi", "citra")]
    assert [one.wait() for one in working] == [0, 0, 0]
    found = {(label.reviewer, label.pair) for label in load(path)}
    assert found == {(name, pair) for name in ("ayu", "budi", "citra") for pair in range(40)}


def test_of_a_review_in_looks_the_first_pairs_are_read_for_bugs(config: Config, layout: Layout) -> None:
    """Once the first ten are labelled, a gate looks at them, whatever is left open after them."""
    config.gate.criteria["quality"].look_at = [10, 20]
    drawn(config, layout)
    result = labelled(config, lambda number, row: number < 8 and row.update(better="same"), layout)
    assert result.summary["looks"] == "the gate looks at the first 10 pairs once they are labelled: 2 to go"
    assert "2 of 10 pairs have not been read" in reason(said(config, layout, "critical_bugs"))
    result = labelled(config, lambda number, row: number < 12 and row.update(better="same"), layout)
    assert result.summary["looks"].startswith("the first 10 pairs are labelled")
    assert said(config, layout, "critical_bugs") == Number(0.0, 10)
    reviews = said(config, layout)
    assert isinstance(reviews, Reviews)
    assert (reviews.labelled, reviews.in_order) == (12, "g" * 12 + "." * 8)


def right(sample: Sample) -> Callable[[int, Row], None]:
    """Fills a worksheet as somebody who finds all pairs alike, and is right on the hidden checks."""
    worse = {check.item.number: check for check in sample.checks if check.kind != IDENTICAL}

    def fill(number: int, row: Row) -> None:
        check = worse.get(int(row["pair"]))
        row["better"] = "same" if check is None else {"A": "B", "B": "A"}[check.item.candidate]

    return fill


def with_checks(config: Config, layout: Layout) -> Sample:
    config.review.checks = Checks()
    return drawn(config, layout)


def test_hidden_checks_are_of_the_same_log_and_cannot_be_told(config: Config, layout: Layout) -> None:
    sample = with_checks(config, layout)
    assert [check.kind for check in sample.checks].count(IDENTICAL) == 1  # 2 among 50 are 1 among 20
    assert len(sample.checks) == 3
    assert [item.number for item in sample.shown] == list(range(1, 24))
    text = layout.review_sheet.read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [int(row["pair"]) for row in rows] == list(range(1, 24))
    assert "check" not in text
    known = {item.comparison_id for item in sample.items}
    assert not any(known & set(check.sources) for check in sample.checks)  # of users who are not in it
    assert load_sample(layout.review_sample) == sample
    changed = layout.review_sample.read_text().replace(f'"kind": "{IDENTICAL}"', f'"kind": "{OTHER}"')
    layout.review_sample.write_text(changed)
    with pytest.raises(ZantaraError, match="changed after it was drawn"):
        load_sample(layout.review_sample)


def test_checks_are_no_evidence_and_who_passes_them_is(config: Config, layout: Layout) -> None:
    sample = with_checks(config, layout)
    result = labelled(config, right(sample), layout)
    assert said(config, layout) == Reviews(20, 0, 0, 0, sample.hash)
    assert said(config, layout, "critical_bugs") == Number(0.0, 20)
    assert result.tables[0].rows == [["ayu", "20", "0 of 3", "-", "yes"]]
    assert result.summary["labelled"] == "20 of 20 pairs, by ayu"


def test_who_calls_all_the_same_is_no_evidence_and_it_is_said(config: Config, layout: Layout) -> None:
    sample = with_checks(config, layout)

    def lazy(number: int, row: Row) -> None:
        row.update(better="same", critical_bug="both" if number == 0 else "")

    result = labelled(config, lazy, layout)
    why = "2 of 3 hidden checks wrong, at most 20 % may be"
    assert reason(said(config, layout)) == f"the labels of ayu do not count: {why}"
    assert result.tables[0].rows[0][-1] == f"no: {why}"
    is_pair = sample.shown[0] in sample.items
    assert said(config, layout, "critical_bugs") == (Number(1.0) if is_pair else Missing(reason(said(config, layout))))
    labelled(config, right(sample), layout, "budi")
    found = said(config, layout)
    assert found == Reviews(20, 0, 0, 0, sample.hash)
    rule = resolve(Gate(criteria={"quality": Criterion("review_equivalent", "review", go=GO, method="exact")}))
    decided = decide(rule["quality"], found)
    assert (decided.decision, decided.reason.endswith(f"; the labels of ayu do not count: {why}")) == (PASS, True)
    assert decide(rule["quality"], Reviews(20, 0, 0, 0, sample.hash)).evidence_hash == decided.evidence_hash


def test_a_dispute_waits_for_the_adjudicator_who_settles_nothing_else(config: Config, layout: Layout) -> None:
    sample = drawn(config, layout)
    config.review.labels_per_pair = 2
    worse = {"A": "B", "B": "A"}
    labelled(config, all_same, layout)
    result = labelled(
        config, lambda n, row: row.update(better=worse[sample.items[n].candidate] if n < 2 else "same"), layout, "budi"
    )
    assert result.tables[1].rows == [[str(i.number), i.language, i.category] for i in sample.items[:2]]
    assert result.next_command.endswith("review.serve=true")
    found = said(config, layout)
    assert found == Reviews(18, 0, 0, 2, sample.hash)
    assert isinstance(found, Reviews)
    assert found.note == "2 pairs are disputed, for adjudicator to settle"
    assert result.summary["agreement"].endswith("-0.03")
    result = labelled(config, lambda n, row: row.update(better=worse[sample.items[n].candidate]), layout, "adjudicator")
    assert result.summary["taken in"] == "2 labels by adjudicator"
    assert said(config, layout) == Reviews(18, 2, 0, 0, sample.hash)


def test_a_worksheet_holds_no_language_that_its_reviewer_does_not_read(config: Config, layout: Layout) -> None:
    sample = drawn(config, layout)
    config.review.reviewers = {"ayu": ["id"], "budi": ["en", "it"]}
    with pytest.raises(ZantaraError, match=r"pair \d+ is in (it|en), which ayu does not read"):
        labelled(config, all_same, layout)
    of_id = [number for number, item in enumerate(sample.items) if item.language == "id"]
    result = labelled(config, lambda n, row: row.update(better="same" if n in of_id else ""), layout)
    assert result.summary["taken in"] == f"{len(of_id)} labels by ayu"


def test_a_thousand_pairs_are_read_at_once(tmp_path: Path) -> None:
    """The sample is hashed once: reading a worksheet of 1,000 hashed it 1,000 times, which took minutes."""
    rows = [
        {"comparison_id": f"c{n}", "language": "en", "category": "casual", "query": "q", "messages": None,
         "primary_response": "one " * 100, "candidate_response": "two " * 100}
        for n in range(1000)
    ]  # fmt: skip
    save(Sample("e1", "2025-11-03", 7, 1000, blinded(rows, 7)), tmp_path / "sample.json")
    began = time.process_time()
    sample = load_sample(tmp_path / "sample.json")
    path = tmp_path / "filled.csv"
    filled_in = list(csv.DictReader(io.StringIO(sheet(sample, ()), newline="")))
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, filled_in[0].keys())
        writer.writeheader()
        writer.writerows({**row, "better": "same"} for row in filled_in)
    labels = unblinded(read(path, sample), sample, "ayu")
    found = panel(labels, sample, Review())
    assert len(found.settled) == 1000
    assert time.process_time() - began < 2


def test_a_no_go_that_no_open_label_can_turn_is_said_at_once(config: Config, layout: Layout) -> None:
    sample = drawn(config, layout)
    config.gate.criteria["quality"].look_at = [15, 20]
    config.gate.criteria["quality"].min_users = 1
    config.gate.criteria["quality"].min_users_no_go = 1
    other = {"A": "B", "B": "A"}

    def bad(worse: int) -> Callable[[int, Row], None]:
        return lambda number, row: row.update(better=other[sample.items[number].candidate] if number < worse else "")

    assert "note" not in labelled(config, bad(8), layout).summary
    result = labelled(config, bad(12), layout)
    certain = "a NO_GO is certain: 12 of the first 15 pairs are worse, whatever the 3 open ones are"
    assert result.summary["note"] == certain
    labelled(config, lambda number, row: row.update(better="" if number < 12 else "same"), layout)
    found = said(config, layout)
    assert isinstance(found, Reviews)
    assert decide(resolve(config.gate)["quality"], found).decision == FAIL
    assert found.note == ""


def test_a_judges_verdicts_reach_the_gate(config: Config, layout: Layout) -> None:
    sample = drawn(config, layout)
    labelled(config, all_same, layout)
    calls = [{"judge": "j1", "epoch": sample.epoch, "comparison_id": item.comparison_id} for item in sample.items]
    lines = [{**call, "user": f"u{number}", "verdict": "better"} for number, call in enumerate(calls)]
    layout.judged.write_text("".join(json.dumps(line) + "\n" for line in lines))
    reviews = said(config, layout)
    assert isinstance(reviews, Reviews)
    assert reviews.judged == Judgements("j1", 1.0, 20, "g" * 20)


def test_slices_that_are_worse_get_more_pairs_which_are_no_evidence(config: Config, layout: Layout) -> None:
    logs.write(layout.logs, PLAN)
    with open_log(config, layout) as log:
        both = log.facts.filter(log.facts.primary_ok & log.facts.candidate_ok & (log.facts.language == "id"))
        ids = sorted(both.select("comparison_id").to_pyarrow()["comparison_id"].to_pylist())[:30]
    layout.reports.mkdir(parents=True, exist_ok=True)
    layout.slice_pairs.write_text(json.dumps({"epoch": "e2", "pairs": {"language=id": ids}}))
    config.slices.pairs = 5
    run(config)
    sample = load_sample(layout.review_sample)
    assert len(sample.items) == config.review.size
    assert {item.comparison_id for item in sample.beside} == set(ids[:5]) - {i.comparison_id for i in sample.items}
    assert sample.beside
    numbers = [item.number for item in sample.shown]
    assert numbers == list(range(1, len(numbers) + 1))
    labels = [label_of(sample, item, "ada", "worse") for item in sample.beside]
    merge(layout.review_labels, labels)
    assert panel(load(layout.review_labels), sample, config.review).labels == ()


def label_of(sample: Sample, item: Any, reviewer: str, verdict: str) -> Label:
    return Label(sample.hash, item.number, item.comparison_id, reviewer, verdict, False)


def test_a_sample_of_other_requests_than_rollout_exclude_leaves_is_no_evidence(config: Config, layout: Layout) -> None:
    first = drawn(config, layout)
    config.rollout.exclude = [{"language": "id", "declared": "2025-10-01"}]
    merge(layout.review_labels, [label_of(first, item, "ada", "equivalent") for item in first.items])
    said = evidence([EvidenceRequest("review_equivalent")], None, config, layout)[0]
    assert isinstance(said, Missing)
    assert "drawn without nothing, rollout.exclude leaves out language=id" in said.reason
    run(config)
    second = load_sample(layout.review_sample)
    assert second.exclude == ("language=id",)
    assert {item.language for item in second.items} == {"it", "en"}
    merge(layout.review_labels, [label_of(second, item, "ada", "equivalent") for item in second.items])
    said = evidence([EvidenceRequest("review_equivalent")], None, config, layout)[0]
    assert isinstance(said, Reviews), "what was drawn of other requests does not count as the first draw"
