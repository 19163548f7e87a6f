"""From rows of every shape to redacted, hashed, labelled records."""

import json
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dataset.support import config_of, context_of, rows_of, small_demo
from zantara_exp.cli.main import run_overrides
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingRequirementError, ZantaraError
from zantara_exp.dataset.extract import advice, extract
from zantara_exp.dataset.messages import Malformed, Message, parse_json, parse_messages
from zantara_exp.dataset.user_hash import hash_key, hash_user, written_id

CHAT = [
    {"role": "user", "content": "Ciao, sono anna@example.com"},
    {"role": "assistant", "content": "Benvenuta a Bali!"},
]


def test_the_demo_is_extracted(configured: Callable[..., Config]) -> None:
    config = configured()
    context = context_of(config)
    result = extract(config, context)
    raw, quarantined = rows_of(context.layout.raw_conversations), rows_of(context.layout.quarantine)
    facts = json.loads(context.layout.extract_summary.read_text())
    assert facts["rows_read"] == len(raw) + len(quarantined) == facts["conversations"]
    assert result.metrics["extract/written"] == len(raw) > 300
    assert set(raw[0]) == {"conversation_id", "user", "session", "timestamp", "messages", "metadata"}
    assert {"language", "category", "sure", "model", "rating", "tokens_input", "tokens_output", "latency_ms"} == set(
        raw[0]["metadata"]
    )
    assert all(record["timestamp"].endswith("Z") and len(record["user"]) == 16 for record in raw)
    written = context.layout.raw_conversations.read_text()
    assert "user-" not in written
    assert "@example." not in written
    assert "[EMAIL_1]" in written
    assert not {"messages"} & set(quarantined[0])


