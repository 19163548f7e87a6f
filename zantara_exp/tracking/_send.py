"""Applies the operations of a journal to MLflow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp import terminal
from zantara_exp.tracking import _traces
from zantara_exp.tracking._reference import reference

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_LONGEST_PARAM = 500
"""MLflow cuts params at 6,000 characters; what is compared in a table is much shorter."""

_MOST_PARAMS = 100
"""MLflow takes this many at once."""

OWN_ID = "zantara.id"
"""The tag by which a run is known before MLflow has given it an id."""

Operation = dict[str, Any]


def start(client: MlflowClient, experiment: str, operation: Operation, parent_run: str | None) -> str:
    """Create the run; returns MLflow's id of it."""
    tags = dict(operation["tags"])
    if parent_run:
        tags["mlflow.parentRunId"] = parent_run
    run = client.create_run(experiment, start_time=operation["time"], tags=tags, run_name=operation["name"])
    return str(run.info.run_id)


def started(client: MlflowClient, experiment: str, operation: Operation) -> str | None:
    """MLflow's id of a run that it has already; None where it has none."""
    own = operation["tags"].get(OWN_ID)
    found = client.search_runs([experiment], f"tags.`{OWN_ID}` = '{own}'", max_results=1) if own else []
    return str(found[0].info.run_id) if found else None


def apply(client: MlflowClient, run_id: str, operation: Operation) -> None:
    """Send one operation other than `start`. What MLflow refuses as invalid is said and left out."""
    from mlflow.exceptions import MlflowException

    try:
        _APPLY[operation["op"]](client, run_id, operation)
    except MlflowException as error:
        # Sending it again would fail for ever and hold up everything behind it.
        if error.error_code not in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
            raise
        terminal.say(f"MLflow refused {operation['op']} of run {run_id[:8]} as invalid; the run goes on without it")


def _params(client: MlflowClient, run_id: str, operation: Operation) -> None:
    from mlflow.entities import Param

    params = [Param(key, str(value)[:_LONGEST_PARAM]) for key, value in operation["values"].items()]
    for first in range(0, len(params), _MOST_PARAMS):
        client.log_batch(run_id, params=params[first : first + _MOST_PARAMS])


def _metrics(client: MlflowClient, run_id: str, operation: Operation) -> None:
    from mlflow.entities import Metric

    step = operation["step"] or 0
    metrics = [Metric(key, value, operation["time"], step) for key, value in operation["values"].items()]
    client.log_batch(run_id, metrics=[metric for metric in metrics if math.isfinite(metric.value)])


def _tags(client: MlflowClient, run_id: str, operation: Operation) -> None:
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(key, str(value)) for key, value in operation["values"].items()])


def _artifact(client: MlflowClient, run_id: str, operation: Operation) -> None:
    path = Path(operation["path"])
    if path.exists():  # a file that a killed run announced may be gone since
        client.log_artifact(run_id, str(path), operation["folder"] or None)


def _dataset(client: MlflowClient, run_id: str, operation: Operation) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    entity = Dataset(
        name=operation["name"],
        digest=operation["digest"],
        source_type="local",
        source=operation["source"],
        profile=operation["profile"],
    )
    client.log_inputs(run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", operation["context"])])])


def _model(client: MlflowClient, run_id: str, operation: Operation) -> None:
    from mlflow.entities import LoggedModelOutput

    experiment = client.get_run(run_id).info.experiment_id
    tags = {"path": operation["path"]}
    model = client.create_logged_model(experiment, name=operation["name"], source_run_id=run_id, tags=tags)
    for key, value in operation["metrics"].items():
        client.log_metric(run_id, key, value, step=operation.get("step", 0), model_id=model.model_id)
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])


def _register(client: MlflowClient, run_id: str, operation: Operation) -> None:
    from mlflow.exceptions import MlflowException

    name = operation["name"]
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {"path": operation["path"], **operation["tags"]}
    versions = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    known = next((version for version in versions if version.tags == tags), None)
    if known:  # a kill came before it was noted
        client.set_registered_model_alias(name, operation["alias"], known.version)
        return
    experiment = client.get_run(run_id).info.experiment_id
    model = client.create_logged_model(experiment, name=name, source_run_id=run_id, tags=tags)
    with reference(operation["path"], tags.get("epoch", "")) as folder:
        client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    # A server refuses a version whose source is just any folder; the place of a logged model it knows is fine.
    version = client.create_model_version(name, model.artifact_location, run_id, tags, model_id=model.model_id)
    client.set_registered_model_alias(name, operation["alias"], version.version)


def _end(client: MlflowClient, run_id: str, operation: Operation) -> None:
    client.set_terminated(run_id, status=operation["status"], end_time=operation["time"])


def killed() -> Operation:
    """The end of a run whose process is gone."""
    return {"op": "end", "status": "KILLED", "time": int(time.time() * 1000)}


_APPLY: dict[str, Callable[[MlflowClient, str, Operation], None]] = {
    "params": _params,
    "metrics": _metrics,
    "tags": _tags,
    "artifact": _artifact,
    "dataset": _dataset,
    "model": _model,
    "register": _register,
    "traces": _traces.send,
    "end": _end,
}
