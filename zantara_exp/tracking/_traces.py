"""Traces with assessments: what people said of an answer, where MLflow's own UI shows it.

Sending the same again changes nothing: a trace is known by its key, an assessment by its name and who made it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities import Assessment, Trace
    from mlflow.tracking import MlflowClient

GROUP, KEY = "zantara.group", "zantara.key"
_MOST = 1000


def send(client: MlflowClient, run_id: str, operation: dict[str, Any]) -> None:
    """Bring the traces of `operation["group"]` to what the operation says."""
    import mlflow

    logging.getLogger("mlflow.tracing.export.async_export_queue").setLevel(logging.WARNING)  # it announces its exit
    # traces are written by MLflow's global client, whatever client one holds
    mlflow.set_tracking_uri(client.tracking_uri)
    experiment = client.get_run(run_id).info.experiment_id
    known = _known(client, experiment, operation["group"])
    made = {
        item["key"]: _traced(experiment, run_id, operation["group"], item)
        for item in operation["traces"]
        if item["key"] not in known
    }
    mlflow.flush_trace_async_logging()  # an assessment needs its trace to be there
    for item in operation["traces"]:
        old = known.get(item["key"])
        _assess(old.info.trace_id if old else made[item["key"]], old.info.assessments if old else [], item)


def _known(client: MlflowClient, experiment: str, group: str) -> dict[str, Trace]:
    wanted = f"tags.`{GROUP}` = '{group}'"
    found = client.search_traces(
        locations=[experiment], filter_string=wanted, max_results=_MOST, include_spans=False, flush=True
    )
    return {trace.info.tags[KEY]: trace for trace in found}


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
