"""Takes out of MLflow, and out of what waits for it, what a person asked to have removed.

What that is, the caller decides; nothing here knows users.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zantara_exp.config.project import Tracking
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.tracking._journal import Journal
from zantara_exp.tracking._moved import place_of
from zantara_exp.tracking._store import Experiments, artifacts_of, connect
from zantara_exp.tracking._traces import KEY, of_group

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

_MOST = 1000


class Artifact(NamedTuple):
    """A text file that MLflow keeps with a run."""

    path: str
    """As the run names it, such as `config/config.yaml`."""
    run_started: datetime
    text: str


def erase_artifacts(
    tracking: Tracking, layout: Layout, endings: tuple[str, ...], goes: Callable[[Artifact], bool], *, dry: bool
) -> Counter[str]:
    """Remove artifacts from all runs of the project; run -> how many. Only names with one of `endings` are read.

    Raises ZantaraError where runs keep their artifacts in a folder that is not this store's, before any is removed, and
    what MLflow raises: a store that is away has not forgotten anybody.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    client = connect(tracking, layout.mlruns)
    done: Counter[str] = Counter()
    runs = list(_runs(client, Experiments(client, tracking, layout.mlruns).known()))
    if tracking.name == "local":
        _refuse_elsewhere(runs, artifacts_of(layout.mlruns))
    for run in runs:
        done[run.info.run_id[:8]] += _from_run(client, run, endings, goes, dry)
    return done


def erase_traces(tracking: Tracking, layout: Layout, keys: Mapping[str, Sequence[int]], *, dry: bool) -> int:
    """Remove traces, named by their group and keys as they were recorded; how many. Raises what MLflow raises."""
    client = connect(tracking, layout.mlruns)
    count = 0
    for experiment in Experiments(client, tracking, layout.mlruns).known():
        gone = []
        for group, numbers in keys.items():
            found = of_group(client, [experiment], group)
            gone += [trace.info.trace_id for trace in found if int(trace.info.tags[KEY]) in numbers]
        for first in range(0, 0 if dry else len(gone), _MOST):
            client.delete_traces(experiment, trace_ids=gone[first : first + _MOST])
        count += len(gone)
    return count


def erase_waiting(layout: Layout, holds: Callable[[str], bool], *, dry: bool) -> int:
    """Runs that wait for MLflow: kept artifacts whose text `holds` finds something in go, operations are blanked.

    Returns how many files that were. A run that a process is writing is left alone.
    """
    done = 0
    for operations in sorted((layout.state / "pending").rglob("operations.jsonl")):
        journal = Journal(operations.parent)
        if journal.claim():  # or it is of a process that runs, this one among them
            for path in sorted(filter(Path.is_file, journal.folder.rglob("*"))):
                if not holds(path.read_text(encoding="utf-8", errors="replace")):
                    continue
                done += 1
                if not dry and path == operations:
                    journal.blank(holds)
                elif not dry:
                    path.unlink()
        journal.close(delete=False)
    return done


def _runs(client: MlflowClient, experiments: list[str]) -> Iterator[Run]:
    token = None
    while experiments:
        page = client.search_runs(experiments, max_results=_MOST, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _refuse_elsewhere(runs: Sequence[Run], own: Path) -> None:
    places = [(run.info.run_id, place_of(run.info.artifact_uri)) for run in runs]
    away = [(run, place) for run, place in places if place and not place.resolve().is_relative_to(own.resolve())]
    if not away:
        return
    run, place = away[0]
    source, target = place.parents[1], own
    raise ZantaraError(
        f"{len(away)} runs in MLflow, such as {run[:8]}, keep their artifacts in {source}, and this folder's are in "
        f"{target}; nothing was removed in either",
        shlex.join(["mkdir", "-p", str(target)])
        + " && "
        + shlex.join(["cp", "-R", f"{source}/.", str(target)])
        + "   (then the same command; what stays in the first is forgotten where it belongs)",
    )


def _from_run(
    client: MlflowClient, run: Run, endings: tuple[str, ...], goes: Callable[[Artifact], bool], dry: bool
) -> int:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    gone, repository = [], get_artifact_repository(run.info.artifact_uri)
    started = datetime.fromtimestamp(run.info.start_time / 1000, UTC)
    with tempfile.TemporaryDirectory() as folder:
        for path in _artifacts(client, run.info.run_id, None):
            if not path.endswith(endings):
                continue
            try:
                copy = Path(client.download_artifacts(run.info.run_id, path, folder))
            except OSError:
                continue  # it was removed by hand
            if goes(Artifact(path, started, copy.read_text(encoding="utf-8", errors="replace"))):
                gone.append(path)
    for path in gone if not dry else []:
        repository.delete_artifacts(path)
    return len(gone)


def _artifacts(client: MlflowClient, run_id: str, folder: str | None) -> Iterator[str]:
    for found in client.list_artifacts(run_id, folder):
        if found.is_dir:
            yield from _artifacts(client, run_id, found.path)
        else:
            yield str(found.path)
