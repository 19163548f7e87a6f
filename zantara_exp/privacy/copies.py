"""Copies of chats: pages, worksheets and reports on disk, and what MLflow keeps of them with its runs.

Nothing there says whose it is, so it is looked for by its traces (`Whose.traces_in`); a page with one of them goes
whole, because the command that wrote it writes it again without.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.layout import Layout
from zantara_exp.privacy.reviews import samples
from zantara_exp.privacy.whose import Whose
from zantara_exp.tracking._store import connect
from zantara_exp.tracking._traces import GROUP, KEY
from zantara_exp.whole import write_whole

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_TEXTS = (".html", ".csv", ".json", ".jsonl", ".md", ".txt", ".log")
"""Endings of files that may hold a chat; weights and pictures do not."""
_MOST = 1000


def pages(layout: Layout) -> Iterator[Path]:
    """Files that were made from chats and are not handled line by line."""
    own = {layout.review_labels, layout.review_sheet, layout.incidents, layout.splits, *samples(layout)}
    for folder in (layout.reports, layout.dataset, layout.models):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            lines = path.suffix == ".jsonl" and folder != layout.reports
            if path.is_file() and path.suffix in _TEXTS and path not in own and not lines:
                yield path


def forget_pages(layout: Layout, whose: Whose, dry: bool) -> list[str]:
    """Remove the pages that hold a trace; their names."""
    gone = []
    for path in pages(layout):
        old = whose.before is not None and path.stat().st_mtime < whose.before.timestamp() and path.suffix == ".html"
        if old or whose.traces_in(path.read_text(encoding="utf-8", errors="replace")):
            gone.append(path.name)
            if not dry:
                path.unlink()
    return gone


def forget_pending(layout: Layout, whose: Whose, dry: bool) -> int:
    """Runs that wait for MLflow: copies of artifacts go, traces are emptied; how many."""
    done = 0
    for folder in sorted(path.parent for path in (layout.state / "pending").rglob("operations.jsonl")):
        with (folder / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # of a process that runs, this one among them
                continue
            for path in sorted(folder.rglob("*")):
                if not path.is_file() or not whose.traces_in(path.read_text(encoding="utf-8", errors="replace")):
                    continue
                done += 1
                if not dry and path.name == "operations.jsonl":
                    _empty_operations(path, whose)
                elif not dry:
                    path.unlink()
    return done


def _empty_operations(path: Path, whose: Whose) -> None:
    """The number of operations stays: `sent.json` counts them."""
    nothing = orjson.dumps({"op": "params", "values": {}})
    lines = [
        nothing if whose.traces_in(line.decode(errors="replace")) else line for line in path.read_bytes().splitlines()
    ]
    write_whole(path, b"".join(line + b"\n" for line in lines))


def forget_in_mlflow(
    config: Config, layout: Layout, whose: Whose, pairs: dict[str, list[int]], dry: bool
) -> Counter[str]:
    """Remove artifacts with a trace from all runs of the experiment, and the traces of reviewed pairs; run -> how many.

    Raises what MLflow raises: a store that is away has not forgotten anybody.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    client = connect(config.tracking, layout.mlruns)
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    done: Counter[str] = Counter()
    if experiment is None:
        return done
    token = None
    while True:
        runs = client.search_runs([experiment.experiment_id], max_results=_MOST, page_token=token)
        for run in runs:
            old = whose.before is not None and run.info.start_time < whose.before.timestamp() * 1000
            done[run.info.run_id[:8]] += _forget_artifacts(client, run, whose, old, dry)
        token = runs.token
        if not token:
            break
    done["reviewed pairs"] = _forget_traces(client, experiment.experiment_id, pairs, dry)
    return +done


def _forget_artifacts(client: MlflowClient, run: Any, whose: Whose, old: bool, dry: bool) -> int:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    gone, repository = [], get_artifact_repository(run.info.artifact_uri)
    with tempfile.TemporaryDirectory() as folder:
        for path in _artifacts(client, run.info.run_id, None):
            if not path.endswith(_TEXTS):
                continue
            try:
                copy = Path(client.download_artifacts(run.info.run_id, path, folder))
            except OSError:
                continue  # it was removed by hand
            personal = old and not path.startswith("config/") and path.endswith((".html", ".csv", ".jsonl"))
            if personal or whose.traces_in(copy.read_text(encoding="utf-8", errors="replace")):
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


def _forget_traces(client: MlflowClient, experiment: str, pairs: dict[str, list[int]], dry: bool) -> int:
    gone = []
    for sample, numbers in pairs.items():
        wanted = f"tags.`{GROUP}` = 'review:{sample}'"
        found = client.search_traces(
            locations=[experiment], filter_string=wanted, max_results=_MOST, include_spans=False
        )
        gone += [trace.info.trace_id for trace in found if int(trace.info.tags[KEY]) in numbers]
    if gone and not dry:
        client.delete_traces(experiment, trace_ids=gone)
    return len(gone)


def forget_caches(folders: list[Path]) -> None:
    """Remove what is made anew from the logs when it is not there."""
    for folder in folders:
        shutil.rmtree(folder)
