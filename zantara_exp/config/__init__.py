"""The typed schema of `conf/`, and the checks that name every mistake at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zantara_exp.config.schema import Config
from zantara_exp.errors import ConfigError

__all__ = ["CONF", "Config", "compose", "folders", "register"]

_PACKAGED = Path(__file__).resolve().parents[1] / "conf"
CONF = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[2] / "conf"
"""The shipped YAML: inside the package in a wheel, at the top level of a checkout."""


def folders(config_dir: str | Path | None = None) -> list[Path]:
    """Where config groups lie: a folder of one's own first, whose files stand for shipped ones of the same name.

    Raises ConfigError when `config_dir` is no folder.
    """
    if config_dir is None:
        return [CONF]
    if not Path(config_dir).is_dir():
        raise ConfigError(f"--config-dir={config_dir}: is no folder", f"zantara-exp init {config_dir}")
    return [Path(config_dir).absolute(), CONF]


def register() -> None:
    """Put the schema into Hydra's ConfigStore, where `conf/config.yaml` takes it from."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name="schema", node=Config)


def compose(overrides: Sequence[str] = (), config_dir: str | None = None) -> Config:
    """The experiment as a Python program gets it: `conf/` with `overrides` such as `model=tiny`, checked.

    Raises ConfigError with every mistake at once, as the command line does.
    """
    from hydra import compose as hydra_compose
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_search_path import SearchPathQuery
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from hydra.version import setbase
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    from zantara_exp.config._explain import refusal, typed

    register()
    *own, shipped = folders(config_dir)
    GlobalHydra.instance().clear()
    # What initialize_config_dir does, which takes one folder only.
    setbase("1.3")
    searched = create_config_search_path(str(shipped))
    for folder in own:
        searched.prepend("own", f"file://{folder}", SearchPathQuery(provider="main"))
    Hydra.create_main_hydra2("zantara_exp", searched)
    try:
        composed = hydra_compose("config", overrides=list(overrides))
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
        raise refusal(error, overrides, config_dir) from error
    finally:
        GlobalHydra.instance().clear()
    return typed(composed, overrides)
