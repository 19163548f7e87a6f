"""Everything that knows MLflow.

A run is first written to a journal under `paths.state/pending`, then sent. When the server is away the work of a
stage is not lost: the journal stays and the next run that reaches the server sends it.
"""

from __future__ import annotations

from zantara_exp.tracking._erase import Artifact, erase_artifacts, erase_traces, erase_waiting
from zantara_exp.tracking._run import JournaledRun, open_run, reachable, send_waiting, waiting

__all__ = [
    "Artifact",
    "JournaledRun",
    "erase_artifacts",
    "erase_traces",
    "erase_waiting",
    "open_run",
    "reachable",
    "send_waiting",
    "waiting",
]
