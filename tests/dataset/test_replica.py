"""A replica that cancels the query, as it does when the primary vacuums what is being read: a real one, streaming."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.dataset.conftest import open_folder
from tests.dataset.support import config_of
from tests.dataset.test_row_stream import FILL, WIDE
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import connect
from zantara_exp.dataset._postgres import Home, home
from zantara_exp.dataset.embedded import Server
from zantara_exp.dataset.sources import open_database

ROWS = 60_000
SENT_AT_ONCE = "max_standby_streaming_delay=0", "hot_standby_feedback=off", "wal_receiver_status_interval=1"


@pytest.fixture(scope="module")
def replica(server: Server) -> Iterator[Server]:
    """A streaming replica of the shared server that lets no query stand in the way of what it receives."""
    with open_folder() as state:
        place = home(state)
        copied = place.run(
            "pg_basebackup", "-d", server.conninfo(), "-D", str(place.data), "-R", "-c", "fast", "-X", "stream"
        )
        assert copied.returncode == 0, copied.stdout
        options = ["listen_addresses=", f"unix_socket_directories={place.socket}", *SENT_AT_ONCE]
        started = _pg_ctl(place, "start", "-l", str(place.log), "-o", " ".join(f"-c {each}" for each in options))
        assert started == 0, place.log.read_text()
        try:
            yield Server(place.socket)
        finally:
            _pg_ctl(place, "stop", "-m", "immediate")


def _pg_ctl(place: Home, action: str, *options: str) -> int:
    return place.run("pg_ctl", action, "-D", str(place.data), "-w", "-t", "60", *options).returncode


def test_a_query_that_a_replica_cancels_goes_on_behind_the_last_row(
    database: psycopg.Connection,
    replica: Server,
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database.execute(FILL.format(id="'c' || n", step="n", rows=ROWS))
    database.execute("create table other as select n from generate_series(1, 200000) n")
    _wait_for(replica, database)
    monkeypatch.setenv("DATABASE_URL", replica.conninfo("production"))
    config, found = config_of(*WIDE), list[str]()
    with open_database(config, Layout(config)) as source:
        assert sum(each.conversations for each in source.usage()) == ROWS
        for row in source.rows():
            found.append(row["id"])
            if len(found) in (100, 25_000):
                database.execute("delete from other where n < %s", [4 * len(found)])
                database.execute("vacuum other")
        assert source.interruptions > 0
    assert len(set(found)) == len(found) == ROWS
    assert "conflict with recovery" in capsys.readouterr().out


def test_counting_that_a_replica_cancels_is_done_again(
    database: psycopg.Connection, replica: Server, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute(FILL.format(id="'c' || n", step="n", rows=10))
    database.execute("create table other as select n from generate_series(1, 1000) n")
    _wait_for(replica, database)
    monkeypatch.setenv("DATABASE_URL", replica.conninfo("production"))
    config, asked = config_of(*WIDE), list[int]()
    with open_database(config, Layout(config)) as source:

        def slowly(connection: psycopg.Connection) -> object:
            asked.append(1)
            if len(asked) == 1:
                database.execute("delete from other")
                database.execute("vacuum other")
                connection.execute("select pg_sleep(60)")
            return connection.execute("select 7").fetchone()

        assert source.link.asked(slowly) == (7,)
    assert len(asked) == 2


def test_a_replica_that_cancels_each_time_is_named_with_its_settings() -> None:
    told = connect.explained(psycopg.errors.SerializationFailure("cancelled\nDETAIL: Ciao"), config_of())
    assert "hot_standby_feedback" in told.hint
    assert "Ciao" not in str(told)


def _wait_for(replica: Server, database: psycopg.Connection) -> None:
    """Until the replica has what the primary has written."""
    (written,) = database.execute("select pg_current_wal_lsn()").fetchone() or ("",)
    reached = "select pg_last_wal_replay_lsn() >= %s::pg_lsn"
    with psycopg.connect(replica.conninfo("production"), autocommit=True) as connection:
        while connection.execute(reached, [written]).fetchone() != (True,):
            connection.execute("select pg_sleep(0.05)")
