"""PostgreSQL fails over behind a pooler: lines of the log are there once, and the rollout's state never goes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.dataset.conftest import open_folder
from tests.io.test_pooler import pooled
from tests.io.test_pooler import pytestmark as where_it_is_installed
from tests.rollout.test_store import RUN
from tests.shadow.waiting import wait_for
from zantara_exp.config.rollout import Rollout
from zantara_exp.dataset import embedded
from zantara_exp.io.database import LOG
from zantara_exp.io.events import COMPARISONS
from zantara_exp.io.spool import Spool
from zantara_exp.io.table import Table
from zantara_exp.rollout.moves import rolled_back
from zantara_exp.rollout.postgres import PostgresStore
from zantara_exp.rollout.ramp import Order
from zantara_exp.rollout.router import Router
from zantara_exp.rollout.state import State, UnreachableStateError

pytestmark = [where_it_is_installed, pytest.mark.slow]

URL = "ROLLOUT_DATABASE_URL"
DAY = "2025-10-21"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where PostgreSQL lies; a pooler stands before it, and our URLs are the pooler's."""
    with open_folder() as folder, ExitStack() as held:
        running = held.enter_context(embedded.server(folder))
        running.create_database("log")
        address = held.enter_context(pooled(conninfo_to_dict(running.conninfo("log"))))
        monkeypatch.setenv("ZANTARA_SIGNING_KEY", "0123456789abcdef")
        for name in ("LOG_DATABASE_URL", URL):
            monkeypatch.setenv(name, address)
        yield folder


def lines(first: int, many: int) -> list[bytes]:
    return [f'{{"timestamp":"{DAY}T08:00:00Z","n":{n}}}\n'.encode() for n in range(first, first + many)]


def test_the_log_and_the_rollout_when_the_database_fails_over(place: Path, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", Table(COMPARISONS, "LOG_DATABASE_URL", LOG), 0.05, 10**6)
    plan = Rollout(categories=["casual"], refresh_seconds=0.1, last_known_seconds=1.0)
    with closing(PostgresStore(URL)) as store, closing(Router(PostgresStore(URL), plan, "e1")) as router:
        first = store.swap(State(), replace(RUN, percent=100.0))
        wait_for(lambda: router.decide("u", "casual").candidate)
        spool.append(DAY, lines(0, 20))
        assert embedded.stop(place)
        spool.append(DAY, lines(20, 20))
        with pytest.raises(UnreachableStateError):
            rolled_back(store, Order("ada", "", datetime.now(UTC)))
        wait_for(lambda: not router.decide("u", "casual").candidate)
        with embedded.server(place) as again:
            wait_for(lambda: router.decide("u", "casual").candidate)  # by itself
            wait_for(lambda: spool.waiting == 0)
            with psycopg.connect(again.conninfo("log"), autocommit=True) as other:
                behind = other.execute("select document from zantara_rollout where name = 'rollout'").fetchone()
                ended = rolled_back(store, Order("ada", "", datetime.now(UTC)))
                wait_for(lambda: router.decide("u", "casual").reason == "rollout is rolled_back")
                # What took over was a moment behind: it holds the state of before.
                other.execute("update zantara_rollout set document = %s where name = 'rollout'", behind)
                wait_for(lambda: router.decide("u", "casual").reason == "state cannot be read")
            again_ended = rolled_back(store, Order("ada", "", datetime.now(UTC)))
            assert again_ended.version > ended.version > first.version
            wait_for(lambda: router.decide("u", "casual").reason == "rollout is rolled_back")
            spool.close(60)
            with closing(Table(COMPARISONS, "LOG_DATABASE_URL", LOG)) as table:
                there = [line for rows in table.of_day(DAY) for _, line in rows]
            assert len(there) == len(set(there)) == 40
