"""Production's database: what is read, and what is said where it cannot be."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.dataset.support import config_of
from zantara_exp.config.schema import Config
from zantara_exp.dataset.sources import fingerprint, open_database, open_source
from zantara_exp.errors import MissingInputError, MissingRequirementError, ZantaraError
from zantara_exp.layout import Layout

TABLE = """
create table conversations (id uuid primary key default gen_random_uuid(), user_id text, session_id text,
    messages jsonb, metadata jsonb, created_at timestamptz)
"""
METERS = ("tokens_input", "tokens_output", "latency_ms")
CHAT = '[{"role": "user", "content": "Ciao"}, {"role": "assistant", "content": "Benvenuto a Bali!"}]'


def read(config: Config) -> list[dict[str, Any]]:
    with open_source(config, Layout(config)) as source:
        return list(source.rows())


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
    assert read(config_of("source=postgres", "as_of=9999-12-31"))[0]["created_at"][:4] == "9999"
    database.execute("delete from conversations where user_id in ('u1', 'u3')")
    with pytest.raises(MissingInputError, match="all 3 conversations of conversations are dated later"):
        read(config)


def test_a_time_kept_as_text(database: psycopg.Connection, workdir: object) -> None:
    database.execute(TABLE)
    database.execute("alter table conversations alter created_at type text")
    add(database)
    add(database, user="u2")
    database.execute("update conversations set created_at = ' ' where user_id = 'u2'")
    config = config_of("source=postgres")
    with open_source(config, Layout(config)) as source:
        assert [row["user"] for row in source.rows()] == ["u1"]
        assert source.note == "1 conversations have no usable time in source.columns.created_at and are not read"
    database.execute("update conversations set created_at = 'anna@example.com' where user_id = 'u2'")
    with pytest.raises(ZantaraError, match=r"source\.columns\.created_at=created_at holds a value that is no") as told:
        read(config)
    assert "anna" not in str(told.value)
