"""Controllers as processes, on a real PostgreSQL: two at once, one that is killed, a database that goes away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from tests.listening import hears
from tests.rollout.support import SERVED, config_of, traffic, write_verdict
from zantara_exp.config import Config, compose
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import embedded
from zantara_exp.dataset.embedded import Server
from zantara_exp.rollout.alone import Alone
from zantara_exp.rollout.authority import serving_epoch
from zantara_exp.rollout.postgres import PostgresStore
from zantara_exp.rollout.served import Served
from zantara_exp.rollout.served_store import append_served, open_sink
from zantara_exp.rollout.state import RUNNING, Change, State

URL = "ROLLOUT_DATABASE_URL"
SHARED = ("rollout.state=postgres", "rollout.watch=true", "rollout.every_seconds=0.2", "rollout.critical_bugs=false")
SERVED_FOR = timedelta(hours=22)
"""How long there has been traffic; a silence of 24 hours is told otherwise."""


@pytest.fixture
def store(server: Server, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresStore]:
    """A rollout at 10 % that began a day ago, or nearly, with a GO."""
    monkeypatch.setenv(URL, server.conninfo("rollout"))
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", "0123456789abcdef")
    with psycopg.connect(server.conninfo("rollout"), autocommit=True) as connection:
        connection.execute("drop table if exists zantara_rollout")
        connection.execute("drop table if exists zantara_served")
    write_verdict(config_of())
    began = datetime.now(UTC) - SERVED_FOR - timedelta(hours=1)
    change = Change(began, "ada", "start", "", "idle", "running 10 %")
    epoch = serving_epoch(config_of(), Layout(config_of()))
    with closing(PostgresStore(URL)) as opened:
        opened.swap(State(), State(RUNNING, 0, 10.0, epoch, "g1", "2025-11-02", began, (change,)))
        yield opened


def serve_badly() -> None:
    """One in five fell back, all the time since the rollout began, into the database.

    That is a breach over users and over blocks of time; had most of them failed, for an hour, it were an outage, and
    answered by a pause.
    """
    now = datetime.now(UTC)
    lines = traffic(days=1, per_day=200, failed=0.2)
    spread = SERVED_FOR / len(lines)
    config: Config = compose([*SERVED, *SHARED])
    sink = open_sink(config, Layout(config))
    append_served(sink, [_at(line, now - SERVED_FOR + place * spread) for place, line in enumerate(lines)])
    sink.close(60)
    assert sink.waiting == 0


def _at(line: Served, moment: datetime) -> Served:
    return replace(line, timestamp=moment)


@contextmanager
def controllers(count: int, *overrides: str) -> Iterator[list[subprocess.Popen[str]]]:
    """So many `stage=rollout rollout.watch=true`, each a process of its own."""
    command = [sys.executable, "-m", "zantara_exp", "stage=rollout", *SERVED, *SHARED, *overrides]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)  # noqa: S603
        for _ in range(count)
    ]
    try:
        yield started
    finally:
        for each in started:
            each.kill()
            each.communicate()


@pytest.mark.slow
def test_two_controllers_of_which_one_is_killed_roll_back_once(store: PostgresStore):
    with controllers(2) as (first, second):
        for each in (first, second):
            hears(each, "no breach")
        first.send_signal(signal.SIGKILL)
        serve_badly()
        assert "rolled back: fallback: alarm" in hears(second, "rolled back")
        hears(second, "rolled_back: nothing to watch")
    assert [change.action for change in store.read().history] == ["start", "rollback"]


def test_two_controllers_that_see_the_breach_at_once_roll_back_once(store: PostgresStore):
    serve_badly()
    with controllers(2) as watching:
        for each in watching:
            hears(each, "rolled_back: nothing to watch")
    assert [change.action for change in store.read().history] == ["start", "rollback"]


@pytest.mark.slow
def test_a_database_that_goes_away_ends_no_controller_and_raises_nothing(
    store: PostgresStore, place: Path, server: Server
):
    """While it is away nothing is decided; once it is back, what users met meanwhile still counts."""
    serve_badly()
    before = store.read()
    assert embedded.stop(place)
    with controllers(1) as (watching,):
        hears(watching, "could not be made: UnreachableStateError")
        with embedded.server(place):
            hears(watching, "rolled back: fallback")
            after = store.read()
    assert before.share == 10
    assert (after.phase, after.share) == ("rolled_back", 0)
    assert [change.action for change in after.history] == ["start", "rollback"]


@pytest.mark.parametrize("state", ["postgres", "file"])
def test_a_second_one_is_refused_where_one_is_asked_for(store: PostgresStore, state: str, workdir: Path) -> None:
    asked = ("rollout.alone=true", f"rollout.state={state}")
    with controllers(1, *asked) as (first,):
        hears(first, "watching")
        with controllers(1, *asked) as (second,):
            hears(second, "another controller watches this rollout")
            assert second.wait(60) == 1
        alive = workdir / ".zantara" / "rollout" / "controller"
        before = alive.stat().st_mtime_ns
        while alive.stat().st_mtime_ns == before:  # each look is a sign of life
            assert first.poll() is None
        first.send_signal(signal.SIGTERM)
        assert first.wait(120) == 0


def test_the_right_to_watch_is_taken_again_where_the_database_had_ended_it(
    store: PostgresStore, server: Server, workdir: Path
) -> None:
    config = compose([*SERVED, *SHARED, "rollout.alone=true"])
    ours, other = (Alone(config.rollout, Layout(config)) for _ in range(2))
    with closing(ours), closing(other):
        ours.take()
        with pytest.raises(ZantaraError, match="another controller"):
            other.take()
        with psycopg.connect(server.conninfo("rollout"), autocommit=True) as connection:
            assert connection.execute(
                "select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory' and granted"
            ).fetchone() == (1,)
        ours.take()
        with pytest.raises(ZantaraError, match="another controller"):
            other.take()
        ours.close()
        other.take()
