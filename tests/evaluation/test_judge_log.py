"""stage=judge on a real log, with a judge behind a real server whose rate of errors is set."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.analysis import logs
from tests.evaluation.judging import judge, verdict
from tests.training.support import context_for
from zantara_exp.config import Config, compose
from zantara_exp.core import clock
from zantara_exp.core.errors import MissingInputError, MissingRequirementError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import StageResult
from zantara_exp.evaluation import judge_log
from zantara_exp.evaluation.judge_log import family
from zantara_exp.review.sample import Sample, blinded
from zantara_exp.review.sample import save as save_sample


@pytest.fixture
def config(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")
    return compose(["judge.log_pairs=40"])


def logged(config: Config, **plan: Any) -> list[dict[str, Any]]:
    return logs.write(Layout(config).logs, logs.Plan(**{"days": 2, "per_day": 120, **plan}))


def run(config: Config) -> tuple[StageResult, list[dict[str, Any]]]:
    context, _ = context_for(config, Path.cwd())
    result = judge_log.judge(config, context)
    return result, [json.loads(line) for line in Layout(config).judged.read_bytes().splitlines()]


def wrong_in(share: float):
    """A judge to whom every candidate is as good, and who takes the primary in this share of the pairs."""

    def says(seen: dict[str, Any], _: list[dict[str, str]]) -> str:
        texts = sorted([seen["A"], seen["B"]])
        lot = int(hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:8], 16) / 16**8
        return verdict("tie" if lot >= share else "A" if seen["A"] == texts[0] else "B")

    return says


def test_a_sample_of_the_log_is_judged_and_a_repeated_run_pays_for_nothing(config: Config) -> None:
    made = {line["comparison_id"]: line for line in logged(config)}
    with judge(config, wrong_in(0.3)) as calls:
        result, rows = run(config)
        asked = len(calls)
        again, same = run(config)
    assert len(rows) == 40
    assert len({row["user"] for row in rows}) == 40
    assert {row["category"] for row in rows} <= set(config.review.categories)
    for row in rows:
        assert (row["language"], row["category"]) == (
            made[row["comparison_id"]]["language"],
            made[row["comparison_id"]]["category"],
        )
    # every pair and every pair of the noise floor in both orders; nobody asks twice
    assert 130 < asked <= 2 * (40 + config.judge.noise_pairs)  # a pair whose answers are alike has one question
    assert len(calls) == asked
    assert same == rows
    assert again.metrics["judge/questions"] == 0
    share = sum(row["judged_equivalent"] for row in rows) / 40
    assert result.metrics["judge/equivalent"] == pytest.approx(share)
    assert 0.6 <= share <= 0.99
    assert {"judge/equivalent/it", "judge/equivalent/casual", "judge/noise"} <= result.metrics.keys()
    assert {row[0] for row in result.tables[0].rows} >= {"all", "language=it", "category=greeting", "turn=first"}


def test_the_reviews_pairs_are_judged_as_well(config: Config) -> None:
    rows = [line for line in logged(config) if line["category"] == "casual" and not line["candidate"]["error"]]
    shown = [{**row, "messages": None, "primary_response": "p", "candidate_response": "c"} for row in rows[:25]]
    save_sample(Sample("e2", "2025-10-21", 7, 25, blinded(shown, 7)), Layout(config).review_sample)
    config.judge.log_pairs = 5
    with judge(config, wrong_in(0.0)):
        _, judged = run(config)
    answered = {row["comparison_id"] for row in rows[:25] if row["candidate"]["response"]}
    assert answered <= {row["comparison_id"] for row in judged}
    assert len(judged) <= 30


def test_all_that_would_move_is_judged_where_no_number_is_set(config: Config) -> None:
    made = logged(config, per_day=40)
    config.judge.log_pairs = 0
    with judge(config, wrong_in(0.0)):
        _, rows = run(config)
    moving = [m for m in made if m["category"] in config.review.categories and m["candidate"]["response"].strip(".")]
    assert {row["comparison_id"] for row in rows} == {line["comparison_id"] for line in moving}


def test_two_answers_of_the_primary_are_the_noise_floor_where_the_log_has_them(config: Config) -> None:
    logged(config, aa_percent=20.0)
    with judge(
        config, lambda seen, _: verdict("A" if seen["A"] < seen["B"] else "B" if seen["B"] < seen["A"] else "tie")
    ):
        result, _ = run(config)
    assert "against its own second answer" in result.summary["noise floor"]
    assert result.metrics["judge/noise"] > 0.5  # it finds a difference in any two texts


def test_a_day_has_a_limit_that_all_runs_share(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    logged(config)
    config.judge.max_usd_per_day = 0.001
    with judge(config, wrong_in(0.0)) as calls:
        run(config)
        asked = len(calls)
        assert 0 < asked < 80
        run(config)
        assert len(calls) == asked  # what an earlier run has spent counts
    assert "judge.max_usd_per_day=0.001 is spent" in capsys.readouterr().out


def test_a_day_has_a_limit_that_runs_beside_each_other_share(config: Config) -> None:
    logged(config)
    config.judge.max_usd_per_day = 0.01
    beside = Layout(config).state / "judge_spent.jsonl"

    def says(seen: dict[str, Any], messages: list[dict[str, str]]) -> str:
        """Another run pays while this one asks."""
        day = clock.now().date().isoformat()
        paid = [{"day": day, "usd": 0.002}, {"day": "2025-01-01", "usd": 9.0}]
        with beside.open("a") as file:
            file.write("".join(json.dumps(line) + "\n" for line in paid))
        return wrong_in(0.0)(seen, messages)

    beside.parent.mkdir(parents=True, exist_ok=True)
    with judge(config, says) as calls:
        run(config)
        assert 4 <= len(calls) <= 5 + config.judge.endpoint.concurrency


def test_what_the_money_did_not_reach_is_not_counted_as_bad(config: Config) -> None:
    """A line without a verdict counts as not good: of the last pairs alone it would speak against the candidate."""
    made = logged(config)
    rows = [line for line in made if line["category"] == "casual" and line["candidate"]["response"].strip(".")]
    shown = [{**row, "messages": None, "primary_response": "p", "candidate_response": "c"} for row in rows[:4]]
    save_sample(Sample("e2", "2025-10-21", 7, 4, blinded(shown, 7)), Layout(config).review_sample)
    config.judge.max_usd_per_day = 0.004
    with judge(config, wrong_in(0.0)) as calls:
        result, judged = run(config)
        assert 20 < len(calls) < 80
        assert len(calls) // 2 - 3 <= len(judged) <= len(calls)
        assert {row["verdict"] for row in judged} == {"equivalent"}
        assert {row["comparison_id"] for row in rows[:4]} == {row["comparison_id"] for row in judged[:4]}
        assert f"of {len(judged)} pairs; 0 without a verdict" in result.summary["judge"]
    with judge(config, lambda *_: "I like both."):
        config.judge.max_usd_per_day, config.judge.noise_pairs = 100.0, 0
        _, judged = run(config)
    assert [row["verdict"] for row in judged] == [None] * len(judged)
    assert len(judged) >= 40


def test_a_judge_that_is_away_takes_no_verdict_away(config: Config) -> None:
    from tests.endpoints.servers import response

    logged(config)
    config.judge.log_pairs, config.judge.noise_pairs = 6, 0
    with judge(config, wrong_in(0.0)):
        _, before = run(config)
    with judge(config, lambda *_: response(b"{}", status=500)):
        config.judge.endpoint.model = "another"
        with pytest.raises(ZantaraError, match=r"none of 6 pairs was put to the judge .* judged.jsonl is as it was"):
            run(config)
    assert [json.loads(line) for line in Layout(config).judged.read_bytes().splitlines()] == before


def test_too_dear_a_judge_names_the_key_of_its_stage(config: Config) -> None:
    logged(config)
    config.judge.max_usd, config.stage.name = 0.0001, "judge"
    with judge(config, wrong_in(0.0)), pytest.raises(ZantaraError, match="more than judge.max_usd=0.0001") as error:
        run(config)
    assert "judge.log_pairs=40" in error.value.hint


def test_a_verdict_is_asked_for_by_its_schema_and_a_server_that_refuses_it_without(config: Config) -> None:
    from tests.endpoints.servers import response

    logged(config)
    config.judge.log_pairs, config.judge.noise_pairs = 3, 0
    with judge(config, wrong_in(0.0)) as calls:
        run(config)
    asked = calls.bodies[0]["response_format"]["json_schema"]
    assert asked["strict"] is True
    assert asked["schema"]["required"] == ["reason", *config.judge.criteria, "overall"]
    assert asked["schema"]["properties"]["overall"]["enum"] == ["A", "B", "tie"]

    config.judge.log_pairs = 6
    with judge(config, wrong_in(0.0), refuses="response_format", refusal=response(b'{"error": {}}', status=400)):
        _, rows = run(config)
    assert [row["opinion"] is None for row in rows] == [False] * 6


def test_a_judge_of_the_candidates_own_family_is_advised_against(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    logged(config, model="llama-3.1-8b-ours")
    config.judge.log_pairs, config.judge.noise_pairs = 2, 0
    with judge(config, wrong_in(0.0)):
        config.judge.endpoint.model = "meta-llama/Llama-3.3-70B-Instruct"
        run(config)
    assert "is of the same family as the candidate (llama-3.1-8b-ours)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "of"),
    [("claude-sonnet-4-5", "claude"), ("us.anthropic.claude-x", "claude"), ("gpt-5", "gpt"), ("Qwen/Qwen3-32B", "qwen"),
     ("smollm2", "smollm"), ("chatgpt", ""), ("judge", "")],
)  # fmt: skip
def test_a_models_name_shows_its_family(name: str, of: str) -> None:
    assert family(name) == of


def test_what_is_missing_is_said_with_the_next_command(config: Config) -> None:
    with pytest.raises(ZantaraError, match="no model is named") as error:
        run(config)
    assert "judge=anthropic" in error.value.hint
    with judge(config, wrong_in(0.0)), pytest.raises(MissingInputError):
        run(config)
    config.judge.endpoint.api_key_env = "NOT_SET"
    with pytest.raises(MissingRequirementError, match="judge.endpoint.api_key_env=NOT_SET"):
        run(config)


def test_what_a_rollouts_candidate_answered_is_judged_apart(config: Config) -> None:
    config.judge.of = "moved"
    logged(config)
    with judge(config, wrong_in(0.3)), pytest.raises(MissingInputError, match="rollout.reverse_percent"):
        run(config)
    moved = logged(config, days=3, per_day=60, seed=5, extra={"arm": "moved"}, success=1.0)
    with judge(config, wrong_in(0.3)):
        context, _ = context_for(config, Path.cwd())
        result = judge_log.judge(config, context)
    rows = [json.loads(line) for line in Layout(config).judged_moved.read_bytes().splitlines()]
    assert {row["comparison_id"] for row in rows} == {line["comparison_id"] for line in moved}
    assert not Layout(config).judged.exists()
    assert not Layout(config).preferences.exists()
    assert result.artifacts == [Layout(config).judged_moved]
    config.judge.of = "shadow"
    with judge(config, wrong_in(0.3)):
        _, evidence = run(config)
    assert {row["comparison_id"] for row in evidence}.isdisjoint({row["comparison_id"] for row in rows})
