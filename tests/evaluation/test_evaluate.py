"""stage=evaluate on a tiny trained model, and what a gate reads from it."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tests.training.chats import write_splits
from tests.training.support import context_for, tiny_config
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import StageResult
from zantara_exp.evaluation.evidence import METRICS, evidence
from zantara_exp.evaluation.stage import evaluate
from zantara_exp.gates.evidence import EvidenceRequest, Missing, Number, UserDays
from zantara_exp.training.stage import train


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path, StageResult]:
    folder = tmp_path_factory.mktemp("evaluated")
    write_splits(folder / "data", 96, 24)
    config = tiny_config(folder)
    config.evaluation.generate_limit, config.evaluation.max_new_tokens = 10, 12
    context, _ = context_for(config, folder)
    train(config, context)
    return config, folder, evaluate(config, context)


def rows_of(config: Config, split: str) -> list[dict]:
    lines = Layout(config).evaluation_rows.read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["split"] == split]


def test_every_held_out_example_is_scored_once(evaluated):
    config, _, _ = evaluated
    assert [row["index"] for row in rows_of(config, "test")] == list(range(24))
    assert len(rows_of(config, "val")) == 24
    assert all(row["tokens"] > 0 and row["loss_sum"] > 0 for row in rows_of(config, "test"))


def test_scores_do_not_depend_on_the_batch(evaluated, tmp_path: Path):
    from zantara_exp.training.data import read_split
    from zantara_exp.training.encode import encode_split
    from zantara_exp.training.export import load_saved
    from zantara_exp.training.scoring import score

    config, _, _ = evaluated
    layout = Layout(config)
    model, tokenizer = load_saved(layout.model)
    split = encode_split(tokenizer, read_split(layout.test), config.trainer, "test")
    alone = dict(score(model, split.examples, 1, tokenizer.pad_token_id))
    for index, row in enumerate(rows_of(config, "test")):
        assert row["loss_sum"] == pytest.approx(alone[index].loss_sum, rel=1e-4)
        assert row["tokens"] == alone[index].tokens


def test_answers_are_bounded_spread_and_judged(evaluated):
    config, _, result = evaluated
    answered = [row for row in rows_of(config, "test") if "answer" in row]
    assert [row["index"] for row in answered] == [i * 24 // 10 for i in range(10)]
    assert all(row["answer_tokens"] <= 12 for row in answered)
    assert {"chrf", "rouge_l", "exact_match", "language_match", "flaws"} <= set(answered[0])
    assert result.metrics["test/chrf"] == pytest.approx(np.mean([row["chrf"] for row in answered]))
    assert not list(Layout(config).models.glob(".*answers*"))


def test_the_figures_say_what_they_are_not(evaluated):
    config, _, result = evaluated
    assert "not factual accuracy" in result.summary["token accuracy"]
    assert "not factual accuracy" in json.loads(Layout(config).evaluation.read_text())["note"]
    assert {"test/token_accuracy", "test/loss", "eval/loss", "test/token_accuracy/it"} <= set(result.metrics)


def test_generation_is_what_the_model_would_say_alone(evaluated):
    """Left padding and batches change nothing."""
    from zantara_exp.evaluation.generate import generate, prompt_ids
    from zantara_exp.training.data import read_split
    from zantara_exp.training.export import load_saved

    config, _, _ = evaluated
    model, tokenizer = load_saved(Layout(config).model)
    prompts = [prompt_ids(tokenizer, example.prompt) for example in read_split(Layout(config).test)[:6]]
    together = [a.text for a in generate(model, tokenizer, prompts, 12)]
    assert together == [generate(model, tokenizer, [prompt], 12)[0].text for prompt in prompts]


def test_a_killed_evaluation_keeps_its_answers(evaluated, tmp_path: Path):
    from zantara_exp.evaluation.generate import Answer, AnswerStore

    store = AnswerStore(tmp_path / "answers.jsonl")
    store.put({"k1": Answer("ciao", 2, True, 0.1)})
    with (tmp_path / "answers.jsonl").open("ab") as file:
        file.write(b'{"key":"k2","text":"cut o')
    again = AnswerStore(tmp_path / "answers.jsonl")
    assert again.get("k1") == Answer("ciao", 2, True, 0.1)
    assert again.get("k2") is None


@pytest.mark.parametrize(
    ("metric", "split", "key"), [("eval_loss", "val", "loss_sum"), ("token_accuracy", "test", "correct")]
)
def test_evidence_adds_up(evaluated, metric: str, split: str, key: str):
    config, _, _ = evaluated
    found = evidence([EvidenceRequest(metric)], None, config, Layout(config))[0]
    assert isinstance(found, UserDays)
    rows = rows_of(config, split)
    assert found.trials.sum() == sum(row["tokens"] for row in rows)
    assert found.total.sum() == pytest.approx(sum(row[key] for row in rows))
    assert len(set(found.user.tolist())) == len({row["user"] for row in rows})
    assert set(found.segments) == {"language", "category"}


def test_evidence_stands_on_the_day_looked_at_when_that_is_earlier(evaluated):
    config, _, _ = evaluated
    found = evidence([EvidenceRequest("eval_loss")], date(2025, 11, 3), config, Layout(config))[0]
    assert isinstance(found, UserDays)
    assert set(found.day.tolist()) == {(date(2025, 11, 3) - date(1970, 1, 1)).days}


def test_the_gap_is_the_largest_that_the_intervals_of_both_losses_allow(evaluated):
    config, _, result = evaluated
    found = evidence([EvidenceRequest("generalization_gap")], None, config, Layout(config))[0]
    assert isinstance(found, Number)
    splits = json.loads(Layout(config).evaluation.read_text())["splits"]
    val, train = splits["val"]["loss"], splits["train"]["loss"]
    point = result.metrics["eval/generalization_gap"]
    assert (
        point + val["high"] - val["value"]
        < found.value
        < point + val["high"] - val["value"] + (train["value"] - train["low"])
    )


def test_a_gap_of_one_user_is_missing_evidence(evaluated, tmp_path: Path):
    config, folder, _ = evaluated
    shutil.copytree(folder / "models", tmp_path / "models")
    other = tiny_config(tmp_path)
    outcome = json.loads(Layout(other).evaluation.read_text())
    outcome["splits"]["val"]["loss"] |= {"users": 1, "high": None}
    Layout(other).evaluation.write_text(json.dumps(outcome))
    found = evidence([EvidenceRequest("generalization_gap")], None, other, Layout(other))[0]
    assert isinstance(found, Missing)


def test_no_evaluation_is_missing_evidence(tmp_path: Path):
    config = tiny_config(tmp_path)
    for metric in METRICS:
        found = evidence([EvidenceRequest(metric)], None, config, Layout(config))[0]
        assert isinstance(found, Missing)
        assert "stage=evaluate" in found.reason


def test_other_data_than_the_model_learnt_from_is_missing_evidence(evaluated, tmp_path: Path, capsys):
    _, folder, _ = evaluated
    for name in ("models", "data"):
        shutil.copytree(folder / name, tmp_path / name)
    other = tiny_config(tmp_path, max_length=72)
    other.evaluation.generate_limit = 0
    lines = (tmp_path / "data/train.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "data/train.jsonl").write_text("".join(lines[1:]))
    evaluate(other, context_for(other, tmp_path)[0])
    found = evidence([EvidenceRequest("eval_loss")], None, other, Layout(other))[0]
    assert isinstance(found, Missing)
    assert "written anew since the model learnt from it" in found.reason
    assert "examples longer than trainer.max_length=72 are scored as far as that" in capsys.readouterr().out


def test_an_evaluation_of_another_model_is_missing_evidence(evaluated, tmp_path: Path):
    config, folder, _ = evaluated
    shutil.copytree(folder / "models", tmp_path / "models")
    other = tiny_config(tmp_path)
    path = Layout(other).train_summary
    path.write_text(json.dumps(json.loads(path.read_text()) | {"epoch": "another"}))
    found = evidence([EvidenceRequest("eval_loss")], None, other, Layout(other))[0]
    assert isinstance(found, Missing)
    assert "another model" in found.reason


def test_without_a_model_the_error_says_which_stage(tmp_path: Path):
    write_splits(tmp_path / "data", 4, 4)
    config = tiny_config(tmp_path)
    context, _ = context_for(config, tmp_path)
    with pytest.raises(MissingInputError, match=r"train\.json") as caught:
        evaluate(config, context)
    assert caught.value.hint == "python -m zantara_exp stage=train"


def test_exchanged_weights_are_noticed(evaluated, tmp_path: Path):
    _, folder, _ = evaluated
    shutil.copytree(folder, tmp_path / "copy")
    config = tiny_config(tmp_path / "copy")
    weights = Layout(config).model / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    context, _ = context_for(config, tmp_path)
    with pytest.raises(ZantaraError, match="not those that train.json describes"):
        evaluate(config, context)


@pytest.fixture(scope="module")
def judged(evaluated, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, StageResult]:
    """The same model, evaluated with a judge that gives no verdict on the second of three pairs."""
    from tests.evaluation.judging import judge, verdict

    _, folder, _ = evaluated
    copy = tmp_path_factory.mktemp("judged") / "copy"
    shutil.copytree(folder, copy)
    config = tiny_config(copy)
    config.evaluation.generate_limit, config.evaluation.max_new_tokens = 6, 12
    config.judge.pairs, config.judge.noise_pairs, config.judge.attempts = 3, 2, 2
    primary = [json.loads(line)["messages"][-1]["content"] for line in Layout(config).test.read_text().splitlines()]

    def says(seen: dict, _: object) -> str:
        if seen["A"] == seen["B"]:
            return verdict("tie")
        if primary[8] in (seen["A"], seen["B"]):
            return "both are nice"
        return verdict("A" if seen["A"] in primary else "B")

    context, _ = context_for(config, copy)
    with judge(config, says):
        return config, evaluate(config, context)


def test_a_judge_compares_with_the_primary_and_the_primary_with_itself(judged):
    config, result = judged
    told = json.loads(Layout(config).evaluation.read_text())["judge"]
    assert (told["model"], told["pairs"]) == ("stub-haiku", 3)
    assert told["by_criterion"]["overall"]["primary"] == 3 - told["missing"]
    assert told["noise_floor"]["not_a_tie"] == 0
    assert "stub-haiku: as good as the primary or better in 0.0%" in result.summary["judge"]
    assert [table.title for table in result.tables][1] == "Judged, in both orders"
    assert result.not_reusable  # a pair is without a verdict: the same command asks for it again


def test_judged_pairs_are_evidence_and_those_without_a_verdict_are_lost(judged):
    config, _ = judged
    rows = [row for row in rows_of(config, "test") if "judge" in row]
    told = [row for row in rows if row["judge"]]
    assert len(rows) == 3
    assert 0 < len(told) < 3
    at_least = evidence([EvidenceRequest("judged_equivalent")], None, config, Layout(config))[0]
    preferred = evidence([EvidenceRequest("judged_preference")], None, config, Layout(config))[0]
    for found in (at_least, preferred):
        assert isinstance(found, UserDays)
        assert (found.trials.sum(), found.total.sum()) == (len(told), 0)
        assert sum(found.lost_per_day.values()) == 3 - len(told)
    assert preferred.baseline.sum() == len(told)


def test_without_a_judge_there_is_no_evidence_of_one(evaluated):
    config, _, _ = evaluated
    for metric in ("judged_equivalent", "judged_preference"):
        found = evidence([EvidenceRequest(metric)], None, config, Layout(config))[0]
        assert isinstance(found, Missing)
        assert "no judge has compared" in found.reason


def test_the_primary_stands_beside_it(evaluated):
    config, _, result = evaluated
    answered = [row for row in rows_of(config, "test") if "answer" in row]
    assert all(row["primary_language_match"] for row in answered)
    assert "(primary 100.0%)" in result.summary["language"]
    assert "(primary: none seen)" in result.summary["flaws"]


def test_the_card_tells_data_training_and_evaluation_but_no_chat(evaluated):
    config, _, _ = evaluated
    folder = Layout(config).model
    card = (folder / "README.md").read_text()
    for part in ("## Data", "| train | 96 |", "| learning_rate | 0.003 |", "![Loss", "| language=it |", "| all | 24 |"):
        assert part in card
    assert "Not decided yet" in card
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not any(row["reference"] in card for row in rows_of(config, "test") if "reference" in row)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # from inside of MLflow
def test_the_registered_model_answers_from_the_folder_it_names(evaluated, tmp_path: Path):
    import pandas
    from mlflow import pyfunc

    from zantara_exp.tracking._reference import reference

    config, _, _ = evaluated
    chats = [row for row in rows_of(config, "test") if "answer" in row][:2]
    prompts = [json.loads(line)["messages"][:-1] for line in Layout(config).test.read_text().splitlines()]
    with reference(str(Layout(config).model), "e1") as folder:
        model = pyfunc.load_model(str(folder))
        asked = pandas.DataFrame({"messages": [prompts[row["index"]] for row in chats]})
        said = model.predict(asked, params={"max_new_tokens": 12})
    assert said == [row["answer"] for row in chats]
    with reference(str(tmp_path / "gone"), "e1") as folder, pytest.raises(MissingInputError, match="are not at"):
        pyfunc.load_model(str(folder))
