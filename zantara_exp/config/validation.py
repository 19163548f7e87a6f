"""Holds plain values against the schema: unknown keys, wrong types, values out of range, rules between keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, cast, get_args, get_origin, get_type_hints

from zantara_exp.config.fields import limits_of
from zantara_exp.config.secrets import misplaced

if TYPE_CHECKING:
    from omegaconf import DictConfig


_MOVED = {
    "cost.moved_categories": "domain.moves",
    "dataset.patterns": "domain.categories.NAME.patterns",
    "dataset.greeting_max_words": "domain.categories.NAME.other_words",
    "dataset.language_words": "domain.languages.CODE.words",
    "dataset.greeting_words": "domain.openings",
    **{f"dataset.{name}_patterns": f"domain.{name}_patterns" for name in ("error", "leak", "contact")},
}
"""Keys of earlier versions, and where what they held is declared."""


@dataclass(frozen=True)
class Problem:
    """One mistake in a config."""

    key: str
    value: object
    what: str
    """What is wrong and what would be valid."""
    where: str = ""
    """The file, or the command line."""

    def __str__(self) -> str:
        shown = self.key if self.value is NO_VALUE else f"{self.key}={_shown(self.value)}"
        return f"{self.where + ': ' if self.where else ''}{shown}: {self.what}"


NO_VALUE = object()
"""Stands for a value that is not there, or that must not be shown."""


def _shown(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def suggestion(name: str, valid: list[str]) -> str:
    """`did you mean x?` and the valid names."""
    near = get_close_matches(name, valid, n=1, cutoff=0.6)
    ask = f"did you mean {near[0]}? " if near else ""
    return f"{ask}(valid: {', '.join(sorted(valid))})"


def unwrapped(annotation: Any) -> Any:
    """`X` of `X | None`."""
    if get_origin(annotation) in (Union, UnionType):
        inner = [arg for arg in get_args(annotation) if arg is not NoneType]
        return inner[0] if len(inner) == 1 else annotation
    return annotation


def type_name(annotation: Any) -> str:
    """What a value of this type is, in words."""
    plain = unwrapped(annotation)
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    if plain in names:
        return names[plain]
    if get_origin(plain) is list:
        return "a list, such as [a,b]"
    return "a group of keys"


@cache
def _hints(node: Any) -> dict[str, Any]:
    """The types of a dataclass's fields; they take as long to find out as all that is checked with them."""
    return get_type_hints(node)


def problems_in(node: type, values: Mapping[str, Any], prefix: str = "", where: str = "") -> Iterator[Problem]:
    """Yield what is wrong with `values` as an instance of the schema dataclass `node`."""
    hints = _hints(node)
    declared = {field.name: field for field in fields(node)}
    for name, value in values.items():
        key = f"{prefix}{name}"
        if name == "_target_":
            yield Problem(key, value, "a config names no code here; remove it", where)
        elif name not in declared:
            moved = _MOVED.get(key)
            what = f"is {moved} now" if moved else "no such key; " + suggestion(str(name), list(declared))
            yield Problem(key, NO_VALUE, what, where)
        else:
            yield from _value_problems(node, name, hints[name], value, key, where)


def _value_problems(node: type, name: str, annotation: Any, value: Any, key: str, where: str) -> Iterator[Problem]:
    plain = unwrapped(annotation)
    if isinstance(value, str) and "${" in value:
        return  # an interpolation: judged once it is resolved
    if why := misplaced(name, value):
        yield Problem(key, NO_VALUE, why, where)
        return
    if is_dataclass(plain) and isinstance(plain, type):
        if isinstance(value, Mapping):
            yield from problems_in(plain, value, f"{key}.", where)
        elif value is not None or plain is annotation:
            yield Problem(key, value, "is a group of keys, not a single value", where)
        return
    item = get_args(plain)[1] if get_origin(plain) is dict else None
    if is_dataclass(item) and isinstance(item, type) and isinstance(value, Mapping):
        for child, inner in value.items():
            if isinstance(inner, Mapping):
                yield from problems_in(item, inner, f"{key}.{child}.", where)
            else:
                yield Problem(f"{key}.{child}", inner, "is a group of keys, not a single value", where)
        return
    if not _fits(node, name, value):
        yield Problem(key, value, f"is not {type_name(annotation)}", where)
        return
    limits = limits_of(next(field for field in fields(node) if field.name == name))
    if limits.broken_by(_as_number(value, plain)):
        yield Problem(key, value, f"must be {limits}", where)


