"""What was found worse becomes pairs to learn from; never of a test user, never of a sample that is still open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.analysis import logs
from zantara_exp.analysis.log import open_log
from zantara_exp.config import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.gates.record import _ENTRY, _LOOK
from zantara_exp.review.labels import EQUIVALENT, WORSE, Label, merge
from zantara_exp.review.looked_at import closed
from zantara_exp.review.preferences import write_preferences
from zantara_exp.review.sample import Sample, blinded, save


@pytest.fixture
def made(config: Config, layout: Layout) -> list[dict[str, Any]]:
    lines = logs.write(layout.logs, logs.Plan(days=1, per_day=60, success=1.0))
    moving = [line for line in lines if line["category"] in config.review.categories]
    firsts = {line["user"]: line for line in moving}
    return list(firsts.values())


def judged(layout: Layout, lines: list[dict[str, Any]], worse: bool = True) -> None:
    layout.reports.mkdir(exist_ok=True)
    rows = [
        {"comparison_id": line["comparison_id"], "user": line["user"], "judge": "j1", "epoch": "e2",
         "verdict": "worse" if worse else "equivalent", "opinion": {"reason": "stiff"}}
        for line in lines
    ]  # fmt: skip
    layout.judged.write_text("".join(json.dumps(row) + "\n" for row in rows))


def sampled(layout: Layout, lines: list[dict[str, Any]]) -> Sample:
    rows = [{**line, "messages": None, "primary_response": "p", "candidate_response": "c"} for line in lines]
    sample = Sample("e2", "2025-10-20", 7, len(rows), blinded(rows, 7))
    save(sample, layout.review_sample)
    return sample


def said(layout: Layout, sample: Sample, verdicts: list[str]) -> None:
    merge(
        layout.review_labels,
        [
            Label(sample.hash, item.number, item.comparison_id, "ayu", verdict, False, comment="too cold")
            for item, verdict in zip(sample.items, verdicts, strict=False)
        ],
    )


def written(config: Config, layout: Layout) -> list[dict[str, Any]]:
    with open_log(config, layout) as log:
        count = write_preferences(config, layout, log)
    lines = [json.loads(line) for line in layout.preferences.read_text().splitlines()] if count else []
    assert len(lines) == count
    return lines


def test_what_the_judge_found_worse_is_a_pair(config: Config, layout: Layout, made: list[dict[str, Any]]) -> None:
    judged(layout, made[:3])
    lines = {line["metadata"]["comparison_id"]: line for line in written(config, layout)}
    assert lines.keys() == {line["comparison_id"] for line in made[:3]}
    pair = lines[made[0]["comparison_id"]]
    assert pair["prompt"] == made[0]["messages"]
    assert pair["chosen"] == [{"role": "assistant", "content": made[0]["primary"]["response"]}]
    assert pair["rejected"] == [{"role": "assistant", "content": made[0]["candidate"]["response"]}]
    assert pair["metadata"]["worse_by"] == {"judge": "stiff"}
    judged(layout, made[:3], worse=False)
    assert written(config, layout) == []
    assert layout.preferences.read_text() == ""


def test_a_test_users_chats_teach_nobody(config: Config, layout: Layout, made: list[dict[str, Any]]) -> None:
    judged(layout, made[:3])
    layout.splits.parent.mkdir(parents=True)
    layout.splits.write_text(json.dumps({"users": {made[0]["user"]: "test", made[1]["user"]: "train"}}))
    users = {line["metadata"]["user"] for line in written(config, layout)}
    assert users == {made[1]["user"], made[2]["user"]}


def test_an_open_sample_teaches_nobody_and_a_closed_one_does(
    config: Config, layout: Layout, made: list[dict[str, Any]]
) -> None:
    sample = sampled(layout, made[:3])
    judged(layout, made[:5])
    said(layout, sample, [WORSE, EQUIVALENT])
    assert {line["metadata"]["comparison_id"] for line in written(config, layout)} == {
        line["comparison_id"] for line in made[3:5]
    }
    said(layout, sample, [WORSE, EQUIVALENT, EQUIVALENT])
    by = {line["metadata"]["comparison_id"]: line["metadata"]["worse_by"] for line in written(config, layout)}
    assert by[made[0]["comparison_id"]] == {"judge": "stiff", "review": "too cold"}
    assert made[1]["comparison_id"] not in by  # people found it as good: their word overrules the judge's
    assert by[made[3]["comparison_id"]] == {"judge": "stiff"}


def looked_at(layout: Layout, sample: Sample, pairs: int) -> None:
    """As stage=gate records it."""
    entry = dict.fromkeys(_ENTRY, "") | {"metric": "review_equivalent", "where": {}, "terms": {}}
    look = dict.fromkeys(_LOOK, "") | {"as_of": "2025-10-20"}
    look["exact"] = {"quality": entry | {"sample": sample.hash, "pairs": pairs}}
    layout.looks.parent.mkdir(parents=True, exist_ok=True)
    layout.looks.write_text(json.dumps(look) + "\n")


def test_what_a_gate_has_looked_at_teaches_and_what_it_has_not_waits(
    config: Config, layout: Layout, made: list[dict[str, Any]]
) -> None:
    """A review is decided long before the last of its pairs."""
    sample = sampled(layout, made[:4])
    said(layout, sample, [WORSE, EQUIVALENT, WORSE])
    looked_at(layout, sample, 2)
    found = {line["metadata"]["comparison_id"] for line in written(config, layout)}
    assert found == {sample.items[0].comparison_id}
    assert [item.number for item in closed(sample, layout)] == [1, 2]


def test_pairs_of_an_earlier_candidate_stay(config: Config, layout: Layout, made: list[dict[str, Any]]) -> None:
    judged(layout, made[:1])
    before = written(config, layout)
    logs.write(layout.logs, logs.Plan(days=1, per_day=20, start=1, epoch="e3", success=1.0))
    assert written(config, layout) == before
    assert Path(layout.preferences).is_relative_to(layout.dataset)


def test_a_line_of_the_judge_that_is_none_is_named(config: Config, layout: Layout, made: list[dict[str, Any]]) -> None:
    judged(layout, made[:1])
    with layout.judged.open("a") as torn:
        torn.write('{"comparison_id": ')
    with pytest.raises(ZantaraError, match=r"judged\.jsonl, line 2, is no judge's verdict"):
        written(config, layout)


@pytest.mark.parametrize("broken", ['{"prompt": [', "[1]", "{}", '{"metadata": {}}'])
def test_a_line_that_is_no_pair_is_named_and_kept(
    config: Config, layout: Layout, made: list[dict[str, Any]], broken: str
) -> None:
    judged(layout, made[:1])
    written(config, layout)
    with layout.preferences.open("a") as file:
        file.write(broken)
    before = layout.preferences.read_bytes()
    with pytest.raises(ZantaraError, match=r"preferences\.jsonl, line 2, is no pair to learn from"):
        written(config, layout)
    assert layout.preferences.read_bytes() == before
