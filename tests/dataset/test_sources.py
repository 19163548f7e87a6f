"""Production's database: what is read, and what is said where it cannot be."""

import json
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.dataset.support import config_of, context_of, rows_of
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ConfigError, MissingInputError, MissingRequirementError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import sql_values
from zantara_exp.dataset.connect import connect
from zantara_exp.dataset.embedded import Server
from zantara_exp.dataset.extract import extract
from zantara_exp.dataset.forgotten import save
from zantara_exp.dataset.sources import fingerprint, open_database, open_source
from zantara_exp.dataset.user_hash import hash_key, hash_user

TABLE = """
create table conversations (id uuid primary key default gen_random_uuid(), user_id text, session_id text,
    messages jsonb, metadata jsonb, created_at timestamptz)
"""
METERS = ("tokens_input", "tokens_output", "latency_ms")
CHAT = '[{"role": "user", "content": "Ciao"}, {"role": "assistant", "content": "Benvenuto a Bali!"}]'


def read(config: Config) -> list[dict[str, Any]]:
    with open_source(config, Layout(config)) as source:
        return list(source.rows())


def extracted(config: Config) -> dict[str, Any]:
    context = context_of(config)
    extract(config, context)
    facts: dict[str, Any] = json.loads(context.layout.extract_summary.read_text())
    return facts


def add(connection: psycopg.Connection, day: str = "2025-11-03", model: str = "claude-haiku", user: str = "u1") -> None:
    connection.execute(
        "insert into conversations (user_id, messages, metadata, created_at) values (%s, %s, %s, %s)",
        [user, CHAT, f'{{"model": "{model}", "rating": 4}}', f"{day} 12:00+00"],
    )


def test_days_models_limit_and_as_of(database: psycopg.Connection, workdir: object) -> None:
    database.execute(TABLE)
    for day in ("2025-11-03", "2025-10-05", "2025-10-04"):
        add(database, day)
    add(database, model="gpt-4o")
    assert [row["created_at"][:10] for row in read(config_of("source=postgres"))] == ["2025-11-03", "2025-10-05"]
    assert len(read(config_of("source=postgres", "source.models=[]"))) == 3
    assert len(read(config_of("source=postgres", "source.limit=1"))) == 1
    assert len(read(config_of("source=postgres", "as_of=2025-10-05"))) == 2
    assert len(read(config_of("source=postgres", "source.min_rating=4.5"))) == 0


def test_model_names_are_no_patterns(database: psycopg.Connection, workdir: object) -> None:
    database.execute(TABLE)
    add(database)
    assert read(config_of("source=postgres", "source.models=['%']")) == []
    assert read(config_of("source=postgres", "source.models=['h_iku']")) == []
    assert len(read(config_of("source=postgres", "source.models=['HAIKU']"))) == 1


def test_the_other_schema(database: psycopg.Connection, workdir: object) -> None:
    database.execute(
        "create table chats (id int, user_id text, session_id text, messages text, metadata jsonb, "
        '"timestamp" timestamp, ai_model_used text)'
    )
    database.execute("insert into chats values (1, 'u', 's', %s, null, '2025-11-03 10:00', 'haiku')", [CHAT])
    row = read(config_of("source=postgres_flat", "source.table=public.chats"))[0]
    assert (row["id"], row["model"], row["created_at"]) == ("1", "haiku", "2025-11-03 10:00:00+00")


