"""The same files by `engine=spark` as on one machine, byte for byte. `scripts/extras spark` installs what it needs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from tests.dataset.support import config_of, context_of, record, write
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.dataset import records
from zantara_exp.dataset.demo.generate import rows
from zantara_exp.dataset.demo.phrases import product_of
from zantara_exp.dataset.extract import extract
from zantara_exp.dataset.forgotten import save
from zantara_exp.dataset.prepare import prepare
from zantara_exp.dataset.user_hash import hash_user
from zantara_exp.spark import spark_lacks

pytestmark = [
    pytest.mark.skipif(
        bool(spark_lacks()), reason=f"Spark cannot run here: it needs {spark_lacks()}; next: scripts/extras spark"
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning"),
]
KEY = "0123456789abcdef0123456789abcdef"
TABLE = """
create table conversations (
    id text, user_id text, session_id text, messages text, metadata jsonb, created_at timestamptz
)
"""
EXTRACTED = ("raw_conversations.jsonl", "quarantine.jsonl", "extract.json")


def is_chat(messages: object) -> bool:
    """The demo holds messages of other shapes as well."""
    whole = isinstance(messages, list) and len(messages) > 1
    return whole and all(isinstance(each, dict) and isinstance(each.get("content"), str) for each in messages)


def varied(config: Config) -> list[dict[str, Any]]:
    """Some 2,000 rows: the demo's, and of every kind that a step has to choose from or refuse."""
    random = Random(5)
    config.demo.conversations, config.demo.users = 1500, 160
    found: list[dict[str, Any]] = [
        {
            "id": str(row.id),
            "user_id": row.user_id,
            "session_id": row.session_id,
            "messages": row.messages,
            "metadata": row.metadata,
            "created_at": row.created_at.isoformat(),
        }
        for row in rows(product_of(config.domain), config.demo, 7)
    ]
    chats = [row for row in found if is_chat(row["messages"]) and row["created_at"] > "2025-10-08"]

    def again(row: dict[str, Any], name: str, **other: object) -> None:
        later = datetime.fromisoformat(row["created_at"]) + timedelta(minutes=random.randrange(-900, 900))
        found.append({**row, "id": name, "created_at": later.isoformat(), **other})

    for number, row in enumerate(random.sample(chats, 120)):  # duplicates, in other users' chats as well
        again(row, f"copy-{number}", user_id=random.choice(chats)["user_id"])
    for number, row in enumerate(random.sample(chats, 150)):  # near ones, of which some are just not
        added = " ".join(random.sample(["allora", "quindi", "magari", "forse", "davvero"], random.randrange(1, 4)))
        messages = [{**each, "content": f"{each['content']} {added}"} for each in row["messages"]]
        again(row, f"near-{number}", messages=messages, user_id=random.choice(chats)["user_id"])
    for number, (one, other) in enumerate(zip(chats[:60], chats[60:120], strict=True)):  # a turn in another chat
        again(one, f"turn-{number}", messages=[*other["messages"], *one["messages"]])
    for number, row in enumerate(chats[200:240]):  # rows that grow
        again(row, f"grows-{number}", messages=[*row["messages"], *chats[number]["messages"]])
    refusal = {"role": "assistant", "content": "Mi dispiace, su questo purtroppo non posso dire nulla di preciso oggi."}
    for number, row in enumerate(chats[300:380]):  # one answer to everything
        again(row, f"same-{number}", messages=[row["messages"][0], refusal])
    for number, row in enumerate(chats[400:420]):  # one name for several, at one time
        found.append({**row, "id": f"twin-{number // 3}", "created_at": chats[400 + number // 3]["created_at"]})
    for number in range(30):
        again(chats[500], f"bad-{number}", messages=random.choice(["Ciao!", None, [1], [{"role": "x"}], []]))
    for number in range(20):
        found.append({**chats[number], "id": f"undated-{number}", "created_at": None})
    return found


@pytest.fixture
def table(database: psycopg.Connection, workdir: Path) -> Iterator[psycopg.Connection]:
    """The rows, as a table."""
    database.execute(TABLE)
    with database.cursor() as cursor, cursor.copy("copy conversations from stdin") as copy:
        for row in varied(config_of()):
            messages = row["messages"] if isinstance(row["messages"], str) else json.dumps(row["messages"])
            copy.write_row([*list(row.values())[:3], messages, json.dumps(row["metadata"]), row["created_at"]])
    return database


CHOSEN = ("train.jsonl", "val.jsonl", "test.jsonl", "rejected.jsonl", "rejected_turns.jsonl", "splits.json",
          "prepare.json", "README.md")  # fmt: skip


def configs(*overrides: str) -> tuple[Config, Config]:
    """On one machine, and on Spark; each with a folder of its own."""
    ours = config_of("paths.dataset=ours", "paths.state=state", *overrides)
    theirs = config_of("paths.dataset=theirs", "paths.state=state", "engine=spark", *overrides)
    return ours, theirs


def assert_same(one: Path, other: Path, names: tuple[str, ...]) -> None:
    for name in names:
        mine, his = ((folder / name).read_bytes() for folder in (one, other))
        assert mine, name
        if name.endswith(".json"):
            assert json.loads(mine) == json.loads(his), name
        assert mine.splitlines() == his.splitlines(), name


@pytest.mark.parametrize("limit", [1234, pytest.param(5000, marks=pytest.mark.slow)])
def test_a_table_is_extracted_the_same(table: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr("zantara_exp.dataset.on_spark.ranges._LEAST_ROWS", 300)
    busiest = table.execute("select user_id from conversations group by 1 order by count(*) desc limit 1").fetchone()
    assert busiest is not None
    ours, theirs = configs("source=postgres", f"source.limit={limit}")
    save(context_of(ours).layout, KEY.encode(), [hash_user(busiest[0], KEY.encode())])
    told = [extract(config, context_of(config)) for config in (ours, theirs)]
    assert_same(Path("ours"), Path("theirs"), EXTRACTED)
    assert told[0].summary == told[1].summary
    facts = records.read_json(Path("ours/extract.json"), "extract")
    assert facts["forgotten"] > 10
    assert facts["quarantined"]["no_time"] == 19  # of 20: one is of the forgotten user
    assert sorted(path.name for path in Path("theirs").iterdir()) == sorted(EXTRACTED)


@pytest.mark.parametrize("limit", [700, pytest.param(5000, marks=pytest.mark.slow)])
def test_files_are_extracted_the_same(workdir: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", KEY)
    found = varied(config_of())
    for part in range(3):
        write(Path(f"chats/part-{part}.jsonl"), found[part::3])
    with Path("chats/part-1.jsonl").open("a") as file:
        file.write('{"messages": [{"role":\n[1, 2]\n')
    ours, theirs = configs("source=files", "source.path=chats", f"source.limit={limit}")
    told = [extract(config, context_of(config)) for config in (ours, theirs)]
    assert_same(Path("ours"), Path("theirs"), EXTRACTED)
    assert told[0].summary == told[1].summary


def test_records_that_are_parts_of_chats_are_refused(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", KEY)
    write(Path("chats.jsonl"), [{"conversation_id": "c", "role": "user", "content": "Ciao"}])
    _, theirs = configs("source=files", "source.path=chats.jsonl")
    with pytest.raises(ZantaraError, match="line 1 is a part of a conversation: engine=spark reads files of whole"):
        extract(theirs, context_of(theirs))


WEIGHED = ["dataset.balance=weights", "dataset.copies=2", "dataset.max_train_rows=300", "dataset.augment=[lowercase]"]
WITHOUT_MIX = ["dataset.near_duplicate_jaccard=1.0", "dataset.targets.language={}", "dataset.max_train_rows=400"]


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        pytest.param(WEIGHED, marks=pytest.mark.slow, id="weighed"),
        pytest.param(WITHOUT_MIX, marks=pytest.mark.slow, id="without-mix"),
    ],
)
def test_the_same_is_chosen_and_split(
    table: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, overrides: list[str]
) -> None:
    monkeypatch.setattr("zantara_exp.dataset.on_spark.reading._LEAST_BYTES", 100_000)
    ours, theirs = configs("source=postgres", "dataset.same_answer_share=0.01", *overrides)
    extract(ours, context_of(ours))
    shutil.copytree("ours", "theirs")
    told = [prepare(config, context_of(config)) for config in (ours, theirs)]
    assert_same(Path("ours"), Path("theirs"), CHOSEN)
    assert told[0].summary == told[1].summary
    facts = records.read_json(Path("ours/prepare.json"), "prepare")
    rejected = {"continued", "duplicate", "same_answer", "balance", "near_duplicate_of_train"}
    assert rejected <= {*facts["rejected"], *facts["turns"]["rejected"]}
    assert [path.name for path in Path("theirs").iterdir() if path.name.startswith(".")] == []


def test_a_line_that_is_no_conversation_is_named_by_its_number(workdir: Path) -> None:
    ours, theirs = configs()
    for config in (ours, theirs):
        place = context_of(config).layout.raw_conversations
        write(place, [record("Ciao", "Benvenuto"), record("Ciao", "Eccomi"), {"id": 3}])
        with pytest.raises(ZantaraError, match=r"raw_conversations.jsonl, line 3 is no conversation as stage=extract"):
            prepare(config, context_of(config))
