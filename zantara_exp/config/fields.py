"""How a field of the schema is declared: its default, one line of documentation, and its range."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import MISSING, Field, field, is_dataclass
from typing import Any, NamedTuple, TypeVar, cast

T = TypeVar("T")
ADDRESS = "must begin with http:// or https://, without spaces and control characters"


def is_address(url: str) -> bool:
    """Whether text can be an address that is asked over HTTP."""
    begins = url.startswith(("http://", "https://")) and url.partition("://")[2].strip("/") != ""
    return begins and url.isprintable() and " " not in url


class Limits(NamedTuple):
    """The values a field may take."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    choices: tuple[str, ...] = ()
    added_by: str = ""
    """The group of `core.extensions` by which installed packages add further choices."""

    def broken_by(self, value: object) -> bool:
        """Whether `value` lies outside; None and values of another type are never outside."""
        if isinstance(value, str):
            return bool(self.choices) and value not in self.choices and value not in self._added()
        if isinstance(value, list):
            return any(self.broken_by(item) for item in value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return not (
            (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
        )

    def __str__(self) -> str:
        if self.choices:
            return "one of " + ", ".join([*self.choices, *self._added()])
        words = [("above", self.gt), ("at least", self.ge), ("below", self.lt), ("at most", self.le)]
        return " and ".join(f"{word} {bound:g}" for word, bound in words if bound is not None)

    def _added(self) -> list[str]:
        if not self.added_by:
            return []
        from zantara_exp.core import extensions

        return extensions.names(self.added_by)


def setting(
    default: T,
    doc: str,
    *,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    choices: Sequence[str] = (),
    added_by: str = "",
) -> T:
    """Declare one field of a schema dataclass; `doc` is its line in the config reference."""
    metadata = {"doc": doc, "limits": Limits(gt, ge, lt, le, tuple(choices), added_by)}
    if isinstance(default, list | dict) or is_dataclass(default):
        return cast(T, field(default_factory=lambda: copy.deepcopy(default), metadata=metadata))
    return field(default=default, metadata=metadata)


def limits_of(declared: Field[Any]) -> Limits:
    """The range of a field declared with `setting`."""
    return cast(Limits, declared.metadata.get("limits", Limits()))


def doc_of(declared: Field[Any]) -> str:
    """The documentation line of a field declared with `setting`."""
    return str(declared.metadata.get("doc", ""))


def default_of(declared: Field[Any]) -> object:
    """The default of a field, made anew when it is mutable."""
    if declared.default is not MISSING:
        return declared.default
    return declared.default_factory() if declared.default_factory is not MISSING else None
