"""What is another's is refused: read by no stage, taken for no evidence, and replaced only where it is asked for.

`extract` asks before it replaces data of another source, or data that nothing says whose they are, and `train` before
it replaces the model of another source or experiment. What a refusal says to go on with was composed: it is offered
where it would be allowed, and else what stands against it is said.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from zantara_exp.config import CONF, compose
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import Given, command, given, kept, key_of, of_this_command, quoted
from zantara_exp.core.origin import DATA, MAPPING, Origin, configured, difference, noted, unlike
from zantara_exp.core.source_identity import ADDRESS, address_in_words, in_words

_CHOSEN = (*DATA, "experiment")
_KEYS = {"kind": "source", "file": "source.path", "state": "paths.state", "log": "paths.logs"}
"""Name in a source's identity -> the key that decides it, where that is not `source.NAME`."""


class OtherDataError(ZantaraError):
    """Data of another source or experiment lie where this command would read or write."""


def refuse_others(stage: str, reads: Sequence[Path], config: Config, layout: Layout) -> list[str]:
    """What to say of data whose origin was not noted, which are taken for what is configured.

    Raises OtherDataError where what `stage` reads, or `extract` or `train` would replace, is another's.
    """
    if stage == "extract":
        if not (config.force or config.source.stats_only):
            _keep_data(config, layout)
        return []
    unknown: dict[Path, str] = {}
    for path, summary in _summaries(layout).items():
        if path not in reads or not path.exists():
            continue
        there = noted(summary)
        if there is None or there.experiment is None:
            unknown[summary] = f"{_shown(path)} is taken as it is: no {summary.name} says which experiment wrote it"
        if there is not None and (why := difference(summary, config, layout)):
            raise OtherDataError(
                f"{_shown(path)} is of another {why}{_both(there, configured(config, layout))}",
                f"{_go_on(stage, summary, 'go on with what is there')}\n  or:   {anew(config, layout)}",
            )
    if stage == "train" and not config.force:
        _keep_model(config, layout)
    return list(unknown.values())


def refusal(summary: Path, config: Config, layout: Layout) -> str:
    """Why what `summary` is of is no evidence for this experiment; empty where it is. It names no path of a machine."""
    there, why = noted(summary), difference(summary, config, layout)
    if there is None or not why:
        return ""
    theirs, mine = (replace(one, config_dir=Path(one.config_dir).name) for one in (there, configured(config, layout)))
    return f"{_shown(summary)} is of another {why}: {theirs}, not {mine}; {anew(config, layout)}"


def anew(config: Config, layout: Layout) -> str:
    """The first command that writes what this one is configured for, where another's data or model lie."""
    there = noted(layout.extract_summary)
    if not layout.raw_conversations.exists():
        return command("stage=extract", note="extract what is configured")
    if there is None or not there.source or difference(layout.extract_summary, config, layout):
        return command("stage=extract", "force=true", note="replace it by what is configured")
    prepared = layout.prepare_summary.exists() and all(path.exists() for path in _splits(layout))
    if not prepared or difference(layout.prepare_summary, config, layout):
        return command("stage=prepare", note="what is configured is extracted already")
    forced = ["force=true"] if difference(layout.train_summary, config, layout) else []
    return command("stage=train", *forced, note="what is configured is prepared already")


def _splits(layout: Layout) -> tuple[Path, ...]:
    return (layout.train, layout.val, layout.test, layout.splits)


def _summaries(layout: Layout) -> dict[Path, Path]:
    """File -> the summary in which its origin is noted, in the order they are written."""
    return {
        layout.raw_conversations: layout.extract_summary,
        **dict.fromkeys(_splits(layout), layout.prepare_summary),
        layout.train_summary: layout.train_summary,
    }


