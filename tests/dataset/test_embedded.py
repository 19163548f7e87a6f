"""The real server: started, shared, killed and taken over."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from zantara_exp.core.errors import ZantaraError
from zantara_exp.dataset import _postgres, embedded
from zantara_exp.dataset.embedded import Server

USE = """
import signal, sys, time
# a shell ignores SIGINT in what it runs in the background, and a child inherits that
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from zantara_exp.dataset import embedded
with embedded.server(Path(sys.argv[1])):
    print("up", flush=True)
    time.sleep(60)
"""


def postmaster(state: Path) -> int | None:
    return embedded._postmaster(_postgres.home(state))


def another_process(state: Path) -> subprocess.Popen[str]:
    started = subprocess.Popen([sys.executable, "-c", USE, str(state)], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "up\n"
    return started


def end(process: subprocess.Popen[str], how: signal.Signals) -> None:
    process.send_signal(how)
    process.wait(20)
    assert process.stdout is not None
    process.stdout.close()


def test_starts_answers_and_stops(folder: Path) -> None:
    with embedded.server(folder) as server, psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("select current_setting('listen_addresses')").fetchone() == ("",)
        assert connection.execute("select pg_is_in_recovery()").fetchone() == (False,)
    assert postmaster(folder) is None
    assert not embedded.stop(folder)


def test_it_does_not_run_as_root(folder: Path) -> None:
    with embedded.server(folder):
        pid = postmaster(folder)
        assert pid is not None
        assert Path(f"/proc/{pid}").stat().st_uid != 0


def test_processes_share_it_and_the_last_one_stops_it(folder: Path) -> None:
    other = another_process(folder)
    with embedded.server(folder):
        pid = postmaster(folder)
        end(other, signal.SIGINT)
        assert postmaster(folder) == pid
    assert postmaster(folder) is None


def test_a_killed_owner_leaves_a_server_that_the_next_one_takes_over(folder: Path) -> None:
    end(another_process(folder), signal.SIGKILL)
    left = postmaster(folder)
    assert left is not None
    with embedded.server(folder) as server, psycopg.connect(server.conninfo()):
        assert postmaster(folder) == left
    assert postmaster(folder) is None


def test_a_killed_server_is_started_again(folder: Path) -> None:
    with embedded.server(folder) as server, psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("create table kept (x int)")
        pid = postmaster(folder)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
    with embedded.server(folder) as server, psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


def test_a_stale_record_of_another_process_is_no_server(folder: Path) -> None:
    with embedded.server(folder):
        pass
    record = _postgres.home(folder).data / "postmaster.pid"
    record.write_text(f"{os.getpid()}\n/nowhere\n0\n5432\n\n\n")
    record.chmod(0o644)
    with embedded.server(folder) as server, psycopg.connect(server.conninfo()):
        pass


def test_a_deep_folder_gets_a_short_socket(folder: Path) -> None:
    deep = folder / ("deep" * 20) / "with 'quote' and space" / ("down" * 10)
    with embedded.server(deep) as server, psycopg.connect(server.conninfo()):
        assert len(os.fsencode(server.socket)) < 90
    server.socket.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another account")
def test_a_closed_folder_is_left_for_an_open_one(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with embedded.server(closed / "state") as server, psycopg.connect(server.conninfo()):
        assert "cannot enter" in server.note
        assert closed not in server.socket.parents
    shutil.rmtree(_postgres.home(closed / "state").root.parent)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder of another account")
def test_a_folder_of_somebody_else_is_refused(folder: Path) -> None:
    (folder / "postgres").mkdir()
    os.chown(folder / "postgres", 12345, 12345)
    with pytest.raises(ZantaraError, match="belongs to another account"), embedded.server(folder):
        pass


def test_a_full_disk_is_said_in_our_words(folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        full.setattr(embedded, "_left_mb", lambda place: 12)
        with pytest.raises(ZantaraError, match=r"the disk is full: 12 MB are left for .*needs 100 MB"):
            with embedded.server(folder):
                pass
    assert not _postgres.home(folder).data.exists()
    with pytest.raises(ZantaraError, match="the disk is full") as told, embedded.server(server.socket.parents[1]):
        raise psycopg.errors.DiskFull("could not extend file")
    assert "paths.state" in told.value.hint
