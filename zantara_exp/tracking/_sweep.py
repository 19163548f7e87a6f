"""A sweep in MLflow: a run over its runs, with a table and a plot of what they were given and what came of it.

The first run of a sweep makes it, each that ends brings it up to date: a sweep that was killed shows what is done.
"""

from __future__ import annotations

import fcntl
import math
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from zantara_exp.tracking._names import text
from zantara_exp.tracking._store import NOTE

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

_ID, _GIVEN, _PARENT = "zantara.sweep", "swept.", "mlflow.parentRunId"
_SHOWN = (
    "model/val_loss", "model/val_token_accuracy", "eval/loss", "eval/token_accuracy", "train/final_loss",
    "test/loss", "test/token_accuracy", "test/chrf", "eval/generalization_gap", "train/tokens_per_second",
)  # fmt: skip
"""Metrics of the table, the most telling first; where there is none of them, the first that all runs have."""
_MOST_COLUMNS, _MOST_PANELS = 6, 4
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_SPACE = "\u2003"


class Sweep(TypedDict):
    """What is known of a sweep in one of its runs."""

    id: str
    folder: str
    stage: str
    swept: dict[str, str]
    """The keys that differ between the runs, with this run's values."""


def tags_of(sweep: Sweep) -> dict[str, str]:
    """What its run carries."""
    return {f"{_GIVEN}{key}": value for key, value in sweep["swept"].items()}


