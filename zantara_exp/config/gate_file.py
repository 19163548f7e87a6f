"""A gate by its file, for whoever needs its thresholds and nothing of how they are decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zantara_exp.config.gate import Gate
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ConfigError
from zantara_exp.core.next_command import command


def content_of(path: Path) -> Any:
    """What stands in a YAML file, as plain values."""
    from omegaconf import OmegaConf

    return OmegaConf.to_container(OmegaConf.load(path), resolve=False)


def load_gate(path: Path, config: Config) -> Gate:
    """A gate from its file; the options that its defaults list names come first, as Hydra composes them.

    What it takes from another group (`${domain.moves}`) is that of `config`.
    """
    from omegaconf import OmegaConf

    def merged(file: Path) -> Any:
        own = content_of(file)
        listed = [name for name in own.pop("defaults", None) or [] if isinstance(name, str) and name != "_self_"]
        return OmegaConf.merge(*(merged(file.with_name(f"{name}.yaml")) for name in listed), own)

    around = {"domain": config.domain, "dataset": config.dataset}
    whole = OmegaConf.create({**around, "gate": OmegaConf.merge(OmegaConf.structured(Gate), merged(path))})
    found = OmegaConf.to_object(whole.gate)
    if not isinstance(found, Gate):
        raise ConfigError(f"{path.name} holds no gate", command("stage=check"))
    found.exclude = config.rollout.exclude
    return found
