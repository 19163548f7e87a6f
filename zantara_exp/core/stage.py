"""What a stage is: a function from a typed config and a context to a result.

    def prepare(config: Config, context: Context) -> StageResult: ...

A stage reads the files an earlier stage wrote (`zantara_exp.core.layout`), writes its own, records what is worth
comparing through `context.run`, and returns a short table. It raises ZantaraError for what a user can cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout

OK, FAILED, NO_GO, INCONCLUSIVE = 0, 1, 3, 4  # 2 is ConfigError
SWEPT = "ZANTARA_SWEPT"
"""Environment: the keys that a sweep changes, for its processes."""


@dataclass(frozen=True)
class ModelNotes:
    """What a registered model's version says of itself."""

    description: str = ""
    """Markdown."""
    metrics: Mapping[str, float] = field(default_factory=dict)


class RunRecord(Protocol):
    """The record of a run. Nothing here raises when the tracking server is away: the record is kept and sent later."""

    run_id: str

    def name(self, name: str) -> None:
        """Call the run otherwise."""

    def params(self, values: Mapping[str, object]) -> None:
        """Record chosen parameters."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Record numbers, at a step where they form a curve."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Record labels to search runs by."""

    def artifact(self, path: Path, folder: str = "") -> None:
        """Keep a copy of a file or folder with the run."""

    def dataset(self, path: Path, name: str, context: str) -> None:
        """Record a JSON lines file as an MLflow dataset; `context` says what for (training, validation, test)."""

    def model(self, path: Path, name: str, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record a trained model by reference to its folder, with its metrics; `step` where their curves end."""

    def elsewhere(self, run: str, values: Mapping[str, float]) -> None:
        """Record numbers on another run as well; `run` is its id."""

    def evaluated(self, epoch: str, about: ModelNotes) -> None:
        """Record what a model, known by its epoch, was measured to be, and its card, on versions registered before."""

    def register(self, path: Path, name: str, alias: str, tags: Mapping[str, str], about: ModelNotes) -> None:
        """Record a new version of the registered model `name` and let `alias` point at it."""

    def traces(self, group: str, items: Sequence[Mapping[str, object]]) -> None:
        """Record traces with assessments, each a mapping of `key`, `inputs`, `outputs`, `tags` and `assessments`.

        An assessment has `name`, `value`, `rationale`, `source` and `source_type` (HUMAN or CODE). The items of a
        group that MLflow knows already are brought up to date. Items that also have `asked`, names, and `done_by`, a
        name or none, are put into MLflow's review queue of the group, where there are queues.
        """


class Progress(Protocol):
    """A task whose advance is shown: a bar on a terminal, plain lines elsewhere."""

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Say that `amount` more is done; `note` is shown behind the bar."""


@dataclass(frozen=True)
class Table:
    """A small table to print."""

    title: str
    columns: Sequence[str]
    """Headings; none for a table of what -> how much."""
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class StageResult:
    """What a stage did."""

    summary: Mapping[str, str]
    """The short table at the end: what -> how much."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Numbers for MLflow."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Labels for MLflow."""
    run_name: str = ""
    """What MLflow calls the run from then on; empty: what it was called when it began."""
    note: str = ""
    """What MLflow shows on the run's page, in Markdown."""
    tables: Sequence[Table] = ()
    """Further tables to print after the summary."""
    artifacts: Sequence[Path] = ()
    """Files to keep with the run."""
    next_command: str = ""
    """What a user would run next."""
    status: int = OK
    """Exit status; only `stage=gate` and `stage=check` set another than OK."""
    parts: Mapping[str, StageResult] = field(default_factory=dict)
    """Of several candidates, by name: what is recorded as a run beside this one, to be compared in MLflow."""
    not_reusable: bool = False
    """Nothing is remembered: the stage only looked and wrote nothing, or something it asked for did not answer."""


class Context:
    """What the runner gives a stage besides the config."""

    def __init__(
        self, config: Config, run: RunRecord, run_dir: Path, origin: Mapping[str, object] | None = None
    ) -> None:
        self.layout = Layout(config)
        self.origin = origin or {}
        """Whose data it writes (`zantara_exp.core.origin`), to be noted in its summary under `origin`."""
        self.run = run
        self.run_dir = run_dir
        """Hydra's run directory: scratch files and logs of this run."""

    def say(self, line: str) -> None:
        """Print one line of what is going on."""
        from zantara_exp.core import terminal

        terminal.say(line)

    @contextmanager
    def progress(self, title: str, total: float | None = None) -> Iterator[Progress]:
        """Show progress of a long task."""
        from zantara_exp.core import terminal

        with terminal.progress(title, total) as task:
            yield task
