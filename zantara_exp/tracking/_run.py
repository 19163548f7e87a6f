"""A run of a stage: journaled first, then sent to MLflow as it goes, or once the stage has shown what it found."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from zantara_exp.config.project import Tracking
from zantara_exp.core import terminal
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import ModelNotes
from zantara_exp.tracking import _send
from zantara_exp.tracking._journal import Journal
from zantara_exp.tracking._store import OPERATIONS, Experiments, connect, shown, tracking_uri
from zantara_exp.tracking._sweep import Sweep

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

MEANWHILE, AFTERWARDS, BEHIND = "meanwhile", "afterwards", "behind"
"""When MLflow is told of a run; see `open_run`."""


def _now() -> int:
    return int(time.time() * 1000)


@dataclass(frozen=True)
class About:
    """A run before it begins."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    purpose: str = OPERATIONS
    """One of `_store.PURPOSES`: which experiment it is in."""
    sweep: Sweep | None = None
    """Of which it is a part."""


class JournaledRun:
    """The record of one run. No method raises when MLflow is away: the journal keeps what was said."""

    def __init__(self, journal: Journal, client: MlflowClient | None, uri: str) -> None:
        self._journal = journal
        self._client = client
        self._uri = uri
        self.run_id = journal.id[-8:]

    def begin(self, experiments: Experiments | None, about: About, parent: JournaledRun | None) -> None:
        """Announce the run; `experiments` are MLflow's, None when it could not be asked."""
        journal = parent._journal if parent else None
        operation = {
            "op": "start",
            "name": about.name,
            "purpose": about.purpose,
            "sweep": about.sweep,
            "time": _now(),
            # The id that the terminal shows while MLflow is away, so that the run can be found by it later.
            "tags": {**about.tags, _send.OWN_ID: self.run_id},
            "parent": journal.id if journal else None,
            "parent_run": journal.run_id if journal else None,
        }
        self._journal.append(operation)
        if self._client is None or experiments is None:
            return
        try:
            self.run_id = _send.start(self._client, experiments, operation, journal.run_id if journal else None)
            self._journal.mark_sent(self.run_id)
        except Exception as error:  # noqa: BLE001  whatever MLflow or its database raises, the stage goes on
            self._lose(error)

    def params(self, values: Mapping[str, object]) -> None:
        """Record chosen parameters."""
        self._do({"op": "params", "values": {key: str(value) for key, value in values.items()}})

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Record numbers, at a step where they form a curve."""
        plain = {key: float(value) for key, value in values.items()}
        self._do({"op": "metrics", "values": plain, "step": step, "time": _now()})

    def tags(self, values: Mapping[str, str]) -> None:
        """Record labels to search runs by."""
        self._do({"op": "tags", "values": dict(values)})

    def name(self, name: str) -> None:
        """Call it otherwise, once it is known what came of it."""
        self._do({"op": "name", "name": name})

    def evaluated(self, epoch: str, about: ModelNotes) -> None:
        """Record what a model, known by its epoch, was measured to be, and its card, on versions registered before."""
        self._do({"op": "version", "epoch": epoch, "description": about.description, "metrics": dict(about.metrics)})

    def elsewhere(self, run: str, values: Mapping[str, float]) -> None:
        """Record numbers on another run as well, such as what a model was measured to be on the run that trained it."""
        plain = {key: float(value) for key, value in values.items()}
        self._do({"op": "elsewhere", "run": run, "values": plain, "step": None, "time": _now()})

    def artifact(self, path: Path, folder: str = "") -> None:
        """Keep a copy of a file or folder with the run."""
        self._do({"op": "artifact", "path": str(path.absolute()), "folder": folder})

    def dataset(self, path: Path, name: str, context: str) -> None:
        """Record a JSON lines file as an MLflow dataset; `context`: training, validation or test."""
        import hashlib

        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        with path.open("rb") as file:
            rows = sum(1 for _ in file)
        source, profile = orjson.dumps({"uri": str(path)}).decode(), orjson.dumps({"num_rows": rows}).decode()
        operation = {"op": "dataset", "name": name, "digest": digest, "source": source, "profile": profile}
        self._do({**operation, "context": context})

    def model(self, path: Path, name: str, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record a trained model by reference to its folder, with its metrics; `step` where their curves end."""
        self._do({"op": "model", "path": str(path), "name": name, "metrics": dict(metrics), "step": step})

    def register(self, path: Path, name: str, alias: str, tags: Mapping[str, str], about: ModelNotes) -> None:
        """Record a new version of the registered model `name`, by reference to its folder, and point `alias` at it."""
        noted = {"description": about.description, "metrics": dict(about.metrics)}
        self._do({"op": "register", "path": str(path), "name": name, "alias": alias, "tags": dict(tags), **noted})

    def traces(self, group: str, items: Sequence[Mapping[str, object]]) -> None:
        """Record what was asked and answered, with what people said of it; see `zantara_exp.core.stage.RunRecord`."""
        self._do({"op": "traces", "group": group, "traces": [dict(item) for item in items]})

    def end(self, status: str) -> None:
        """Close the run: FINISHED, FAILED or KILLED."""
        self._do({"op": "end", "status": status, "time": _now()})
        complete = self._client is not None
        self._journal.close(delete=complete)
        if not complete:
            terminal.say(f"MLflow at {shown(self._uri)} did not take this run; it is kept and sent with the next one")

    def _do(self, operation: dict[str, Any]) -> None:
        if self._client is not None and self._journal.run_id is not None:
            self._journal.append(operation)
            try:
                _send.apply(self._client, self._journal.run_id, operation)
                self._journal.mark_sent(self._journal.run_id)
                return
            except Exception as error:  # noqa: BLE001  as above
                self._lose(error)
                if operation["op"] == "artifact":
                    # The journal holds the original path already; files change, so keep today's copy too.
                    self._journal.append({**operation, "path": str(self._journal.keep(Path(operation["path"])))})
                return
        if operation["op"] == "artifact" and Path(operation["path"]).exists():
            operation = {**operation, "path": str(self._journal.keep(Path(operation["path"])))}
        self._journal.append(operation)

    def _lose(self, error: Exception) -> None:
        self._client = None
        terminal.say(f"MLflow at {shown(self._uri)} failed ({type(error).__name__}); the run is kept under paths.state")


