"""Applies the operations of a journal to MLflow."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.core import terminal
from zantara_exp.tracking import _sweep, _traces
from zantara_exp.tracking._names import model_name, taken, text
from zantara_exp.tracking._reference import reference
from zantara_exp.tracking._store import OPERATIONS, PARENT, Experiments

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_LONGEST_PARAM = 500
"""MLflow cuts params at 6,000 characters; what is compared in a table is much shorter."""

_MLFLOWS_ID = 32
"""Letters of a run's id; ours have 8."""

_MOST_AT_ONCE = 100
"""MLflow takes this many params, or tags, at once."""

_LONGEST_TAG, _LONGEST_NAME, _LONGEST_DESCRIPTION = 8000, 250, 5000

_MODEL = re.compile(r"\bm-[0-9a-f]{32}\b")
"""The id of a logged model, in the address of its artifacts."""

_INVALID = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")

OWN_ID = "zantara.id"
"""The tag by which a run is known before MLflow has given it an id."""

Operation = dict[str, Any]


def start(client: MlflowClient, experiments: Experiments, operation: Operation, parent_run: str | None) -> str:
    """Create the run; returns MLflow's id of it."""
    tags = _texts(operation["tags"])
    experiment = experiments.of(operation.get("purpose", OPERATIONS))
    if sweep := operation.get("sweep"):
        parent_run = _sweep.parent_of(client, experiment, sweep)
        tags |= _texts(_sweep.tags_of(sweep))
    if parent_run:
        tags[PARENT] = parent_run
    name = text(operation["name"], _LONGEST_NAME)
    run = client.create_run(experiment, start_time=operation["time"], tags=tags, run_name=name)
    return str(run.info.run_id)


def started(client: MlflowClient, experiments: Experiments, own: str | None) -> str | None:
    """MLflow's id of a run that it has already, by the id that we gave it; None where it has none."""
    found = client.search_runs(experiments.known(), f"tags.`{OWN_ID}` = '{own}'", max_results=1) if own else []
    return str(found[0].info.run_id) if found else None


def apply(client: MlflowClient, run_id: str, operation: Operation) -> None:
    """Send one operation other than `start`. What MLflow refuses as invalid is said and left out."""
    from mlflow.exceptions import MlflowException

    try:
        _APPLY[operation["op"]](client, run_id, operation)
    except MlflowException as error:
        # Sending it again would fail for ever and hold up everything behind it.
        if error.error_code not in _INVALID:
            raise
        terminal.say(f"MLflow refused {operation['op']} of run {run_id[:8]} as invalid; the run goes on without it")


def _params(client: MlflowClient, run_id: str, operation: Operation) -> None:
    from mlflow.entities import Param

    params = [Param(key, text(value, _LONGEST_PARAM)) for key, value in _named(operation["values"]).items()]
    _in_batches(run_id, params, lambda some: client.log_batch(run_id, params=some))


def _metrics(client: MlflowClient, run_id: str, operation: Operation) -> None:
    from mlflow.entities import Metric

    step = operation["step"] or 0
    metrics = [Metric(key, value, operation["time"], step) for key, value in _named(operation["values"]).items()]
    finite = [metric for metric in metrics if math.isfinite(metric.value)]
    _in_batches(run_id, finite, lambda some: client.log_batch(run_id, metrics=some))


def _tags(client: MlflowClient, run_id: str, operation: Operation) -> None:
    from mlflow.entities import RunTag

    tags = [RunTag(key, value) for key, value in _texts(operation["values"]).items()]
    _in_batches(run_id, tags, lambda some: client.log_batch(run_id, tags=some))


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    return {key: text(value, _LONGEST_TAG) for key, value in _named(dict(values)).items()}


def _in_batches(run_id: str, items: Sequence[Any], send: Callable[[list[Any]], None]) -> None:
    """Send all, many at once; where MLflow refuses one as invalid, the others of its batch are sent without it."""
    from mlflow.exceptions import MlflowException

    for first in range(0, len(items), _MOST_AT_ONCE):
        batch = list(items[first : first + _MOST_AT_ONCE])
        try:
            send(batch)
        except MlflowException as error:
            if error.error_code not in _INVALID or len(batch) == 1:
                raise
            for item in batch:
                _alone(run_id, item, send)


