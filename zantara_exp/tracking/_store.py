"""Where MLflow is: a sqlite database under `paths.mlruns`, or the server that MLFLOW_TRACKING_URI names."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zantara_exp.config.project import Tracking
from zantara_exp.core import terminal
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.io.whole_files import unfinished
from zantara_exp.tracking._moved import follow

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


TRAINING, VERDICTS, OPERATIONS = PURPOSES = ("training", "verdicts", "operations")
"""What runs are compared for."""
NOTE = "mlflow.note.content"
"""MLflow's tag for what stands on a page, in Markdown."""
PARENT = "mlflow.parentRunId"
"""MLflow's tag for the run that one is shown below."""
_SAID = {
    TRAINING: "What was trained, on what, how well it does on the test split; sweeps; published models.",
    VERDICTS: "Gates with their verdicts, and what they rest on: reports, reviews, judges.",
    OPERATIONS: "Pipelines, data, shadow traffic, rollouts.",
}


def artifacts_of(mlruns: Path) -> Path:
    """Where a store of this machine keeps the artifacts of its runs."""
    return mlruns / "artifacts"


def tracking_uri(tracking: Tracking, mlruns: Path) -> str:
    """The store's URI. Raises MissingRequirementError when a server is asked for and none is named."""
    if tracking.name == "local":
        return f"sqlite:///{mlruns / 'mlflow.db'}"
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if urlsplit(uri).scheme not in ("http", "https"):
        raise MissingRequirementError(
            "tracking=server needs MLFLOW_TRACKING_URI, such as http://127.0.0.1:5000; it is "
            + ("not set" if not uri else "not an http address"),
            hint="export MLFLOW_TRACKING_URI=http://HOST:PORT, or run with tracking=local",
        )
    return uri


def shown(uri: str) -> str:
    """The URI without user and password."""
    parts = urlsplit(uri)
    return uri if parts.scheme == "sqlite" else f"{parts.scheme}://{parts.hostname}:{parts.port or 80}"


def connect(tracking: Tracking, mlruns: Path) -> MlflowClient:
    """A client of the store; a new sqlite store is made first. Raises what MLflow raises."""
    uri = tracking_uri(tracking, mlruns)
    # A server that is away must cost seconds, not MLflow's default of minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(max(1, round(tracking.timeout_seconds))))
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it raises what it logs, with a traceback
    from mlflow.tracking import MlflowClient

    if tracking.name == "server":
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    mlruns.mkdir(parents=True, exist_ok=True)
    database = mlruns / "mlflow.db"
    # Two processes that make the same new database at once fail both: one makes it, the others wait.
    with (mlruns / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists():
            _make(database)
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)  # which brings an older database up to date
        for old in follow(database, artifacts_of(mlruns)):
            terminal.say(
                f"MLflow noted artifacts in {old}; this folder was moved or copied: {artifacts_of(mlruns)} now"
            )
        opened = sqlite3.connect(database)
        opened.execute("PRAGMA journal_mode=WAL")
        opened.close()
    return client


def _make(database: Path) -> None:
    """A new store takes its place once it has all its tables: MLflow never gets over one that a full disk cut short."""
    from mlflow.store.db import utils

    with unfinished(database) as partial:
        engine = utils.create_sqlalchemy_engine_with_retry(f"sqlite:///{partial}")
        try:
            utils._initialize_tables(engine)  # what a store does that finds no tables; it has no public name
        finally:
            engine.dispose()


class Experiments:
    """MLflow's experiments of a project, one for each purpose; a run of an earlier version is in one for all."""

    def __init__(self, client: MlflowClient, tracking: Tracking, mlruns: Path) -> None:
        self._client, self._tracking, self._mlruns = client, tracking, mlruns
        self._ids: dict[str, str] = {}

    def of(self, purpose: str) -> str:
        """The id of one, which is made when it is not there."""
        if purpose not in self._ids:
            self._ids[purpose] = self._made(f"{self._tracking.experiment} {purpose}", purpose)
        return self._ids[purpose]

    def known(self) -> list[str]:
        """The ids of those that are there, the earlier one for all among them."""
        names = [self._tracking.experiment, *(f"{self._tracking.experiment} {purpose}" for purpose in PURPOSES)]
        found = (self._client.get_experiment_by_name(name) for name in names)
        return [str(each.experiment_id) for each in found if each is not None]

    def _made(self, name: str, purpose: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        location = artifacts_of(self._mlruns).as_uri() if self._tracking.name == "local" else None
        # Without a kind MLflow's page asks what it is, and guesses that it holds chats.
        tags = {"mlflow.experimentKind": "custom_model_development", NOTE: _SAID[purpose]}
        try:
            return str(self._client.create_experiment(name, artifact_location=location, tags=tags))
        except MlflowException:
            again = self._client.get_experiment_by_name(name)  # another process was faster
            if again is None:
                raise
            return str(again.experiment_id)
