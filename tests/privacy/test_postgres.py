"""Forgetting a user in the tables of `log=postgres` and `rollout.state=postgres`, and in an imported database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.dataset.support import context_of
from tests.privacy.world import DAY, GONE, KEY, USERS, chats, comparison, hashed, served, settings
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import embedded
from zantara_exp.dataset.importing import import_file
from zantara_exp.io.database import LOG
from zantara_exp.io.events import COMPARISONS
from zantara_exp.io.table import Row, Table
from zantara_exp.privacy.stage import forget
from zantara_exp.rollout.complaints import note_complaint, read_complaints
from zantara_exp.rollout.served_store import append_served, open_sink, read_served
from zantara_exp.shadow.log import comparisons_of
from zantara_exp.shadow.reader import read_log
from zantara_exp.shadow.record import to_line

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[embedded.Server]:
    monkeypatch.setenv("ZANTARA_HASH_KEY", KEY)
    with embedded.server(tmp_path_factory.mktemp("postgres")) as running:
        yield running


def test_the_tables_hold_nothing_of_him_and_spools_still_know_their_end(
    server: embedded.Server, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.create_database("logs")
    for variable in ("LOG_DATABASE_URL", "ROLLOUT_DATABASE_URL"):
        monkeypatch.setenv(variable, server.conninfo("logs"))
    here = ["log=postgres", "rollout.state=postgres", "rollout.state_url_env=ROLLOUT_DATABASE_URL"]
    config = settings(*here, f"privacy.users=[{hashed(GONE)}]")
    layout, table = Layout(config), Table(COMPARISONS, "LOG_DATABASE_URL", LOG)
    lines = [to_line(comparison(user, 0)).decode().rstrip("\n") for user in [*USERS, GONE]]
    table.add([Row("spool", number, line) for number, line in enumerate(lines, 1)])
    sink = open_sink(config, layout)
    append_served(sink, [served(user, 0) for user in USERS])
    sink.close(60)
    for user in USERS:
        note_complaint(config, layout, hashed(user), DAY)

    forget(config, context_of(config))
    with psycopg.connect(server.conninfo("logs")) as connection:
        for name in ("zantara_comparisons", "zantara_served", "zantara_complaints"):
            found = connection.execute(f"select count(*) from {name} where line like %s", [f"%{hashed(GONE)}%"])
            assert found.fetchone() == (0,), name
    assert table.known_end("spool") == len(lines)  # nothing is sent a second time
    with closing(comparisons_of(config, layout)) as log:
        kept = list(read_log(log, hashed))
    assert {item.user for item in kept} == {hashed(user) for user in USERS if user != GONE}
    assert len(list(read_served(config, layout, DAY))) == len(USERS) - 1
    assert len(list(read_complaints(config, layout, DAY))) == len(USERS) - 1
    table.close()


def test_rows_that_were_imported_go_too(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", KEY)
    chats(Path("chats.jsonl"))
    config = settings("source=imported", f"privacy.users=[{hashed(GONE)}]", "source.database=imported")
    with embedded.server(Layout(config).state) as server:
        server.create_database("imported")
        with psycopg.connect(server.conninfo("imported"), autocommit=True) as connection:
            import_file(Path("chats.jsonl"), connection, DAY.date(), 3)
            forget(config, context_of(config))
            counted = connection.execute(
                "select count(*), count(*) filter (where user_id = %s) from conversations", [GONE]
            )
            assert counted.fetchone() == (3 * (len(USERS) - 1), 0)
