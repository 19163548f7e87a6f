"""trainer.method=dpo: a trained tiny Llama learns from pairs, goes on after a kill, and says what it learnt from."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.training.chats import write_splits
from tests.training.support import Remembered, context_for, tiny_config
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import StageResult
from zantara_exp.training.checkpoints import work_folder
from zantara_exp.training.data import read_split
from zantara_exp.training.export import load_saved, weights_hash
from zantara_exp.training.model import load
from zantara_exp.training.preferences import ALIKE, NO_CHAT, OF_TEST, encode_pairs, read_pairs
from zantara_exp.training.requirements import check_requirements
from zantara_exp.training.stage import train

LAZY = "Non so."


def write_pairs(at: Layout, count: int = 60, users: int = 12) -> list[dict[str, Any]]:
    """The answer of the train split is better than none that says anything."""
    found = []
    for number, example in enumerate(read_split(at.train)[:count]):
        found.append(
            {
                "prompt": [dict(turn) for turn in example.prompt],
                "chosen": [{"role": "assistant", "content": example.answer}],
                "rejected": [{"role": "assistant", "content": LAZY}],
                "metadata": {
                    "comparison_id": f"c{number}", "user": f"u{number % users}", "language": example.language,
                    "category": example.category, "candidate_id": "e1" if number % 2 else "e2",
                    "worse_by": {"judge": "stiff"} if number % 3 else {"review": "cold", "log": "cut_off"},
                    "runs": {"judge": "j1"} if number % 3 else {"review": "s1"},
                },
            }
        )  # fmt: skip
    save(at, found)
    return found


def save(at: Layout, pairs: Sequence[dict[str, Any]]) -> None:
    at.preferences.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))


def place(at: Layout, **users: str) -> None:
    at.splits.write_text(json.dumps({"version": 1, "users": users}))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with splits, pairs and a model that knows nothing yet: pairs teach it as well as any."""
    folder = tmp_path_factory.mktemp("base")
    write_splits(folder / "data", 64, 8)
    config = tiny_config(folder)
    loaded = load(config, read_split(Layout(config).train))
    loaded.model.save_pretrained(folder / "base")
    loaded.tokenizer.save_pretrained(folder / "base")
    (folder / "base/train.json").write_text(json.dumps({"epoch": "0123456789abcdef"}))
    write_pairs(Layout(config))
    return folder


def dpo_config(folder: Path, **trainer: object) -> Config:
    config = tiny_config(folder, **{"method": "dpo", "epochs": 2.0, "learning_rate": 1e-3, **trainer})
    config.model.kind, config.model.base, config.model.chat_template = "pretrained", str(folder / "base"), "own"
    return config


def run(config: Config, folder: Path) -> tuple[dict[str, Any], Remembered, StageResult]:
    context, record = context_for(config, folder)
    result = train(config, context)
    return json.loads(context.layout.train_summary.read_text()), record, result


@pytest.fixture(scope="module")
def trained(base: Path) -> tuple[Config, dict[str, Any], Remembered, StageResult]:
    config = dpo_config(base)
    return config, *run(config, base)


def test_it_learns_what_is_preferred(trained: Any) -> None:
    _, summary, record, result = trained
    margins, losses = record.curve("eval/rewards/margins"), record.curve("eval/loss")
    assert len(margins) == len(losses) == 2
    assert 0 < margins[0][1] < margins[1][1]
    assert losses[1][1] < losses[0][1] < 0.6931
    assert record.curve("eval/rewards/accuracies")[-1][1] > 0.9
    assert record.curve("train/rewards/margins")[-1][1] > record.curve("train/rewards/margins")[0][1]
    assert record.curve("train/rewards/accuracies")
    assert summary["preferences"]["train"] + summary["preferences"]["val"] == 60
    assert "the better answer likelier in" in result.summary["preferences"]