def test_fingerprint_follows_the_rows_in_scope_and_the_key(
    database: psycopg.Connection, workdir: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute(TABLE)
    add(database)
    config = config_of("source=postgres")
    before = fingerprint(config)
    assert fingerprint(config) == before
    add(database, day="2020-01-01")
    assert fingerprint(config) == before
    with monkeypatch.context() as other:
        other.setenv("ZANTARA_HASH_KEY", "another key, which makes other users of the same")
        assert fingerprint(config) != before
    database.execute("update conversations set metadata = metadata || '{\"rating\": 1}'")
    assert fingerprint(config) != before


def test_it_cannot_write(database: psycopg.Connection, workdir: object) -> None:
    database.execute(TABLE)
    add(database)
    config = config_of("source=postgres")
    with pytest.raises(ZantaraError, match="read-only"), open_database(config, Layout(config)) as source:
        source.connection.execute("delete from conversations")


def test_a_missing_table_names_those_there_are(database: psycopg.Connection, workdir: object) -> None:
    database.execute("create table conversation_log (id int)")
    with pytest.raises(ZantaraError, match=r"no such table; did you mean conversation_log\? .*public.conversation_log"):
        read(config_of("source=postgres"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("source.columns.user=usr_id", r"user=usr_id: no such column; did you mean user_id\?"),
        ("source.columns.model=meta.model", "model=meta.model: no such column"),
        ("source.columns.model=user_id.model", "user_id is text, not JSON"),
        ("source.columns.created_at=metadata", "it is jsonb, which is no time"),
        ("source.columns.user='user_id; drop table conversations'", "no such column"),
    ],
)
def test_a_wrong_mapping_names_the_columns(
    database: psycopg.Connection, workdir: object, override: str, message: str
) -> None:
    database.execute(TABLE)
    add(database)
    with pytest.raises(ZantaraError, match=rf"has the columns id \(uuid\), user_id \(text\), (.*\n)+.*{message}"):
        read(config_of("source=postgres", override))
    assert database.execute("select count(*) from conversations").fetchone() == (1,)


def test_all_that_is_wrong_with_a_mapping_is_said_at_once(database: psycopg.Connection, workdir: object) -> None:
    database.execute("create table conversations (id int, who text, messages text, at timestamptz)")
    with pytest.raises(ZantaraError) as told:
        read(config_of("source=postgres"))
    wrong = [line.split("=")[0].strip() for line in told.value.message.splitlines()[1:]]
    facts = ("user", "session", "created_at", "model", "rating", "language", *METERS)
    assert wrong == [f"source.columns.{name}" for name in facts]
    assert "source.columns.user" in told.value.hint


def test_an_empty_table_gets_advice(database: psycopg.Connection, workdir: object) -> None:
    database.execute(TABLE)
    with pytest.raises(MissingInputError, match="holds no conversation") as told:
        read(config_of("source=postgres"))
    assert "500" in told.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader:Hidden99@127.0.0.1:9/app",
        "postgresql://reader:Hidden99@no.such.host.invalid/app",
        "mysql://reader:Hidden99@x/y",
        "Hidden99",
    ],
)
def test_a_wrong_url_never_shows_the_password(monkeypatch: pytest.MonkeyPatch, workdir: object, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ZantaraError) as told:
        read(config_of("source=postgres", "source.connect_timeout_seconds=2"))
    assert "DATABASE_URL" in str(told.value)
    assert "Hidden99" not in str(told.value)
    assert told.value.hint


def test_no_url(workdir: object) -> None:
    with pytest.raises(MissingRequirementError, match="DATABASE_URL, which is not set"):
        read(config_of("source=postgres"))


def test_a_time_without_end_is_no_newest_day(database: psycopg.Connection, workdir: object) -> None:
    database.execute(TABLE)
    add(database)
    add(database, user="forever")
    database.execute("update conversations set created_at = 'infinity' where user_id = 'forever'")
    assert [row["user"] for row in read(config_of("source=postgres"))] == ["u1"]


def test_a_slow_query_names_the_key(database: psycopg.Connection, workdir: object) -> None:
    database.execute(TABLE)
    add(database)
    config = config_of("source=postgres", "source.statement_timeout_seconds=1")
    told = pytest.raises(ZantaraError, match="source.statement_timeout_seconds=1")
    with told, open_database(config, Layout(config)) as source:
        source.connection.execute("select pg_sleep(3)")


def test_a_database_nobody_imported(configured: Callable[..., Config]) -> None:
    with pytest.raises(MissingInputError, match="no such database"):
        read(configured("source=imported", "source.database=nowhere"))


