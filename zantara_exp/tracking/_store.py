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
from zantara_exp.errors import MissingRequirementError
from zantara_exp.whole import unfinished

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


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
        client.search_experiments(max_results=1)
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


def experiment_id(client: MlflowClient, tracking: Tracking, mlruns: Path) -> str:
    """The experiment's id; it is made when it is not there."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(tracking.experiment)
    if found is not None:
        return str(found.experiment_id)
    location = (mlruns / "artifacts").as_uri() if tracking.name == "local" else None
    try:
        return str(client.create_experiment(tracking.experiment, artifact_location=location))
    except MlflowException:
        again = client.get_experiment_by_name(tracking.experiment)  # another process was faster
        if again is None:
            raise
        return str(again.experiment_id)
