"""What every test shares: an environment of its own, and a working directory that is thrown away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from absl import logging as absl_logging
from hypothesis import HealthCheck, settings

from tests import forked
from tests import preloaded as preloaded
from zantara_exp.tracking import _store

# How long an example takes is the machine's affair, and says nothing of what is right. `make test` says the same of the
# same code each time, so that CI stops nobody for what somebody else left; `make test-all` looks for new examples.
settings.register_profile(
    "ours",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=not os.environ.get("NEW_EXAMPLES"),
)
settings.load_profile("ours")

# absl (imported by rouge_score) closes its handler's stream when logging is configured anew, unless that is the
# process's own stderr; under pytest it would be the file that pytest captures into.
absl_logging.get_absl_handler().python_handler.setStream(sys.__stderr__)

_OURS = (
    "DATABASE_URL",
    "ANTHROPIC_API_KEY",
    "RUNPOD_ENDPOINT",
    "RUNPOD_API_KEY",
    "HF_TOKEN",
    "MLFLOW_TRACKING_URI",
    "SHADOW_MODE_ENABLED",
    "LLAMA_ENABLED",
    "ZANTARA_HASH_KEY",
    "ZANTARA_SIGNING_KEY",
    "ZANTARA_CONFIG_DIR",
    "ZANTARA_EXPERIMENT",
    "COLUMNS",
    "NO_COLOR",
    "FORCE_COLOR",
)

_MAKE = _store._make
_LONGEST = (
    "/test_pipeline.py", "/tests/test_helpdesk.py", "/gates/test_check.py", "/gateway/test_stage.py",
    "/training/test_train.py",
)  # fmt: skip
"""Files that take half a minute or more: begun first, so that no worker is left with one while the others are done."""


def pytest_configure(config: pytest.Config) -> None:
    """One fork server for all workers; it imports while they collect."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        forked.share()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; a worker takes the next file in this order (--no-loadscope-reorder)."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(_LONGEST))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are counted, not quoted: those of a gzip hold the time, and two workers would collect different tests."""
    return argname if isinstance(val, bytes) else None


_STARTED = subprocess.Popen


@pytest.fixture(scope="session", autouse=True)
def _forked_processes() -> Iterator[None]:
    """Python processes that tests start are forked (tests/forked.py)."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subprocess, "Popen", forked.Popen)
        yield


@pytest.fixture(autouse=True)
def _started_where_the_interpreter_matters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("interpreter"):
        monkeypatch.setattr(subprocess, "Popen", _STARTED)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the variables of the person who runs it; the environment of the tests is an active one."""
    for name in (*_OURS, *(name for name in os.environ if name.startswith("OTEL_"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(scope="session", autouse=True)
def _one_new_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new MLflow store is always the same, and takes MLflow seconds: it makes the first one, the others are copies.

    Processes that a test starts make their own.
    """
    made = tmp_path_factory.mktemp("mlflow") / "new.db"

    def copied(database: Path) -> None:
        if not made.exists():
            _MAKE(made)
        shutil.copyfile(made, database)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_store, "_make", copied)
        yield


@pytest.fixture
def store_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow makes this test's store."""
    monkeypatch.setattr(_store, "_make", _MAKE)


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real chats to measure on; not part of the project."""
    folder = os.environ.get("ZANTARA_REAL_DATA")
    if not folder:
        pytest.skip("ZANTARA_REAL_DATA names no folder of real data; next: ZANTARA_REAL_DATA=DIR make test")
    return Path(folder)