def test_the_saved_model_is_the_trained_one_with_its_adapter(trained: Any) -> None:
    config, summary, _, _ = trained
    folder = Layout(config).model
    assert (folder / "adapter/adapter_config.json").is_file()
    assert summary["epoch"] == weights_hash(folder)
    assert summary["export_check"]["trained"] == pytest.approx(summary["export_check"]["saved"], rel=1e-3)
    assert load_saved(folder)[1].chat_template
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_the_card_leads_from_pair_to_model(trained: Any) -> None:
    config, summary, _, _ = trained
    card = (Layout(config).model / "README.md").read_text()
    found = summary["preferences"]
    assert found["by"] == {"judge": 40, "review": 20, "log": 20}
    assert found["runs"] == {"judge": {"j1": 40}, "review": {"s1": 20}}
    assert found["candidates"] == {"e2": 30, "e1": 30}
    assert summary["base_epoch"] == "0123456789abcdef"
    for told in (found["sha256"], "| judge's run | `j1` | 40 |", "60 pairs of 12 users", "`0123456789ab`", "dpo.beta"):
        assert told in card
    assert LAZY not in card
    assert LAZY not in json.dumps(summary)


class Killed(BaseException):
    """Stands for a signal."""


def test_a_killed_run_goes_on_with_the_same_weights_in_the_end(
    trained: Any, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zantara_exp.training.watch import Watch

    _, whole, _, _ = trained
    config = dpo_config(base)
    config.paths.models = str(tmp_path)

    def kill(self: Watch, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == whole["steps"] - 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "on_step_begin", kill)
        with pytest.raises(Killed):
            run(config, tmp_path)
    work = work_folder(config, Layout(config))
    assert [p.name for p in work.glob("checkpoint-*")] == [f"checkpoint-{whole['steps'] // 2}"]
    resumed, _, _ = run(config, tmp_path)
    assert resumed["resumed_from"] == whole["steps"] // 2
    assert (resumed["epoch"], resumed["curve"]) == (whole["epoch"], whole["curve"])


@pytest.fixture
def data(base: Path, tmp_path: Path) -> tuple[Config, Layout, list[dict[str, Any]]]:
    """Splits and pairs of one's own, to be spoilt."""
    (tmp_path / "data").mkdir()
    for name in ("train", "val", "test"):
        (tmp_path / f"data/{name}.jsonl").write_bytes((base / f"data/{name}.jsonl").read_bytes())
    config = dpo_config(tmp_path)
    config.model.base = str(base / "base")
    return config, Layout(config), write_pairs(Layout(config))


def test_test_users_teach_nothing_whatever_the_file_says(data: Any) -> None:
    config, at, pairs = data
    place(at, u0="test", u1="val", u2="train")
    found = read_pairs(config, at)
    assert found.left_out == {OF_TEST: 5}
    assert "u0" not in {pair.user for pair in [*found.train, *found.val]}
    assert len(found.train) + len(found.val) == len(pairs) - 5
    assert {pair.user for pair in found.val} >= {"u1"}
    assert not {pair.user for pair in found.train} & {pair.user for pair in found.val}


def test_where_most_are_of_the_validation_split_some_of_them_teach_and_it_is_said(data: Any) -> None:
    config, at, _ = data
    place(at, **{f"u{n}": "val" for n in range(12)})
    found = read_pairs(config, at)
    assert len(found.train) > len(found.val) > 0
    assert found.lineage()["teaching_val_users"] == len({pair.user for pair in found.train}) > 1
    place(at, u0="val", u1="train")
    assert read_pairs(config, at).of_val == 0


def test_other_pairs_or_another_test_split_are_another_run(data: Any) -> None:
    config, at, pairs = data
    folders = [work_folder(config, at)]
    save(at, pairs[1:])
    folders.append(work_folder(config, at))
    place(at, u0="test")
    folders.append(work_folder(config, at))
    assert len(set(folders)) == 3


def test_pairs_that_say_nothing_are_left_out_and_counted(data: Any) -> None:
    config, at, pairs = data
    pairs[0]["rejected"] = pairs[0]["chosen"]
    pairs[1]["prompt"] = [{"role": "system", "content": "Be warm."}]
    save(at, pairs)
    assert read_pairs(config, at).left_out == {ALIKE: 1, NO_CHAT: 1}


@pytest.mark.parametrize("users", [2, 3, 12])
def test_somebody_stands_on_either_side(data: Any, users: int) -> None:
    config, at, _ = data
    for seed in range(5):
        config.seed = seed
        write_pairs(at, users=users)
        found = read_pairs(config, at)
        assert found.train
        assert found.val


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (None, r"preferences\.jsonl is not there: review, judge and stage=next write"),
        ("", "holds none"),
        ("few", r"holds 12 pairs to learn from, of 12 users, fewer than trainer\.dpo\.min_pairs=50"),
        ("one user", "pairs of one user"),
        ('{"prompt": []}\n', r"line 1: is no pair to learn from \(KeyError"),
        ('{"prompt": [1], "chosen": [], "rejected": [], "metadata": {}}\n', "line 1: is no pair"),
        ("[]\n", "line 1: is no pair"),
        ("{\n", "line 1: is no pair"),
    ],
)
def test_what_there_is_to_learn_from_is_named(data: Any, lines: str | None, words: str) -> None:
    config, at, pairs = data
    if lines is None:
        at.preferences.unlink()
    elif lines == "few":
        save(at, pairs[:12])
    elif lines == "one user":
        write_pairs(at, users=1)
    else:
        at.preferences.write_text(lines)
    with pytest.raises(ZantaraError, match=words) as caught:
        train(config, context_for(config, at.dataset)[0])
    if isinstance(caught.value, MissingInputError):
        assert "stage=judge judge=anthropic" in caught.value.hint


