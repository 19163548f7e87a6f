"""Whose data these are: the experiment and the source are noted beside what they wrote, and compared before it is used.

extract.json, prepare.json and train.json hold it under `origin`; `core/ownership.py` refuses by it. An experiment is
one where its name and its config folder are the same, or where the settings are that the data depend on. Data from
before this was noted contradict nothing but by their kind of source and their table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import given, holds_secret, key_of
from zantara_exp.core.source_identity import identity, in_words

DATA = ("domain", "source", "demo", "dataset", "as_of", "seed")
"""Config nodes that extracted and prepared data depend on."""
MAPPING = "source (another mapping: source.columns)"
"""The difference between two mappings of one table."""


@dataclass(frozen=True)
class Origin:
    """Who wrote some data, and from what."""

    source: Mapping[str, Any] = field(default_factory=dict)
    """As `dataset.identity` names it; empty where it is not known."""
    experiment: str | None = None
    """Empty is none; None is not known."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """A hash of each config node that the data depend on."""
    config_dir: str = ""
    """Absolute; in a note as seen from the note's folder, with which it may be moved. Empty is none that matters."""
    overrides: Sequence[str] = ()
    """Those that chose the experiment or set such a node."""

    def __str__(self) -> str:
        names = {None: "an experiment that was not noted", "": "no experiment"}
        folder = f" (--config-dir={os.path.relpath(self.config_dir)})" if self.config_dir else ""
        domain = f", for {self.source['domain']}" if "domain" in self.source else ""
        return f"{names.get(self.experiment, f'experiment={self.experiment}')}{folder}, {in_words(self.source)}{domain}"


def configured(config: Config, layout: Layout) -> Origin:
    """What this command would write."""
    now, settings = given(), {}
    for name in DATA:
        value = getattr(config, name)
        plain = asdict(value) if hasattr(value, "__dataclass_fields__") else value
        if name == "source":
            plain.pop("stats_only")
            plain["path"] = None  # `identity` tells the file, from whatever folder it is named
        settings[name] = sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    chosen = [text for text in now.overrides if key_of(text).split(".", 1)[0] in (*DATA, "experiment")]
    kept = [text for text in chosen if key_of(text) != "source.stats_only" and not holds_secret(text)]
    return Origin(identity(config, layout), now.experiment, settings, _that_matters(now.config_dir), kept)


def _that_matters(folder: str) -> str:
    """A config folder, absolute, if data can depend on it: the one of a published model holds an endpoint alone."""
    found = Path(os.path.abspath(folder)) if folder else None
    if found is None or not any((found / name).exists() for name in (*DATA, "experiment", "config.yaml")):
        return ""
    return str(found)


def noted(summary: Path) -> Origin | None:
    """What a stage noted in its summary; None where there is no file that can be read."""
    try:
        found = orjson.loads(summary.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if not isinstance(found, dict):
        return None
    told, kind = found.get("origin"), found.get("source")
    if isinstance(told, dict) and isinstance(told.get("source"), dict) and isinstance(told.get("settings"), dict):
        known = {each.name: told[each.name] for each in fields(Origin) if each.name in told}
        folder = str(known.get("config_dir") or "")
        return Origin(**known | {"config_dir": os.path.abspath(summary.parent / folder) if folder else ""})
    if isinstance(kind, str):  # an older extract.json
        return Origin({"kind": kind, "table": found.get("table")}, overrides=[f"source={kind}"])
    return Origin()


def to_note(stage: str, config: Config, layout: Layout) -> dict[str, Any]:
    """What `stage` is to note; the source of what it read is handed on, and never guessed."""
    mine = configured(config, layout)
    read = {"prepare": layout.extract_summary, "train": layout.prepare_summary}.get(stage)
    there = noted(read) if read else mine
    beside = layout.model if stage == "train" else layout.dataset
    folder = os.path.relpath(mine.config_dir, beside) if mine.config_dir else ""
    return asdict(mine) | {"source": dict(there.source) if there else {}, "config_dir": folder}


def difference(summary: Path, config: Config, layout: Layout) -> str:
    """In what the data of `summary` are another's: `domain`, `source` or `experiment`, with details; or nothing."""
    there, mine = noted(summary), configured(config, layout)
    if there is None:
        return ""
    if differs := unlike(there.source, mine.source):
        return MAPPING if differs == ["columns"] else "domain" if "domain" in differs else "source"
    if there.experiment is None or (there.experiment, there.config_dir) == (mine.experiment, mine.config_dir):
        return ""
    nodes = unlike(there.settings, mine.settings)
    return f"experiment (other settings of {', '.join(nodes)})" if nodes else ""


def unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Names whose values differ, of those that both have; of two kinds of source, that alone."""
    names = ["kind", "domain"] if one.get("kind") != other.get("kind") else list(one)
    return [name for name in names if name in one and name in other and one[name] != other[name]]
