"""The state in a real PostgreSQL: compare-and-swap, races, an outage, rights, and no password in any message."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from tests.rollout.support import MONDAY, act, config_of, write_verdict
from tests.rollout.test_store import RUN, process
from zantara_exp.config.rollout import Rollout
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import embedded
from zantara_exp.dataset.embedded import Server
from zantara_exp.rollout.complaints import note_complaint, read_complaints
from zantara_exp.rollout.postgres import PostgresStore
from zantara_exp.rollout.router import Router
from zantara_exp.rollout.state import State, StateChangedError, UnreachableStateError, UnreadableStateError

URL = "ROLLOUT_DATABASE_URL"
RACER = """
import sys
from dataclasses import replace
from datetime import timedelta
from zantara_exp.core.layout import Layout
from zantara_exp.rollout.complaints import note_complaint, read_complaints
from zantara_exp.rollout.postgres import PostgresStore
from zantara_exp.rollout.state import StateChangedError
from tests.rollout.test_store import RUN
store, won, lost = PostgresStore("ROLLOUT_DATABASE_URL"), 0, 0
print("ready", flush=True)
sys.stdin.readline()
while won < 30:
    seen = store.read()
    try:
        store.swap(seen, replace(RUN, history=(*seen.history, replace(RUN.history[0], actor=sys.argv[1]))))
        won += 1
    except StateChangedError:
        lost += 1
store.close()
print(won, lost)
"""


@pytest.fixture
def store(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresStore]:
    monkeypatch.setenv(URL, server.conninfo("rollout"))
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", "0123456789abcdef")
    with psycopg.connect(server.conninfo("rollout"), autocommit=True) as connection:
        connection.execute("drop table if exists zantara_rollout")
    with closing(PostgresStore(URL)) as opened:
        yield opened


def test_read_and_swap(store: PostgresStore):
    assert store.read() == State()
    first = store.swap(State(), RUN)
    assert store.read() == first == replace(RUN, version=1)
    with pytest.raises(StateChangedError, match="by somebody else"):
        store.swap(State(), replace(RUN, percent=100.0))
    assert store.swap(first, replace(first, percent=25.0)).version == 2


def test_of_two_controllers_at_once_each_change_is_kept_and_none_twice(store: PostgresStore):
    racers = [process(RACER, name) for name in ("ada", "bob")]
    ends = [racer.communicate("go\n", timeout=60)[0].split() for racer in racers]
    state = store.read()
    assert [int(won) for won, _ in ends] == [30, 30]
    assert state.version == 60
    actors = [change.actor for change in state.history]
    assert (actors.count("ada"), actors.count("bob")) == (30, 30)


def test_a_damaged_row_is_unreadable_and_kept(store: PostgresStore, server: Server):
    store.swap(State(), RUN)
    with psycopg.connect(server.conninfo("rollout"), autocommit=True) as connection:
        connection.execute("update zantara_rollout set document = left(document, 40)")
        with pytest.raises(UnreadableStateError):
            store.read()
        store.swap(None, State(phase="rolled_back"))
        assert connection.execute("select count(*) from zantara_rollout").fetchone() == (2,)
    assert store.read().phase == "rolled_back"


def test_a_deleted_row_is_no_rollout_that_never_began(store: PostgresStore, server: Server):
    store.swap(State(), RUN)
    with psycopg.connect(server.conninfo("rollout"), autocommit=True) as connection:
        connection.execute("delete from zantara_rollout")
    with pytest.raises(UnreadableStateError):
        store.read()
    assert store.swap(None, State(phase="rolled_back")) == store.read()


def test_an_outage_during_the_ramp(store: PostgresStore, place: Path, server: Server):
    """The router serves as last known, then the primary; when the database is back, it goes on by itself."""
    store.swap(State(), replace(RUN, percent=100.0))
    plan = Rollout(categories=["greeting", "casual"], refresh_seconds=0.1, last_known_seconds=1.5)
    router = Router(PostgresStore(URL), plan, "e1")
    try:
        assert router.decide("u", "casual").candidate
        stopping = time.monotonic()
        assert embedded.stop(place)
        with pytest.raises(UnreachableStateError, match=URL):
            store.read()
        assert router.decide("u", "casual").candidate or time.monotonic() - stopping > 1
        until(lambda: router.decide("u", "casual") == (False, "state not read for 1.5 s"))
        with embedded.server(place):
            until(lambda: router.decide("u", "casual").candidate)
            assert store.read().percent == 100
            store.swap(store.read(), State(phase="rolled_back"))
            until(lambda: not router.decide("u", "casual").candidate)
    finally:
        router.close()


def until(reached, seconds: float = 20.0) -> None:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)


def test_an_account_that_may_only_read_and_write_the_table(store: PostgresStore, server: Server, monkeypatch):
    store.swap(State(), RUN)
    with psycopg.connect(server.conninfo("rollout"), autocommit=True) as connection:
        connection.execute("drop role if exists keeper")
        connection.execute("create role keeper login")
        connection.execute("revoke create on schema public from public")
        connection.execute("grant select, insert, update on zantara_rollout to keeper")
        monkeypatch.setenv(URL, server.conninfo("rollout").replace("user=postgres", "user=keeper"))
        with closing(PostgresStore(URL)) as ours:
            with ours._database.used() as opened:
                assert opened.info.user == "keeper"
            assert ours.swap(ours.read(), replace(RUN, percent=25.0)).version == 2
        connection.execute("drop owned by keeper")
        connection.execute("drop role keeper")


def test_no_message_holds_the_password(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(URL, "postgresql://ada:hunter2@127.0.0.1:1/rollout")
    with closing(PostgresStore(URL)) as away, pytest.raises(UnreachableStateError) as error:
        away.read()
    assert "hunter2" not in str(error.value)
    monkeypatch.setenv(URL, "postgresql://ada:hunter2@[broken/rollout")
    with pytest.raises(MissingRequirementError, match="is no URL") as refused:
        PostgresStore(URL)
    assert "hunter2" not in str(refused.value)


def test_without_a_url_it_says_which_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(URL, raising=False)
    with pytest.raises(MissingRequirementError, match="ROLLOUT_DATABASE_URL, which is not set"):
        PostgresStore(URL)


def test_complaints_are_shared_by_the_machines(store: PostgresStore, workdir: Path):
    config = config_of("rollout.state=postgres")
    layout = Layout(config)
    assert list(read_complaints(config, layout, MONDAY)) == []
    for hours in (-1, 1, 2):
        note_complaint(config, layout, f"hash-{hours}", MONDAY + timedelta(hours=hours))
    found = read_complaints(config, layout, MONDAY)
    assert [(each.user, each.timestamp.hour) for each in found] == [("hash-1", 10), ("hash-2", 11)]


def test_the_stage_on_postgres(store: PostgresStore, workdir: Path):
    write_verdict(config_of())
    assert act("start", "rollout.state=postgres").metrics == {"rollout/percent": 10}
    assert store.read().share == 10
    assert act("rollback", "rollout.state=postgres").summary["phase"] == "rolled_back"
    assert not os.path.exists(".zantara/rollout")