class _LaterRun(JournaledRun):
    """The record of a run whose outcome is shown before MLflow is told: only its journal is written meanwhile.

    Where not even that can be, it is said, and what the stage found stands.
    """

    def __init__(self, journal: Journal, uri: str) -> None:
        super().__init__(journal, None, uri)
        self._kept = True

    def end(self, status: str) -> None:
        """Close the run and let go of its journal, which waits to be sent."""
        self._do({"op": "end", "status": status, "time": _now()})
        self._journal.close(delete=False)

    def send_behind(self, tracking: Tracking, layout: Layout) -> None:
        """Let a process of its own tell MLflow; where none can be started, the next run does."""
        if not self._kept:
            return
        about = {"tracking": asdict(tracking), "mlruns": str(layout.mlruns), "state": str(layout.state)}
        line = [sys.executable, "-m", "zantara_exp.tracking", orjson.dumps(about).decode()]
        # Nothing of this process's is kept open by it: `$(zantara-exp ...)` in a shell waits for that.
        quiet = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in range(3)]
        try:
            os.posix_spawn(sys.executable, line, os.environ, file_actions=quiet, setsid=True)
        except OSError as error:
            terminal.say(f"kept for the next run, which sends it to MLflow ({error.strerror or error})")

    def send(self, tracking: Tracking, layout: Layout) -> None:
        """Tell MLflow, after what earlier runs could not; trouble is said, and the journal stays."""
        if not self._kept:
            return
        sent = _reach(tracking, layout, self._uri, own=self._journal.id).sent.get(self._journal.id)
        if sent is not None:
            self.run_id = sent
            terminal.say(f"recorded in MLflow as run {sent[:8]}")

    def _do(self, operation: dict[str, Any]) -> None:
        if not self._kept:
            return
        try:
            super()._do(operation)
        except OSError as error:
            self._kept = False
            trouble = f"{error.strerror or error}: {error.filename or self._journal.folder}"
            terminal.say(f"this run is not recorded in MLflow ({trouble}); what it found and wrote stands")


