"""From raw conversations to splits: nothing lost, nobody moved, nothing on both sides."""

import json
import shutil
from collections import Counter
from copy import deepcopy
from pathlib import Path
from random import Random

import pytest

from tests.dataset.support import Silent, config_of, context_of, record, rows_of, small_demo, write
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.dataset.analyze import analyze, interval
from zantara_exp.dataset.duplicates import jaccard, words_of
from zantara_exp.dataset.embedded import Server
from zantara_exp.dataset.evidence import METRICS, evidence
from zantara_exp.dataset.extract import extract
from zantara_exp.dataset.growing_rows import continued, told_by
from zantara_exp.dataset.prepare import prepare
from zantara_exp.dataset.splits import NAMES, held_out_users, known_users
from zantara_exp.gates.evidence import EvidenceRequest, Missing, Number, UserDays


@pytest.fixture(scope="module")
def prepared_once(state: Path, server: Server) -> Config:
    """The small demo, extracted and prepared under the state's folder."""
    config = config_of(*small_demo(state), f"paths.dataset={state}/dataset")
    extract(config, context_of(config))
    prepare(config, context_of(config))
    return config


@pytest.fixture
def prepared(prepared_once: Config, workdir: Path) -> Config:
    """A copy of it for one test to change."""
    shutil.copytree(prepared_once.paths.dataset, workdir / "dataset")
    config = deepcopy(prepared_once)
    config.paths.dataset = "dataset"
    return config


def test_in_is_out_and_rejected(prepared: Config) -> None:
    layout = context_of(prepared).layout
    names = [each["conversation_id"] for each in rows_of(layout.raw_conversations)]
    rejected = rows_of(layout.rejected)
    out = [example for split in NAMES for example in rows_of(layout.dataset / f"{split}.jsonl")]
    kept = [example["metadata"]["conversation_id"] for example in out]
    assert Counter(names) == Counter([*kept, *(each["conversation_id"] for each in rejected)])
    assert all(each["reason"] for each in rejected)
    assert json.loads(layout.prepare_summary.read_text())["rejected"] == dict(
        Counter(each["reason"] for each in rejected).most_common()
    )


def test_both_stages_note_whose_data_they_write(prepared: Config) -> None:
    layout = context_of(prepared).layout
    for summary in (layout.extract_summary, layout.prepare_summary):
        assert json.loads(summary.read_text())["origin"] == {"experiment": "ours"}


