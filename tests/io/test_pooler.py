"""A real PgBouncer in transaction mode between us and the database: what Neon, Supabase and many others hand out."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.shadow.waiting import wait_for
from zantara_exp.dataset import embedded
from zantara_exp.io.database import LOG
from zantara_exp.io.events import COMPARISONS
from zantara_exp.io.spool import Spool
from zantara_exp.io.table import Table
from zantara_exp.rollout.postgres import PostgresStore

PGBOUNCER = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
pytestmark = pytest.mark.skipif(
    not os.access(PGBOUNCER, os.X_OK), reason="pgbouncer is not installed; next: apt-get install pgbouncer"
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded.server(tmp_path_factory.mktemp("postgres")) as server:
        server.create_database("log")
        with pooled(conninfo_to_dict(server.conninfo("log"))) as address:
            yield address


@contextmanager
def pooled(database: dict[str, object]) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="pgb", dir="/tmp") as folder:  # noqa: S108  paths of sockets are short
        settings = Path(folder, "pgbouncer.ini")
        settings.write_text(
            f"[databases]\nlog = host={database['host']} user={database['user']} dbname=log\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nunix_socket_dir =\n"
            "pool_mode = transaction\ndefault_pool_size = 2\n"
        )
        Path(folder).chmod(0o755)
        as_nobody = {"user": "nobody"} if os.geteuid() == 0 else {}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([PGBOUNCER, settings], **as_nobody, **quiet) as pooler:  # type: ignore[call-overload]
            address = f"postgresql://app:x@127.0.0.1:{port}/log?pgbouncer=true"
            try:
                wait_for(lambda: answers(address.partition("?")[0]))
                yield address
            finally:
                pooler.terminate()


def answers(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True


@pytest.fixture(autouse=True)
def variables(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_SIGNING_KEY", "0123456789abcdef")
    for name in ("LOG_DATABASE_URL", "ROLLOUT_DATABASE_URL"):
        monkeypatch.setenv(name, url)


def test_two_writers_and_a_reader_share_the_log(tmp_path: Path) -> None:
    spools = [
        Spool(tmp_path / str(number), Table(COMPARISONS, "LOG_DATABASE_URL", LOG), 0.05, 10**6) for number in range(2)
    ]
    for number in range(40):
        spools[number % 2].append("2025-10-21", [f'{{"timestamp":"2025-10-21T08:00:00Z","n":{number}}}\n'.encode()])
    for spool in spools:
        spool.close(60)
        assert spool.waiting == 0
    with closing(Table(COMPARISONS, "LOG_DATABASE_URL", LOG)) as table:
        (day,) = table.days()
        assert (day.day, day.lines) == ("2025-10-21", 40)
        lines = [line for rows in table.of_day(day.day) for _, line in rows]
        assert len(set(lines)) == 40
        assert table.edit(lambda line: None if '"n":7}' in line else line, dry=False) == 1


def test_the_state_of_the_rollout_is_kept() -> None:
    with closing(PostgresStore("ROLLOUT_DATABASE_URL")) as store:
        before = store.read()
        after = store.swap(before, replace(before, monthly_requests=100))
        assert store.read() == after
