"""JSON Schemas of the config groups, `conf/schemas/GROUP.json`, for editors: run `scripts/reference` after a change.

A file names its own by `# yaml-language-server: $schema=../schemas/GROUP.json`; an editor with the YAML language server
then completes keys, shows what they are, and marks mistakes while one types.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from zantara_exp.config import CONF
from zantara_exp.config.fields import doc_of, limits_of
from zantara_exp.config.schema import Config
from zantara_exp.config.validation import unwrapped

FOLDER = CONF / "schemas"
WHOLE = "experiment"
"""Files of this group hold keys of all others."""
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_LIMITS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
_INTERPOLATED = {"type": "string", "pattern": r"\$\{"}
_DEFAULTS = {"description": "Options that come first, as Hydra composes them.", "type": "array"}


def schemas() -> dict[str, str]:
    """By group, as text."""
    found: dict[str, Any] = {WHOLE: Config}
    for name, annotation in get_type_hints(Config).items():
        node = unwrapped(annotation)
        if is_dataclass(node) and isinstance(node, type):
            found[name] = node
    return {name: json.dumps(_whole(name, node), indent=1, ensure_ascii=False) + "\n" for name, node in found.items()}


def write(folder: Path = FOLDER) -> None:
    """Write them all; one of a group that is no more goes."""
    folder.mkdir(parents=True, exist_ok=True)
    made = schemas()
    for stale in {path.stem for path in folder.glob("*.json")} - set(made):
        (folder / f"{stale}.json").unlink()
    for name, text in made.items():
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def _whole(name: str, node: Any) -> dict[str, Any]:
    made = _node(node)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"zantara_exp: {'an experiment' if name == WHOLE else f'the config group {name}'}",
        **made,
        "type": ["object", "null"],
        "properties": {"defaults": _DEFAULTS, **made["properties"]},
    }


def _node(node: Any) -> dict[str, Any]:
    hints = get_type_hints(node)
    keys = {field.name: {"description": doc_of(field), **_value(hints[field.name], field)} for field in fields(node)}
    return {"type": "object", "additionalProperties": False, "properties": keys}


def _value(annotation: Any, field: Any) -> dict[str, Any]:
    plain = unwrapped(annotation)
    kinds = [_kind(plain, field)]
    if NoneType in get_args(annotation):
        kinds.append({"type": "null"})
    return {"anyOf": [*kinds, _INTERPOLATED]}


def _kind(plain: Any, field: Any = None) -> dict[str, Any]:
    if is_dataclass(plain):
        return _node(plain)
    if get_origin(plain) is list:
        return {"type": "array", "items": {"anyOf": [_kind(get_args(plain)[0], field), _INTERPOLATED]}}
    if get_origin(plain) is dict:
        return {"type": "object", "additionalProperties": {"anyOf": [_kind(get_args(plain)[1]), _INTERPOLATED]}}
    if plain not in _TYPES:
        return {}
    found: dict[str, Any] = {"type": _TYPES[plain]}
    if plain is float:
        found = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[-+]?[0-9.]+[eE][-+]?[0-9]+$"}]}
    if field is None:
        return found
    limits = limits_of(field)
    if limits.choices and plain is str:
        # An installed package may add some: an editor offers ours, and refuses none.
        return (
            {"type": "string", "examples": list(limits.choices)} if limits.added_by else {"enum": list(limits.choices)}
        )
    bounds = {said: getattr(limits, name) for name, said in _LIMITS.items() if getattr(limits, name) is not None}
    return {**found, **bounds}