def _keep_data(config: Config, layout: Layout) -> None:
    """Raises OtherDataError where extracting would replace what is another source's, or may be."""
    raw, there = layout.raw_conversations, noted(layout.extract_summary)
    if not raw.exists():
        return
    if there is None or not there.source:
        told = "cannot be read" if layout.extract_summary.exists() else "is not there"
        raise OtherDataError(
            f"{_shown(raw)} would be replaced, and nothing says whose it is: {layout.extract_summary.name} {told}",
            f"{command('stage=extract', 'force=true', note='replace it')}\n"
            f"  or:   {command('stage=extract', 'paths.dataset=another/folder', note='keep it')}",
        )
    mine = configured(config, layout)
    # Another mapping of the same table reads the same conversations better.
    if differs := set(unlike(there.source, mine.source)) - {"columns"}:
        other = "domain" if "domain" in differs else "source"
        raise OtherDataError(
            f"{_shown(raw)} holds conversations of another {other}, which this would replace{_both(there, mine)}",
            f"{_go_on('extract', layout.extract_summary, f'go on with that {other}')}\n"
            f"  or:   {command('stage=extract', 'force=true', note='replace them')}",
        )


def _keep_model(config: Config, layout: Layout) -> None:
    """Raises OtherDataError where training would replace the model of another source or experiment."""
    there, why = noted(layout.train_summary), difference(layout.train_summary, config, layout)
    if there is None or not why or why == MAPPING:
        return
    mine = configured(config, layout)
    suffix = mine.experiment or (given().choices.get("domain") if why == "domain" else "") or mine.source["kind"]
    beside = f"model.output={config.model.output}-{suffix}"
    raise OtherDataError(
        f"{_shown(layout.model)} holds a model of another {why}, which this would replace{_both(there, mine)}",
        f"{command('stage=train', 'force=true', note='replace it')}\n"
        f"  or:   {command('stage=train', beside, note='keep it, and write beside it')}",
    )


def _go_on(stage: str, summary: Path, note: str) -> str:
    """The command that goes on with what is there; where none can, what to set back first."""
    there, hindrance = noted(summary) or Origin(), ""
    for overrides in _as_written(there, summary.parent):
        asked = [f"stage={stage}", *overrides]
        words = [*asked, *kept(*asked, without=_CHOSEN)]
        with of_this_command(Given(there.config_dir, tuple(words))):
            try:
                config = compose(words, there.config_dir or str(CONF))  # not the folder that the environment names
            except ZantaraError as error:
                hindrance = hindrance or f"bring back what wrote it: {error.message}"
                continue
            layout = Layout(config)
            if not difference(summary, config, layout):
                break
            hindrance = hindrance or _set_back(there, configured(config, layout), config)
    else:
        return f"{hindrance}   # to {note}"
    return command(*asked, config_dir=there.config_dir, without=_CHOSEN, note=note)


def _as_written(there: Origin, folder: Path) -> Iterator[Sequence[str]]:
    """Overrides that may write what is there again: as they were given, then with the very file that was read."""
    yield there.overrides
    if file := there.source.get("file"):
        others = [text for text in there.overrides if key_of(text) != "source.path"]
        path = os.path.relpath(os.path.normpath(folder / str(file)))
        yield [*others, f"source.path={quoted(path)}"]


def _set_back(there: Origin, today: Origin, config: Config) -> str:
    """What keeps the command that wrote `there` from naming it again."""
    differs = unlike(there.source, today.source)
    if there.source.get("kind") == "postgres" and set(differs) & set(ADDRESS):
        was, now = address_in_words(there.source), address_in_words(today.source)
        return f"{config.source.url_env} points to {now}, the data came from {was}: set it back"
    if "domain" in differs:
        was, now = there.source["domain"], today.source["domain"]
        return f"the data are for {was}, what wrote them is now for {now}: set domain.name back"
    keys = ", ".join(_KEYS.get(name, f"source.{name}") for name in differs)
    was, now = in_words(there.source), in_words(today.source)
    return f"the data came from {was}, what wrote them now names {now}: set {keys} back"


def _both(there: Origin, mine: Origin) -> str:
    return f"\n  written by  {there}\n  configured  {mine}"


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
