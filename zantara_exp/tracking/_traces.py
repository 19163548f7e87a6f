"""Traces with assessments: what people said of an answer, where MLflow's own UI shows it.

Sending the same again changes nothing: a trace is known by its key, an assessment by its name and who made it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities import Assessment, Trace
    from mlflow.tracking import MlflowClient

GROUP, KEY = "zantara.group", "zantara.key"
_MOST = 1000
"""Traces of one page of a search."""
_AT_ONCE = 200
"""Traces on their way: MLflow's queue holds a thousand messages, and throws away what comes when it is full."""
_MOST_USERS = 10
"""Users of a queue; MLflow takes no more."""
_COLLECTORS = tuple(f"OTEL_EXPORTER_OTLP_{of}ENDPOINT" for of in ("", "TRACES_", "METRICS_"))


def send(client: MlflowClient, run_id: str, operation: dict[str, Any]) -> None:
    """Bring the traces of `operation["group"]` to what the operation says."""
    with _no_collector():
        _send(client, run_id, operation)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Where these name a collector of OpenTelemetry, MLflow would send traces there instead of to its own store.

    They hold chats, which no collector is to get; its metrics repeat them.
    """
    named = {name: os.environ.pop(name) for name in _COLLECTORS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(named)


def _send(client: MlflowClient, run_id: str, operation: dict[str, Any]) -> None:
    import mlflow

    logging.getLogger("mlflow.tracing.export.async_export_queue").setLevel(logging.WARNING)  # it announces its exit
    # traces are written by MLflow's global client, whatever client one holds
    mlflow.set_tracking_uri(client.tracking_uri)
    experiment = client.get_run(run_id).info.experiment_id
    # an earlier version put them in another experiment
    everywhere = [each.experiment_id for each in client.search_experiments()]
    known = {trace.info.tags[KEY]: trace for trace in of_group(client, everywhere, operation["group"])}
    new, made = [item for item in operation["traces"] if item["key"] not in known], {}
    for first in range(0, len(new), _AT_ONCE):
        for item in new[first : first + _AT_ONCE]:
            made[item["key"]] = _traced(experiment, run_id, operation["group"], item)
        mlflow.flush_trace_async_logging()  # an assessment needs its trace to be there
    ids = {**made, **{key: trace.info.trace_id for key, trace in known.items()}}
    for item in operation["traces"]:
        old = known.get(item["key"])
        _assess(ids[item["key"]], old.info.assessments if old else [], item)
    asked = [item for item in operation["traces"] if item.get("asked")]
    if asked:
        _queue(experiment, operation["group"], asked, ids)


def of_group(client: MlflowClient, experiments: Sequence[str], group: str) -> Iterator[Trace]:
    """The traces of a group, without their texts, however many."""
    token = None
    while True:
        page = client.search_traces(
            locations=list(experiments),
            filter_string=f"tags.`{GROUP}` = '{group}'",
            max_results=_MOST,
            page_token=token,
            include_spans=False,
            flush=True,
        )
        yield from page
        token = page.token
        if not token:
            return


def _traced(experiment: str, run_id: str, group: str, item: dict[str, Any]) -> str:
    import mlflow
    from mlflow.tracing.constant import TraceMetadataKey
    from mlflow.tracing.fluent import NO_OP_SPAN_TRACE_ID

    span = mlflow.start_span_no_context(
        name=group.partition(":")[0],
        inputs=item["inputs"],
        tags={GROUP: group, KEY: item["key"], **item["tags"]},
        metadata={TraceMetadataKey.SOURCE_RUN: run_id},
        experiment_id=experiment,
    )
    span.end(outputs=item["outputs"])
    if span.trace_id == NO_OP_SPAN_TRACE_ID:  # MLflow only warns; the journal must know that it was not taken
        raise RuntimeError("MLflow did not start a trace")
    return str(span.trace_id)


def _assess(trace_id: str, there: list[Assessment], item: dict[str, Any]) -> None:
    import mlflow
    from mlflow.entities import AssessmentSource, Feedback

    old = {(found.name, found.source.source_id): found for found in there}
    for said in item["assessments"]:
        source = AssessmentSource(source_type=said["source_type"], source_id=said["source"])
        given = Feedback(name=said["name"], value=said["value"], rationale=said["rationale"], source=source)
        before = old.pop((said["name"], said["source"]), None)
        if before is None:
            mlflow.log_assessment(trace_id, given)
        elif (before.value, before.rationale or "") != (said["value"], said["rationale"]):
            mlflow.update_assessment(trace_id, str(before.assessment_id), given)
    for withdrawn in old.values():
        mlflow.delete_assessment(trace_id, str(withdrawn.assessment_id))


def _queue(experiment: str, group: str, items: list[dict[str, Any]], ids: dict[str, str]) -> None:
    """Keep MLflow's review queue of the group: who is asked, and what is done, by whom.

    Queues came with MLflow 3.14. Where the server has none, traces and assessments say it all the same.
    """
    from mlflow.exceptions import MlflowException

    try:
        from mlflow.genai import review_queues as queues
    except ImportError:
        return
    users = sorted({name.strip().lower() for item in items for name in item["asked"]})[:_MOST_USERS]
    try:
        queue = queues.get_review_queue(name=group, experiment_id=experiment)
    except MlflowException as trouble:
        if trouble.error_code != "RESOURCE_DOES_NOT_EXIST":
            return
        queue = queues.create_review_queue(group, queue_type="custom", users=users, experiment_id=experiment)
    if sorted(queue.users) != users:
        queues.update_review_queue(queue.queue_id, users=users)
    queues.add_items_to_review_queue(queue.queue_id, item_ids=[ids[item["key"]] for item in items])
    for item in items:
        status, by = ("complete", item["done_by"]) if item["done_by"] else ("pending", None)
        queues.set_review_queue_item_status(queue.queue_id, item_id=ids[item["key"]], status=status, completed_by=by)
