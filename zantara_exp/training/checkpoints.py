"""The work folder of a run: checkpoints that a killed run goes on from, trusted only when they are whole.

A folder belongs to one combination of data, model, trainer and seed; a run with another never finds it.
"""

from __future__ import annotations

import hashlib
import shutil
import zlib
from dataclasses import asdict
from pathlib import Path

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.io.whole_files import write_whole
from zantara_exp.training.markers import MARKED

_MARK = "whole.json"


def work_folder(config: Config, layout: Layout) -> Path:
    """Where the checkpoints of exactly this run lie."""
    hasher = hashlib.sha256()
    for part in (config.model, config.trainer):
        hasher.update(orjson.dumps(asdict(part), option=orjson.OPT_SORT_KEYS))
    hasher.update(f"{config.seed} {outside(config)}".encode())
    for split in (layout.train, layout.val):
        hasher.update(split.read_bytes())
    return layout.models / f".{config.model.output}.{hasher.hexdigest()[:12]}.work"


def outside(config: Config) -> str:
    """What a run reads beside the splits, as a text that changes with it: the base's folder, a template's file, and the
    pairs that DPO learns from, with who is in test."""
    template, at = Path(config.model.chat_template), Layout(config)
    found = []
    if config.model.package:  # a folder that is made from a package, whose name says what is in it
        found = [config.model.package]
    elif base := config.model.folder():
        named = ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", MARKED)
        files = [p for p in (*sorted(base.glob("*.safetensors")), *(base / name for name in named)) if p.is_file()]
        # Weights of many gigabytes are not read for this.
        found = [f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files]
    if template.is_file():
        found.append(hashlib.sha256(template.read_bytes()).hexdigest())
    if config.trainer.method == "dpo":
        found += [hashlib.sha256(p.read_bytes()).hexdigest() for p in (at.preferences, at.splits) if p.is_file()]
    return "\n".join(found)


def mark_whole(checkpoint: Path) -> None:
    """Note the files of a checkpoint and what they hold, last of all."""
    sums = {str(p.relative_to(checkpoint)): _sum(p) for p in sorted(checkpoint.rglob("*")) if p.is_file()}
    write_whole(checkpoint / _MARK, orjson.dumps(sums))


def is_whole(checkpoint: Path) -> bool:
    """Whether every file that was written is there, as it was written."""
    try:
        sums = orjson.loads((checkpoint / _MARK).read_bytes())
        return all(_sum(checkpoint / name) == found for name, found in sums.items())
    except (OSError, orjson.JSONDecodeError):
        return False


def _sum(path: Path) -> int:
    """A CRC: a machine that loses its power leaves files of full length that hold zeros."""
    found = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            found = zlib.crc32(chunk, found)
    return found


def last_whole(work: Path) -> tuple[Path | None, list[Path]]:
    """The newest whole checkpoint, and newer ones that are not."""
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
