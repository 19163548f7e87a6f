"""Everything that knows MLflow.

A run is first written to a journal under `paths.state/pending`, then sent. When the server is away the work of a
stage is not lost: the journal stays and the next run that reaches the server sends it.
"""

from __future__ import annotations

from zantara_exp.tracking._erase import Artifact, erase_artifacts, erase_traces, erase_waiting
from zantara_exp.tracking._run import (
    AFTERWARDS,
    BEHIND,
    MEANWHILE,
    About,
    JournaledRun,
    open_run,
    reachable,
    send_waiting,
    waiting,
)
from zantara_exp.tracking._store import NOTE, OPERATIONS, PARENT, PURPOSES, TRAINING, VERDICTS
from zantara_exp.tracking._sweep import Sweep, of_run

__all__ = [
    "AFTERWARDS",
    "BEHIND",
    "MEANWHILE",
    "NOTE",
    "OPERATIONS",
    "PARENT",
    "PURPOSES",
    "TRAINING",
    "VERDICTS",
    "About",
    "Artifact",
    "JournaledRun",
    "Sweep",
    "erase_artifacts",
    "erase_traces",
    "erase_waiting",
    "of_run",
    "open_run",
    "reachable",
    "send_waiting",
    "waiting",
]
