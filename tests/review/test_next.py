"""stage=next: what the candidate failed, by kind; the pairs that it leaves; what the next evidence takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.analysis import logs
from tests.training.support import context_for
from zantara_exp.config import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import StageResult
from zantara_exp.dataset.splits import NAMES, place
from zantara_exp.review.next_candidate import following

ITALIAN = "Certo, il visto costa tredici milioni di rupie e ti aiutiamo volentieri con tutti i documenti."
ENGLISH = "Sure, the visa costs thirteen million rupiah and we will gladly help you with all the documents."


@pytest.fixture
def made(config: Config, layout: Layout) -> list[dict[str, Any]]:
    """Comparisons of moved categories, whose candidate answers as the primary does, but for four kinds of failure."""
    config.gate.traffic.simulations = 200
    lines = logs.write(layout.logs / "drawn", logs.Plan(days=1, per_day=80, success=1.0))
    moving = [line for line in lines if line["category"] in config.review.categories]
    firsts = list({line["user"]: line for line in moving}.values())
    for line in firsts:
        line |= {"language": "it", "query": "Quanto costa?"}
        line["messages"] = [{"role": "user", "content": "Quanto costa?"}]
        line["primary"]["response"] = line["candidate"]["response"] = ITALIAN
    firsts[0]["candidate"] |= {"response": "", "error": "timeout"}
    firsts[1]["candidate"]["response"] = "Certo, il visto costa tredici milioni e poi,"
    firsts[2]["candidate"]["response"] = ENGLISH
    firsts[3]["candidate"]["response"] = firsts[3]["primary"]["response"] = "Certo, il visto costa,"  # both alike
    for path in (layout.logs / "drawn").iterdir():
        (layout.logs / path.name).write_text("".join(json.dumps(line) + "\n" for line in firsts))
        path.unlink()
    (layout.logs / "drawn").rmdir()
    return firsts


def judged_worse(layout: Layout, lines: list[dict[str, Any]]) -> None:
    layout.reports.mkdir(exist_ok=True)
    rows = [
        {"comparison_id": line["comparison_id"], "user": line["user"], "judge": "j1", "epoch": "e2", "verdict": "worse"}
        for line in lines
    ]
    layout.judged.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(config: Config, layout: Layout) -> StageResult:
    return following(config, context_for(config, layout.state)[0])


def test_failures_by_kind_and_pairs_by_source(config: Config, layout: Layout, made: list[dict[str, Any]]) -> None:
    judged_worse(layout, made[4:7])
    result = run(config, layout)
    told = json.loads((layout.reports / "next.json").read_text())
    assert {kind: found["requests"] for kind, found in told["failures"].items()} == {
        "call: timeout": 1, "answer: cut_off": 1, "answer: other language": 1,
    }  # fmt: skip
    assert told["failures"]["call: timeout"]["with_text"] == 0
    assert (told["failed"], told["pairs"], told["pairs_in_all"]) == (3, {"judge": 3, "log": 2}, 5)
    pairs = [json.loads(line) for line in layout.preferences.read_text().splitlines()]
    by = {pair["metadata"]["comparison_id"]: pair["metadata"]["worse_by"] for pair in pairs}
    assert by[made[1]["comparison_id"]] == {"log": "cut_off"}
    assert by[made[2]["comparison_id"]] == {"log": "other language"}
    assert "trainer=dpo asks for 50" in result.summary["pairs"]
    assert "GO by day 35 with probability" in result.summary["next evidence"]
    assert "stage=judge judge=anthropic judge.log_pairs=0" in result.next_command
    assert result.metrics["next/failed/answer/other_language"] == 1
    assert [table.title.split(",")[0] for table in result.tables] == [
        "what the candidate failed",
        "pairs to learn from",
    ]
    assert not any(line["user"] in (layout.reports / "next.json").read_text() for line in made)


def test_enough_pairs_are_to_be_learnt_from(config: Config, layout: Layout, made: list[dict[str, Any]]) -> None:
    config.trainer.dpo.min_pairs = 4
    config.judge.name = "endpoint"
    judged_worse(layout, made[4:7])
    assert "trainer=dpo" in run(config, layout).next_command
    config.trainer.dpo.min_pairs = 40
    assert "source=shadow_log" in run(config, layout).next_command


def test_reviewed_users_never_enter_test_and_test_users_never_teach(
    config: Config, layout: Layout, made: list[dict[str, Any]]
) -> None:
    from zantara_exp.dataset.splits import reviewed_users

    judged_worse(layout, made[4:7])
    layout.splits.parent.mkdir(parents=True)
    layout.splits.write_text(json.dumps({"users": {made[1]["user"]: "test"}}))
    assert json.loads((run(config, layout).artifacts[0]).read_text())["pairs"] == {"judge": 3, "log": 1}
    assert made[1]["user"] not in layout.preferences.read_text()
    looked_at = reviewed_users(layout)
    assert looked_at == {line["user"] for line in (*made[1:3], *made[4:7])}
    rows = [
        {"user": line["user"], "conversation_id": f"c{n}", "metadata": {"language": "it", "category": "casual"}}
        for n, line in enumerate(made)
    ]
    for seed in range(5):
        placed = place(rows, {}, config.dataset.splits, seed, never_test=looked_at)
        assert not {user for user in looked_at if placed[user] == "test"}
        assert set(placed.values()) == set(NAMES)
    assert place(rows, {made[1]["user"]: "test"}, config.dataset.splits, 7, looked_at)[made[1]["user"]] == "test"


def test_a_judge_leaves_what_the_log_said(config: Config, layout: Layout, made: list[dict[str, Any]]) -> None:
    from zantara_exp.analysis.log import open_log
    from zantara_exp.review.preferences import write_preferences

    run(config, layout)
    judged_worse(layout, made[1:2])
    with open_log(config, layout) as log:
        assert write_preferences(config, layout, log) == 2
    first = json.loads(layout.preferences.read_text().splitlines()[0])["metadata"]
    both = [json.loads(line)["metadata"] for line in layout.preferences.read_text().splitlines()]
    (mine,) = [about for about in both if about["comparison_id"] == made[1]["comparison_id"]]
    assert (mine["worse_by"], mine["runs"]) == ({"log": "cut_off", "judge": ""}, {"judge": "j1"})
    assert first["candidate_id"] == "e2"


def test_nothing_was_compared(config: Config, layout: Layout) -> None:
    with pytest.raises(MissingInputError, match="stage=shadow"):
        run(config, layout)


@pytest.mark.parametrize("line", ["{", "[]", '{"metadata": {}}', '{"metadata": {"worse_by": []}}'])
def test_a_line_that_is_no_pair_is_named(config: Config, layout: Layout, made: list[Any], line: str) -> None:
    layout.preferences.parent.mkdir(parents=True)
    layout.preferences.write_text(line + "\n")
    with pytest.raises(ZantaraError, match="line 1, is no pair to learn from"):
        run(config, layout)


def test_a_list_of_reviewed_users_that_is_none_is_named(config: Config, layout: Layout, made: list[Any]) -> None:
    layout.reviewed.parent.mkdir(parents=True)
    layout.reviewed.write_text("{}\n")
    with pytest.raises(ZantaraError, match=r"reviewed\.jsonl is no list of users"):
        run(config, layout)


def test_what_users_of_a_rollout_had_to_be_given_by_the_primary_is_counted(
    config: Config, layout: Layout, made: list[dict[str, Any]]
) -> None:
    served = {
        "schema_version": 2, "timestamp": made[0]["timestamp"], "request_id": "r", "user": "u", "category": "casual",
        "language": "it", "epoch": "e2", "share": 10.0, "arm": "candidate", "answered_by": "primary",
        "candidate_error": "timeout", "error": None, "latency_ms": 9.0, "ttft_ms": None, "candidate_ms": 1.0,
    }  # fmt: skip
    lines = [served, served | {"epoch": "e1"}, served | {"answered_by": "candidate", "candidate_error": None}]
    path: Path = layout.logs / f"served_{made[0]['timestamp'][:10]}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert json.loads(run(config, layout).artifacts[0].read_text())["served"] == {"fallback: timeout": 1}
