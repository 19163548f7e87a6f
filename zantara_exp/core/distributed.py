"""Processes that `accelerate launch` starts for one training run: the first writes and records, the others help.

Every process composes the same config and trains on its share of the data. Only the first has a run in MLflow, prints,
keeps Hydra's folder, and writes the model.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from zantara_exp.core.stage import RunRecord


def processes() -> int:
    """How many take part; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def helping() -> bool:
    """Whether this process is not the first one."""
    return int(os.environ.get("RANK", "0")) > 0


def overrides() -> Sequence[str]:
    """What a helping process adds to its command line, so that Hydra writes nothing for it."""
    if not helping():
        return ()
    return ("hydra.output_subdir=null", "hydra.run.dir=.", "hydra/job_logging=none", "hydra/hydra_logging=none")


def wait_for_all() -> None:
    """Return when every process has come here; at once where there is only one."""
    if processes() == 1:
        return
    import torch.distributed

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()


UNRECORDED = "none"
"""The id of a run that is kept nowhere."""


class _Unrecorded:
    """Takes every call of a RunRecord and keeps nothing."""

    run_id = UNRECORDED

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


def unrecorded() -> RunRecord:
    """The run record of a helping process, or of a stage that leaves none."""
    return cast("RunRecord", _Unrecorded())
