"""Names and values as MLflow takes them: what it would refuse is written otherwise, and costs no run its record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

_LONGEST = 250
_OTHER = re.compile(r"[^\w.\- :/]", re.ASCII)
"""MLflow takes letters, digits, underscores, dashes, points, spaces, colons and slashes."""

_NO_MODEL = re.compile(r"[/:.%\"']")
_CUT = "\n\n(cut here: MLflow takes no more)"

T = TypeVar("T")


def taken(values: Mapping[str, T]) -> tuple[dict[str, T], list[str]]:
    """The values under names that MLflow takes, no two alike, and those names that had to be written otherwise."""
    found: dict[str, T] = {}
    changed = []
    for name, value in values.items():
        written = _written(name)
        if written != name or name in found:
            changed.append(name)
        number, once = 2, written
        while written in found or (written != name and written in values):
            written, number = f"{once[: _LONGEST - 4]} {number}", number + 1
        found[written] = value
    return found, changed


def model_name(name: str) -> str:
    """A name that MLflow takes for a logged model: `zantara-llama-3.1-8b` is none."""
    return _NO_MODEL.sub("-", name) or "model"


def text(value: object, longest: int) -> str:
    """A value as text that every database takes, cut where it is too long: after a whole line, where it has lines."""
    whole = str(value).replace("\x00", "").encode("utf-8", "replace").decode()
    if len(whole) <= longest:
        return whole
    lines = whole[: longest - len(_CUT)].rpartition("\n")[0]
    return lines + _CUT if lines else f"{whole[: longest - 3]}..."


def _written(name: str) -> str:
    """MLflow also refuses what no file's path is: empty parts, points alone."""
    parts = (part.strip() for part in _OTHER.sub("_", name).split("/"))
    kept = "/".join(part if part.strip(".") else part.replace(".", "_") for part in parts if part)
    return kept[:_LONGEST].rstrip(" /") or "_"
