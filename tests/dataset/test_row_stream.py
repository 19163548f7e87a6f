"""A connection that is lost in the middle: every row once, none twice, wherever the cut is."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dataset.support import config_of, context_of, rows_of
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.connect import Link
from zantara_exp.dataset.extract import extract
from zantara_exp.dataset.row_stream import _ESCAPED, Position, _unescaped, _unseen
from zantara_exp.dataset.sources import Database, open_database

FILL = """
create table conversations (id text, user_id text, session_id text, messages jsonb, metadata jsonb,
    created_at timestamptz);
insert into conversations select {id}, 'u' || n % 50, 's',
    jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'Ciao ' || n || repeat(' domanda', 60)),
                      jsonb_build_object('role', 'assistant', 'content', E'Benvenuto\\n"a" \\\\ Bali ' || n)),
    '{{"model": "haiku", "rating": 4}}', timestamptz '2025-11-03 12:00+00' - {step} * interval '1 second'
from generate_series(1, {rows}) n
"""
ROWS = 20_000
WAYS = {
    "times of their own": ("'c' || n", "n"),
    "all at one time": ("'c' || n", "0"),
    "ids that repeat": ("'c' || n / 3", "n / 700"),
    "ids that are missing": ("case when n % 2 = 0 then 'c' || n end", "n / 2"),
    "ids to be escaped": [r"E'a\t\\b\n' || n", r"n / 5"],
}
WIDE = ("source=postgres", "source.limit=1000000", "source.models=[]")


def cut(server: psycopg.Connection) -> None:
    """End everyone else's connection, as a failing network or a restarted server does."""
    server.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )


def read_with_cuts(database: psycopg.Connection, at: list[int], *overrides: str) -> tuple[list[dict[str, Any]], int]:
    config = config_of(*WIDE, *overrides)
    with open_database(config, Layout(config)) as source:
        return list(_cutting(source, database, at)), source.interruptions


def _cutting(source: Database, database: psycopg.Connection, at: list[int]) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(source.rows(), 1):
        if number in at:
            cut(database)
        yield row


@pytest.mark.parametrize("way", WAYS)
def test_no_gap_and_no_duplicate(database: psycopg.Connection, workdir: object, way: str) -> None:
    id, step = WAYS[way]
    database.execute(FILL.format(id=id, step=step, rows=ROWS))
    found, interruptions = read_with_cuts(database, [1, 4_321, 9_000])
    assert interruptions >= 2  # what was under way when the line went down may already have arrived
    wanted = [json.dumps(row[0]) for row in database.execute("select messages from conversations").fetchall()]
    assert Counter(json.dumps(json.loads(row["messages"])) for row in found) == Counter(wanted)
    times = [row["created_at"] for row in found]
    assert times == sorted(times, reverse=True)


def test_a_limit_holds_over_cuts(database: psycopg.Connection, workdir: object) -> None:
    database.execute(FILL.format(id="'c' || n", step="n / 10", rows=ROWS))
    found, interruptions = read_with_cuts(database, [3_000], "source.limit=12345")
    assert interruptions
    assert len({row["id"] for row in found}) == len(found) == 12_345


def test_a_statement_that_takes_too_long_is_followed_by_another(
    database: psycopg.Connection, workdir: object, capsys: pytest.CaptureFixture[str]
) -> None:
    database.execute(FILL.format(id="'c' || n", step="n", rows=ROWS))
    config, found = config_of(*WIDE), []
    with open_database(config, Layout(config)) as source:
        for row in source.rows():
            found.append(row["id"])
            if len(found) == 5_000:  # as statement_timeout does
                database.execute("select pg_cancel_backend(%s)", [source.connection.info.backend_pid])
        assert source.interruptions == 1
    assert Counter(found) == Counter(f"c{n}" for n in range(1, ROWS + 1))
    assert "canceling statement" in capsys.readouterr().out


