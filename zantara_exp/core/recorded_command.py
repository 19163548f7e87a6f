"""What is recorded of a command that names users: all of it but the names.

Hydra writes its command line and config down before a stage begins, and a run's record repeats them. The hash of a user
to be forgotten would then outlive what was removed for him, once with each command that asked for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zantara_exp.io.whole_files import write_whole

if TYPE_CHECKING:
    from omegaconf import DictConfig

_INSTEAD = "not kept"


def unnamed(composed: DictConfig, users: Sequence[str], folder: Path) -> DictConfig:
    """The composed config without the hashes of `privacy.users`; they go from Hydra's files of this run as well."""
    if not users:
        return composed
    for path in (*(folder / ".hydra").glob("*.yaml"), folder.parent / "multirun.yaml"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            for user in users:
                text = text.replace(user, _INSTEAD)
            write_whole(path, text.encode())
    kept = composed.copy()
    kept.privacy.users = [_INSTEAD] * len(users)
    return kept