@pytest.mark.interpreter
def test_all_cores_write_what_one_writes(configured: Callable[..., Config], monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    for many, cores in ((10**9, 1), (0, 2)):
        monkeypatch.setattr("zantara_exp.dataset.batches._MANY", many)
        monkeypatch.setattr("zantara_exp.dataset.batches._ROWS", 40)
        monkeypatch.setattr("zantara_exp.core.parallel.available", lambda cores=cores: cores)
        config = configured()
        context = context_of(config)
        extract(config, context)
        files = context.layout.raw_conversations, context.layout.quarantine, context.layout.extract_summary
        written.append([path.read_text() for path in files])
    assert written[0] == written[1]
    assert json.loads(written[0][2])["redacted"]["EMAIL"] > 0


def test_stats_only_writes_nothing(configured: Callable[..., Config]) -> None:
    config = configured("source.stats_only=true")
    context = context_of(config)
    assert "conversations" in extract(config, context).summary["in scope"]
    assert not context.layout.dataset.exists()


def test_stats_only_as_a_command_is_done_each_time(
    state: Path, server: object, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["stage=extract", *small_demo(state), "source.stats_only=true"]
    for _ in range(2):
        assert run_overrides(command) == 0
        said = capsys.readouterr().out
        assert "in scope" in said
        assert "stats_only=true" not in said  # the next command is not the same one again
    assert not (workdir / "data").exists()


@pytest.mark.parametrize(
    ("count", "begins"), [(500, "go on"), (499, "extend"), (200, "extend"), (199, "wait"), (0, "wait")]
)
def test_advice(count: int, begins: str) -> None:
    assert advice(count).startswith(begins)


def test_nothing_in_scope_is_an_error_with_a_way_out(configured: Callable[..., Config]) -> None:
    config = configured("source.models=[llama]")
    with pytest.raises(ZantaraError, match="no conversation answered by llama from 2025-10-05") as told:
        extract(config, context_of(config))
    assert "source.models" in told.value.hint


def test_messages_of_every_shape(database: psycopg.Connection, workdir: Path) -> None:
    """Text, null, objects, nests, megabytes, NUL and lone surrogates: written or quarantined, never a crash."""
    database.execute(
        "create table conversations (id int, user_id text, messages text, metadata jsonb, created_at timestamptz)"
    )
    shapes: list[tuple[str | None, str]] = [
        (json.dumps(CHAT), ""),
        (json.dumps({"messages": CHAT}), ""),
        (json.dumps(json.dumps(CHAT)), ""),
        (json.dumps([{"from": "human", "value": "Ciao"}, {"from": "gpt", "value": "Benvenuto a Bali"}]), ""),
        (json.dumps([CHAT[0], {"role": "assistant", "content": [{"type": "text", "text": "Ecco"}]}]), ""),
        ('[{"role": "user", "content": "a \\u0000 b \\ud800 c"}, {"role": "assistant", "content": "d"}]', ""),
        (None, "no_messages"),
        ("null", "no_messages"),
        ("[]", "no_messages"),
        ("{}", "not_a_list"),
        ("3", "not_a_list"),
        ("Ciao!", "not_json"),
        ("[1, 2]", "not_a_message"),
        ("[" * 100_000 + "]" * 100_000, "not_json"),
        ('{"a":' * 100_000, "not_json"),
        (json.dumps([CHAT[0], {"role": "narrator", "content": "x"}]), "unknown_role"),
        (json.dumps([CHAT[0], {"role": "assistant", "content": None}]), "no_content"),
        (json.dumps([CHAT[0], {"role": "assistant", "content": "x" * 5_000_000}]), "too_large"),
        (json.dumps([{"role": "system", "content": "You are"}]), "no_messages"),
    ]
    for number, (messages, _) in enumerate(shapes):
        database.execute(
            "insert into conversations values (%s, 'u', %s, '{\"model\": \"haiku\"}', '2025-11-03')", [number, messages]
        )
    config = config_of("source=postgres", "source.columns.session=''")
    context = context_of(config)
    extract(config, context)
    written = {record["conversation_id"] for record in rows_of(context.layout.raw_conversations)}
    refused = {record["conversation_id"]: record["reason"] for record in rows_of(context.layout.quarantine)}
    assert written == {str(number) for number, (_, reason) in enumerate(shapes) if not reason}
    assert refused == {str(number): reason for number, (_, reason) in enumerate(shapes) if reason}


_KEYS = st.sampled_from(["role", "content", "messages", "x"])
_LEAVES = st.none() | st.booleans() | st.floats() | st.text(max_size=5)


@given(st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner), max_leaves=12))
def test_any_json_is_a_chat_or_malformed(value: Any) -> None:
    messages: list[Message] = []
    with suppress(Malformed):
        messages = parse_messages(value)
    assert all(message["role"] in ("user", "assistant", "system") for message in messages)


def _refusal_of(nested: str) -> str:
    """Lists within lists are no messages; Python 3.11 gives up before it knows, 3.13 goes deeper."""
    try:
        json.loads(nested)
    except RecursionError:
        return "not_json"
    return "not_a_message"


def test_jsonb_nested_beyond_measure(database: psycopg.Connection, workdir: Path) -> None:
    database.execute(
        "create table conversations (id int, user_id text, messages jsonb, metadata jsonb, created_at timestamptz)"
    )
    deep = "[" * 4000 + "]" * 4000
    for number, messages in enumerate((deep, json.dumps(CHAT))):
        database.execute("insert into conversations values (%s, 'u', %s, null, '2025-11-03')", [number, messages])
    config = config_of("source=postgres", "source.columns.session=''", "source.models=[]")
    context = context_of(config)
    extract(config, context)
    assert [each["conversation_id"] for each in rows_of(context.layout.raw_conversations)] == ["1"]
    assert [each["reason"] for each in rows_of(context.layout.quarantine)] == [_refusal_of(deep)]


def test_half_a_surrogate_pair_is_parsed() -> None:
    assert parse_messages(parse_json('[{"role":"user","content":"x\\ud83d"}]')) == [
        {"role": "user", "content": "x\ufffd"}
    ]


def test_the_demo_makes_a_key_of_its_own_and_keeps_it(workdir: Path) -> None:
    config = config_of()
    key = hash_key(config)
    file = workdir / ".zantara" / "hash_key"
    assert hash_key(config) == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert hash_user("u1", key) != hash_user("u2", key)
    assert hash_user("u1", key) != hash_user("u1", b"another key, as long as it must be")