def test_what_changes_meanwhile_is_read_once(database: psycopg.Connection, workdir: object) -> None:
    """The last row read is rewritten, older ones go and newer ones come while the line is down."""
    database.execute(FILL.format(id="'c' || n", step="n", rows=ROWS))
    config = config_of(*WIDE)
    found = []
    with open_database(config, Layout(config)) as source:
        for number, row in enumerate(source.rows(), 1):
            found.append(row["id"])
            if number == 2_000:
                cut(database)
                database.execute("update conversations set session_id = 'new'")
                database.execute(
                    "insert into conversations select 'late', 'u', 's', messages, metadata, "
                    "timestamptz '2025-11-03 12:00+00' from conversations limit 1"
                )
        assert source.interruptions
    assert Counter(found) == Counter(f"c{n}" for n in range(1, ROWS + 1))


@pytest.mark.slow
def test_extract_goes_on_and_says_so(
    database: psycopg.Connection, workdir: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database.execute(FILL.format(id="'c' || n", step="n", rows=ROWS))
    config = config_of(*WIDE, "source.limit=8000")
    context = context_of(config)
    real = Database.rows
    monkeypatch.setattr(Database, "rows", lambda self: _cutting_rows(real(self), database))
    result = extract(config, context)
    assert len(rows_of(context.layout.raw_conversations)) == 8_000
    assert json.loads(context.layout.extract_summary.read_text())["interruptions"] == 1
    assert "1 time" in result.summary["interrupted"]
    assert "going on there" in capsys.readouterr().out


def _cutting_rows(rows: Iterator[dict[str, Any]], database: psycopg.Connection) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(rows):
        if number == 100:
            cut(database)
        yield row


def test_a_database_that_stays_away_leaves_the_old_file(
    database: psycopg.Connection, workdir: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute(FILL.format(id="'c' || n", step="n", rows=ROWS))
    config = config_of(*WIDE, "source.reconnect_attempts=1")
    context = context_of(config)
    context.layout.raw_conversations.parent.mkdir(parents=True)
    context.layout.raw_conversations.write_text("old\n")
    monkeypatch.setattr(Link, "living", _once(Link.living))
    with pytest.raises(ZantaraError, match="gone for good"):
        _extract_cut(config, context, database, monkeypatch)
    assert context.layout.raw_conversations.read_text() == "old\n"
    assert [path.name for path in context.layout.dataset.iterdir()] == ["raw_conversations.jsonl"]


def _extract_cut(config: Any, context: Any, database: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Database.rows
    monkeypatch.setattr(Database, "rows", lambda self: _cutting_rows(real(self), database))
    extract(config, context)


def _once(real: Any) -> Any:
    def living(self: Link) -> Any:
        if self.connection.closed:
            raise psycopg.OperationalError("gone for good")
        return real(self)

    return living


@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_escapes_of_copy(text: str) -> None:
    escaped = text.replace("\\", "\\\\")
    for letter, control in _ESCAPED.items():
        escaped = escaped.replace(control, f"\\{letter}")
    assert _unescaped(escaped) == text


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1), min_size=1))
def test_a_position_knows_the_lines_that_share_the_last_ones_key(blocks: list[list[str]]) -> None:
    lines = [f"{id}\tnoon\t{number}" for number, id in enumerate(sorted(id for block in blocks for id in block))]
    position, rest = Position(), iter(lines)
    for block in blocks:
        position.move([next(rest) for _ in block])
    assert (position.rows, position.id, position.created_at) == (len(lines), lines[-1][0], "noon")
    assert sorted(position.tied) == sorted(line for line in lines if line.startswith(position.key))


@given(st.lists(st.sampled_from("abc")), st.integers(0, 9))
def test_of_tied_rows_as_many_are_left_as_were_not_read(tied: list[str], read: int) -> None:
    seen = Counter(tied[: min(read, len(tied))])
    assert Counter(_unseen(tied, seen)) + seen == Counter(tied)