def parent_of(client: MlflowClient, experiment: str, sweep: Sweep) -> str:
    """MLflow's id of the run over all runs of the sweep, which is made where it is not there."""
    with _one_at_a_time(Path(sweep["folder"])):
        found = client.search_runs([experiment], f"tags.`{_ID}` = '{sweep['id']}'", max_results=1)
        if found:
            return str(found[0].info.run_id)
        name = f"sweep of {', '.join(_short(key) for key in sweep['swept']) or sweep['stage']}"
        made = client.create_run(experiment, run_name=name, tags={_ID: sweep["id"], "stage": "sweep"})
        return str(made.info.run_id)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Runs of a sweep may be processes side by side; a sweep whose folder is gone has no other run."""
    if not folder.is_dir():
        yield
        return
    with (folder / ".sweep.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tell(client: MlflowClient, run_id: str) -> None:
    """Bring the run over the sweep up to date, once one of its runs has ended.

    Two that end together each write it, and the later one may have looked earlier: so it looks again.
    """
    run = client.get_run(run_id)
    parent = run.data.tags.get(_PARENT)
    if parent is None or _ID not in client.get_run(parent).data.tags:
        return
    told: list[Run] = []
    while _states(children := _children(client, run.info.experiment_id, parent)) != _states(told):
        _write(client, parent, children)
        told = children


def _children(client: MlflowClient, experiment: str, parent: str) -> list[Run]:
    return sorted(client.search_runs([experiment], f"tags.`{_PARENT}` = '{parent}'"), key=_in_order)


def _states(children: Sequence[Run]) -> dict[str, str]:
    return {child.info.run_id: child.info.status for child in children}


def _write(client: MlflowClient, parent: str, children: Sequence[Run]) -> None:
    swept = list(dict.fromkeys(tag for child in children for tag in child.data.tags if tag.startswith(_GIVEN)))
    shown = _columns(children)
    client.set_tag(parent, NOTE, text(_table(children, swept, shown), 8000))
    with tempfile.TemporaryDirectory() as folder:
        for path in _drawn(children, swept, shown, Path(folder)):
            client.log_artifact(parent, str(path))
    client.set_terminated(parent, "RUNNING" if any(c.info.status == "RUNNING" for c in children) else "FINISHED")


def _in_order(run: Run) -> list[tuple[float, str]]:
    """By what they were given, numbers as numbers: side by side they begin in any order."""
    given = [value for tag, value in sorted(run.data.tags.items()) if tag.startswith(_GIVEN)]
    return [(float(value), "") if _NUMBER.fullmatch(value) else (math.inf, value) for value in given]


def _short(key: str) -> str:
    return key.rpartition(".")[2]


def _columns(children: Sequence[Run]) -> list[str]:
    known = [name for name in _SHOWN if any(name in child.data.metrics for child in children)]
    if "model/val_loss" in known:  # of the weights that are kept, which need not be those of the last step
        known = [name for name in known if name not in ("eval/loss", "eval/token_accuracy")]
    if not known:
        known = sorted(set.intersection(*(set(child.data.metrics) for child in children)))
    return known[:_MOST_COLUMNS]


def _table(children: Sequence[Run], swept: Sequence[str], shown: Sequence[str]) -> str:
    """The best run in a sentence, for MLflow folds a note after some lines; then all of them."""
    state = {child.info.status for child in children} != {"FINISHED"}
    spaced = [each.replace("/", " ").replace("_", " ") for each in shown]  # so that a heading may be broken
    heads = [*map(_short, swept), *spaced, *(["state"] if state else [])]
    lines = [_row(heads), f"|{' --- |' * len(heads)}"]
    for child in children:
        given = [child.data.tags.get(each, "") for each in swept]
        found = [_number(child.data.metrics.get(each)) for each in shown]
        lines.append(_row([*given, *found, *([child.info.status.lower()] if state else [])]))
    return "\n".join([*_best(children, swept, shown), *lines])


def _best(children: Sequence[Run], swept: Sequence[str], shown: Sequence[str]) -> list[str]:
    """Said where lower is better, for certain."""
    measured = [child for child in children if shown and shown[0] in child.data.metrics]
    if not measured or not shown[0].endswith("loss"):
        return []
    best = min(measured, key=lambda child: float(child.data.metrics[shown[0]]))
    known = [f"{_short(each)}={best.data.tags[each]}" for each in swept if each in best.data.tags]
    given = f": {', '.join(known)}" if known else ""
    return [f"The lowest {shown[0]} of {len(children)} runs is {_number(best.data.metrics[shown[0]])}{given}.", ""]


def _row(cells: Sequence[str]) -> str:
    """MLflow sets no space between the columns of a table."""
    return f"| {' | '.join(cell.replace('|', '/') + _SPACE for cell in cells)} |"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _drawn(children: Sequence[Run], swept: Sequence[str], shown: Sequence[str], folder: Path) -> Iterator[Path]:
    """One plot: a panel for each metric, a bar for each run; two panels beside one another, as wide as MLflow shows."""
    if not shown:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [" ".join(child.data.tags.get(each, "") for each in swept) for child in children]
    panels = shown[:_MOST_PANELS]
    lines = -(-len(panels) // 2)
    figure = Figure(figsize=(7, lines * (1.0 + 0.35 * len(children))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, min(2, len(panels)), squeeze=False, sharey=True)
    for axis, metric in zip(axes.ravel(), panels, strict=False):
        values = [child.data.metrics.get(metric, 0.0) for child in children]
        bars = axis.barh(range(len(names)), values, color="#3465a4")
        axis.bar_label(bars, [_number(child.data.metrics.get(metric)) for child in children], padding=3)
        axis.set_yticks(range(len(names)), names)
        axis.set_title(metric)
        axis.margins(x=0.3)
    for axis in axes.ravel()[len(panels) :]:
        axis.set_visible(False)
    axes[0][0].invert_yaxis()
    figure.supylabel(", ".join(map(_short, swept)))
    path = folder / "sweep.png"
    figure.savefig(path, dpi=110)
    yield path


def of_run(folder: Path, stage: str, swept: Mapping[str, Any]) -> Sweep:
    """The sweep that a run's folder is in: Hydra gives each run one below the sweep's."""
    return Sweep(
        id="/".join(folder.parent.parts[-3:]),
        folder=str(folder.parent),
        stage=stage,
        swept={key: str(value) for key, value in swept.items()},
    )