def test_real_data_need_a_key(monkeypatch: pytest.MonkeyPatch, workdir: Path) -> None:
    with pytest.raises(MissingRequirementError, match="ZANTARA_HASH_KEY is not set"):
        hash_key(config_of("source=postgres"))
    monkeypatch.setenv("ZANTARA_HASH_KEY", "short")
    with pytest.raises(ZantaraError, match="shorter than 16"):
        hash_key(config_of("source=postgres"))


@pytest.mark.parametrize(("column", "reason"), [("messages", "no_messages"), ("user", "no_id")])
def test_a_mapping_that_finds_nothing_leaves_the_old_files(
    database: psycopg.Connection, workdir: Path, column: str, reason: str
) -> None:
    database.execute(
        "create table conversations (id int, user_id text, messages jsonb, metadata jsonb, created_at timestamptz)"
    )
    database.execute("insert into conversations values (1, 'u', %s, '{}', '2025-11-03')", [json.dumps(CHAT)])
    mapping = ("source=postgres", "source.columns.session=''", "source.models=[]")
    context = context_of(config_of(*mapping))
    extract(config_of(*mapping), context)
    files = (context.layout.raw_conversations, context.layout.quarantine, context.layout.extract_summary)
    before = [path.read_bytes() for path in files]
    wrong = f"source.columns.{column}=metadata.nothing"
    with pytest.raises(ZantaraError, match=f"none of 1 conversations can be written: 1 .{reason} 1") as told:
        extract(config_of(*mapping, wrong), context)
    assert wrong in told.value.hint
    assert [path.read_bytes() for path in files] == before


KEY = b"0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("told", "stays"),
    [
        ("2f0c7a11-5f0c-4f57-9a0e-6b1f5d0c7a11", True),
        ("2f0c7a11-5f0c-4f57-9a0e-6b1f5d0c7a11:0", True),
        ("a1b2c3d4e5f60718.a1b2c3d4e5f60718:12", True),
        ("10425", True),
        ("chat-1042:1", True),
        ("failed", False),
        ("anna", False),
        ("anna-77", False),
        ("conversation_1042", True),
        ("whatsapp:+3933312345600", False),
        ("3933312345600", False),
        ("3174012345678901", False),
        ("wa-3933312345600", False),
        ("anna@example.com", False),
        ("Anna Rossi", False),
        ("chat-with-user-77", False),
        ("RSSMRA85T10A562S", False),
        ("x" * 5000, False),
    ],
)
def test_an_id_that_may_tell_who_it_is_with_is_hashed(told: str, stays: bool) -> None:
    written = written_id(told, "user-77", KEY)
    assert written == (told if stays else hash_user(told, KEY))
    assert written_id(written, "user-77", KEY) == written or not stays  # of a log that a hash stands in as well


def test_ids_and_models_are_written_without_personal_data(database: psycopg.Connection, workdir: Path) -> None:
    database.execute(
        "create table conversations (id text, user_id text, messages text, metadata jsonb, created_at timestamptz)"
    )
    said = '{"model": "haiku for anna@example.com"}'
    for messages in (json.dumps(CHAT), "broken"):
        row = ["whatsapp:+3933312345600", messages, said]
        database.execute("insert into conversations values (%s, 'u', %s, %s, '2025-11-03')", row)
    config = config_of("source=postgres", "source.columns.session=''")
    context = context_of(config)
    result = extract(config, context)
    layout = context.layout
    hashed = hash_user("whatsapp:+3933312345600", KEY)
    for path in (layout.raw_conversations, layout.quarantine):
        assert [row["conversation_id"] for row in rows_of(path)] == [hashed]
    assert rows_of(layout.raw_conversations)[0]["metadata"]["model"] == "haiku for [EMAIL_1]"
    written = [path.read_text() for path in (layout.raw_conversations, layout.quarantine, layout.extract_summary)]
    for text in (*written, repr(result)):
        assert "anna@" not in text
        assert "39333" not in text
