"""Which YAML files a command line chooses, in the order in which they are merged, and which of them holds a key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zantara_exp.config.folders import CONF


def choices(overrides: Sequence[str], searched: Sequence[Path]) -> dict[str, str]:
    """Config group -> option: as the main file chooses, then the experiment, then the command line.

    An option may be `${model}`, another group's choice.
    """
    chosen = {
        group.removeprefix("optional "): option
        for group, option in _pairs(_content(_first(searched, "config.yaml")))
        if not group.startswith("override ")
    }
    named = dict(text.lstrip("+").split("=", 1) for text in overrides if "=" in text and not text.startswith("~"))
    experiment = named.get("experiment", chosen.get("experiment", ""))
    chosen |= chosen_by(experiment_file(experiment, searched))
    picked = {group: option for group, option in named.items() if group in chosen}
    return chosen | ({"experiment": experiment} if experiment else {}) | picked


def experiment_file(name: str, searched: Sequence[Path]) -> Path | None:
    """The file of an experiment."""
    return _first(searched, f"experiment/{name}.yaml")


def chosen_by(experiment: Path | None) -> dict[str, str]:
    """Config group -> option, as an experiment's file chooses."""
    return {group.removeprefix("override ").lstrip("/"): option for group, option in _pairs(_content(experiment))}


def option_of(chosen: Mapping[str, str], group: str) -> str:
    """A group's option, also where it follows another group's."""
    option = chosen.get(group, "")
    return chosen.get(option[2:-1], "") if option.startswith("${") else option


def holder(key: str, overrides: Sequence[str], searched: Sequence[Path]) -> str:
    """The file that sets `key`, as a user finds it; the one of its group where none does."""
    chosen = choices(overrides, searched)
    parts = key.split(".")
    best, deepest = _first(searched, f"{parts[0]}/{option_of(chosen, parts[0])}.yaml"), 1
    if best is None:
        best, deepest = _first(searched, "config.yaml"), 0
    for group in [*(each for each in chosen if each != "experiment"), "experiment"]:
        for path, node in files(searched, group, option_of(chosen, group)):
            depth = _depth(_content(path), node, parts)
            if depth >= deepest and (depth > 1 or depth == len(parts)):
                best, deepest = path, depth
    return shown(best) if best else "conf/config.yaml"


def shown(path: Path) -> str:
    """A file of the config as a user finds it: shipped ones below `conf/`, others from the working directory."""
    if path.is_relative_to(CONF):
        return f"conf/{path.relative_to(CONF)}"
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _first(searched: Sequence[Path], name: str) -> Path | None:
    return next((folder / name for folder in searched if (folder / name).is_file()), None)


def _content(path: Path | None) -> dict[str, Any]:
    """What a file holds; nothing where it cannot be read, which is said elsewhere."""
    from omegaconf import OmegaConf

    try:
        found = OmegaConf.to_container(OmegaConf.load(path), resolve=False) if path else {}
    except Exception:  # PyYAML's constructors raise whatever they meet
        return {}
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def _pairs(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """`group: option` of a defaults list."""
    for entry in content.get("defaults") or []:
        if isinstance(entry, dict):
            yield from ((str(group), str(option)) for group, option in entry.items() if option is not None)


def files(searched: Sequence[Path], group: str, option: str, node: str | None = None) -> Iterator[tuple[Path, str]]:
    """A group's file and the files that its defaults list names, in the order they are merged, with their nodes."""
    folder, _, package = group.partition("@")
    path = _first(searched, f"{folder}/{option}.yaml")
    if path is None:
        return
    own = node if node is not None else "" if group == "experiment" else package or group
    for entry in _content(path).get("defaults") or []:
        if isinstance(entry, str) and entry != "_self_" and entry != option:
            name, _, below = entry.partition("@")
            other, _, its_option = name.lstrip("/").rpartition("/")
            yield from files(searched, other or folder, its_option, f"{own}.{below}" if below else own)
    yield path, own


def _depth(content: Mapping[str, Any], node: str, parts: Sequence[str]) -> int:
    """How many parts of a key a file sets, those of its own node included."""
    own = node.split(".") if node else []
    if list(parts[: len(own)]) != own:
        return 0
    found, depth = content, len(own)
    for part in parts[len(own) :]:
        if not isinstance(found, Mapping) or part not in found:
            break
        found, depth = found[part], depth + 1
    return depth
