"""What a training began with, told to whoever has the model and not this machine: its name on the hub, its licence."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from zantara_exp.config.training import Model

_CACHED = re.compile(r"models--(?P<owner>[\w.-]+?)--(?P<name>[\w.-]+)")
"""How the hub's cache calls the folder of a model; in it, snapshots/<commit> holds the files."""
_TERMS = ("LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*")
"""Files beside weights that their licence wants passed on."""


def base_of(model: Model) -> dict[str, str | bool | None]:
    """The base as a card names it: a name on the hub where there is one, of another folder only the last part."""
    if model.kind == "scratch" or not model.base:
        return {"base": "random weights"}
    told: dict[str, str | bool | None] = {"licence": licence_of(model)}
    folder = model.folder()
    if folder is None:
        return told | {"base": model.base, "base_on_hub": True, "base_revision": model.revision}
    if model.base_hub_name:
        return told | {"base": model.base_hub_name, "base_on_hub": True, "base_revision": None}
    where = folder.resolve()
    cached = _CACHED.fullmatch(where.parent.parent.name) if where.parent.name == "snapshots" else None
    if cached:
        name = f"{cached['owner']}/{cached['name']}"
        return told | {"base": name, "base_on_hub": True, "base_revision": where.name}
    return told | {"base": where.name}


def licence_of(model: Model) -> str | None:
    """`model.licence`, or what the card in the base's folder says; None where neither says anything."""
    folder = model.folder()
    if folder is None and model.base_hub_name not in (None, model.base):
        return None  # of another model than the one whose licence the config tells
    if model.licence or folder is None:
        return model.licence
    import yaml
    from huggingface_hub import ModelCard

    try:
        found: Any = ModelCard.load(folder / "README.md").data.to_dict()
    except (OSError, ValueError, yaml.YAMLError):  # none there, or none that can be read
        return None
    named = found.get("license_name") if found.get("license") == "other" else found.get("license")
    return named if isinstance(named, str) else None


def pass_on_terms(model: Model, folder: Path) -> None:
    """Copy the licence's text and notices of a base in a folder to `folder`, as the licences ask for."""
    base = model.folder() if model.kind == "pretrained" else None
    for path in {path for pattern in _TERMS if base for path in base.glob(pattern) if path.is_file()}:
        shutil.copyfile(path, folder / path.name)
