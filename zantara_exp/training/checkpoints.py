"""The work folder of a run: checkpoints that a killed run goes on from, trusted only when they are whole.

A folder belongs to one combination of data, model, trainer and seed; a run with another never finds it.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import asdict
from pathlib import Path

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.layout import Layout

_MARK = "whole.json"


def work_folder(config: Config, layout: Layout) -> Path:
    """Where the checkpoints of exactly this run lie."""
    hasher = hashlib.sha256()
    for part in (config.model, config.trainer):
        hasher.update(orjson.dumps(asdict(part), option=orjson.OPT_SORT_KEYS))
    hasher.update(str(config.seed).encode())
    for split in (layout.train, layout.val):
        hasher.update(split.read_bytes())
    return layout.models / f".{config.model.output}.{hasher.hexdigest()[:12]}.work"


def mark_whole(checkpoint: Path) -> None:
    """Note the files of a checkpoint once it is written, last of all."""
    sizes = {str(p.relative_to(checkpoint)): p.stat().st_size for p in sorted(checkpoint.rglob("*")) if p.is_file()}
    temporary = checkpoint / f"{_MARK}.tmp"
    temporary.write_bytes(orjson.dumps(sizes))
    temporary.replace(checkpoint / _MARK)


def is_whole(checkpoint: Path) -> bool:
    """Whether every file that was written is there in full length."""
    try:
        sizes = orjson.loads((checkpoint / _MARK).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return all(
        (checkpoint / name).is_file() and (checkpoint / name).stat().st_size == size for name, size in sizes.items()
    )


def last_whole(work: Path) -> tuple[Path | None, list[Path]]:
    """The newest whole checkpoint, and newer ones that were cut off."""
    cut_off: list[Path] = []
    for checkpoint in sorted(work.glob("checkpoint-*"), key=step_of, reverse=True):
        if is_whole(checkpoint):
            return checkpoint, cut_off
        cut_off.append(checkpoint)
    return None, cut_off


def step_of(checkpoint: Path) -> int:
    """The number in `checkpoint-120`."""
    digits = checkpoint.name.rpartition("-")[2]
    return int(digits) if digits.isdigit() else -1


def remove_work(work: Path) -> None:
    """The checkpoints have served once the model is written."""
    shutil.rmtree(work, ignore_errors=True)
