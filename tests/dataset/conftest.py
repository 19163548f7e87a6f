"""One embedded PostgreSQL for all tests of the area, filled once with a small demo."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.dataset.support import config_of, small_demo
from zantara_exp.config.schema import Config
from zantara_exp.dataset import embedded
from zantara_exp.dataset.embedded import Server


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that other accounts may walk through, as a usual checkout is; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="zantara-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    """An open folder of the test's own."""
    with open_folder() as made:
        yield made


@pytest.fixture(scope="session")
def state() -> Iterator[Path]:
    """`paths.state` of the shared server."""
    with open_folder() as made:
        yield made


@pytest.fixture(scope="session")
def server(state: Path) -> Iterator[Server]:
    """The shared server, running."""
    with embedded.server(state) as running:
        yield running


@pytest.fixture
def configured(state: Path, server: Server, workdir: Path) -> Callable[..., Config]:
    """A config on the shared server and a working directory of the test's own."""

    def make(*overrides: str) -> Config:
        return config_of(*small_demo(state), *overrides)

    return make


@pytest.fixture
def database(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    """An empty database that DATABASE_URL names, as production's would be; users are hashed with a test key."""
    server.create_database("production")
    monkeypatch.setenv("DATABASE_URL", server.conninfo("production"))
    monkeypatch.setenv("ZANTARA_HASH_KEY", "0123456789abcdef0123456789abcdef")
    with psycopg.connect(server.conninfo("production"), autocommit=True) as connection:
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")
        yield connection
