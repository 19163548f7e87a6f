"""Finds every mistake in a command line and the YAML it chooses, after Hydra has refused to compose them.

Hydra stops at the first mistake; a person would rather hear of all of them at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.config.candidates import of_candidate, resolved
from zantara_exp.config.folders import CONF, folders
from zantara_exp.config.schema import Config
from zantara_exp.config.validation import NO_VALUE, Problem, problems_in, rule_problems, strangers, suggestion
from zantara_exp.config.yaml_files import choices, chosen_by, experiment_file, files, holder, option_of, shown
from zantara_exp.core.errors import ConfigError
from zantara_exp.core.next_command import command

if TYPE_CHECKING:
    from omegaconf import DictConfig


def problems_of(overrides: Sequence[str], config_dir: str | None = None) -> list[Problem]:
    """All mistakes in `overrides` (`key=value` arguments) and in the files they choose.

    `config_dir` is a further folder of config groups, as given by --config-dir.
    """
    searched = folders(config_dir)
    chosen = choices(overrides, searched)
    problems: list[Problem] = []
    for text in overrides:
        problems += _override_problems(text, searched, chosen)
    problems += _chosen_wrongly(experiment_file(chosen.get("experiment", ""), searched), searched)
    for group in chosen:
        problems += _file_problems(searched, group, option_of(chosen, group))
    return problems


def groups_in(searched: Sequence[Path]) -> dict[str, list[str]]:
    """Config groups and their options."""
    found: dict[str, set[str]] = {}
    for path in (path for folder in searched for path in folder.glob("*/*.yaml")):
        found.setdefault(path.parent.name, set()).add(path.stem)
    return {group: sorted(options) for group, options in sorted(found.items())}


def _override_problems(text: str, searched: Sequence[Path], chosen: dict[str, str]) -> Iterator[Problem]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    where = "command line"
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException:
        what = "is not written as key=value; quote values that hold spaces, commas or brackets"
        meant = _meant(text, searched)
        yield Problem(text, NO_VALUE, f"is not written as key=value; did you mean {meant}?" if meant else what, where)
        return
    key = override.key_or_group
    if key.startswith("hydra"):
        if "_target_" in key:
            yield Problem(key, override.value(), "a config names no code here; remove it", where)
        return
    values = [str(v) for v in override.sweep_string_iterator()] if override.is_sweep_override() else [override.value()]
    groups = groups_in(searched)
    if override.is_delete():
        yield from _removals([text])
        return
    if override.is_add() and key in groups and key in chosen:
        yield Problem(text, NO_VALUE, f"{key} has an option already; write it without +", where)
        return
    for value in values:
        if key in groups and not isinstance(value, dict) and override.package is None:
            if str(value) not in groups[key]:
                shown = "null" if value is None else value
                yield Problem(key, shown, "no such option; " + suggestion(str(shown), groups[key]), where)
            else:
                chosen[key] = str(value)
        else:
            yield from problems_in(Config, _nested(key, value), where=where)


def _chosen_wrongly(experiment: Path | None, searched: Sequence[Path]) -> Iterator[Problem]:
    """Options that an experiment's file names, and no folder has."""
    groups = groups_in(searched)
    for group, option in chosen_by(experiment).items():
        if experiment and group in groups and option not in groups[group]:
            what = "no such option; " + suggestion(option, groups[group])
            yield Problem(group, option, what, shown(experiment))


def _meant(word: str, searched: Sequence[Path]) -> str:
    """The override behind a bare word that names, or nearly names, a stage or an experiment."""
    named = groups_in(searched)
    for group in ("stage", "experiment") if word not in named else ():
        if near := get_close_matches(word, named.get(group, []), n=1, cutoff=0.75):
            return f"{group}={near[0]}"
    return ""


def _removals(overrides: Sequence[str]) -> Iterator[Problem]:
    """`~group` and `~key`: Hydra takes them away, and the schema's defaults would stand there unasked.

    An entry of a mapping, such as one criterion (`~gate.criteria.quality`), may go.
    """
    for text in overrides:
        name = text.removeprefix("~").partition("=")[0].partition("@")[0]
        if not text.startswith("~") or "." in name or name.startswith("hydra"):
            continue
        shipped = groups_in([CONF]).get(name)
        what = f"choose an option instead: {name}=NAME " + suggestion("", shipped) if shipped else "give another value"
        yield Problem(f"~{name}", NO_VALUE, f"a part of the config is not taken away; {what}", "command line")


def _nested(dotted: str, value: Any) -> dict[str, Any]:
    for part in reversed(dotted.split(".")):
        value = {part: value}
    return dict(value)


def _file_problems(searched: Sequence[Path], group: str, option: str) -> Iterator[Problem]:
    for path, node in files(searched, group, option):
        yield from _problems_of_file(path, node, group, option)


