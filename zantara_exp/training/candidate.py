"""The config of the endpoint that reaches a published model, for `--config-dir <model>/conf ... endpoint=candidate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zantara_exp.config import CONF
from zantara_exp.config.schema import Config
from zantara_exp.core.next_command import command
from zantara_exp.io.whole_files import write_whole

_HEADER = """# The endpoint of {model}, written by stage=publish publish={way}; publishing again replaces it.
#   {command}
"""


def endpoint_values(config: Config) -> dict[str, Any]:
    """The shipped option of conf/endpoint for this way of publishing, with this model's name."""
    from omegaconf import OmegaConf

    values: Any = OmegaConf.to_container(OmegaConf.load(CONF / "endpoint" / f"{config.publish.name}.yaml"))
    if config.publish.name != "local":
        values["model"] = config.model.hub_name
    return {str(key): value for key, value in values.items()}


def after(folder: Path) -> str:
    """The candidate beside the primary, by the config in `folder`."""
    return command("stage=shadow", "endpoint=candidate", config_dir=folder)


def write(config: Config, model: Path) -> Path:
    """Write conf/endpoint/candidate.yaml beside the weights; a new training run removes it with them."""
    from omegaconf import OmegaConf

    folder = model / "conf"
    header = _HEADER.format(model=model.name, way=config.publish.name, command=after(folder))
    path = folder / "endpoint" / "candidate.yaml"
    write_whole(path, (header + OmegaConf.to_yaml(endpoint_values(config))).encode())
    return path
