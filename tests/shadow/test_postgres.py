"""`log=postgres`: rows of several machines in one table, a database that is away, and readers that copy what is new."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.endpoints.servers import raw_server
from tests.shadow.examples import START, comparison, read_folder
from tests.shadow.recorded import Candidate, against, conversation, record
from tests.shadow.test_mirror import observe, opened
from tests.shadow.waiting import wait_for
from zantara_exp.analysis.log import open_log
from zantara_exp.analysis.pairs import texts
from zantara_exp.config import Config, compose
from zantara_exp.core.errors import MissingRequirementError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import embedded
from zantara_exp.dataset.redact import Redactor
from zantara_exp.io.database import LOG
from zantara_exp.io.events import COMPARISONS
from zantara_exp.io.table import Table
from zantara_exp.shadow.database_switch import RowSwitch
from zantara_exp.shadow.log import ComparisonLog, comparisons_of, log_of
from zantara_exp.shadow.reader import read_log
from zantara_exp.shadow.record import Comparison, Drops, to_line
from zantara_exp.shadow.switch import main as turn
from zantara_exp.watch.finding import asked, pairs
from zantara_exp.watch.picture import stamp

pytestmark = pytest.mark.usefixtures("workdir")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    with embedded.server(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def database(server: embedded.Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of the test's own; its address."""
    name = request.node.name.lower().replace("-", "_")[:60]
    server.create_database(name)
    monkeypatch.setenv("LOG_DATABASE_URL", server.conninfo(name))
    return server.conninfo(name)


@cache
def machine(name: str, *overrides: str) -> Config:
    """A config whose folders no other machine sees."""
    folders = [f"paths.{folder}={name}/{folder}" for folder in ("logs", "state")]
    return compose(["log=postgres", "log.flush_seconds=0.05", *folders, *overrides])


@contextmanager
def writing(config: Config) -> Iterator[ComparisonLog]:
    log = log_of(config, "e1")
    try:
        yield log
    finally:
        log.close(60)


def rows_at(name: str) -> list[str]:
    """What a reader on that machine sees."""
    return [row.request_id for row in read_at(name) if isinstance(row, Comparison)]


def read_at(name: str) -> list[Comparison | Drops]:
    config = machine(name)
    with closing(comparisons_of(config, Layout(config))) as log:
        return list(read_log(log, str))


def test_replicas_write_one_table_and_a_reader_elsewhere_sees_what_is_new(database: str) -> None:
    with writing(machine("a")) as one, writing(machine("b")) as other:
        for number in range(300):
            (one if number % 2 else other).write(comparison(number))
    assert sorted(rows_at("reader")) == sorted(f"c-{number}:0" for number in range(300))
    assert rows_at("reader") == rows_at("elsewhere")
    with writing(machine("a")) as log:
        log.write(comparison(300))
        log.drop("queue_full", 7)
    read = read_at("reader")
    assert len([row for row in read if isinstance(row, Comparison)]) == 301
    assert sum(row.dropped.get("queue_full", 0) for row in read) == 7
    assert not list(Path("a/state/log_spool").iterdir())  # all of it is in the table