def _alone(run_id: str, item: Any, send: Callable[[list[Any]], None]) -> None:
    from mlflow.exceptions import MlflowException

    try:
        send([item])
    except MlflowException as error:
        if error.error_code not in _INVALID:
            raise
        terminal.say(f"MLflow refused {item.key} of run {run_id[:8]} as invalid; the rest is recorded")


def _named(values: dict[str, Any]) -> dict[str, Any]:
    found, changed = taken(values)
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        terminal.say(f"MLflow takes no name such as {changed[0]!r}{more}: recorded with _ for what it does not take")
    return found


def _name(client: MlflowClient, run_id: str, operation: Operation) -> None:
    client.update_run(run_id, name=text(operation["name"], _LONGEST_NAME))


def _elsewhere(client: MlflowClient, run_id: str, operation: Operation) -> None:
    """Numbers that belong to another run and to its model as well; a run that MLflow does not have is said."""
    from mlflow.exceptions import MlflowException

    run = operation["run"]
    if len(run) != _MLFLOWS_ID:
        experiments = [each.experiment_id for each in client.search_experiments()]
        found = client.search_runs(experiments, f"tags.`{OWN_ID}` = '{run}'", max_results=1)
        run = found[0].info.run_id if found else run
    try:
        found = client.get_run(run)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        terminal.say(f"MLflow has no run {run[:8]}, to which these numbers belong as well")
        return
    made = found.outputs.model_outputs if found.outputs else []
    if made:  # which notes them on the run, too
        _measured(client, run, made[-1].model_id, operation["values"])
    else:
        _metrics(client, run, operation)


def _measured(client: MlflowClient, run_id: str, model_id: str, values: Mapping[str, float]) -> None:
    """Numbers of a logged model, which MLflow shows on its page and beside those of others."""
    for key, value in _named(dict(values)).items():
        if math.isfinite(value):
            client.log_metric(run_id, key, value, model_id=model_id)


def _version(client: MlflowClient, run_id: str, operation: Operation) -> None:
    """What is known by now of a model that was registered before: its card, and its numbers."""
    for version in client.search_model_versions(f"tags.epoch = '{operation['epoch']}'"):
        described = text(operation["description"], _LONGEST_DESCRIPTION)
        client.update_model_version(version.name, version.version, described)
        model = _MODEL.search(version.source or "")  # the version itself does not name it
        if model and version.run_id:
            _measured(client, version.run_id, model[0], operation["metrics"])


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
    model = client.create_logged_model(experiment, name=model_name(operation["name"]), source_run_id=run_id, tags=tags)
    for key, value in _named(operation["metrics"]).items():
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
    model = client.create_logged_model(experiment, name=model_name(name), source_run_id=run_id, tags=tags)
    with reference(operation["path"], tags.get("epoch", "")) as folder:
        client.log_model_artifacts(model.model_id, str(folder))
    _measured(client, run_id, model.model_id, operation.get("metrics", {}))
    client.finalize_logged_model(model.model_id, "READY")
    # A server refuses a version whose source is just any folder; the place of a logged model it knows is fine.
    version = client.create_model_version(
        name,
        model.artifact_location,
        run_id,
        tags,
        description=text(operation.get("description") or "", _LONGEST_DESCRIPTION),
        model_id=model.model_id,
    )
    client.set_registered_model_alias(name, operation["alias"], version.version)


def _end(client: MlflowClient, run_id: str, operation: Operation) -> None:
    client.set_terminated(run_id, status=operation["status"], end_time=operation["time"])
    _sweep.tell(client, run_id)


def killed() -> Operation:
    """The end of a run whose process is gone."""
    return {"op": "end", "status": "KILLED", "time": int(time.time() * 1000)}


_APPLY: dict[str, Callable[[MlflowClient, str, Operation], None]] = {
    "params": _params,
    "metrics": _metrics,
    "tags": _tags,
    "artifact": _artifact,
    "dataset": _dataset,
    "name": _name,
    "elsewhere": _elsewhere,
    "version": _version,
    "model": _model,
    "register": _register,
    "traces": _traces.send,
    "end": _end,
}
