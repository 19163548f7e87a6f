"""The typed schema of `conf/`, and the checks that name every mistake at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache

from zantara_exp.config.folders import CONF, folders, looking_in, options, own_folder, with_experiment
from zantara_exp.config.schema import Config
from zantara_exp.core.next_command import EXPERIMENT, OWN_FOLDER

__all__ = [
    "CONF",
    "EXPERIMENT",
    "OWN_FOLDER",
    "Config",
    "compose",
    "folders",
    "looking_in",
    "options",
    "own_folder",
    "register",
    "with_experiment",
]

_composing = threading.Lock()
"""Hydra has one state for the whole process, and an app may make its mirrors in several threads."""


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