def strangers(node: type, values: Mapping[str, Any], prefix: str = "") -> Iterator[Problem]:
    """Yield keys of a composed config that the schema does not have; `+key=value` can smuggle them past Hydra."""
    hints = _hints(node)
    for name, value in values.items():
        key, plain = f"{prefix}{name}", unwrapped(hints.get(name))
        if name not in hints:
            yield from problems_in(node, {name: value}, prefix)
        elif is_dataclass(plain) and isinstance(plain, type) and isinstance(value, Mapping):
            yield from strangers(plain, value, f"{key}.")
        elif get_origin(plain) is dict and isinstance(value, Mapping):
            item = get_args(plain)[1]
            for child, inner in value.items():
                if is_dataclass(item) and isinstance(item, type) and isinstance(inner, Mapping):
                    yield from strangers(item, inner, f"{key}.{child}.")


def _as_number(value: Any, annotation: Any) -> Any:
    """What omegaconf will make of a number written as text."""
    if annotation in (int, float) and isinstance(value, str):
        return float(value)
    return value


def _fits(node: type, name: str, value: Any) -> bool:
    from omegaconf.errors import OmegaConfBaseException

    try:
        _probe(node)[name] = value
    except (OmegaConfBaseException, ValueError, TypeError, OverflowError):
        return False
    return True


@lru_cache
def _probe(node: type) -> DictConfig:
    """A node to try values in, one after the other: whether one fits does not depend on what stands there."""
    from omegaconf import OmegaConf

    made: DictConfig = OmegaConf.structured(node)
    return made


def rule_problems(instance: Any, prefix: str = "") -> Iterator[Problem]:
    """Yield out-of-range values and broken rules of a composed config and everything below it."""
    kind: Any = type(instance)
    hints, nested = _hints(kind), False
    for declared in fields(instance):
        value = getattr(instance, declared.name)
        key = f"{prefix}{declared.name}"
        if other := _of_another_kind(hints[declared.name], value):
            nested = True
            yield Problem(key, NO_VALUE if other == _ANOTHER_NODE else value, other)
            continue
        limits = limits_of(declared)
        if limits.broken_by(value):
            yield Problem(key, value, f"must be {limits}")
        if why := misplaced(declared.name, value):
            yield Problem(key, NO_VALUE, why)
        below = {f"{key}.": value} if is_dataclass(value) else {}
        if isinstance(value, dict):
            below = {f"{key}.{child}.": inner for child, inner in value.items() if is_dataclass(inner)}
        for inside, inner in below.items():
            for problem in rule_problems(inner, inside):
                nested |= problem.what in (_ANOTHER_NODE, _NO_SINGLE_VALUE)
                yield problem
    if hasattr(instance, "rules") and not nested:
        for name, message in instance.rules():
            yield Problem(f"{prefix}{name}", _look_up(instance, name), message)


_ANOTHER_NODE = "holds another part of the config, of other keys than it has"
_NO_SINGLE_VALUE = "holds a list or a group of keys where it should hold a single value"
"""Of a node with such a value, and of all above it, no rule between keys is asked."""


def _of_another_kind(annotation: Any, value: object) -> str:
    """What is wrong where a list or a group of keys stands for another; omegaconf looks no deeper than one level."""
    plain = unwrapped(annotation)
    origin, inner = get_origin(plain), get_args(plain)
    if value is None:
        return ""
    if origin in (list, dict):
        if not isinstance(value, origin):
            return _ANOTHER_NODE
        each = value.values() if isinstance(value, dict) else cast("list[object]", value)
        return next(filter(None, (_of_another_kind(inner[-1], item) for item in each)), "")
    if is_dataclass(plain) and isinstance(plain, type):
        return "" if isinstance(value, plain) else _ANOTHER_NODE
    single = plain in (str, int, float, bool)
    wrong = single and (isinstance(value, list | dict) or is_dataclass(value))
    return _NO_SINGLE_VALUE if wrong else ""


def _look_up(instance: Any, dotted: str) -> object:
    value = instance
    for part in dotted.split("."):
        value = value.get(part, NO_VALUE) if isinstance(value, dict) else getattr(value, part, NO_VALUE)
        if value is NO_VALUE:
            return NO_VALUE
    return NO_VALUE if is_dataclass(value) else value
