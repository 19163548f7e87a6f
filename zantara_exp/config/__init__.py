"""The typed schema of `conf/`, and the checks that name every mistake at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from zantara_exp.config._yaml_safety import names_code, unfolded
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ConfigError
from zantara_exp.core.next_command import start

__all__ = ["CONF", "Config", "compose", "folders", "options", "register", "with_experiment"]

_PACKAGED = Path(__file__).resolve().parents[1] / "conf"
CONF = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[2] / "conf"
"""The shipped YAML: inside the package in a wheel, at the top level of a checkout."""


_MOST_VALUES = 100_000
OWN_FOLDER = "ZANTARA_CONFIG_DIR"
"""Environment variable with the folder of one's own config groups, for what no command line starts."""
EXPERIMENT = "ZANTARA_EXPERIMENT"
"""Environment variable that names the experiment of all commands."""
_looking_in: ContextVar[str] = ContextVar("looking_in", default="")
_composing = threading.Lock()
"""Hydra has one state for the whole process, and an app may make its mirrors in several threads."""


@contextmanager
def looking_in(config_dir: str | None) -> Iterator[None]:
    """Within, what is looked up by name is looked up in this folder, and not in the one that the environment names."""
    before = _looking_in.set(config_dir or _looking_in.get())
    try:
        yield
    finally:
        _looking_in.reset(before)


def own_folder() -> str:
    """The folder of one's own config groups that counts here; "" for none."""
    return _looking_in.get() or os.environ.get(OWN_FOLDER, "")


def folders(config_dir: str | Path | None = None) -> list[Path]:
    """Where config groups lie: a folder of one's own first, whose files stand for shipped ones of the same name.

    `config_dir` defaults to what `looking_in` or the environment variable ZANTARA_CONFIG_DIR names. Raises ConfigError
    when it is no folder.
    """
    own = config_dir or own_folder()
    if not own:
        return [CONF]
    if not Path(own).is_dir():
        raise ConfigError(f"--config-dir={own}: is no folder", f"{start(str(own))}   # a new one")
    for path in sorted(Path(own).rglob("*.yaml")):
        if (size := unfolded(path)) > _MOST_VALUES:
            raise ConfigError(
                f"{path}: its anchors unfold to {size:,} values; a config holds {_MOST_VALUES:,} at most",
                "write the values out, or take the file away",
            )
        if names_code(path):
            raise ConfigError(f"{path}: _target_: a config names no code here", "remove the key, or take the file away")
    return [Path(own).absolute(), CONF]


def with_experiment(arguments: Sequence[str], config_dir: str | Path | None = None) -> list[str]:
    """A command line with the experiment that ZANTARA_EXPERIMENT names.

    An `experiment=` of its own wins; `experiment=null` is none at all, which Hydra has no word for. Raises ConfigError
    for a name that no folder has.
    """
    from zantara_exp.config.validation import suggestion

    if {"-sc", "--shell-completion"} & {*arguments}:
        return list(arguments)  # its words are no overrides
    own = [text for text in arguments if text.lstrip("+").startswith(("experiment=", "experiment@"))]
    if own:
        return [text for text in arguments if text not in ("experiment=null", "experiment=")]
    named = os.environ.get(EXPERIMENT, "").strip()
    if not named:
        return list(arguments)
    searched = folders(config_dir)
    known = sorted({path.stem for folder in searched for path in (folder / "experiment").glob("*.yaml")})
    if named not in known:
        where = " or ".join(filter(None, [str(config_dir or os.environ.get(OWN_FOLDER, "")), "conf"]))
        raise ConfigError(
            f"{EXPERIMENT}={named}: no such experiment in {where}; {suggestion(named, known)}",
            f"export {EXPERIMENT}=NAME, or --config-dir=DIR with experiment/{named}.yaml, or unset {EXPERIMENT}",
        )
    # Before the first override: what is written before may be a switch of Hydra's with a value of its own.
    place = next((place for place, text in enumerate(arguments) if "=" in text and text[0] not in "-"), 0)
    return [*arguments[:place], f"experiment={named}", *arguments[place:]]


def options(group: str) -> dict[str, Path]:
    """The options of a config group by name, for what is looked up after composing, such as `endpoint.fallback`."""
    return {path.stem: path for folder in reversed(folders()) for path in sorted((folder / group).glob("*.yaml"))}


@cache
def register() -> None:
    """Put the schema into Hydra's ConfigStore, where `conf/config.yaml` takes it from."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name="schema", node=Config)


def compose(overrides: Sequence[str] = (), config_dir: str | None = None) -> Config:
    """The experiment as a Python program gets it: `conf/` with `overrides` such as `model=tiny`, checked.

    ZANTARA_EXPERIMENT counts here as on a command line. Raises ConfigError with every mistake at once, as the command
    line does. What is looked up by name afterwards (`endpoint.fallback`, `domain.examples`) is found in `config_dir`
    only within `looking_in`, or where ZANTARA_CONFIG_DIR names it too.
    """
    from hydra import compose as hydra_compose
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_search_path import SearchPathQuery
    from hydra.core.global_hydra import GlobalHydra
    from hydra.version import setbase

    from zantara_exp.config.diagnostics import refusal, typed

    register()
    overrides = with_experiment(overrides, config_dir)
    *own, shipped = folders(config_dir)
    # What initialize_config_dir does, which takes one folder only.
    setbase("1.3")
    searched = create_config_search_path(str(shipped))
    for folder in own:
        searched.prepend("own", f"file://{folder}", SearchPathQuery(provider="main"))
    with _composing:
        running = GlobalHydra.instance().hydra  # of an app that is configured by Hydra itself
        GlobalHydra.instance().clear()
        Hydra.create_main_hydra2("zantara_exp", searched)
        try:
            composed = hydra_compose("config", overrides=list(overrides))
        except Exception as error:  # nothing but Hydra, OmegaConf and PyYAML runs here, and they raise all kinds
            raise refusal(error, overrides, config_dir) from error
        finally:
            GlobalHydra.instance().hydra = running
    return typed(composed, overrides, config_dir)