def test_examples_have_the_shape_of_the_contract(prepared: Config) -> None:
    for split in NAMES:
        for example in rows_of(context_of(prepared).layout.dataset / f"{split}.jsonl"):
            assert set(example["metadata"]) == {"language", "category", "rating", "model", "conversation_id", "user"}
            roles = [message["role"] for message in example["messages"]]
            assert roles == ["system", *["user", "assistant"] * (len(roles) // 2)]
            assert example["messages"][0]["content"].startswith("You are ZANTARA")


def test_no_user_and_no_near_duplicate_on_both_sides(prepared: Config) -> None:
    layout = context_of(prepared).layout
    parts = {split: rows_of(layout.dataset / f"{split}.jsonl") for split in NAMES}
    users = {split: {example["metadata"]["user"] for example in rows} for split, rows in parts.items()}
    assert not users["train"] & (users["val"] | users["test"])
    assert not users["val"] & users["test"]
    assert users["val"] | users["test"] <= held_out_users(layout)
    trained = [words_of(example) for example in parts["train"]]
    for example in (*parts["val"], *parts["test"]):
        assert max(jaccard(words_of(example), words) for words in trained) < 0.9


def test_shares_and_targets(prepared: Config) -> None:
    facts = json.loads(context_of(prepared).layout.prepare_summary.read_text())
    assert facts["deviation"]["language"] <= 0.03
    assert facts["deviation"]["category"] <= 0.03
    total = sum(facts["examples"].values())
    for split, share in {"train": 0.8, "val": 0.1, "test": 0.1}.items():
        assert abs(facts["examples"][split] / total - share) < 0.03


def test_new_data_move_nobody(prepared: Config) -> None:
    layout = context_of(prepared).layout
    before = known_users(layout)
    raw = rows_of(layout.raw_conversations)
    late = [{**each, "conversation_id": f"late-{n}", "user": f"late-{n % 9}"} for n, each in enumerate(raw[:90])]
    for number, each in enumerate(late):
        each["messages"] = [{**m, "content": f"{m['content']} {number} numero {number * 7}"} for m in each["messages"]]
    write(layout.raw_conversations, [*raw, *late])
    prepare(prepared, context_of(prepared))
    after = known_users(layout)
    assert {user: after[user] for user in before} == before
    assert set(after) > set(before)


def test_users_whose_chats_were_reviewed_are_never_put_into_test(prepared: Config) -> None:
    layout = context_of(prepared).layout
    in_test = {user for user, split in known_users(layout).items() if split == "test"}
    write(layout.reviewed, [{"user": user} for user in sorted(in_test)])
    layout.splits.unlink()
    prepare(prepared, context_of(prepared))
    after = known_users(layout)
    assert in_test <= after.keys()
    assert not [user for user in in_test if after[user] == "test"]
    assert "test" in after.values()


def test_it_is_repeatable_and_recorded(prepared: Config) -> None:
    context = context_of(prepared)
    files = [*(context.layout.dataset / f"{split}.jsonl" for split in NAMES), context.layout.splits]
    before = [file.read_bytes() for file in files]
    prepare(prepared, context)
    assert [file.read_bytes() for file in files] == before
    assert isinstance(context.run, Silent)
    assert context.run.datasets == ["train", "val", "test"]


def test_the_training_cap(prepared: Config) -> None:
    prepared.dataset.max_train_rows = 100
    prepare(prepared, context_of(prepared))
    assert len(rows_of(context_of(prepared).layout.train)) <= 100


def chats(count: int, users: int) -> list[dict[str, object]]:
    random, words = Random(1), [f"parola{n}" for n in range(500)]
    return [
        record(
            "Vorrei sapere una cosa su " + " ".join(random.sample(words, 8)),
            "Certo, ecco la risposta che cercavi su " + " ".join(random.sample(words, 8)),
            name=f"c{n}",
            user=f"u{n % users}",
        )
        for n in range(count)
    ]


def test_a_mix_that_cannot_be_had_is_reported(workdir: Path) -> None:
    config = config_of()
    context = context_of(config)
    write(context.layout.raw_conversations, chats(60, 30))
    result = prepare(config, context)
    assert "OFF" in result.summary["mix"]
    assert "all kept" in result.summary["balance"]
    assert sum(len(rows_of(context.layout.dataset / f"{split}.jsonl")) for split in NAMES) == 60


def test_copies_on_both_sides_are_rejected_as_such(workdir: Path) -> None:
    """Where copies are kept, those of training examples may not be held out."""
    config = config_of("dataset.copies=5", "dataset.balance=none")
    context = context_of(config)
    rows = chats(60, 30)
    twins = [{**each, "conversation_id": f"twin-{n}", "user": f"twin-{n}"} for n, each in enumerate(rows[:30])]
    write(context.layout.raw_conversations, [*rows, *twins])
    prepare(config, context)
    reasons = Counter(each["reason"] for each in rows_of(context.layout.rejected))
    assert set(reasons) == {"near_duplicate_of_train"}


def test_too_little_is_an_error(workdir: Path) -> None:
    config = config_of()
    write(
        context_of(config).layout.raw_conversations, [*chats(1, 1), *(record("?", "", user=f"v{n}") for n in range(3))]
    )
    with pytest.raises(ZantaraError, match="no example is left for val and test: 4 conversations in, rejected"):
        prepare(config, context_of(config))


def test_chats_of_one_user_are_named_as_such(workdir: Path) -> None:
    config = config_of()
    context = context_of(config)
    write(context.layout.raw_conversations, chats(40, 1))
    with pytest.raises(ZantaraError, match="all 40 conversations are of one user: splits are by user") as told:
        prepare(config, context)
    assert "source.columns.user" in told.value.hint
    assert "are of one user" in analyze(config, context).summary["finding 1"]
    write(context.layout.raw_conversations, [*chats(40, 1), *chats(5, 5)])
    assert "one user wrote 91% of the conversations" in analyze(config, context).summary["finding 1"]


def grown(user: str, session: str | None, *sizes: int, first: int = 0) -> list[dict[str, object]]:
    """Rows of one conversation: each holds that many turns of it, up to the row's own."""
    made = []
    for end, size in enumerate(sizes, 1):
        said = [text for turn in range(end - size, end) for text in _turn(f"{user}{first + turn}")]
        row = record(*said, name=f"{user}-{session}-{end}", user=user, category="business")
        made.append({**row, "session": session})
    return made


def _turn(name: str) -> tuple[str, str]:
    words = " ".join(Random(name).sample([f"parola{n}" for n in range(500)], 8))
    return f"Vorrei sapere una cosa su {words}", f"Certo, ecco la risposta che cercavi su {words}"


def test_rows_that_grow_count_once(workdir: Path) -> None:
    config = config_of("dataset.balance=none")
    context = context_of(config)
    rows = [row for user in range(30) for row in grown(f"u{user}", f"s{user}", 1, 2, 3, 4, 5)]
    write(context.layout.raw_conversations, Random(1).sample(rows, len(rows)))
    result = prepare(config, context)
    layout = context.layout
    facts = json.loads(layout.prepare_summary.read_text())
    assert (facts["kept"], facts["rejected"], facts["quality"]) == (30, {"continued": 120}, 1.0)
    assert "120" in result.summary["growing rows"]
    assert {each["of"].rsplit("-", 1)[1] for each in rows_of(layout.rejected)} == {"5"}
    trained = Counter(message["content"] for each in rows_of(layout.train) for message in each["messages"][1:])
    assert set(trained.values()) == {1}
    assert "120 rows hold a part" in analyze(config, context).summary["finding 1"]


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([*grown("u", None, 1, 2, 3)], {"u-None-3"}),
        ([*grown("u", "s", 1, 2, 3, 3, 3, 3, 3)], {"u-s-3", "u-s-6", "u-s-7"}),  # a window of three turns
        ([*grown("u", "s", 1, 2), *grown("u", "t", 1, 2, first=7)], {"u-s-2", "u-t-2"}),
        ([{**row, "session": f"request-{n}"} for n, row in enumerate(grown("u", "s", 1, 2, 3))], {"u-s-1", "u-s-3"}),
        ([*grown("u", "s", 1), *grown("v", "s", 1)], {"u-s-1", "v-s-1"}),
        ([*grown("u", "s", 1), *grown("u", "t", 1)], {"u-s-1", "u-t-1"}),  # the same chat twice is a duplicate
    ],
)
def test_which_rows_go_on_in_others(rows: list[dict[str, object]], kept: set[str]) -> None:
    goes_on = continued(map(told_by, rows))
    assert {str(row["conversation_id"]) for row in rows} - goes_on.keys() == kept
    assert set(goes_on.values()) <= kept


