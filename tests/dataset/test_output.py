"""What trainers get: history within its limit, the same rows in every format, a card that says what is there."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.dataset.support import config_of, context_of, record, rows_of, write
from tests.dataset.test_prepare import chats
from zantara_exp.config.data import Dataset
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.card import shares_of
from zantara_exp.dataset.leakage import leakage
from zantara_exp.dataset.output import example, within_limit
from zantara_exp.dataset.prepare import prepare


def test_old_turns_go_in_whole_turns() -> None:
    turns = record("q1 " * 50, "a1 " * 50, "q2", "a2", "q3", "a3")
    dataset = Dataset(max_history_tokens=20, chars_per_token=3.0, system_prompt="You are")
    said = [message["content"] for message in example(turns, dataset)["messages"]]
    assert said == ["You are", "q2", "a2", "q3", "a3"]
    assert len(example(turns, Dataset(max_history_tokens=0))["messages"]) == 3
    assert len(example(turns, Dataset(max_history_tokens=10_000))["messages"]) == 7


@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=8), st.integers(0, 100))
def test_the_limit_holds_and_the_last_turn_stays(texts: list[str], limit: int) -> None:
    turns = record(*(text for text in texts for _ in range(2)))["messages"]
    dataset = Dataset(max_history_tokens=limit, chars_per_token=1.0)
    kept = within_limit(turns, dataset)
    assert kept == turns[-len(kept) :]
    assert len(kept) >= 2
    assert [message["role"] for message in kept] == ["user", "assistant"] * (len(kept) // 2)
    assert sum(len(message["content"]) + 4 for message in kept[:-2]) <= limit


def prepared(*overrides: str) -> Layout:
    config = config_of("dataset.balance=none", *overrides)
    context = context_of(config)
    rows = chats(60, 30)
    for each in rows[:7]:
        each["messages"] = [*each["messages"], *each["messages"]]
    write(context.layout.raw_conversations, rows)
    prepare(config, context)
    return context.layout


def test_datasets_reads_both_formats_alike(workdir: Path) -> None:
    import datasets

    layout = prepared()
    whole = datasets.load_from_disk(str(layout.dataset / "dataset_dict"))
    files = {"train": str(layout.train), "validation": str(layout.val), "test": str(layout.test)}
    lines = datasets.load_dataset("json", data_files=files, cache_dir="cache")
    assert {name: len(split) for name, split in whole.items()} == {name: len(split) for name, split in lines.items()}
    for name, path in (("train", layout.train), ("validation", layout.val), ("test", layout.test)):
        assert [json.loads(json.dumps(row)) for row in whole[name]] == rows_of(path)
    by_card = datasets.load_dataset(str(layout.dataset), cache_dir="cache")  # the card's header names the splits
    assert set(by_card) == set(files)


def test_a_second_prepare_replaces_the_first(workdir: Path) -> None:
    layout = prepared()
    prepared("dataset.max_history_tokens=0")
    assert not [path.name for path in layout.dataset.iterdir() if path.name.startswith(".")]
    assert sum(json.loads(layout.prepare_summary.read_text())["shortened"].values()) == 7


def test_no_dict_where_none_is_wanted(workdir: Path) -> None:
    assert not (prepared("dataset.dataset_dict=false").dataset / "dataset_dict").exists()


def test_the_card_says_what_is_there(workdir: Path) -> None:
    layout = prepared("""dataset.license='all rights reserved, "ours"'""")
    text = (layout.dataset / "README.md").read_text()
    header = yaml.safe_load(text.split("---")[1])
    assert header["license_name"] == 'all rights reserved, "ours"'
    assert [part["path"] for part in header["configs"][0]["data_files"]] == ["train.jsonl", "val.jsonl", "test.jsonl"]
    for path in (layout.train, layout.val, layout.test, layout.rejected, layout.raw_conversations):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in text
    assert "| train | 48 |" in text
    assert "Italian" not in text.split("## Left out")[1]
    assert "more Indonesian business conversations" in text


def test_weights_repeat_rare_kinds_in_train_only(workdir: Path) -> None:
    config = config_of("dataset.balance=weights", "dataset.balance_max_weight=10")
    context = context_of(config)
    rows = chats(90, 30)
    for number, each in enumerate(rows):
        rare = number % 6 == 0
        each["metadata"] |= {"language": "it", "category": "business" if rare else "greeting"}  # type: ignore[operator]
    write(context.layout.raw_conversations, rows)
    prepare(config, context)
    kinds = Counter(each["metadata"]["category"] for each in rows_of(context.layout.train))
    assert 1.2 < kinds["business"] / kinds["greeting"] < 2.1  # 5 to 3 is asked for, 1 to 5 is there
    for path in (context.layout.val, context.layout.test):
        names = [each["metadata"]["conversation_id"] for each in rows_of(path)]
        assert len(set(names)) == len(names)
    facts = json.loads(context.layout.prepare_summary.read_text())
    assert facts["kept"] + sum(facts["rejected"].values()) == 90
    assert set(facts["leakage"].values()) == {0}


def test_variants_stand_beside_their_originals_in_train(workdir: Path) -> None:
    before = prepared()
    plain = {path: rows_of(path) for path in (before.train, before.val, before.test)}
    layout = prepared("dataset.augment=[lowercase,no_punctuation]", "dataset.augment_share=0.5")
    assert rows_of(layout.val) == plain[layout.val]
    assert rows_of(layout.test) == plain[layout.test]
    train = {each["metadata"]["conversation_id"]: each for each in rows_of(layout.train)}
    originals = {each["metadata"]["conversation_id"]: each for each in plain[layout.train]}
    assert {name: train[name] for name in originals} == originals
    variants = {name: each for name, each in train.items() if "~" in name}
    assert len(variants) > 30
    for name, each in variants.items():
        original = originals[name.split("~")[0]]
        assert [m["content"].lower() for m in each["messages"][2::2]] == [
            m["content"].lower() for m in original["messages"][2::2]
        ]
    assert set(leakage(layout.dataset, 0.9).values()) == {0}


def test_leakage_finds_what_is_put_there(workdir: Path) -> None:
    layout = prepared()
    assert set(leakage(layout.dataset, 0.9).values()) == {0}
    trained = next(line for line in layout.train.read_text().splitlines() if len(json.loads(line)["messages"]) == 3)
    with layout.test.open("a") as test:
        test.write(trained + "\n")
    assert leakage(layout.dataset, 0.9) == {
        "users on two sides": 1,
        "conversations on two sides": 1,
        "held-out near-duplicates of train": 0,
        "held-out turns that stand in train": 1,
        "held-out turns that nearly stand in train": 0,
    }


def test_without_a_mix_no_target_is_shown() -> None:
    mix = {"before": {"nl": 0.5, "pl": 0.5}, "after": {"nl": 0.25, "pl": 0.75}, "target": {}}
    assert shares_of(mix, "nl") == ["50.0%", "25.0%", "none"]
    assert shares_of({**mix, "target": {"nl": 1.0}}, "pl") == ["50.0%", "75.0%", "0.0%"]