def _problems_of_file(path: Path, node: str, group: str, option: str) -> Iterator[Problem]:
    from omegaconf import OmegaConf

    where = shown(path)
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except Exception as error:  # PyYAML's constructors raise whatever they meet, such as ValueError for a day 45
        yield Problem(group, option, f"cannot be read as YAML: {_yaml_trouble(error)}", where)
        return
    if not isinstance(content, dict):
        yield Problem(group, option, "must hold keys and values", where)
        return
    yield from _odd_keys(content, node, where)
    plain = {str(key): value for key, value in content.items() if key not in ("defaults", "hydra")}
    yield from problems_in(Config, _nested(node, plain) if node else plain, where=where)


def _odd_keys(content: Mapping[Any, Any], prefix: str, where: str) -> Iterator[Problem]:
    """Keys that YAML reads as no text: `no:` is false to it, `404:` a number."""
    for key, value in content.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if not isinstance(key, str):
            meant = {True: '"yes": or "on":', False: '"no": or "off":'}[key] if isinstance(key, bool) else f'"{key}":'
            yield Problem(
                name, NO_VALUE, f"YAML reads this key as {type(key).__name__}, no text; quote it: {meant}", where
            )
        if isinstance(value, Mapping):
            yield from _odd_keys(value, name, where)


def _yaml_trouble(error: Exception) -> str:
    """What is wrong and in which line."""
    from yaml import MarkedYAMLError

    if isinstance(error, MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return (str(error).splitlines() or [type(error).__name__])[0]


def refusal(
    error: Exception, overrides: Sequence[str], config_dir: str | None = None, sweep: bool = False
) -> ConfigError:
    """The mistakes behind an exception of Hydra, OmegaConf or YAML; `sweep` says that there was a -m."""
    found = problems_of(overrides, config_dir)
    if not found:
        said = " ".join(line.strip() for line in str(error).splitlines()[:2])
        return _as_error([said or type(error).__name__])
    meant = {problem.key: _meant(problem.key, folders(config_dir)) for problem in found}
    if all(word in overrides and instead for word, instead in meant.items()):  # bare words, and nothing else is wrong
        mended = command(*(["-m"] if sweep else []), *(meant.get(text, text) for text in overrides))
        return _as_error([str(problem) for problem in found], mended)
    return _as_error([str(problem) for problem in found])


def _as_error(lines: Sequence[str], hint: str = "") -> ConfigError:
    count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    message = "\n".join([f"the config has {count}:", *(f"  {line}" for line in lines)])
    return ConfigError(message, hint or command("--help", alone=True))


def typed(
    composed: DictConfig, overrides: Sequence[str], config_dir: str | None = None, only: Collection[str] | None = None
) -> Config:
    """The composed config as dataclasses; where `only` names nodes, ranges and rules of others are not looked at.

    Raises ConfigError with every value out of range and every broken rule between keys.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    content = OmegaConf.to_container(composed, resolve=False)
    plain = {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}
    unknown = [str(problem) for problem in (*_removals(overrides), *strangers(Config, plain))]
    if unknown:
        raise _as_error(unknown)
    try:
        config = OmegaConf.to_object(composed)
    except OmegaConfBaseException as error:  # such as ${oc.env:NAME} of a variable that is not set
        raise refusal(error, overrides, config_dir) from error
    if not isinstance(config, Config):
        raise ConfigError("the config must list `schema` first in its defaults", "compare conf/config.yaml")
    problems = composed_problems(config, overrides, config_dir, only)
    if problems:
        raise _as_error([str(problem) for problem in problems])
    if only is not None or not config.endpoints:
        return config
    config.endpoints = resolved(config.endpoints)
    return config if config.candidate is None else of_candidate(config, config.candidate)


def composed_problems(
    config: Config, overrides: Sequence[str], config_dir: str | None = None, only: Collection[str] | None = None
) -> list[Problem]:
    """Out-of-range values and broken rules of a config that composed, each with the place it came from."""
    given = {text.lstrip("+~").split("=", 1)[0] for text in overrides}
    searched = folders(config_dir)
    # An option that was chosen is a file, and what stands in it is that file's mistake.
    given -= {name for name in given if any((folder / name).is_dir() for folder in searched)}

    def origin(key: str) -> str:
        if any(key == name or key.startswith((f"{name}.", f"{name}[")) for name in given):
            return "command line"
        return holder(key, overrides, searched)

    nodes = [] if only is None else [name for name in only if is_dataclass(getattr(config, name))]
    looked = [rule_problems(config)] if only is None else [rule_problems(getattr(config, n), f"{n}.") for n in nodes]
    return [Problem(p.key, p.value, p.what, origin(p.key)) for p in chain.from_iterable(looked)]