def test_dates_that_cannot_be_do_not_move_the_period(database: psycopg.Connection, workdir: object) -> None:
    database.execute(TABLE)
    add(database)
    for day in ("2099-01-01", "9999-12-31", "294000-01-01"):
        add(database, day, user="u2")
    database.execute("insert into conversations (user_id, created_at) values ('u3', null), ('u3', '0044-03-15 BC')")
    config = config_of("source=postgres")
    with open_source(config, Layout(config)) as source:
        assert [row["created_at"][:10] for row in source.rows()] == ["2025-11-03"]
        assert "3 conversations are dated later than tomorrow" in source.note
        assert "2 conversations have no usable time" in source.note
        assert [row["user"] for row in source.undated()] == ["u3", "u3"]
    assert read(config_of("source=postgres", "as_of=9999-12-31"))[0]["created_at"][:4] == "9999"
    database.execute("delete from conversations where user_id in ('u1', 'u3')")
    with pytest.raises(MissingInputError, match="all 3 conversations of conversations are dated later"):
        read(config)


TIMES = {
    "2025-11-03 10:00": "2025-11-03 10:00",
    "2025-11-03T10:00:00.123Z": "2025-11-03 10:00",
    "2025-11-03T12:00:00+02:00": "2025-11-03 10:00",
    "2025-11-03 10:00:00 UTC": "2025-11-03 10:00",
    " 2024-02-29 ": "2024-02-29 00:00",
    "1762164000": "2025-11-03 10:00",
    "1762164000.5": "2025-11-03 10:00",
    "1762164000123": "2025-11-03 10:00",
    "1762164000123456": "2025-11-03 10:00",
    "1762164000123456789": "2025-11-03 10:00",
}
NO_TIMES = (
    "anna@example.com",
    "2025-02-30",
    "2023-02-29",
    "2025-13-01",
    "2025-11-03 25:00",
    "12345",
    "-",
    "NaN",
    " ",
    "0000-01-01",
)


@pytest.mark.parametrize("version", [150_000, 180_000])
@pytest.mark.parametrize("kept", ["column", "path"])
def test_a_time_kept_as_text_is_read_or_quarantined_one_by_one(
    database: psycopg.Connection, workdir: Path, version: int, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_values, "_ASKS", 999_999 if version < 160_000 else 160_000)
    database.execute("create table conversations (id int, user_id text, messages jsonb, at text, metadata json)")
    for number, text in enumerate((*TIMES, *NO_TIMES)):
        metadata = json.dumps({"at": text, "model": "haiku"})
        database.execute("insert into conversations values (%s, 'u', %s, %s, %s)", [number, CHAT, text, metadata])
    at = {"column": "at", "path": "metadata.at"}[kept]
    config = config_of(
        "source=postgres", "source.columns.session=''", f"source.columns.created_at={at}", "source.days=36500"
    )
    context = context_of(config)
    facts = extracted(config)
    read = {
        row["conversation_id"]: row["timestamp"][:16].replace("T", " ")
        for row in rows_of(context.layout.raw_conversations)
    }
    assert read == {str(number): moment for number, moment in enumerate(TIMES.values())}
    refused = rows_of(context.layout.quarantine)
    assert {row["reason"] for row in refused} == {"no_time"}
    assert {int(row["conversation_id"]) for row in refused} == set(range(len(TIMES), len(TIMES) + len(NO_TIMES)))
    assert (
        facts["rows_read"] == facts["rows_written"] + sum(facts["quarantined"].values()) == len(TIMES) + len(NO_TIMES)
    )


@pytest.mark.parametrize("kind", ["bigint", "numeric", "double precision"])
def test_a_time_kept_as_a_number(database: psycopg.Connection, workdir: Path, kind: str) -> None:
    database.execute(
        f"create table conversations (id int, user_id text, messages jsonb, metadata jsonb, created_at {kind})"
    )
    given = [1762164000, 1762164000123, 1762164000123456, *([] if kind == "bigint" else ["NaN", "1e30"])]
    for number, moment in enumerate(given):
        database.execute("insert into conversations values (%s, 'u', %s, null, %s)", [number, CHAT, moment])
    config = config_of("source=postgres", "source.columns.session=''", "source.models=[]")
    facts = extracted(config)
    assert facts["rows_written"] == 3
    assert facts["quarantined"] == ({"no_time": 2} if kind != "bigint" else {})