def test_the_live_page_follows_what_all_machines_write(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")
    reader = machine("reader")
    layout = Layout(reader)
    with writing(machine("a")) as one, writing(machine("b")) as other:
        for number in range(20):
            (one if number % 2 else other).write(comparison(number))
    before = stamp(reader, layout)
    assert stamp(reader, layout) == before
    assert pairs(asked({}), reader, layout)["of"] == 20
    with writing(machine("b")) as log:
        log.write(comparison(20))
    assert stamp(reader, layout) != before
    assert pairs(asked({}), reader, layout)["of"] == 21


def test_while_the_database_is_away_lines_wait_and_are_counted(
    database: str, server: embedded.Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LOG_DATABASE_URL", server.conninfo("no_such_database"))
    config = machine("a")
    log = log_of(config, "e1")
    for number in range(50):
        log.write(comparison(number))
    wait_for(lambda: log.written == log.waiting == 50)
    log.close(60)
    assert (log.lost, log.waiting) == ({}, 50)
    assert caplog.text.count("stays in") == 1
    with pytest.raises(ZantaraError, match="LOG_DATABASE_URL cannot be used: OperationalError") as caught:
        read_at("a")
    assert "no_such_database" not in str(caught.value)

    monkeypatch.setenv("LOG_DATABASE_URL", database)
    with writing(machine("a")) as log:  # the next start sends what the last one had to leave
        log.write(comparison(50))
    assert sorted(rows_at("reader")) == sorted(f"c-{number}:0" for number in range(51))


def test_a_database_that_comes_back_gets_everything_once(
    database: str, server: embedded.Server, caplog: pytest.LogCaptureFixture
) -> None:
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(server.conninfo(), autocommit=True) as admin, writing(machine("a")) as log:
        log.write(comparison(0))
        wait_for(lambda: log.written == 1 and log.waiting == 0)
        admin.execute(f'alter database "{name}" allow_connections false')
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        for number in range(1, 40):
            log.write(comparison(number))
        wait_for(lambda: "stays in" in caplog.text)
        admin.execute(f'alter database "{name}" allow_connections true')
        wait_for(lambda: log.written == 40 and log.waiting == 0)
    assert sorted(rows_at("reader")) == sorted(f"c-{number}:0" for number in range(40))


_WRITER = """
import sys, time
from tests.shadow.examples import START, comparison, read_folder
from tests.shadow.test_postgres import machine
from zantara_exp.shadow.log import log_of
log = log_of(machine(sys.argv[1], *sys.argv[2:]), "e1")
for number in range(1_000_000):
    log.write(comparison(number))
    if number % 20 == 0:
        time.sleep(0.01)
        print(log.written, flush=True)
"""


def test_what_a_killed_writer_left_is_sent_by_a_reader_and_nothing_twice(database: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, "a"], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        written = next(int(line) for line in writer.stdout if int(line) >= 200)
        writer.send_signal(signal.SIGKILL)
    found = rows_at("a")
    assert len(found) == len(set(found)) >= written
    assert found == rows_at("a")
    with psycopg.connect(database) as admin:
        assert admin.execute("select count(*) from zantara_comparisons").fetchone() == (len(found),)


def test_a_torn_line_of_a_killed_writer_counts_as_one_that_cannot_be_read(database: str) -> None:
    config = machine("a")
    with writing(config) as log:
        log.write(comparison(0))
    spool = Layout(config).log_spool
    (spool / "dead.lock").touch()
    (spool / "dead.jsonl").write_bytes(b'{"torn": "' + b"x" * 1000)
    with open_log(config, Layout(config)) as opened_log:
        assert opened_log.facts.count().to_pyarrow().as_py() == 1
        assert [line.reason for line in opened_log.bad] == ["not JSON"]
    assert not list(spool.iterdir())


def test_facts_are_derived_from_the_rows_and_only_of_days_that_changed(database: str) -> None:
    config = machine("reader")
    later = START + timedelta(days=1)

    def facts() -> tuple[int, list[int]]:
        with open_log(config, Layout(config)) as found:
            rows = found.facts.count().to_pyarrow().as_py()
        return rows, [path.stat().st_ino for path in sorted(Path("reader/state/facts").glob("*/*.parquet"))]

    with writing(machine("a")) as log:
        for number in range(6):
            log.write(comparison(number, timestamp=START if number < 3 else later))
    (rows, (first, second)), again = facts(), facts()
    assert (rows, again) == (6, (6, [first, second]))
    assert not Path("reader/logs").exists()  # nothing is copied
    with writing(machine("a")) as log:
        log.write(comparison(7, timestamp=later))
    rows, (kept, fresh) = facts()
    assert (rows, kept == first, fresh == second) == (7, True, False)
    with open_log(config, Layout(config)) as found:
        wanted = found.facts.select("comparison_id", "part", "place").to_pyarrow().to_pylist()
        assert [row["query"] for row in texts(found, wanted, Redactor())] == ["Ciao"] * 7


def test_a_line_that_is_edited_is_seen_by_every_reader(database: str) -> None:
    config = machine("reader")
    with writing(machine("a")) as log:
        for number in range(5):
            log.write(comparison(number))
    with open_log(config, Layout(config)) as found:
        assert found.facts.count().to_pyarrow().as_py() == 5
    with closing(Table(COMPARISONS, "LOG_DATABASE_URL", LOG)) as table:
        assert table.edit(lambda line: None if '"c-3:0"' in line else line, dry=True) == 1
        assert table.edit(lambda line: None if '"c-3:0"' in line else line, dry=False) == 1
        assert table.edit(lambda line: None if '"c-3:0"' in line else line, dry=False) == 0
    with open_log(config, Layout(config)) as found:
        assert found.facts.count().to_pyarrow().as_py() == 4
        assert not found.drops  # what was forgotten is not lost


def test_copies_that_an_earlier_version_made_go(database: str) -> None:
    Path("reader/logs").mkdir(parents=True)
    copies = [Path("reader/logs/shadow_comparison_2025-10-21.postgres.jsonl"), Path("reader/logs/postgres.json")]
    for copy in copies:
        copy.write_bytes(to_line(comparison(1)))
    assert len(read_folder(Path("reader/logs"))) == 1  # whoever has gone back to files still has what he had
    assert rows_at("reader") == []
    assert not any(copy.exists() for copy in copies)


def test_files_of_this_machine_stand_beside_the_tables(database: str) -> None:
    local = compose(["paths.logs=reader/logs", "paths.state=reader/state"])
    with writing(local) as log:
        log.write(comparison(1000))
    with writing(machine("a")) as log:
        log.write(comparison(0))
    assert sorted(rows_at("reader")) == ["c-0:0", "c-1000:0"]
    config = machine("reader")
    with open_log(config, Layout(config)) as opened_log:
        assert opened_log.facts.count().to_pyarrow().as_py() == 2


def test_a_spool_that_is_full_drops_and_counts(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_DATABASE_URL", "postgresql://127.0.0.1:1/nobody")
    log = log_of(machine("a", "log.spool_mb=1"), "e1")
    text = [{"role": "user", "content": "x" * 100_000}]
    for number in range(10):
        log.write(comparison(number, messages=text))
    wait_for(lambda: log.written + log.lost["disk"] == 10)
    assert (log.written, log.lost) == (4, {"disk": 6})  # a line is a little over 200 kB
    assert log.waiting in (4, 5)  # with the line that says so
    log.close(60)


def test_the_stage_and_the_mirror_write_it(database: str) -> None:
    record([conversation(number, "Ciao", "Ciao!") for number in range(12)], train_users=[])
    with raw_server(Candidate()) as url:
        first = against(url, "log=postgres")
        again = against(url, "log=postgres", "paths.logs=other/logs", "paths.state=other/state")
        assert (first.metrics["shadow/new_comparisons"], again.metrics["shadow/new_comparisons"]) == (12, 0)
        mirror = opened(url, "log=postgres")
        observe(mirror, 5)
        wait_for(lambda: mirror.stats.compared == 5 and mirror.stats.spooled == 0)
        asyncio.run(mirror.close())
    assert len(rows_at("reader")) == 17


def test_the_row_is_looked_at_and_a_database_that_is_away_changes_nothing(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = RowSwitch("LOG_DATABASE_URL")
    assert row.on
    assert turn(["off", "log=postgres"]) == 0
    wait_for(lambda: not row.on)
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("alter table zantara_shadow_mode rename column word to elsewhere")
        assert turn(["show", "log=postgres"]) == 1
        assert not row.on
        admin.execute("alter table zantara_shadow_mode rename column elsewhere to word")
    assert turn(["on", "log=postgres"]) == 0
    wait_for(lambda: row.on)
    row.close()


@pytest.mark.slow
def test_one_row_switches_the_mirrors_of_all_machines(database: str) -> None:
    with raw_server(Candidate()) as url:
        mirrors = [opened(url, "log=postgres", f"paths.state={name}") for name in ("a", "b")]
        for word, on in (("off", False), ("on", True)):
            assert turn([word, "log=postgres"]) == 0
            wait_for(lambda: all(mirror.stats.enabled is on for mirror in mirrors))  # noqa: B023  called at once
        observe(mirrors[0], 3)
        wait_for(lambda: mirrors[0].stats.compared == 3)
        assert mirrors[0].stats.breakers == {"openai": "closed"}
        for mirror in mirrors:
            asyncio.run(mirror.close())


def test_without_an_address_it_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOG_DATABASE_URL", raising=False)
    with pytest.raises(MissingRequirementError, match="LOG_DATABASE_URL, which is not set"):
        opened("http://127.0.0.1:1/v1", "log=postgres")
    monkeypatch.setenv("LOG_DATABASE_URL", "postgresql://user:secret@[")
    with pytest.raises(MissingRequirementError, match="no URL") as caught:
        opened("http://127.0.0.1:1/v1", "log=postgres")
    assert "secret" not in str(caught.value)
