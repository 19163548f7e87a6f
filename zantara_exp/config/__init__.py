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
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    from zantara_exp.config._explain import refusal, typed

    register()
    first, *more = folders(config_dir)
    search = [f"hydra.searchpath=[file://{folder}]" for folder in more]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(first), version_base="1.3"):
        try:
            composed = hydra_compose("config", overrides=[*search, *overrides])
        except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
            raise refusal(error, overrides, config_dir) from error
    return typed(composed, overrides)