def test_many_rows_of_one_guest_take_no_square_of_time() -> None:
    rows = [record("Ciao", "Ciao!", *_turn(str(n)), name=f"c{n}", user="guest") for n in range(4000)]
    rows += [record("Ciao", "Ciao!", name=f"d{n}", user="guest") for n in range(4000)]
    assert len(continued(map(told_by, rows))) == 4000


def test_a_turn_that_train_holds_in_another_chat_is_not_held_out(workdir: Path) -> None:
    """Without it 70 of 80 test examples of such pairs were answered in train, and no leak was found."""
    config = config_of("dataset.balance=none")
    context = context_of(config)
    rows = []
    for pair in range(100):
        shared, own = _turn(f"shared{pair}"), _turn(f"own{pair}")
        rows.append(record(*shared, name=f"a{pair}", user=f"a{pair}"))
        rows.append(record(*own, *shared, name=f"b{pair}", user=f"b{pair}"))
    write(context.layout.raw_conversations, rows)
    result = prepare(config, context)
    layout = context.layout
    facts = json.loads(layout.prepare_summary.read_text())
    trained = {message["content"] for each in rows_of(layout.train) for message in each["messages"]}
    for path in (layout.val, layout.test):
        held_out = [message["content"] for each in rows_of(path) for message in each["messages"][1:]]
        assert held_out
        assert not trained.intersection(held_out)
    assert set(facts["leakage"].values()) == {0}
    turns = rows_of(layout.rejected_turns)
    assert len(turns) == facts["turns"]["rejected"]["near_duplicate_of_train"] > 10
    assert f"{len(turns)} held-out turns left out that train nearly holds" in result.summary["leakage"]
    gone = sum(len(each["messages"]) // 2 for each in rows_of(layout.rejected))
    assert facts["turns"]["in"] == 300 == facts["turns"]["kept"] + len(turns) + gone
    assert "200 stand in chats of several users" in analyze(config, context).summary["turns"]


def test_one_answer_under_many_questions_is_found_and_capped(workdir: Path) -> None:
    config = config_of("dataset.balance=none")
    context = context_of(config)
    refusal = "Mi dispiace, ma su questo argomento non posso proprio darti una risposta."
    rows = chats(35, 35)
    rows += [record(_turn(f"r{n}")[0], refusal, name=f"r{n}", user=f"r{n}") for n in range(34)]
    rows.append(record(*_turn("s"), _turn("s2")[0], refusal, name="r34", user="r34"))
    write(context.layout.raw_conversations, rows)
    prepare(config, context)
    layout = context.layout
    facts = json.loads(layout.prepare_summary.read_text())
    said = [
        m["content"] for split in NAMES for each in rows_of(layout.dataset / f"{split}.jsonl") for m in each["messages"]
    ]
    assert said.count(refusal) == 5 == config.dataset.same_answer_least
    lost = facts["rejected"]["same_answer"] + facts["turns"]["rejected"].get("same_answer", 0)
    assert lost == 30
    result = analyze(config, context)
    assert "one answer stands under 35 different questions (49% of the turns)" in result.summary["finding 1"]
    assert refusal not in str(result.summary)
    assert json.loads(layout.analysis.read_text())["same_answers"][0]["answer"] == refusal
    assert refusal in (layout.dataset / "analysis.html").read_text()


def test_bad_turns_are_kept_beside_the_splits(workdir: Path) -> None:
    config = config_of("dataset.balance=none")
    context = context_of(config)
    rows = chats(60, 30)
    rows[0]["messages"] = [*record("Ciao!", "...")["messages"], *rows[0]["messages"]]  # type: ignore[misc]
    write(context.layout.raw_conversations, rows)
    prepare(config, context)
    gone = rows_of(context.layout.rejected_turns)
    assert [(each["reason"], each["conversation_id"], each["messages"][0]["content"]) for each in gone] == [
        ("empty", "c0", "Ciao!")
    ]
    facts = json.loads(context.layout.prepare_summary.read_text())
    assert (facts["kept"], facts["turns"]["kept"], facts["turns"]["in"]) == (60, 60, 61)
    card = (context.layout.dataset / "README.md").read_text()
    assert "Of 61 questions and answers 60 are kept" in card
    assert "| empty | 0 | 1 |" in card


def test_before_extract(workdir: Path) -> None:
    config = config_of()
    for stage in (prepare, analyze):
        with pytest.raises(MissingInputError, match="stage=extract writes it"):
            stage(config, context_of(config))


def test_analyze(prepared: Config) -> None:
    context = context_of(prepared)
    result = analyze(prepared, context)
    facts = json.loads(context.layout.analysis.read_text())
    assert sum(row["count"] for row in facts["language"]["shares"].values()) == facts["conversations"]
    assert 0.8 < facts["quality"]["share"] < 1
    assert sum(week["conversations"] for week in facts["weeks"]) == facts["conversations"]
    assert all(path.exists() for path in result.artifacts)
    assert f"{context.layout.to_label.name}: " in result.summary["to label"]
    assert "fill in language and category, then python -m zantara_exp stage=analyze" in result.summary["to label"]
    assert f"dataset.labelled={prepared.paths.dataset}/to_label.jsonl" in result.summary["to label"]


def test_wilson_interval_against_a_published_value() -> None:
    """Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662."""
    assert interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert interval(0, 0) == (0.0, 1.0)


def test_evidence(prepared: Config) -> None:
    layout = context_of(prepared).layout
    found = {metric: evidence([EvidenceRequest(metric)], None, prepared, layout)[0] for metric in METRICS}
    assert isinstance(found["conversations"], Number)
    assert found["conversations"].value > 100
    quality = found["quality"]
    assert isinstance(quality, UserDays)
    assert quality.trials.sum() == len(rows_of(layout.raw_conversations))
    assert (quality.total <= quality.trials).all()


def test_no_evidence_before_the_stages_ran(workdir: Path) -> None:
    config = config_of()
    for metric in METRICS:
        assert isinstance(evidence([EvidenceRequest(metric)], None, config, context_of(config).layout)[0], Missing)
