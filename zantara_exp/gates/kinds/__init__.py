"""The kinds of criterion: one class in one file each, named in the table `zantara_exp.config.kinds.KINDS`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from zantara_exp.gates.kinds.kind import Kind


@cache
def kind_named(name: str) -> Kind:
    """The kind of that name; its file is read when a gate asks for it."""
    return cast("Kind", import_module(f"zantara_exp.gates.kinds.{name}").KIND)