UNREADABLE = {
    "NUL": r"\u0000", "half a pair": r"\ud83d", "the other half": r"\ude00", "two halves": r"\ud83d\ud83d",
    "a pair": r"\ud83d\ude00", "half behind a pair": r"\ud83d\ude00\ude00", "NUL twice": r"\u0000\u0000",
    "no escape": r"\\u0000", "a backslash and NUL": r"\\\u0000",
}  # fmt: skip


@pytest.mark.parametrize("columns", ["of their own", "one"])
def test_json_that_postgresql_cannot_look_into(
    database: psycopg.Connection, workdir: Path, columns: str, capsys: pytest.CaptureFixture[str]
) -> None:
    database.execute(
        "create table conversations (id int, user_id text, session_id text, messages json, metadata json, "
        "created_at timestamptz)"
    )
    chat = CHAT.replace("Ciao", "Quanto costa un visto per Bali?")
    for number, escape in enumerate(UNREADABLE.values()):
        metadata = f'{{"model":"haiku","contact":"+62 812 3456 7890 {escape}","rating":4}}'
        payload = f'{{"messages":{chat},"model":"haiku","contact":"{escape}"}}'
        row = [number, payload if columns == "one" else chat.replace("?", f"? {escape}"), metadata]
        database.execute("insert into conversations values (%s, 'u', 's', %s, %s, '2025-11-03')", row)
    mapped = (
        ("source.columns.messages=messages.messages", "source.columns.model=messages.model") if columns == "one" else ()
    )
    config = config_of("source=postgres", *mapped)
    facts = extracted(config)
    assert (facts["rows_written"], facts["quarantined"], facts["models"]) == (
        len(UNREADABLE),
        {},
        {"haiku": len(UNREADABLE)},
    )
    if columns != "one":
        said = {
            int(row["conversation_id"]): row["messages"][0]["content"]
            for row in rows_of(context_of(config).layout.raw_conversations)
        }
        ends = [
            "\ufffd",
            "\ufffd",
            "\ufffd",
            "\ufffd\ufffd",
            "\U0001f600",
            "\U0001f600\ufffd",
            "\ufffd\ufffd",
            r"\u0000",
            "\\\ufffd",
        ]
        assert [
            said[number].removeprefix("Quanto costa un visto per Bali? ") for number in range(len(UNREADABLE))
        ] == ends


def test_what_postgresql_quotes_of_a_row_is_not_said(database: psycopg.Connection, workdir: Path) -> None:
    database.execute(TABLE)
    add(database)
    database.execute("alter table conversations rename to chats")
    database.execute("update chats set session_id = 'anna@example.com, +62 812 3456 7890'")
    database.execute(
        "create view conversations as "
        "select id, user_id, session_id::int as session_id, messages, metadata, created_at from chats"
    )
    with pytest.raises(ZantaraError, match="holds a row that PostgreSQL cannot read") as told:
        read(config_of("source=postgres"))
    assert not re.search("anna|812", f"{told.value} {traceback.format_exception(told.value)}")