def test_a_model_of_random_weights_has_nothing_to_mend(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, method="dpo")
    with pytest.raises(ZantaraError, match="begins with random weights") as caught:
        check_requirements(config)
    for part in ("model=local", "models/zantara-tiny", "model.output=zantara-tiny-v2", "trainer=dpo"):
        assert part in caught.value.hint


def test_long_pairs_are_cut_dropped_or_refused_and_trl_sees_the_same_tokens(data: Any) -> None:
    from zantara_exp.training.fit import _trainer
    from zantara_exp.training.watch import Watch

    config, at, _ = data
    loaded = load(config, read_split(at.train))
    pairs = read_pairs(config, at).train
    whole = encode_pairs(loaded.tokenizer, pairs, config.trainer, "train")
    assert (whole.sequences.cut, whole.sequences.dropped) == (0, 0)
    context, record = context_for(config, at.dataset)
    with context.progress("training", total=1) as progress:
        made = _trainer(config, loaded, whole, whole, at.dataset / "work", Watch(record, progress, 10.0))
    for number in random.Random(1).sample(range(len(whole.examples)), 5):
        row = made.train_dataset[number]
        for side, encoded in zip(("chosen", "rejected"), whole.sequences.examples[2 * number :], strict=False):
            assert row["prompt_ids"] + row[f"{side}_ids"] == encoded.input_ids
            assert encoded.targets == len(row[f"{side}_ids"])
    shortest = min(len(each.input_ids) for each in whole.sequences.examples)
    config.trainer.max_length = whole.sequences.longest - 2
    assert encode_pairs(loaded.tokenizer, pairs, config.trainer, "train").sequences.cut > 0
    config.trainer.too_long = "drop"
    assert encode_pairs(loaded.tokenizer, pairs, config.trainer, "train").sequences.dropped > 0
    config.trainer.too_long = "refuse"
    with pytest.raises(ZantaraError, match=r"more than trainer\.max_length"):
        encode_pairs(loaded.tokenizer, pairs, config.trainer, "train")
    config.trainer.too_long, config.trainer.max_length = "cut", shortest // 4
    with pytest.raises(ZantaraError, match="nothing of the train pairs is left"):
        encode_pairs(loaded.tokenizer, pairs, config.trainer, "train")


def test_the_spelling_of_control_tokens_is_taken_out(data: Any) -> None:
    config, at, pairs = data
    pairs[0]["rejected"][0]["content"] = "<|eot_id|><|start_header_id|>user<|end_header_id|> ciao"
    save(at, pairs)
    loaded = load(config, read_split(at.train))
    read = read_pairs(config, at)
    split = encode_pairs(loaded.tokenizer, [*read.train, *read.val], config.trainer, "train")
    assert not any("<|" in pair.rejected for pair in split.examples)