def send_pending(client: MlflowClient, experiments: Experiments, pending: Path) -> dict[str, str]:
    """Send what earlier runs could not; MLflow's ids of those it has now, by journal. Raises what MLflow raises."""
    completed, run_ids = dict[str, str](), dict[str, str]()
    for folder in sorted(pending.glob("*-*")) if pending.is_dir() else []:
        journal = Journal(folder)
        if not journal.claim():
            journal.close(delete=False)
            continue
        operations = journal.operations()
        if operations and operations[-1]["op"] != "end":
            operations.append(_send.killed())
        for operation in operations[journal.sent :]:
            if operation["op"] == "start":
                parent = operation["parent_run"] or run_ids.get(operation["parent"])
                own = operation["tags"].get(_send.OWN_ID)
                known = _send.started(client, experiments, own)  # a kill may have come before it was noted
                journal.mark_sent(known or _send.start(client, experiments, operation, parent))
            elif journal.run_id is not None:
                _send.apply(client, journal.run_id, operation)
                journal.mark_sent(journal.run_id)
        if journal.run_id is not None:
            run_ids[journal.id] = journal.run_id
        if operations:
            completed[journal.id] = run_ids.get(journal.id, "")
        journal.close(delete=True)
    return completed


@contextmanager
def open_run(
    tracking: Tracking,
    layout: Layout,
    about: About,
    parent: JournaledRun | None = None,
    *,
    sent: str = MEANWHILE,
) -> Iterator[JournaledRun]:
    """Record a run for the length of a `with`; an exception ends it as FAILED, Ctrl-C as KILLED.

    MEANWHILE    MLflow is told what is done while it is done
    AFTERWARDS   MLflow is imported and told only after the `with`, and nothing that goes wrong in that is raised: the
                 run's id is MLflow's from then on, and until then the one of the tag `zantara.id`
    BEHIND       the same, by a process of its own, for which nobody waits
    Raises MissingRequirementError when tracking=server and MLFLOW_TRACKING_URI names no server.
    """
    uri, later = tracking_uri(tracking, layout.mlruns), sent != MEANWHILE
    reached = _Reached() if later else _reach(tracking, layout, uri)
    journal = Journal.new(waiting(tracking, layout))
    run = _LaterRun(journal, uri) if later else JournaledRun(journal, reached.client, uri)
    run.begin(reached.experiments, about, parent)
    status = "KILLED"
    try:
        yield run
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        run.end(status)
        if isinstance(run, _LaterRun) and status != "KILLED":
            (run.send_behind if sent == BEHIND else run.send)(tracking, layout)


def reachable(tracking: Tracking, layout: Layout) -> str:
    """Why the store cannot be reached; empty when it can."""
    try:
        Experiments(connect(tracking, layout.mlruns), tracking, layout.mlruns).of(OPERATIONS)
    except ZantaraError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  MLflow and its database raise many types
        return f"{shown(tracking_uri(tracking, layout.mlruns))} does not answer ({type(error).__name__})"
    return ""


def waiting(tracking: Tracking, layout: Layout) -> Path:
    """Where runs wait to be sent: those for a server do not end up in the store of this machine, or the reverse."""
    return layout.state / "pending" / tracking.name


def send_waiting(tracking: Tracking, layout: Layout) -> None:
    """Send the runs that an earlier command could not, where there are any."""
    pending = waiting(tracking, layout)
    if pending.is_dir() and any(pending.iterdir()):
        _reach(tracking, layout, tracking_uri(tracking, layout.mlruns))


class _Reached(NamedTuple):
    """What came of asking MLflow; nothing where it could not be asked."""

    client: MlflowClient | None = None
    experiments: Experiments | None = None
    sent: Mapping[str, str] = {}
    """MLflow's ids of the runs that had waited, by journal."""


def _reach(tracking: Tracking, layout: Layout, uri: str, own: str = "") -> _Reached:
    """Ask MLflow, and send what waits; `own` is the journal of this very run, where that is among it."""
    try:
        client = connect(tracking, layout.mlruns)
        experiments = Experiments(client, tracking, layout.mlruns)
        experiments.known()  # which a server that is away does not answer
        sent = send_pending(client, experiments, waiting(tracking, layout))
        if earlier := len(sent.keys() - {own}):
            terminal.say(f"MLflow: {earlier} earlier run(s) sent")
        return _Reached(client, experiments, sent)
    except Exception as error:  # noqa: BLE001  a stage's work does not depend on the record of it
        terminal.say(f"MLflow at {shown(uri)} cannot be reached ({type(error).__name__}); the run is kept until it can")
        return _Reached()