def test_row_level_security_that_hides_rows_is_said(
    database: psycopg.Connection, server: Server, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute(TABLE)
    for number in range(40):
        add(database, user=f"user-{number}")
    database.execute("analyze conversations")
    database.execute("create view seen as select * from conversations")
    database.execute("drop role if exists reader")
    database.execute("create role reader login")
    database.execute("grant usage on schema public to reader; grant select on conversations, seen to reader")
    monkeypatch.setenv(
        "DATABASE_URL",
        server.conninfo("production").replace("user=postgres", "user=reader").replace("postgres@", "reader@"),
    )
    with open_source(config_of("source=postgres"), Layout(config_of())) as source:
        assert source.hidden == source.note == ""
    database.execute("alter table conversations enable row level security")
    with pytest.raises(
        MissingInputError, match="security of conversations binds the account reader: it sees 0 of about 40"
    ) as told:
        read(config_of("source=postgres"))
    assert "alter role" in told.value.hint
    database.execute("create policy own on conversations for select using (user_id like 'user-1%')")
    facts = extracted(config_of("source=postgres"))
    assert facts["rows_written"] == 11
    assert "binds the account reader: it sees 11 of about 40 (row_security=on)" in facts["row_security"]
    with open_source(config_of("source=postgres", "source.table=seen"), Layout(config_of())) as source:
        assert not source.hidden  # the view's owner sees all of it
        assert len(list(source.rows())) == 40
    database.execute("alter view seen set (security_invoker = true)")
    with open_source(config_of("source=postgres", "source.table=seen"), Layout(config_of())) as source:
        assert "sees 11" in source.note
    database.execute("drop owned by reader; drop role reader")


def test_a_condition_leaves_rows_out(database: psycopg.Connection, workdir: Path) -> None:
    database.execute(TABLE)
    for user in ("u1", "u2", "{u3}"):
        add(database, user=user)
    database.execute("alter table conversations add deleted_at timestamptz")
    database.execute("update conversations set deleted_at = now() where user_id = 'u2'")
    kept = "source.where='deleted_at is null -- soft deletes'"
    assert {row["user"] for row in read(config_of("source=postgres", kept))} == {"u1", "{u3}"}
    assert fingerprint(config_of("source=postgres", kept)) != fingerprint(config_of("source=postgres"))
    like = "source.where=\"user_id like '%{u%' or deleted_at > '2000-01-01'\""
    assert {row["user"] for row in read(config_of("source=postgres", like))} == {"u2", "{u3}"}
    for wrong, why in (
        ("deleted is null", 'column "deleted" does not exist'),
        ("user_id", "must be type boolean"),
        ("(", "syntax error"),
    ):
        with pytest.raises(ZantaraError, match=rf"source\.where={re.escape(wrong)} is no condition.*{why}"):
            read(config_of("source=postgres", f"source.where='{wrong}'"))
    with pytest.raises(ConfigError, match="one condition, without"):
        config_of("source=postgres", "source.where='true; drop table conversations'")
    with pytest.raises(ConfigError, match="is asked of a database"):
        config_of("source=jsonl", "source.where=true")


BY_MESSAGE = (
    "source=postgres", "source.table=messages", "source.columns.session=chat_id", "source.columns.role=sender",
    "source.columns.content=body", "source.columns.model=model", "source.columns.created_at=sent_at",
    *(f"source.columns.{name}=''" for name in ("rating", "language", "tokens_input", "tokens_output", "latency_ms")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("ids", "body"), [("serial", "text"), ("uuid default gen_random_uuid()", "jsonb"), ("serial", "json")]
)
def test_one_row_per_message(database: psycopg.Connection, workdir: Path, ids: str, body: str) -> None:
    database.execute(
        f"create table messages (id {ids}, chat_id text, user_id text, sender text, body {body}, model text, "
        "sent_at timestamptz)"
    )
    rows = [
        ("c1", "anna", "Customer", "Quanto dura un visto?", None, "10:00"),
        ("c1", "zantara", "bot", "Dura sessanta giorni.", "haiku", "10:00"),  # written in one transaction
        ("c2", "bert", "customer", "Hello", None, "11:00"),
        ("c1", "anna", "customer", "E poi?", None, "10:01"),
        ("c1", None, "tool", "{}", None, "10:02"),
        ("c1", "zantara", "bot", "Si proroga due volte.", "sonnet", "10:03"),
        (None, "carl", "customer", "Anybody there?", None, "12:00"),
    ]
    for chat, user, sender, text, model, at in rows:
        given = text if body == "text" else json.dumps([{"type": "text", "text": text}])
        database.execute(
            "insert into messages (chat_id, user_id, sender, body, model, sent_at) values (%s, %s, %s, %s, %s, %s)",
            [chat, user, sender, given, model, f"2025-11-03 {at}+00"],
        )
    found = {row["id"]: row for row in read(config_of(*BY_MESSAGE, "source.models=[]"))}
    assert len(found) == 3
    facts = extracted(config_of(*BY_MESSAGE, "source.models=[]"))
    written = {row["conversation_id"]: row for row in rows_of(context_of(config_of()).layout.raw_conversations)}
    assert facts["rows_written"] == 3
    chat = written["c1" if "c1" in written else next(iter(written))]
    texts = [each["content"] for each in chat["messages"]]
    assert texts == ["Quanto dura un visto?", "Dura sessanta giorni.", "E poi?", "Si proroga due volte."]
    assert (found["c1"]["user"], found["c1"]["model"], found["c1"]["created_at"]) == (
        "anna",
        "sonnet",
        "2025-11-03 10:03:00+00",
    )
    assert len(read(config_of(*BY_MESSAGE))) == 1  # answered by haiku or sonnet
    with pytest.raises(ConfigError, match=r"source\.columns\.session"):
        config_of(*BY_MESSAGE, "source.columns.session=''")


def test_positions_order_messages_that_were_written_at_once(database: psycopg.Connection, workdir: Path) -> None:
    database.execute(
        "create table messages (id uuid default gen_random_uuid(), chat_id int, user_id text, sender text, body text, "
        "model text, sent_at timestamptz, place int)"
    )
    for place, text in enumerate(["Hi", "Hello", "Who are you?", "Zantara"] * 3):
        sender = "user" if place % 2 == 0 else "assistant"
        database.execute(
            "insert into messages (chat_id, user_id, sender, body, model, sent_at, place) "
            "values (1, 'u', %s, %s, 'haiku', '2025-11-03', %s)",
            [sender, f"{text} {place}", place],
        )
    row = read(config_of(*BY_MESSAGE, "source.columns.position=place"))[0]
    assert [int(each["content"].split()[-1]) for each in json.loads(row["messages"])] == list(range(12))


@pytest.mark.parametrize(("size", "limit"), [(1, 5000), (3, 5000), (4, 12), (50, 8)])
def test_parts_are_the_whole_in_its_order(database: psycopg.Connection, workdir: Path, size: int, limit: int) -> None:
    """Also where rows share time and id: they are of one part."""
    database.execute("create table conversations (id text, user_id text, messages text, created_at timestamptz)")
    for number in range(24):
        row = [f"c{number // 4}", f"u{number}", f"2025-11-03 10:0{number // 8}"]
        database.execute("insert into conversations values (%s, %s, '[]', %s)", row)
    mapped = [f"source.columns.{name}=''" for name in ("session", "model", "rating", "language")]
    mapped += [f"source.columns.{name}=''" for name in ("tokens_input", "tokens_output", "latency_ms")]
    config = config_of("source=postgres", f"source.limit={limit}", *mapped)
    with open_database(config, context_of(config).layout) as source:
        whole = list(source.rows())
        parts = source.parts(size)
        assert [row for part in parts for row in source.rows(part)] == whole
        assert len(whole) == min(limit, 24)
        assert len(parts) == {1: 7, 3: 7, 4: 4, 50: 1}[size]


def test_a_snapshot_is_seen_as_long_as_it_is_held(database: psycopg.Connection, server: Server, workdir: Path) -> None:
    database.execute("create table t (x int)")
    config, address = config_of("source=postgres"), server.conninfo("production")
    held = connect(address, config)
    (name,) = held.execute("select pg_export_snapshot()").fetchone() or ("",)
    database.execute("insert into t values (1)")
    with connect(address, config, name) as other:
        assert other.execute("select count(*) from t").fetchone() == (0,)
    held.close()
    with pytest.raises(ZantaraError, match="the snapshot that all workers read is gone"):
        connect(address, config, name)


def test_a_forgotten_user_whose_rows_have_no_time(database: psycopg.Connection, workdir: Path) -> None:
    database.execute(TABLE)
    for user in ("u1", "u2"):
        add(database, user=user)
        database.execute("insert into conversations (user_id, messages) values (%s, %s)", [user, CHAT])
    config = config_of("source=postgres")
    key = hash_key(config)
    save(context_of(config).layout, key, [hash_user("u2", key)])
    facts = extracted(config)
    assert (facts["forgotten"], facts["rows_written"], facts["quarantined"]) == (2, 1, {"no_time": 1})
