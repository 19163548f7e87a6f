"""Whose data these are: the experiment and the source are noted beside what they wrote, and compared before it is used.

extract.json, prepare.json and train.json hold it under `origin`. A stage refuses what another source wrote, and what
another experiment wrote where this one would not have written the same; `extract` asks before it replaces data of
another source. Data from before this was noted contradict nothing but by their kind of source and their table.
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
from zantara_exp.dataset.identity import identity, in_words
from zantara_exp.errors import ZantaraError
from zantara_exp.hints import command, given, holds_secret, key_of
from zantara_exp.layout import Layout

_DATA = ("source", "demo", "dataset", "as_of", "seed")
"""Config nodes that extracted and prepared data depend on."""


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
    overrides: Sequence[str] = ()
    """Those that chose the experiment or set such a node."""

    def __str__(self) -> str:
        names = {None: "an experiment that was not noted", "": "no experiment"}
        return f"{names.get(self.experiment, f'experiment={self.experiment}')}, {in_words(self.source)}"


class OtherDataError(ZantaraError):
    """Data of another source or experiment lie where this command would read or write."""


def configured(config: Config, layout: Layout) -> Origin:
    """What this command would write."""
    now, settings = given(), {}
    for name in _DATA:
        value = getattr(config, name)
        plain = asdict(value) if hasattr(value, "__dataclass_fields__") else value
        if name == "source":
            plain.pop("stats_only")
        settings[name] = sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    chosen = [text for text in now.overrides if key_of(text).split(".", 1)[0] in (*_DATA, "experiment")]
    kept = [text for text in chosen if key_of(text) != "source.stats_only" and not holds_secret(text)]
    return Origin(identity(config, layout), now.experiment, settings, now.config_dir, kept)


def noted(summary: Path) -> Origin | None:
    """What a stage noted in its summary; None where there is no such file."""
    try:
        found = orjson.loads(summary.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if not isinstance(found, dict):
        return Origin()
    told, kind = found.get("origin"), found.get("source")
    if isinstance(told, dict) and isinstance(told.get("source"), dict) and isinstance(told.get("settings"), dict):
        return Origin(**{each.name: told[each.name] for each in fields(Origin) if each.name in told})
    if isinstance(kind, str):  # an older extract.json
        return Origin({"kind": kind, "table": found.get("table")}, overrides=[f"source={kind}"])
    return Origin()


def to_note(stage: str, config: Config, layout: Layout) -> dict[str, Any]:
    """What `stage` is to note; the source of what it read is handed on, and never guessed."""
    mine = configured(config, layout)
    read = {"prepare": layout.extract_summary, "train": layout.prepare_summary}.get(stage)
    there = noted(read) if read else mine
    return asdict(mine) | {"source": dict(there.source) if there else {}}


def refuse_others(stage: str, reads: Sequence[Path], config: Config, layout: Layout) -> list[str]:
    """What to say of data whose origin was not noted, which are taken for what is configured.

    Raises OtherDataError where what `stage` reads, or `extract` would replace, is another source's or experiment's.
    """
    if stage == "extract":
        if not (config.force or config.source.stats_only):
            _refuse_to_replace(config, layout)
        return []
    unknown: dict[Path, str] = {}
    for path, summary in _summaries(layout).items():
        if path not in reads or not path.exists():
            continue
        there = noted(summary)
        if there is None or there.experiment is None:
            unknown[summary] = f"{_shown(path)} is taken as it is: no {summary.name} says which experiment wrote it"
        if there is not None and (why := difference(summary, config, layout)):
            mine = configured(config, layout)
            raise OtherDataError(
                f"{_shown(path)} is of another {why}\n  written by  {there}\n  configured  {mine}",
                f"{_go_on(stage, there)}   # go on with what is there\n  or:   {anew(config, layout)}",
            )
    return list(unknown.values())


def refusal(summary: Path, config: Config, layout: Layout) -> str:
    """Why what `summary` is of is no evidence for this experiment; empty where it is."""
    why = difference(summary, config, layout)
    if not why:
        return ""
    mine = configured(config, layout)
    return f"{_shown(summary)} is of another {why}: {noted(summary)}, not {mine}; {anew(config, layout)}"


def difference(summary: Path, config: Config, layout: Layout) -> str:
    """In what the data are another's that `summary` is of: `source` or `experiment`, with details; or nothing."""
    there, mine = noted(summary), configured(config, layout)
    if there is None:
        return ""
    if differs := _unlike(there.source, mine.source):
        return "source" + (" (another mapping: source.columns)" if differs == ["columns"] else "")
    if there.experiment is None or there.experiment == mine.experiment:
        return ""
    nodes = _unlike(there.settings, mine.settings)
    return f"experiment (other settings of {', '.join(nodes)})" if nodes else ""


def anew(config: Config, layout: Layout) -> str:
    """The first command that writes what this one is configured for, where another's data lie."""
    if difference(layout.extract_summary, config, layout):
        return command("stage=extract", "force=true", note="replace it by what is configured")
    stage = "prepare" if difference(layout.prepare_summary, config, layout) else "train"
    return command(f"stage={stage}", note="what is configured is extracted already")


def _summaries(layout: Layout) -> dict[Path, Path]:
    """File -> the summary in which its origin is noted, in the order they are written."""
    splits = (layout.train, layout.val, layout.test, layout.splits)
    return {
        layout.raw_conversations: layout.extract_summary,
        **dict.fromkeys(splits, layout.prepare_summary),
        layout.train_summary: layout.train_summary,
    }


def _refuse_to_replace(config: Config, layout: Layout) -> None:
    there, mine = noted(layout.extract_summary), configured(config, layout)
    if there is None or not layout.raw_conversations.exists():
        return
    # Another mapping of the same table reads the same conversations better.
    if set(_unlike(there.source, mine.source)) - {"columns"}:
        raise OtherDataError(
            f"{_shown(layout.raw_conversations)} holds conversations of another source, which this would "
            f"replace\n  written by  {there}\n  configured  {mine}",
            f"{_go_on('extract', there)}   # go on with that source\n"
            f"  or:   {command('stage=extract', 'force=true', note='replace them')}",
        )


def _unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Names whose values differ, of those that both have; of two kinds of source, that alone."""
    names = ["kind"] if one.get("kind") != other.get("kind") else [name for name in one if name in other]
    return [name for name in names if name in one and name in other and one[name] != other[name]]


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _go_on(stage: str, there: Origin) -> str:
    return command(f"stage={stage}", *there.overrides, config_dir=there.config_dir, without=[*_DATA, "experiment"])
